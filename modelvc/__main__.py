"""Entry point. What Git calls, and what people call all day, takes a short path."""

from __future__ import annotations

import os
import sys


def main() -> int:
    argv = sys.argv[1:]
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
