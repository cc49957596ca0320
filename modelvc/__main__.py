"""Entry point. What Git calls, and what people call all day, takes a short path."""

from __future__ import annotations

import sys


def main() -> int:
    argv = sys.argv[1:]
    if argv[:1] == ["hook"]:
        from modelvc.drivers.dispatch import run
    else:
        from modelvc.cli.app import run
    return run(argv[1:] if argv[:1] == ["hook"] else argv)


if __name__ == "__main__":
    sys.exit(main())
