"""Verbs that look at versions or go back to one: log, show, diff, plot, rollback."""
