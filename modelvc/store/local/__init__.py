"""The local store: packs, roots and an index in one folder."""
