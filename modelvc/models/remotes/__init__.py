"""Remotes of a clone: their list, the trust in them, and their objects."""
