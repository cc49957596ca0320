"""Verbs that change the tracked models and their files in the worktree."""
