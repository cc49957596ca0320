"""Answers that need no terminal library: `mvc --version`, and `mvc status` where all is as it was when last looked at.

Everything imported here is paid by every `mvc status`. What this can not answer for certain, the long path does.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.git.layout import Layout
    from modelvc.worktree.state import State


def answer(argv: Sequence[str], env: Mapping[str, str]) -> bool:
    """Answer ARGV on stdout, if that can be done quickly and for certain."""
    if argv == ["--version"]:
        from modelvc import __version__

        sys.stdout.write(f"mvc {__version__}\n")
        return True
    if argv in (["status"], ["status", "--exit-code"]):
        lines = _status(env)
        if lines:
            sys.stdout.write("".join(line + "\n" for line in lines))
            return True
    return False


def _status(env: Mapping[str, str]) -> list[str]:
    """What a clean status says; nothing where it may not be clean any more."""
    from modelvc.errors import ModelvcError
    from modelvc.git.layout import discover
    from modelvc.worktree.state import State

    try:
        layout = discover(os.getcwd(), env)
    except ModelvcError:
        return []
    state = State(layout.state_dir)
    if not state.answer or not _still(layout, state):
        return []
    from modelvc.cli.words import clean_words

    total = len(state.answer[1])
    return clean_words(total, total, 0, state.answer[3])


def _still(layout: Layout, state: State) -> bool:
    """Whether everything that the answer rests on has the stat data that it had."""
    from modelvc.worktree.scan import scan
    from modelvc.worktree.state import stat_of

    watched, paths, roots, _ = state.answer
    pointers, files, trees = state.pointers, state.files, state.trees
    top = layout.worktree + "/"
    stat = os.stat
    try:
        for path, data in watched:
            if _stat(path) != data:
                return False
        for root in roots:
            stat(root)
        for path in paths:
            known = pointers[path]
            if not known[4] or stat_of(stat(f"{top}{path}.mvc", follow_symlinks=False)) != known[0]:
                return False
            if known[1] == "file":
                file = files[path]
                if not file[2] or file[1] != known[2] or stat_of(stat(top + path, follow_symlinks=False)) != file[0]:
                    return False
            else:
                oid, there = trees[path]
                found = scan(layout.worktree, path)
                if oid != known[2] or len(found) != len(there):
                    return False
                for name, data in found.items():
                    entry = there[name]
                    if not entry[2] or entry[0] != data:
                        return False
    except (OSError, KeyError):
        return False
    except Exception:  # noqa: BLE001 - an unfit folder: the long path says why
        return False
    return True


def _stat(path: str) -> tuple[int, int, int, int, int] | None:
    from modelvc.worktree.state import stat_of

    try:
        return stat_of(os.stat(path))
    except OSError:
        return None
