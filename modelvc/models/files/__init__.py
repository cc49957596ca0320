"""Read, compare, write and hide from Git the files of a model in the worktree."""
