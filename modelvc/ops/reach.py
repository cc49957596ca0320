"""What must stay: every version that a ref, a reflog, an index or a worktree of this clone leads to."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from modelvc.errors import BrokenPointer, ModelvcError
from modelvc.formats.limits import POINTER
from modelvc.formats.paths import model_of, pointer_of
from modelvc.formats.pointer import parse
from modelvc.git import history, index, worktrees

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.oid import Oid
    from modelvc.repo import Repo

    Named = tuple[str, Oid]


def reachable(repo: Repo, grace: float) -> tuple[set[Named], set[Named], dict[Named, str]]:
    """Objects that must stay, those that the worktrees show now, and a path for each."""
    found: set[Named] = set()
    current: set[Named] = set()
    names: dict[Named, str] = {}
    for path, data, now in _pointers(repo):
        try:
            pointer = parse(data, path)
        except ModelvcError as error:
            raise BrokenPointer(
                f"nothing can be removed while a pointer can not be read: {error}",
                hint="mend it, or if it is in history only, rewrite or forget that history",
            ) from None
        for version in pointer.versions:
            name = (version.kind, version.oid)
            found.add(name)
            names.setdefault(name, model_of(path))
            if now:
                current.add(name)
    for when, path, kind, oid in repo.replaced():
        names.setdefault((kind, oid), path)
        if time.time() - when < grace:
            found.add((kind, oid))
    return found, current, names


def _pointers(repo: Repo) -> Iterator[tuple[str, bytes, bool]]:
    """(path, bytes, whether a worktree shows it now) of every pointer that anything reaches."""
    for seen in history.pointers_in(repo.layout, all_refs=True, reflog=True):
        yield seen.path, seen.data, False
    for layout in worktrees.layouts(repo.layout):
        entries = index.pointers(layout)
        blobs = index.read_blobs(layout, sorted({entry.blob for entry in entries}))
        for entry in entries:
            if entry.blob in blobs:
                yield entry.path, blobs[entry.blob], True
            try:
                with open(os.path.join(layout.worktree, entry.path), "rb") as file:
                    yield entry.path, file.read(POINTER + 1), True
            except OSError:
                continue
    for path in repo.tracked():
        if repo.worktree.stat(pointer_of(path)) is not None:
            yield pointer_of(path), repo.worktree.read(pointer_of(path), POINTER), True
