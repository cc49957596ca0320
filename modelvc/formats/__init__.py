"""Readers and writers of the formats that docs/format.md specifies: bytes in, values out.

Formats with one user are in its module: docs/design.md lists them.
"""
