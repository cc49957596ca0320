"""Turn exceptions into messages and exit codes, so that no person sees a traceback."""

from __future__ import annotations

import errno
import os
import sys

from modelvc.cli.views.render import as_json as encoded
from modelvc.cli.views.render import colour
from modelvc.errors import FileError, ModelvcError, NoSpace, shown

INTERNAL = 70
INTERRUPTED = 130
_FULL = (errno.ENOSPC, errno.EDQUOT)


def explain(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Print an error and its hint on stderr. Return the exit code. DEBUG: print the traceback of an internal error."""
    if isinstance(error, ModelvcError):
        return complain(str(error), error.hint, error.code, error.exit_code, as_json=as_json)
    if isinstance(error, KeyboardInterrupt):
        print("interrupted; the next run continues from what was stored", file=sys.stderr)
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):  # `mvc log | head`: the reader has enough
        _drop_output()
        return 0
    if isinstance(error, OSError):
        return _disk(error, as_json=as_json)
    words = f"internal error: {shown(error)} ({type(error).__name__})"
    hint = "this is a bug in modelvc; repeat with -v for a traceback"
    complain(words, "" if debug else hint, "internal", INTERNAL, as_json=as_json)
    if debug:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    return INTERNAL


def _disk(error: OSError, *, as_json: bool) -> int:
    """Print an error of the operating system. Return the exit code."""
    where = f"{shown(os.fsdecode(error.filename))}: " if isinstance(error.filename, str | bytes) else ""
    if error.errno in _FULL:
        _drop_output()  # perhaps stdout itself could not be written
        hint = (
            "free some space (`mvc gc` lists unused versions), then run the command again; nothing was left half done"
        )
        return complain(f"{where}no space left", hint, NoSpace.code, NoSpace.exit_code, as_json=as_json)
    hint = "check its permissions and its disk, then run the command again"
    words = f"{where}{shown(error.strerror or error)}"
    return complain(words, hint, FileError.code, FileError.exit_code, as_json=as_json)


def complain(words: str, hint: str, code: str, status: int, *, as_json: bool) -> int:
    """Print one error on stderr, as text or as JSON. Return STATUS, its exit code."""
    if as_json:
        found = {"error": {"code": code, "message": words, "hint": hint, "exit_code": status}}
        print(encoded(found, indent=None), file=sys.stderr)
        return status
    print(f"{colour('error:', 'red', sys.stderr)} {words}", file=sys.stderr)
    if hint:
        print(f"{colour('hint:', 'cyan', sys.stderr)} {hint}", file=sys.stderr)
    return status


def _drop_output() -> None:
    """Discard all further output to stdout: at its exit, Python would try to write again, and report an error."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
