"""Find the oids of files in the worktree. Read a file only if the state file does not know its oid."""

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

_UNKNOWN = ((0, 0, 0, 0, 0), b"", False)  # a row that equals that of no file


def file_oid(worktree: Worktree, state: State, path: str) -> bytes | None:
    """Return the oid of the file at PATH, or None if nothing is there. Raises ConflictError for a folder or a link."""
    found = file_seen(worktree, state, path)
    return found.oid if found else None


def file_seen(worktree: Worktree, state: State, path: str) -> Known | None:
    """Return what is known of the file at PATH, from the state file or from reading. None, errors: as of `file_oid`."""
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
    """Return the files of the folder at PATH by their path in it, or None if no folder is there.

    Files that the state file does not know are read. Raises UsageError as `scan`, FileChanged as `hash_file`.
    """
    folder = worktree.stat(path)
    if folder is None or not stat.S_ISDIR(folder.mode):
        return None
    _, rows = state.trees.get(path, (b"", {}))  # plain rows: there may be 100,000 of them
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
    """Return True if the folder at PATH holds the files that the state file knows, unchanged, and no others."""
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
    """Read the file at PATH once, as part of READING. Return its stat data and oid.

    Raises FileChanged if the file changes meanwhile.
    """
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
