"""Merge notebooks, and resolve their conflicts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ConflictError, FormatError, ModelvcError, NotFoundError, UsageError, shown
from modelvc.git import index, mergefile
from modelvc.git.merge_sides import names
from modelvc.git.run import git
from modelvc.models.notebooks import problem, read, staged
from modelvc.notebook import conflict
from modelvc.notebook.document import JUPYTER, Document, parse
from modelvc.notebook.merge import merge as merge_notebooks
from modelvc.ops.notebooks.outputs import write

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.repo import Repo

_LARGEST = 1 << 30  # bytes
_BASE, _OURS, _THEIRS = 1, 2, 3  # stages of Git's index
_STAGE = {conflict.OURS: _OURS, conflict.THEIRS: _THEIRS}


@dataclass(frozen=True, slots=True)
class NotebookMerged:
    """A merged notebook. `path`: where it was written, "" if nowhere; `conflicts`: how many it holds."""

    path: str
    conflicts: int


@dataclass(frozen=True, slots=True)
class NotebookResolved:
    """One notebook. `settled`: conflicts that were resolved; `left`: conflicts that remain.

    `whole`: one side's version was taken as a whole, because a side is not a notebook.
    """

    path: str
    settled: int
    left: int
    staged: bool
    whole: bool = False


@dataclass(frozen=True, slots=True)
class NotebooksResolved:
    """The notebooks of one `mvc notebook resolve`, in the order given. `failed`: (path as given, why) of the others."""

    notebooks: tuple[NotebookResolved, ...]
    failed: tuple[tuple[str, str], ...] = ()


def merge_data(
    base: bytes, ours: bytes, theirs: bytes, labels: tuple[str, str] = ("ours", "theirs")
) -> tuple[bytes, int]:
    """Merge three notebooks. Return the result and the number of its conflicts, which name the sides by LABELS.

    Raises FormatError if one of the three is not a notebook.
    """
    return merge_notebooks(base, ours, theirs, labels, lambda *texts: mergefile.lines(texts, labels))


def merge_again(repo: Repo, text: str) -> NotebookMerged:
    """Merge the notebook at TEXT from the stages of Git's index, after a merge without drivers, and write it.

    Without conflicts it is staged. Raises UsageError if it is not in conflict between two versions.
    """
    path = repo.inside(text)
    stages = _stages(repo, path)
    if _OURS not in stages or _THEIRS not in stages:
        raise UsageError(f"{shown(text)} is not in conflict between two versions", hint="see `git status`")
    labels = names(repo.layout, {})
    data, found = merge_data(stages.get(_BASE, b""), stages[_OURS], stages[_THEIRS], labels)
    write(repo, path, data)
    if not found:
        index.stage(repo.layout, add=[path])
    return NotebookMerged(path, found)


def resolve(repo: Repo, texts: Sequence[str], side: str, *, cell: str = "", key: str = "") -> NotebooksResolved:
    """Resolve the conflicts in notebooks by SIDE (ours, theirs, union).

    CELL: resolve only the conflict of this cell. KEY: only that of metadata under this name. A notebook without more
    conflicts is staged if Git's index has it in conflict. An error in one notebook does not stop the others; for a
    single notebook it is raised.
    """
    done, failed = [], []
    for text in texts:
        try:
            done.append(_resolve(repo, text, side, cell=cell, key=key))
        except ModelvcError as error:
            if len(texts) == 1:
                raise
            failed.append((text, f"{error}"))
    return NotebooksResolved(tuple(done), tuple(failed))


def _resolve(repo: Repo, text: str, side: str, *, cell: str, key: str) -> NotebookResolved:
    path = repo.inside(text)
    try:
        data = read(repo, path)
    except (FileNotFoundError, NotADirectoryError):
        raise NotFoundError(f"there is no {shown(text)}", hint="see `git status`") from None
    stages = _stages(repo, path)
    document = _document(data, stages, path, side)
    if document is None:
        write(repo, path, stages[_STAGE[side]], data)
        index.stage(repo.layout, add=[path])
        return NotebookResolved(path, 1, 0, staged=True, whole=True)
    if key:
        settled = conflict.resolve_key(document.notebook, side, key, cell=cell)
    else:
        settled = conflict.resolve(document.notebook, side, cell=cell)
    changed = document.encode()
    if (cell or key) and not settled:
        raise NotFoundError(f"no {shown(key or f'cell {cell}')} of {shown(text)} is in conflict", hint="see `git diff`")
    waiting = bool(stages) or _staged_conflict(repo, path)
    if not settled and changed == data and not waiting:
        raise UsageError(f"{shown(text)} holds no conflict", hint="see `git status`")
    write(repo, path, changed, data)
    left = conflict.count(document.notebook)
    if not left and waiting:
        index.stage(repo.layout, add=[path])
    return NotebookResolved(path, settled, left, waiting and not left)


def _document(data: bytes, stages: Mapping[int, bytes], path: str, side: str) -> Document | None:
    """Return the notebook DATA with its conflicts. If a text merge broke it, merge it again, or take the text of SIDE.

    Return None if only a whole side can be taken, because a version in Git's index is not a notebook. Raises
    ConflictError if neither works, UsageError for a Zeppelin note without stages.
    """
    try:
        found = parse(data)
    except FormatError as error:
        text = data.decode("utf-8", "surrogateescape")
        if not stages and not conflict.has_markers(text):
            raise ConflictError(f"{shown(path)} is {error}", hint="take a version: git checkout REV -- PATH") from None
    else:
        if found.kind == JUPYTER:
            found.keep_form(data)
            return found
        if not stages:
            raise UsageError(
                f"{shown(path)} is not a Jupyter notebook", hint="resolve it in an editor, then `git add` it"
            )
        text = ""
    try:
        if _OURS in stages and _THEIRS in stages:
            return _kept_form(merge_data(stages.get(_BASE, b""), stages[_OURS], stages[_THEIRS])[0])
        return _kept_form(conflict.sides_of(text, side).encode("utf-8", "surrogateescape"))
    except FormatError as error:
        if _is_notebook(stages.get(_STAGE.get(side, 0), b"")):
            return None
        raise ConflictError(
            f"{shown(path)} cannot be merged as a notebook, and the side {side} of it is {error}",
            hint="try the other side, or take a whole version: git checkout REV -- PATH",
        ) from None


def _kept_form(data: bytes) -> Document:
    found = parse(data)
    found.keep_form(data)
    return found


def _is_notebook(data: bytes) -> bool:
    try:
        return parse(data).kind == JUPYTER
    except FormatError:
        return False


def _staged_conflict(repo: Repo, path: str) -> bool:
    """Return whether Git's index holds the notebook with a conflict in it."""
    blob = staged(repo, path).get(path, "")
    data = index.read_blobs(repo.layout, [blob], limit=_LARGEST).get(blob, b"") if blob else b""
    return bool(data) and "conflict" in problem(data, path)


def _stages(repo: Repo, path: str) -> dict[int, bytes]:
    """Return the versions of PATH that Git's index holds in conflict, by stage."""
    out = git(repo.layout, "--literal-pathspecs", "ls-files", "-u", "-z", "--", path)
    ids = {}
    for line in out.split(b"\0"):
        head, tab, name = line.partition(b"\t")
        if tab and os.fsdecode(name) == path:
            _, blob, stage = head.decode("ascii").split()
            ids[int(stage)] = blob
    blobs = index.read_blobs(repo.layout, list(ids.values()), limit=_LARGEST)
    return {stage: blobs[blob] for stage, blob in ids.items() if blob in blobs}
