"""Read file names as UTF-8 in every locale: on disk they are bytes, and in every format of modelvc UTF-8."""

from __future__ import annotations

import os
import sys


def ensure() -> None:
    """Start Python again in UTF-8 mode if it reads file names in another encoding, such as Latin-1.

    The mode holds for os.fsdecode and sys.argv. Standard input and output keep the encoding of the locale, which the
    terminal uses.
    """
    if sys.getfilesystemencoding() == "utf-8" or not sys.executable:
        return
    out = sys.stdout
    if out is not None:
        os.environ.setdefault("PYTHONIOENCODING", f"{out.encoding}:{out.errors}")
    os.execv(sys.executable, [sys.executable, "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - no shell is meant
