"""How drivers and hooks end, and what they tell the person who runs Git."""

from __future__ import annotations

import sys

FAILED = 1
CONFLICT = 3  # 1 is how a Python ends that could not even start
NOT_HERE = 127  # for the shims, as if there were no modelvc: they look for another one, or let Git go on


def say(words: str, hint: str = "") -> None:
    """Write one line to stderr, and HINT in the next."""
    sys.stderr.write(f"mvc: {words}\n" + (f"     {hint}\n" if hint else ""))
    sys.stderr.flush()
