"""Update models after Git changed their pointers, from the local store alone and without loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, PointerConflict
from modelvc.formats.paths import SafeRelPath, model_of, pointer_of
from modelvc.git import index
from modelvc.ids import Oid
from modelvc.models.files import materialise
from modelvc.models.files.seen_by_git import unignored
from modelvc.models.versions import claims
from modelvc.worktree import file_oids

if TYPE_CHECKING:
    from collections.abc import Container

    from modelvc.models.files.gate import Looked
    from modelvc.repo import Repo


_OF_GIT = "Git holds the file itself"


@dataclass(frozen=True, slots=True)
class Followed:
    """The models by outcome.

    `kept`: (path, why) of files left as they are; `missing`: their objects are not in this clone; `conflicts`: their
    pointers hold two versions; `lost`: Git replaced or removed their unsaved changes; `replaced`: Git now tracks their
    files itself; `exposed`: Git does not ignore them; `wrong`: (path, words) of updated models whose pointers claim a
    wrong size or number of files; `looked`: models with a verdict that a person should know, of which the blocked ones
    were not updated.
    """

    updated: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    kept: tuple[tuple[str, str], ...] = ()
    missing: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    exposed: tuple[str, ...] = ()
    wrong: tuple[tuple[str, str], ...] = ()
    looked: tuple[Looked, ...] = ()


def follow(repo: Repo) -> Followed:
    """Make every model match its pointer if no unsaved file is lost. Never uses the network."""
    kept: list[tuple[str, str]] = []
    conflicts: list[str] = []
    plans: list[materialise.ModelPlan] = []
    lost: list[str] = []
    replaced: list[str] = []
    with repo.updating(every_model=True):
        entries = repo.index_pointers()
        staged = {model_of(entry.path): entry.stage for entry in entries}
        sparse = {model_of(entry.path) for entry in entries if entry.sparse}
        paths = sorted({*staged, *(SafeRelPath(path) for path in repo.state.pointers)})
        held = index.tracked_at(repo.layout, [path for path in paths if path not in staged or path in sparse])
        for path in paths:
            unsaved = _unsaved(repo, path)
            try:
                found = _plan(repo, path, staged.get(path), sparse, held)
            except PointerConflict:
                conflicts.append(path)
            except ModelvcError as error:
                kept.append((path, str(error)))
            else:
                if found.pointer and found.pointer.conflict:
                    conflicts.append(path)
                elif found.action == "dirty":
                    kept.append((path, found.why))
                elif found.why == _OF_GIT or (unsaved and not found.pointer and repo.worktree.stat(path) is None):
                    if unsaved or found.why != _OF_GIT or not _is_same(repo, path):
                        (lost if unsaved else replaced).append(path)
                elif found.extra:
                    kept.append((path, f"holds unsaved files, which stay: {found.extra[0]}"))
                plans.append(found)
        ready = [step for step in plans if step.action not in {"missing", "dirty", "keep"}]
        in_use, looked = done = materialise.apply(repo, ready, "git")
        blocked = done.blocked
        stay = {path for path, _ in in_use}
        kept += [file for _, error in in_use for file in error.kept]
        ready = [step for step in ready if step.path not in stay]
        _remember(repo, [step for step in plans if step.path not in stay])
        return Followed(
            updated=tuple(step.path for step in ready if step.pointer and step.path not in blocked),
            removed=tuple(step.path for step in ready if not step.pointer),
            kept=tuple(kept),
            conflicts=tuple(conflicts),
            missing=tuple(step.path for step in plans if step.action == "missing"),
            lost=tuple(lost),
            replaced=tuple(replaced),
            exposed=tuple(unignored(repo, [step.path for step in ready if step.pointer])),
            wrong=tuple((step.path, words) for step in ready if (words := _wrong(repo, step))),
            looked=looked,
        )


def _wrong(repo: Repo, step: materialise.ModelPlan) -> str:
    return (
        claims.difference(claims.claimed(step.pointer), claims.stored(repo.store, step.pointer)) if step.pointer else ""
    )


def _unsaved(repo: Repo, path: SafeRelPath) -> bool:
    """Return whether the model at PATH had content that the store lacks when it was last read, and is gone now."""
    file, tree = repo.state.file(path), repo.state.tree(path)
    found = repo.worktree.stat(path)
    if file is not None and not tree.oid:
        return not repo.store.has_root("file", Oid(file.oid)) and (found is None or found.inode != file.stat.inode)
    return bool(tree.oid) and found is None and not repo.store.has_root("tree", Oid(tree.oid))


def _is_same(repo: Repo, path: SafeRelPath) -> bool:
    """Return whether the file at PATH, which Git holds, has the bytes of the model that was there."""
    known = repo.state.pointer(path)
    try:
        return known is not None and file_oids.file_oid(repo.worktree, repo.state, path) == known.oid
    except ModelvcError:
        return False


def _plan(
    repo: Repo, path: SafeRelPath, stage: int | None, sparse: set[SafeRelPath], held: Container[str]
) -> materialise.ModelPlan:
    pointer = repo.read_pointer(path)
    if pointer is not None and (not stage or pointer.conflict):  # a pointer in conflict is ours, and so is the file
        return materialise.plan(repo, path, pointer)
    if stage is not None and path not in sparse:
        return materialise.ModelPlan(
            path, None, "keep"
        )  # in conflict, or its pointer was only deleted from the worktree
    if path in held:
        return materialise.ModelPlan(path, None, "keep", _OF_GIT)  # Git tracked the file before it became a model
    return materialise.plan_removal(repo, path)


def _remember(repo: Repo, plans: list[materialise.ModelPlan]) -> None:
    """Note the pointers in the state file, so that the next call knows the versions of the models."""
    for step in plans:
        found = repo.worktree.stat(pointer_of(step.path))
        if step.pointer is None and found is None and step.action != "dirty":
            repo.state.forget(step.path)
        elif step.pointer is not None and found is not None and step.action not in {"dirty", "missing"}:
            pointer = step.pointer
            repo.state.remember_pointer(step.path, found, pointer.kind, pointer.oid, pointer.size)
