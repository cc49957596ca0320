"""Stop tracking models, and rename them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ConflictError, UsageError, WorktreeDirty, shown
from modelvc.formats.paths import SafeRelPath, pointer_of
from modelvc.git import index
from modelvc.ops import ignores, materialise
from modelvc.ops.keep import keep_present

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class Removed:
    """Models that are tracked no longer; `files_kept`: their files stayed."""

    paths: tuple[str, ...]
    files_kept: bool


@dataclass(frozen=True, slots=True)
class Moved:
    """A model under its new name."""

    old: str
    new: str


def rm(repo: Repo, paths: Sequence[str], *, keep: bool = False, force: bool = False) -> Removed:
    """Take file, pointer and ignore entry of PATHS away; with KEEP leave the files. Unsaved content is refused."""
    repo.require_init()
    if not paths:
        raise UsageError("no path given", hint="name the models: `mvc rm PATH...`")
    with repo.updating():
        chosen = repo.selected(paths, repo.tracked())
        plans = [] if keep else [materialise.plan_removal(repo, path) for path in chosen]
        dirty = [plan for plan in plans if plan.action == "dirty"]
        if dirty and not force:
            raise WorktreeDirty(dirty[0].path, dirty[0].why)
        if dirty:
            keep_present(repo, [plan.path for plan in dirty])
            plans = [materialise.plan_removal(repo, path) for path in chosen]
        changed: list[str] = []
        for path in chosen:
            hidden = ignores.reveal(repo, path)
            changed += [hidden] if hidden else []
            changed.append(pointer_of(path))
        materialise.apply(repo, plans, "rm")
        for path in chosen:
            repo.worktree.remove(pointer_of(path))
            repo.state.forget(path)
        index.stage(repo.layout, add=changed)
    return Removed(tuple(chosen), keep)


def mv(repo: Repo, old: str, new: str) -> Moved:
    """Rename a model: its file, pointer, ignore entry, and what Git's index says."""
    repo.require_init()
    with repo.updating():
        (source,) = _single(repo, old)
        target = repo.path(new)
        if os.path.isdir(os.path.join(repo.layout.worktree, target)):
            target = SafeRelPath(f"{target}/{source.name}")
        for there in (target, pointer_of(target)):
            if repo.worktree.stat(there) is not None:
                raise ConflictError(f"{shown(there)} is in the way", hint="choose another name, or move it away first")
        pointer = repo.pointer(source)
        changed: list[str] = [pointer_of(source), pointer_of(target)]
        shown_file, hidden = ignores.hide(repo, target), None
        repo.write_pointer(target, pointer)
        if repo.worktree.stat(source) is not None:
            repo.worktree.rename(source, target)
        repo.worktree.remove(pointer_of(source))
        hidden = ignores.reveal(repo, source)
        changed += [file for file in (shown_file, hidden) if file]
        repo.state.renamed(source, target)
        index.stage(repo.layout, add=changed)
    return Moved(source, target)


def _single(repo: Repo, text: str) -> list[SafeRelPath]:
    chosen = repo.selected([text], repo.tracked())
    if len(chosen) > 1:
        raise UsageError(f"{shown(text)} holds {len(chosen)} models", hint="rename them one by one")
    return chosen
