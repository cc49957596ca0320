"""Verbs that judge what a version would run: scan."""
