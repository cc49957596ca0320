"""Clean up a remote while others use it."""
