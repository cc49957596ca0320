"""Binary layouts of a store: packs, roots, segments, trees."""
