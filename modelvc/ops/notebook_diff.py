"""Two versions of one notebook, for the rich diff and the web views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import NotFoundError, UsageError, shown
from modelvc.git import history
from modelvc.git.run import git, run
from modelvc.notebook.document import is_notebook
from modelvc.ops.notebooks import read

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class NotebookDiff:
    """What is compared: the names of both sides, and how they differ, in words."""

    path: str
    old: str
    new: str
    text: str


@dataclass(frozen=True, slots=True)
class Pair:
    """Both sides, as bytes."""

    path: str
    names: tuple[str, str]
    before: bytes
    after: bytes


def pair(repo: Repo, revs: Sequence[str], text: str) -> Pair:
    """The notebook at TEXT: index and worktree; with one revision that and the worktree; with two, these."""
    path = repo.inside(text)
    if not is_notebook(path):
        raise UsageError(f"{shown(text)} is no notebook", hint="name a file that ends in .ipynb")
    names = [*(revs or [""]), *([] if len(revs) > 1 else ["worktree"])]
    sides = [_at(repo, rev, path) for rev in (revs or [""])]
    if len(revs) < 2:
        try:
            sides.append(read(repo, path))
        except (FileNotFoundError, NotADirectoryError):
            sides.append(None)
    if not any(side is not None for side in sides):
        raise NotFoundError(f"there is no {shown(text)}", hint="see `git ls-files '*.ipynb'`")
    labels = (f"{path} ({names[0] or 'index'})", f"{path} ({names[1]})")
    return Pair(path, labels, sides[0] or b"", sides[1] or b"")


def stages(repo: Repo, path: str) -> list[bytes]:
    """Base, ours and theirs of a notebook in conflict; UsageError when it is in none."""
    found = []
    for stage in ("1", "2", "3"):
        code, data, _ = run(repo.layout, "cat-file", "blob", f":{stage}:{path}")
        found.append(b"" if code else data)
    if not found[1] or not found[2]:
        raise UsageError(f"{shown(path)} is not in conflict between two versions", hint="see `git status`")
    return found


def in_conflict(repo: Repo) -> list[str]:
    """The notebooks that Git's index holds in conflict."""
    import os

    out = git(repo.layout, "diff", "--name-only", "--diff-filter=U", "-z")
    return [path for path in map(os.fsdecode, out.split(b"\0")) if path and is_notebook(path)]


def _at(repo: Repo, rev: str, path: str) -> bytes | None:
    """A file in a commit, or with "" in the index."""
    commit = history.resolve(repo.layout, rev) if rev else ""
    code, data, _ = run(repo.layout, "cat-file", "blob", f"{commit}:{path}")
    return None if code else data
