"""The programs that Git runs: hooks, filters, diff and merge drivers. They load no terminal libraries."""
