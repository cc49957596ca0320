"""What Git runs for pointers: the merge driver, and hooks that show what becomes of metrics."""
