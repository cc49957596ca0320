"""Verbs about metrics: show, set, check, bisect, and the changes that hooks report."""
