"""Verbs about notebooks: strip, check, refresh, diff, merge, resolve."""
