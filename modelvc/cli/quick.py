"""Answer `mvc version`, and `mvc status` if nothing changed since the last one, without a terminal library.

Every `mvc status` loads this module, so it imports little. If it cannot answer for certain, the normal path answers.
"""

from __future__ import annotations

import os
import stat
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.worktree.state import State


def answer(argv: Sequence[str], env: Mapping[str, str]) -> bool:
    """Answer ARGV on stdout if the answer is quick and certain. Return True if it was written."""
    lines: list[str] = []
    if argv in (["--version"], ["version"]):
        from modelvc import __version__

        lines = [f"mvc {__version__}"]
    elif argv in (["status"], ["status", "--exit-code"]):
        lines = _status(env)
    return bool(lines) and _print(lines)


def _print(lines: Sequence[str]) -> bool:
    """Write LINES. Return True if they were written, or if the reader closed the pipe.

    After any other error, the normal path runs and explains it.
    """
    try:
        sys.stdout.write("".join(line + "\n" for line in lines))
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # else Python reports an error at its exit
    except OSError:
        return False
    return True


def _status(env: Mapping[str, str]) -> list[str]:
    """Return the lines of a clean status, or [] if the status may have changed."""
    from modelvc.errors import ModelvcError
    from modelvc.git.layout import discover
    from modelvc.worktree.state import State

    try:
        layout = discover(os.getcwd(), env)
    except (ModelvcError, OSError):
        return []
    state = State(layout.state_dir)
    if not state.answer or not _still(layout.worktree, state):
        return []
    from modelvc.cli.words import below, clean_words

    total = len(state.answer[1])
    return clean_words(total, total, 0, state.answer[2:], below(os.getcwd(), layout.worktree))


def _still(worktree: str, state: State) -> bool:
    """Return True if everything on which the answer of `ops.status` rests has the same stat data as then."""
    from modelvc.worktree.scan import scan
    from modelvc.worktree.state import stat_of

    pointers, files, trees = state.pointers, state.files, state.trees
    top = worktree + "/"
    lstat = os.lstat
    try:
        watched, paths, _, _ = state.answer
        for path, data in watched:
            if _stat(path) != data:
                return False
        folders: set[str] = set()
        for path in paths:
            folder = path.rpartition("/")[0]
            while folder and folder not in folders:  # a folder that became a link would lead to other files
                if stat.S_ISLNK(lstat(top + folder).st_mode):
                    return False
                folders.add(folder)
                folder = folder.rpartition("/")[0]
            was, kind, oid, _, settled = pointers[path]
            if not settled or stat_of(lstat(f"{top}{path}.mvc")) != was:
                return False
            if kind == "file":
                was, content, settled = files[path]
                if not settled or content != oid or stat_of(lstat(top + path)) != was:
                    return False
            else:
                content, there = trees[path]
                found = scan(worktree, path)
                if content != oid or len(found) != len(there):
                    return False
                for name, data in found.items():
                    was, _, settled = there[name]
                    if not settled or was != data:
                        return False
    except Exception:  # noqa: BLE001 - a file is missing, or the state is corrupt or of another version: the normal path explains it
        return False
    return True


def _stat(path: str) -> tuple[int, int, int, int, int] | None:
    from modelvc.worktree.state import stat_of

    try:
        return stat_of(os.stat(path))
    except OSError:
        return None
