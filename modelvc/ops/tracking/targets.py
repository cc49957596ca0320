"""Check the paths given to `mvc add`, and look up their pointers and entries in Git."""

from __future__ import annotations

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, NotFoundError, PointerConflict, UsageError, near, shown
from modelvc.formats.paths import SafeRelPath, is_pointer, pointer_of
from modelvc.formats.pointer.pointer import Pointer
from modelvc.formats.pointer.pointer import parse as parse_pointer
from modelvc.git import index
from modelvc.models.files.trees import check_names
from modelvc.models.versions.renames import only_renamed
from modelvc.worktree.scan import scan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.repo import Repo


_MOST_NAMES = 10_000  # of a folder, to find one that was mistyped


@dataclass(frozen=True, slots=True)
class Target:
    """A file or folder to add."""

    path: SafeRelPath
    before: Pointer | None  # the pointer in the worktree
    head: Pointer | None  # the pointer in the last commit
    in_git: bool  # Git itself tracks the file, until add ends that
    settles: bool  # the pointer is in conflict, until add resolves it
    renamed: bool = False  # the last commit has this version under a name that is gone


def check_target_path(repo: Repo, text: str) -> SafeRelPath:
    """Return the path TEXT of a file or folder. Raises NotFoundError without one, UsageError for any other kind."""
    path = repo.path(text)
    found = repo.worktree.stat(path)
    if found is None:
        hint = "check the name"
        if repo.worktree.stat(pointer_of(path)):
            hint = f"restore it with `mvc checkout {shown(path)}`"
        elif meant := _nearest_file(repo, path):
            hint = f"did you mean {meant}?"
        if os.path.lexists(os.path.join(repo.layout.worktree, path)):
            raise UsageError(f"{shown(path)} lies behind a symbolic link", hint="name the file by its real path")
        raise NotFoundError(f"there is no {shown(path)}", hint=hint)
    if stat.S_ISLNK(found.mode):
        raise UsageError(f"{shown(path)} is a symbolic link", hint="add the file that it points to")
    if not stat.S_ISREG(found.mode) and not stat.S_ISDIR(found.mode):
        raise UsageError(f"{shown(path)} is neither a file nor a folder", hint="name a file or a folder")
    return path


def _nearest_file(repo: Repo, path: SafeRelPath) -> str:
    """Return the file or folder that PATH most likely means, as the user would name it; "" if none is near.

    Each part of PATH that does not exist is replaced by the nearest name in its folder.
    """
    found = repo.layout.worktree
    for part in path.parts:
        if not os.path.lexists(os.path.join(found, part)):
            try:
                with os.scandir(found) as entries:
                    known = [entry.name for entry in islice(entries, _MOST_NAMES)]
            except OSError:
                return ""
            part = near(part, [name for name in known if not name.startswith(".") and not is_pointer(name)])  # noqa: PLW2901
        if not part:
            return ""
        found = os.path.join(found, part)
    return repo.named(os.path.relpath(found, repo.layout.worktree))


def targets(repo: Repo, chosen: Sequence[SafeRelPath]) -> list[Target]:
    """Return a target for each of CHOSEN.

    Raises UsageError if two models overlap, if Git ignores a pointer, or if Git tracks files in a chosen folder.
    """
    tracked = set(repo.tracked())
    heads = index.head_blobs(repo.layout, [pointer_of(path) for path in chosen])
    rules = index.ignore_rules(repo.layout, [pointer_of(path) for path in chosen])
    held = index.tracked_at(repo.layout, chosen)
    others = tracked | set(chosen)
    for path in chosen:
        _check_overlap(path, others)
        rule = rules.get(pointer_of(path))
        if rule is not None:
            raise UsageError(
                f"Git ignores {shown(pointer_of(path))}: "
                f"{shown(rule.file)} line {rule.line} says {shown(rule.pattern)}",
                hint="add the line `!*.mvc` below it (`models/` must become `models/*` first)",
            )
    return [_target(repo, path, heads.get(pointer_of(path)), held.get(path, [])) for path in chosen]


def _target(repo: Repo, path: SafeRelPath, head: bytes | None, inside: Sequence[str]) -> Target:
    is_folder = repo.worktree.is_folder(path)
    if inside and is_folder:
        raise UsageError(
            f"{shown(path)} holds what Git tracks itself, such as {shown(inside[0])}",
            hint=f"add the models in it one by one, or let Git track none of it: `git rm -r --cached {shown(path)}`",
        )
    committed = None
    if head is not None:
        with suppress(ModelvcError):
            committed = parse_pointer(head)
    try:
        before = repo.pointer_or_none(path)
    except PointerConflict:  # adding a version resolves it
        return Target(path, None, committed, bool(inside), settles=True)
    renamed = before is not None and head is None and only_renamed(repo, path, before)
    return Target(path, before, committed, bool(inside), settles=bool(before and before.conflict), renamed=renamed)


def _check_overlap(path: SafeRelPath, others: set[str]) -> None:
    parent = path.parent
    while parent:
        if parent in others:
            raise UsageError(
                f"{shown(path)} lies in {shown(parent)}, which is tracked as a whole",
                hint=f"run `mvc add {shown(parent)}`",
            )
        parent = parent.rpartition("/")[0]
    if below := sorted(other for other in others if other.startswith(path + "/")):
        raise UsageError(
            f"{shown(path)} holds {shown(below[0])}, which is tracked by itself",
            hint=f"run `mvc rm --keep {shown(below[0])}` first, or add models one by one",
        )


def check_folders(repo: Repo, paths: Sequence[SafeRelPath]) -> None:
    """Raise UsageError for a folder in PATHS that a tree cannot hold, before any file is read or written."""
    for path in paths:
        if repo.worktree.is_folder(path):
            check_names(path, scan(repo.worktree.root, path))


def size_in_worktree(repo: Repo, path: SafeRelPath) -> int:
    """Return the bytes of the file PATH, or of all files in the folder PATH; 0 if it does not exist."""
    found = repo.worktree.stat(path)
    if found is None:
        return 0
    if stat.S_ISDIR(found.mode):
        return sum(data.size for data in scan(repo.worktree.root, path).values())
    return found.size
