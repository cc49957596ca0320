"""Verbs about the same answer elsewhere: the environment that a version was made in, and others beside it."""
