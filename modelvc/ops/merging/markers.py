"""Find committed conflicts. They come from forges, which merge without drivers."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, PointerConflict
from modelvc.formats.limits import POINTER
from modelvc.formats.paths import SafeRelPath, model_of, pointer_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import history, index
from modelvc.git.run import git
from modelvc.models import notebooks
from modelvc.notebook.document import is_notebook

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class Markers:
    """The models and notebooks in conflict, in a commit or ("") in the worktree."""

    commit: str
    paths: tuple[str, ...]


def markers(repo: Repo, rev: str = "") -> Markers:
    """Find pointers with markers or a `[conflict]` table, and notebooks with markers or conflict cells, in REV."""
    commit = history.resolve(repo.layout, rev) if rev else ""
    pointers = history.pointers_at(repo.layout, commit) if rev else dict(_worktree_pointers(repo))
    found = [str(model_of(name)) for name, data in pointers.items() if _in_conflict(data, name)]
    for path, data in _notebooks_at(repo, commit) if rev else _worktree_notebooks(repo):
        if "conflict" in notebooks.problem(data, path):
            found.append(path)
    return Markers(commit, tuple(sorted(found)))


def _in_conflict(data: bytes, name: str) -> bool:
    try:
        return parse(data, name).conflict is not None
    except PointerConflict:
        return True
    except ModelvcError:
        return any(line.startswith(b"[conflict") for line in data.splitlines())  # a table damaged by hand


def _worktree_pointers(repo: Repo) -> Iterator[tuple[str, bytes]]:
    for path in map(SafeRelPath, repo.tracked()):
        if repo.worktree.stat(pointer_of(path)) is not None:
            yield pointer_of(path), repo.worktree.read(pointer_of(path), POINTER)


def _worktree_notebooks(repo: Repo) -> Iterator[tuple[str, bytes]]:
    for path in notebooks.tracked_notebooks(repo):
        if not notebooks.too_large(repo, path):
            yield path, notebooks.read(repo, path)


def _notebooks_at(repo: Repo, commit: str) -> Iterator[tuple[str, bytes]]:
    wanted = []
    for line in git(repo.layout, "ls-tree", "-r", "-z", commit).split(b"\0"):
        head, tab, name = line.partition(b"\t")
        path = os.fsdecode(name)
        if tab and head.startswith(b"100") and is_notebook(path):
            wanted.append((path, head.split()[2].decode("ascii")))
    for some in notebooks.in_batches(repo, wanted):
        blobs = index.read_blobs(repo.layout, [blob for _, blob in some], limit=repo.config.notebooks.max_size)
        yield from ((path, blobs[blob]) for path, blob in some if blob in blobs)
