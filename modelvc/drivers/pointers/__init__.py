"""The merge driver for pointers, and the hooks that show how metrics change."""
