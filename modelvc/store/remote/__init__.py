"""A store behind a backend: its keys, its packs, what its server honours."""
