"""From exceptions to words and exit codes: the last thing between a person and a traceback."""

from __future__ import annotations

import json
import os
import sys

from modelvc.errors import ModelvcError, shown

INTERNAL = 70
INTERRUPTED = 130
DISK = 11


def explain(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Say on stderr what went wrong and what to do; the exit code."""
    if isinstance(error, ModelvcError):
        _say(str(error), error.hint, error.code, error.exit_code, as_json=as_json)
        return error.exit_code
    if isinstance(error, KeyboardInterrupt):
        print("interrupted; what was stored stays, the next run goes on from there", file=sys.stderr)
        return INTERRUPTED
    if isinstance(error, BrokenPipeError):  # `mvc log | head`: nobody wants the rest
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    if isinstance(error, OSError) and error.filename:
        hint = "see to its permissions and the space on its disk, then run the command again"
        _say(f"{shown(error.filename)}: {error.strerror}", hint, "file-error", DISK, as_json=as_json)
        return DISK
    words = f"internal error: {shown(error)} ({type(error).__name__})"
    _say(words, "this is a bug in modelvc; repeat with -v for a traceback", "internal", INTERNAL, as_json=as_json)
    if debug:
        import traceback

        traceback.print_exception(error, file=sys.stderr)
    return INTERNAL


def _say(words: str, hint: str, code: str, status: int, *, as_json: bool) -> None:
    if as_json:
        found = {"error": {"code": code, "message": words, "hint": hint, "exit_code": status}}
        print(json.dumps(found, ensure_ascii=False), file=sys.stderr)
        return
    print(f"error: {words}", file=sys.stderr)
    if hint:
        print(f"hint: {hint}", file=sys.stderr)
