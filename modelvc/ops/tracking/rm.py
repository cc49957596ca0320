"""Stop tracking models."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import BrokenPointer, PointerConflict, UsageError, WorktreeDirty
from modelvc.formats.paths import pointer_of
from modelvc.git import index
from modelvc.models.files import hide, materialise
from modelvc.models.files.store_present import store_present
from modelvc.models.versions.uncommitted import check_measurements, keep_pointers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.formats.paths import SafeRelPath
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class Removed:
    """Models that are no longer tracked. `files_kept`: their files stayed; `was`: (path, oid) of removed versions.

    `uncommitted`: models that the last commit lacks; `dry_run`: nothing was removed. `pointers_were`: (path, Git blob)
    of removed pointers with measurements that no commit has.
    """

    paths: tuple[str, ...]
    files_kept: bool
    was: tuple[tuple[str, str], ...] = ()
    uncommitted: tuple[str, ...] = ()
    dry_run: bool = False
    pointers_were: tuple[tuple[str, str], ...] = ()


def rm(repo: Repo, paths: Sequence[str], *, keep: bool = False, force: bool = False, dry_run: bool = False) -> Removed:
    """Remove the file, pointer and ignore entry of the models PATHS; with KEEP, leave the files.

    Raises WorktreeDirty for unsaved content and for measurements that no commit has; with FORCE both are stored first.
    Raises FileInUse for models that another program is writing or changed meanwhile, once the others are removed.
    """
    repo.require_init()
    if not paths:
        raise UsageError("no path given", hint="name the models: `mvc rm PATH...`")
    with contextlib.nullcontext() if dry_run else repo.updating():
        chosen = repo.selected(paths, repo.tracked())
        plans = [] if keep else [materialise.plan_removal(repo, path) for path in chosen]
        dirty = [plan for plan in plans if plan.action == "dirty"]
        if dirty and not force:
            raise WorktreeDirty(dirty[0].path, dirty[0].why)
        targets = dict.fromkeys(chosen)
        if not force:
            check_measurements(repo, targets)
        if dry_run:
            return Removed(tuple(chosen), keep, dry_run=True)
        if dirty:
            store_present(repo, [plan.path for plan in dirty])
            plans = [materialise.plan_removal(repo, path) for path in chosen]
        pointers = keep_pointers(repo, targets) if force else {}
        for path in chosen:
            _log_pointer(repo, path)
        kept = materialise.apply(repo, plans, "rm").kept
        stay = {path for path, _ in kept}
        chosen = [path for path in chosen if path not in stay]
        changed: list[str] = []
        for path in chosen:
            again = repo.worktree.stat(pointer_of(path)) is None  # a killed run removed it
            hidden = hide.reveal(repo, path, again=again)
            changed += [hidden] if hidden else []
            changed.append(pointer_of(path))
            repo.worktree.remove(pointer_of(path))
            repo.state.forget(path)
        if changed:
            index.stage(repo.layout, add=changed)
    materialise.raise_kept(kept)
    was = tuple((str(p.path), f"blake3:{p.was[1].hex()}") for p in plans if p.was)
    committed = index.head_blobs(repo.layout, [pointer_of(path) for path in chosen])
    new = tuple(path for path in chosen if pointer_of(path) not in committed)
    return Removed(tuple(chosen), keep, was, new, pointers_were=tuple(pointers.items()))


def _log_pointer(repo: Repo, path: SafeRelPath) -> None:
    """Write the version in the pointer of PATH to the reflog: it may be in no commit and differ from the worktree."""
    try:
        pointer = repo.pointer_or_none(path)
    except (BrokenPointer, PointerConflict):
        return
    if pointer is not None:
        repo.log_replaced(path, pointer.kind, pointer.oid, "rm")
