"""What the files of a worktree hold, read only where the state file cannot tell."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from modelvc.errors import FileChanged
from modelvc.worktree.digest import digest_of
from modelvc.worktree.reading import Reading
from modelvc.worktree.scan import scan
from modelvc.worktree.state import Known, stat_of

if TYPE_CHECKING:
    from modelvc.worktree.files import Worktree
    from modelvc.worktree.state import State

_UNKNOWN = ((0, 0, 0, 0, 0), b"", False)  # a row that no file fits


def file_oid(worktree: Worktree, state: State, path: str) -> bytes | None:
    """The oid of the file at PATH; None when there is no such file. ConflictError for a folder or link."""
    found = file_seen(worktree, state, path)
    return found.oid if found else None


def file_seen(worktree: Worktree, state: State, path: str) -> Known | None:
    """What the file at PATH is now, by its stat data or its bytes; None and errors as of `file_oid`."""
    found = worktree.stat(path)
    if found is None:
        return None
    known = state.file(path)
    if known and known.settled and known.stat == found and stat.S_ISREG(found.mode):
        return known
    now = hash_file(worktree, path, Reading())
    state.remember_file(path, now.stat, now.oid, settled=now.settled)
    return now


def known_oid(worktree: Worktree, state: State, path: str) -> bytes | None:
    """Return the oid of the file or folder at PATH as the state knows it; None if it is gone or changed since."""
    found = worktree.stat(path)
    if found is None:
        return None
    if not stat.S_ISDIR(found[4]):
        file = state.files.get(path)
        return file[1] if file and file[0] == found else None
    oid, known = state.trees.get(path, (b"", {}))
    now = scan(worktree.root, path)
    return oid if {name: entry[0] for name, entry in known.items()} == now else None


def tree_files(worktree: Worktree, state: State, path: str) -> dict[str, Known] | None:
    """Every file of the folder at PATH, hashed where the state does not know it; None when there is no folder."""
    folder = worktree.stat(path)
    if folder is None or not stat.S_ISDIR(folder.mode):
        return None
    _, rows = state.trees.get(path, (b"", {}))  # as they are: there may be 100,000 of them
    found: dict[str, Known] = {}
    reading = Reading(many=True)
    for name, stat_data in scan(worktree.root, path).items():
        was, oid, settled = rows.get(name, _UNKNOWN)
        if settled and was == stat_data:
            found[name] = Known((stat_data, oid, True))
        else:
            found[name] = hash_file(worktree, f"{path}/{name}", reading)
    return found


def unchanged_tree(worktree: Worktree, state: State, path: str) -> bool:
    """Whether the folder at PATH holds exactly the files that the state knows, unchanged since."""
    _, rows = state.trees.get(path, (b"", {}))
    found = scan(worktree.root, path)
    if len(found) != len(rows):
        return False
    for name, stat_data in found.items():
        was, _, settled = rows.get(name, _UNKNOWN)
        if not settled or was != stat_data:
            return False
    return True


def hash_file(worktree: Worktree, path: str, reading: Reading) -> Known:
    """Read a file once; FileChanged when it changes meanwhile."""
    fd = worktree.open(path)
    try:
        reading.opened(fd)
        before = stat_of(os.fstat(fd))
        digest = digest_of(fd)
        after = stat_of(os.fstat(fd))
    finally:
        os.close(fd)
    if before != after:
        raise FileChanged(path)
    return Known((after, digest, reading.settles(after)))
