"""Lines that `mvc status` prints on both its paths. Imports little, because the quick path loads it."""

from __future__ import annotations

import os

from modelvc.errors import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def below(folder: str, worktree: str) -> str:
    """Return FOLDER relative to the top of WORKTREE."""
    return os.path.relpath(os.path.realpath(folder), worktree)


def name_from(path: str, folder: str) -> str:
    """Return PATH, which is relative to the worktree, relative to FOLDER (see `below`) and safe for a terminal.

    An absolute PATH stays as it is.
    """
    if folder in {"", "."} or folder.startswith("..") or path.startswith("/"):
        return shown(path)
    return shown(os.path.relpath(path, folder))


def clean_words(clean: int, total: int, absent: int, unpushed: tuple[int, Sequence[str]], folder: str) -> list[str]:
    """Return the last lines of a status.

    CLEAN of TOTAL models equal their pointers, ABSENT are not in the local store. UNPUSHED: how many are not
    pushed, and the paths of the first few, which are shown relative to FOLDER.
    """
    models = f"{total:,} model" + ("" if total == 1 else "s")
    lines = [f"{models}, all clean" if clean == total else f"{clean:,} of {models} clean"]
    if absent:
        lines.append(f"{absent:,} not in the local store (mvc fetch)")
    count, paths = unpushed
    if count:
        lines += [f"{count:,} not pushed (mvc push):", *(f"  {name_from(path, folder)}" for path in paths)]
    if count > len(paths):
        lines.append(f"  and {count - len(paths):,} more")
    return lines
