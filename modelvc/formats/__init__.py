"""Bytes in, values out. Every layout is specified in docs/format.md."""
