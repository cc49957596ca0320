"""Remotes of a clone: their list, the trust in them, and what they hold."""
