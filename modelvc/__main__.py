"""Entry point. What Git calls, and what people call all day, takes a short path."""

from __future__ import annotations

import gc
import os
import sys

INTERRUPTED = 130
_RARELY = 1000  # what a command reads lives until it ends: looking through all of it again and again frees nothing


def main() -> int:
    if sys.getfilesystemencoding() != "utf-8":
        from modelvc.drivers import utf8

        utf8.ensure()
    try:
        return _main(sys.argv[1:])
    except KeyboardInterrupt:  # while something was still being imported; commands speak for themselves
        sys.stderr.write("interrupted\n")
        return INTERRUPTED


def _main(argv: list[str]) -> int:
    gc.set_threshold(*gc.get_threshold()[:2], _RARELY)
    if argv[:1] == ["hook"]:
        from modelvc.drivers.dispatch import run as run_hook

        return run_hook(argv[1:])
    from modelvc.cli import quick

    if quick.answer(argv, os.environ):
        return 0
    from modelvc.cli.app import run

    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
