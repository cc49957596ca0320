"""Exit statuses of drivers and hooks, and their messages to the person who runs Git."""

from __future__ import annotations

import sys

FAILED = 1
CONFLICT = 3  # not 1: a Python that fails to start ends with 1
NOT_HERE = 127  # the shims then look for another modelvc, or let Git go on


def say(words: str, hint: str = "") -> None:
    """Write one line to stderr, and HINT in the next."""
    sys.stderr.write(f"mvc: {words}\n" + (f"     {hint}\n" if hint else ""))
    sys.stderr.flush()
