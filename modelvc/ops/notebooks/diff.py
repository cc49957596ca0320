"""Read two versions of a notebook, for the rich diff and the web views."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import NotFoundError, UsageError, shown
from modelvc.git import history
from modelvc.git.run import git, run
from modelvc.models.notebooks import read
from modelvc.notebook.document import is_notebook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class NotebookDiff:
    """The names of both sides, and their difference as text."""

    path: str
    old: str
    new: str
    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides as bytes."""

    path: str
    names: tuple[str, str]
    before: bytes
    after: bytes


def pair(repo: Repo, revs: Sequence[str], text: str) -> Pair:
    """Read the notebook at TEXT in two revisions. The second defaults to the worktree, the first to Git's index.

    Raises UsageError for a file that is not a notebook, NotFoundError if neither side has it.
    """
    path = repo.inside(text)
    if not is_notebook(path):
        raise UsageError(f"{shown(text)} is not a notebook", hint="name a file that ends in .ipynb")
    first, name = _staged(repo, path) if not revs else (_at(repo, revs[0], path), revs[0])
    if len(revs) > 1:
        second, other = _at(repo, revs[1], path), revs[1]
    else:
        second, other = _worktree(repo, path), "worktree"
    if first is None and second is None:
        raise NotFoundError(f"there is no {shown(text)}", hint="see `git ls-files '*.ipynb'`")
    return Pair(path, (f"{path} ({name})", f"{path} ({other})"), first or b"", second or b"")


def stages(repo: Repo, path: str) -> list[bytes]:
    """Return base, ours and theirs of a notebook in conflict. Raises UsageError if it is in none."""
    found = [_blob(repo, f":{stage}:{path}") or b"" for stage in (1, 2, 3)]
    if not found[1] or not found[2]:
        raise UsageError(f"{shown(path)} is not in conflict between two versions", hint="see `git status`")
    return found


def in_conflict(repo: Repo) -> list[str]:
    """Return the Jupyter notebooks of which Git's index holds two versions."""
    sides: dict[str, set[bytes]] = {}
    for line in git(repo.layout, "ls-files", "-u", "-z").split(b"\0"):
        head, tab, name = line.partition(b"\t")
        if tab:
            sides.setdefault(os.fsdecode(name), set()).add(head.rpartition(b" ")[2])
    return [path for path, found in sides.items() if {b"2", b"3"} <= found and path.endswith(".ipynb")]


def _staged(repo: Repo, path: str) -> tuple[bytes | None, str]:
    """Return a file of the index and the name of that side. In a conflict it is our side, as in `git diff --ours`."""
    data = _blob(repo, f":0:{path}")
    ours = _blob(repo, f":2:{path}") if data is None else None
    return (data, "index") if ours is None else (ours, "ours")


def _at(repo: Repo, rev: str, path: str) -> bytes | None:
    return _blob(repo, f"{history.resolve(repo.layout, rev)}:{path}")


def _blob(repo: Repo, name: str) -> bytes | None:
    code, data, _ = run(repo.layout, "cat-file", "blob", name)
    return None if code else data


def _worktree(repo: Repo, path: str) -> bytes | None:
    try:
        return read(repo, path)
    except (FileNotFoundError, NotADirectoryError):
        return None
