"""Verbs that use remotes: push, fetch, pull, get."""
