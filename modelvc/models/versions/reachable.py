"""List the objects that must stay: all that a ref, a reflog, an index or a worktree of this clone reaches."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import BrokenPointer, ConflictError, ModelvcError, shown, shown_url
from modelvc.formats.limits import POINTER
from modelvc.formats.paths import model_of, pointer_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import history, index, worktrees
from modelvc.ids import ObjectName
from modelvc.worktree import state
from modelvc.worktree.files import Worktree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.repo import Repo


class Reached(NamedTuple):
    """Objects that a clone reaches."""

    needed: set[ObjectName]  # they must stay
    current: set[ObjectName]  # worktrees and indexes show them now
    names: dict[ObjectName, str]  # a path for each object that a pointer or the reflog of models names
    versions: set[ObjectName]  # of `names`, the versions of models; the others are predictions


def reachable(repo: Repo, grace: float) -> Reached:
    """Return what this clone reaches, including versions replaced less than GRACE seconds ago.

    Raises BrokenPointer for a pointer that cannot be read: its object is unknown and must not be removed.
    """
    found = Reached(set(), set(), {}, set())
    for path, data, now in _pointers(repo):
        pointer = parse_or_stop(path, data)
        found.versions.update(ObjectName(side.kind, side.oid) for side in pointer.sides)
        for one in pointer.versions:
            name = ObjectName(one.kind, one.oid)
            found.needed.add(name)
            found.names.setdefault(name, model_of(path))
            if now:
                found.current.add(name)
    for when, path, kind, oid in repo.replaced():
        name = ObjectName(kind, oid)
        found.names.setdefault(name, path)
        found.versions.add(name)
        if time.time() - when < grace:
            found.needed.add(name)
    return found


def parse_or_stop(path: str, data: bytes, url: str = "") -> Pointer:
    """Parse the pointer DATA of the repository at URL ("": this clone). Raises BrokenPointer if it cannot be read."""
    try:
        return parse(data, path)
    except ModelvcError as error:
        where = f" in {shown_url(url)}" if url else ""
        raise BrokenPointer(
            f"nothing can be removed while a pointer{where} cannot be read: {error}",
            hint="run `mvc fsck` to see how to repair it; if it is in history only, rewrite or forget that history",
        ) from None


def _pointers(repo: Repo) -> Iterator[tuple[str, bytes, bool]]:
    """Yield (path, bytes, whether a worktree shows it now) of every reachable pointer."""
    history.check_refs(repo.layout)
    for seen in history.pointers_in(repo.layout, all_refs=True, reflog=True):
        yield seen.path, seen.data, False
    for layout in worktrees.layouts(repo.layout):
        entries = index.pointers(layout)
        blobs = index.read_blobs(layout, sorted({entry.blob for entry in entries}))
        for entry in entries:
            if entry.blob in blobs:
                yield entry.path, blobs[entry.blob], True
        files = Worktree(layout.worktree, layout.state_dir)
        unstaged = map(pointer_of, state.State(layout.state_dir).pointers)
        for path in sorted({*(entry.path for entry in entries), *unstaged}):
            with suppress(FileNotFoundError, NotADirectoryError, ConflictError):  # gone, a link or a folder by now
                yield path, _read(files, path), True


def _read(files: Worktree, path: str) -> bytes:
    try:
        return files.read(path, POINTER)
    except (FileNotFoundError, NotADirectoryError):
        raise
    except OSError as error:
        raise BrokenPointer(
            f"nothing can be removed while {shown(path)} cannot be read: {shown(error.strerror)}",
            hint="make it readable, or delete it",
        ) from None
