"""Verbs that reach a remote: push, fetch, pull, get."""
