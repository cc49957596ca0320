"""The files of a model in the worktree: read, compared, hidden from Git, written."""
