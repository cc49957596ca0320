"""Verbs about the tracked models and their files in the worktree. status, ls and pre_commit only look."""
