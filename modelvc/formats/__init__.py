"""Readers and writers of every format: bytes in, values out. docs/format.md specifies the layouts."""
