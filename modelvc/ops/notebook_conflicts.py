"""Conflicts in notebooks of the worktree: merge again, settle."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ConflictError, FormatError, NotFoundError, UsageError, shown
from modelvc.git import index, mergefile
from modelvc.git.run import git
from modelvc.git.sides import names
from modelvc.notebook import conflict
from modelvc.notebook.document import JUPYTER, Document, parse
from modelvc.notebook.merge import merge as merge_notebooks
from modelvc.ops.notebooks import read, write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.repo import Repo

_LARGEST = 1 << 30  # bytes
_BASE, _OURS, _THEIRS = 1, 2, 3  # stages of Git's index


@dataclass(frozen=True, slots=True)
class NotebookMerged:
    """A merge of notebooks: how many conflicts the result holds; `path`: where it was written, "" for nowhere."""

    path: str
    conflicts: int


@dataclass(frozen=True, slots=True)
class NotebookResolved:
    """What `mvc notebook resolve` settled in one notebook, how many conflicts are `left`, and whether it is staged."""

    path: str
    settled: int
    left: int
    staged: bool


@dataclass(frozen=True, slots=True)
class NotebooksResolved:
    """The notebooks of one `mvc notebook resolve`, in the order given."""

    notebooks: tuple[NotebookResolved, ...]


def merge_data(
    base: bytes, ours: bytes, theirs: bytes, called: tuple[str, str] = ("ours", "theirs")
) -> tuple[bytes, int]:
    """Merge three notebooks whose sides are CALLED so in conflicts; FormatError when one of them is none."""
    return merge_notebooks(base, ours, theirs, called, lambda *texts: mergefile.lines(texts, called))


def merge_again(repo: Repo, text: str) -> NotebookMerged:
    """Merge the notebook at TEXT from the index, where a merge without drivers left it in conflict."""
    path = repo.inside(text)
    stages = _stages(repo, path)
    if _OURS not in stages or _THEIRS not in stages:
        raise UsageError(f"{shown(text)} is not in conflict between two versions", hint="see `git status`")
    called = names(repo.layout, {})
    data, found = merge_data(stages.get(_BASE, b""), stages[_OURS], stages[_THEIRS], called)
    write(repo, path, data)
    if not found:
        index.stage(repo.layout, add=[path])
    return NotebookMerged(path, found)


def resolve(repo: Repo, texts: Sequence[str], side: str, *, cell: str = "") -> NotebooksResolved:
    """Settle the conflicts in notebooks for SIDE (ours, theirs, union); with CELL only that of one cell.

    A notebook without conflicts left is staged, if Git was waiting for that.
    """
    return NotebooksResolved(tuple(_resolve(repo, text, side, cell=cell) for text in texts))


def _resolve(repo: Repo, text: str, side: str, *, cell: str = "") -> NotebookResolved:
    path = repo.inside(text)
    try:
        data = read(repo, path)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"there is no {shown(text)}", hint="see `git status`") from None
    stages = _stages(repo, path)
    document = _document(data, stages, path, side)
    settled = conflict.resolve(document.notebook, side, cell=cell)
    changed = document.encode()
    if cell and not settled:
        raise NotFoundError(f"no cell {shown(cell)} of {shown(text)} is in conflict", hint="see `git diff`")
    if not settled and changed == data:
        raise UsageError(f"{shown(text)} holds no conflict", hint="see `git status`")
    write(repo, path, changed, data)
    left = conflict.count(document.notebook)
    if not left and stages:
        index.stage(repo.layout, add=[path])
    return NotebookResolved(path, settled, left, bool(stages) and not left)


def _document(data: bytes, stages: Mapping[int, bytes], path: str, side: str) -> Document:
    """The notebook with its conflicts; one that a text merge broke is merged anew, or read as the text of SIDE."""
    try:
        found = parse(data)
    except FormatError as error:
        text = data.decode("utf-8", "surrogateescape")
        if not conflict.has_markers(text):
            raise ConflictError(
                f"{shown(path)} is {error}", hint="take one side: git checkout --ours -- PATH"
            ) from None
    else:
        if found.kind != JUPYTER:
            raise UsageError(f"{shown(path)} is no Jupyter notebook", hint="settle it in an editor, then `git add` it")
        return found
    try:
        if _OURS in stages and _THEIRS in stages:
            return parse(merge_data(stages.get(_BASE, b""), stages[_OURS], stages[_THEIRS])[0])
        return parse(conflict.sides_of(text, side).encode("utf-8", "surrogateescape"))
    except FormatError as error:
        raise ConflictError(
            f"{shown(path)} has conflict markers, and the side {side} of them is {error}",
            hint="try the other side, or take a whole version: git checkout REV -- PATH",
        ) from None


def _stages(repo: Repo, path: str) -> dict[int, bytes]:
    """The versions of a path that Git's index holds in a conflict."""
    out = git(repo.layout, "--literal-pathspecs", "ls-files", "-u", "-z", "--", path)
    ids = {}
    for line in out.split(b"\0"):
        head, tab, name = line.partition(b"\t")
        if tab and os.fsdecode(name) == path:
            _, blob, stage = head.decode("ascii").split()
            ids[int(stage)] = blob
    blobs = index.read_blobs(repo.layout, list(ids.values()), limit=_LARGEST)
    return {stage: blobs[blob] for stage, blob in ids.items() if blob in blobs}
