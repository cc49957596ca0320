"""The entry point. Hooks, `mvc version` and a clean `mvc status` take a short path that loads little."""

from __future__ import annotations

import gc
import os
import sys

INTERRUPTED = 130
_RARELY = 1000  # a command keeps what it reads until it ends, so full garbage collections would free little


def main() -> int:
    """Run the command line in sys.argv. Return the exit status."""
    if sys.getfilesystemencoding() != "utf-8":
        from modelvc.drivers import utf8

        utf8.ensure()
    try:
        return _main(sys.argv[1:])
    except KeyboardInterrupt:  # during an import; commands handle it themselves
        sys.stderr.write("interrupted\n")
        return INTERRUPTED


def _main(argv: list[str]) -> int:
    gc.set_threshold(*gc.get_threshold()[:2], _RARELY)
    if argv[:1] == ["hook"]:
        from modelvc.drivers.dispatch import run as run_hook

        return run_hook(argv[1:])
    if argv[:1] == ["complete"]:
        from modelvc.cli.complete import run as complete

        return complete(argv[1:])
    from modelvc.cli import quick

    if quick.answer(argv, os.environ):
        return 0
    from modelvc.cli.app import run

    return run(argv)


if __name__ == "__main__":
    sys.exit(main())
