"""What Git runs: hooks, later filters and merge drivers. No terminal libraries."""
