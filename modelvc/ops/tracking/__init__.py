"""Verbs that change which models are tracked and what lies in the worktree."""
