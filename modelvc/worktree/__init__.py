"""Files of the worktree: open, read, replace and remove them safely, and remember their stat data and oids."""
