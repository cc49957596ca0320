"""Names on disk are bytes, and UTF-8 in every format of ours, whatever the locale says."""

from __future__ import annotations

import os
import sys


def ensure() -> None:
    """Start Python again where it takes names for something else, such as Latin-1: os.fsdecode and argv follow this.

    Standard input and output stay in the encoding of the locale, which the terminal shows.
    """
    if sys.getfilesystemencoding() == "utf-8" or not sys.executable:
        return
    out = sys.stdout
    if out is not None:
        os.environ.setdefault("PYTHONIOENCODING", f"{out.encoding}:{out.errors}")
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - no shell is meant
