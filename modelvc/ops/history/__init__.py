"""Verbs about versions in history: log, show, diff, plot, rollback."""
