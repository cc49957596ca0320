"""Verbs about metrics: show, set, check, bisect."""
