"""Rename a model: its file, its pointer, its ignore entry and its entry in Git's index."""

from __future__ import annotations

import contextlib
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ConflictError, UsageError, shown
from modelvc.formats.limits import POINTER
from modelvc.formats.paths import SafeRelPath, pointer_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import index
from modelvc.models.files import hide
from modelvc.models.files.model_paths import check_model_paths

if TYPE_CHECKING:
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class Moved:
    """The old and the new path of a model."""

    old: str
    new: str


def mv(repo: Repo, old: str, new: str) -> Moved:
    """Rename the model OLD to NEW, or into the folder NEW. Unsaved content moves along.

    Content already moved by hand stays at NEW. Raises UsageError for a NEW that no model can have, ConflictError
    if something is in the way.
    """
    repo.require_init()
    with repo.updating():
        source = _single(repo, old)
        target = _target(repo, source, new)
        begun = _pointer_of_begun_move(repo, source, target)
        _check(repo, source, target, begun=begun is not None)
        pointer = begun or repo.pointer(source)
        # write the new name in full before removing the old one: a kill in between leaves both and loses nothing
        shown_in = hide.hide(repo, target, again=begun is not None)
        repo.write_pointer(target, pointer)
        if repo.worktree.stat(source) is not None and repo.worktree.stat(target) is None:
            _rename(repo, source, target)
        repo.worktree.remove(pointer_of(source))
        hidden_in = hide.reveal(repo, source, again=begun is not None)
        repo.state.forget(source)
        changed = [pointer_of(source), pointer_of(target), *(file for file in (shown_in, hidden_in) if file)]
        index.stage(repo.layout, add=changed)
    return Moved(source, target)


def _single(repo: Repo, text: str) -> SafeRelPath:
    chosen = repo.selected([text], repo.tracked())
    if len(chosen) > 1:
        raise UsageError(
            f"{shown(text)} holds {len(chosen)} models, such as {shown(chosen[0])}", hint="rename them one by one"
        )
    return chosen[0]


def _target(repo: Repo, source: SafeRelPath, new: str) -> SafeRelPath:
    inside = repo.inside(new)
    is_folder = new.endswith("/") or repo.worktree.is_folder(inside)
    if inside and repo.worktree.stat(pointer_of(SafeRelPath(inside))) is not None:
        is_folder = False  # NEW is a model
    if inside and is_folder and not new.endswith("/") and _moved_by_hand(repo, source, SafeRelPath(inside)):
        is_folder = False  # NEW is the model's own folder, moved by hand
    if not is_folder:
        return repo.path(new)
    return SafeRelPath(f"{inside}/{source.name}" if inside else source.name)


def _moved_by_hand(repo: Repo, source: SafeRelPath, target: SafeRelPath) -> bool:
    """Return whether SOURCE is gone and TARGET has content of its kind, as after `mv SOURCE TARGET`."""
    found = repo.worktree.stat(target)
    if found is None or repo.worktree.stat(source) is not None:
        return False
    pointer = repo.pointer_or_none(source)
    return pointer is not None and stat.S_ISDIR(found.mode) == (pointer.kind == "tree")


def _pointer_of_begun_move(repo: Repo, source: SafeRelPath, target: SafeRelPath) -> Pointer | None:
    """Return the pointer of a killed move: both names have it, and only one has the content. None without one."""
    if all(repo.worktree.stat(path) is not None for path in (source, target)):
        return None
    try:
        data = repo.worktree.read(pointer_of(target), POINTER)
    except (FileNotFoundError, NotADirectoryError):
        return None
    entries = [entry for entry in index.pointers(repo.layout) if entry.path == pointer_of(source)]
    blobs = index.read_blobs(repo.layout, [entry.blob for entry in entries])
    known = set(blobs.values())
    with contextlib.suppress(FileNotFoundError):
        known.add(repo.worktree.read(pointer_of(source), POINTER))
    return parse(data, pointer_of(target)) if data in known else None


def _check(repo: Repo, source: SafeRelPath, target: SafeRelPath, *, begun: bool) -> None:
    if target.startswith(source + "/"):
        raise UsageError(f"{shown(target)} lies in {shown(source)} itself", hint="choose a name outside of it")
    check_model_paths(repo, [target])
    tracked = repo.tracked()
    for path in tracked:
        if path != source and (target.startswith(path + "/") or path.startswith(target + "/")):
            raise UsageError(f"{shown(path)} is tracked, and one would hold the other", hint="choose another name")
    for path in () if begun else (target, pointer_of(target)):
        by_hand = path == target and _moved_by_hand(repo, source, target)
        if (
            (repo.worktree.stat(path) is not None and not by_hand)
            or path in tracked
            or index.tracked_under(repo.layout, path)
        ):
            raise ConflictError(f"{shown(path)} is in the way", hint="choose another name, or move it away first")
    rule = index.ignore_rule(repo.layout, pointer_of(target))
    if rule is not None:
        raise UsageError(
            f"Git ignores {shown(pointer_of(target))}: {shown(rule.file)} line {rule.line} says {shown(rule.pattern)}",
            hint="add the line `!*.mvc` below it, or choose another name",
        )


def _rename(repo: Repo, source: SafeRelPath, target: SafeRelPath) -> None:
    """Rename the content, and keep its entries in the state file: a rename changes only ctime."""
    before = repo.worktree.stat(source)
    file, tree = repo.state.file(source), repo.state.tree(source)
    repo.worktree.rename(source, target)
    after = repo.worktree.stat(target)
    if tree.oid:
        repo.state.remember_tree(target, tree.oid, tree.files)
    if file and file.stat == before and after and after.but_ctime == before.but_ctime:
        repo.state.remember_file(target, after, file.oid, settled=file.settled)
