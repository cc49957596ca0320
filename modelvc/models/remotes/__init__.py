"""Remotes of a clone: which there are, which it trusts, what they hold."""
