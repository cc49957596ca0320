"""Find measurements that no commit has. A pointer of the worktree holds them, so replacing it would lose them."""

from __future__ import annotations

from contextlib import suppress
from itertools import chain
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, WorktreeDirty
from modelvc.formats.paths import SafeRelPath, model_of, pointer_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import index
from modelvc.models.versions.history import versions_of
from modelvc.models.versions.renames import name_in_commit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import TypeAlias

    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.repo import Repo

    Measured: TypeAlias = dict[str, set[tuple[str, ...]]]


def unsaved_measurements(repo: Repo, path: SafeRelPath, now: Pointer, target: Pointer | None = None) -> tuple[str, ...]:
    """Return the kinds of measurements of NOW that neither TARGET nor a commit has: "metrics", "parameters",
    "predictions".
    """
    left = _measured(now)
    if now.conflict or not any(left.values()):
        return ()
    for known in chain([target] if target else [], _committed(repo, path, now)):
        for kind, found in _measured(known).items():
            left[kind] -= found
        if not any(left.values()):
            return ()
    return tuple(kind for kind, found in left.items() if found)


def unsaved_in_worktree(repo: Repo, paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the kinds of unsaved measurements of the models PATHS. Models without any are left out."""
    rows = ((path, unsaved_measurements(repo, path, now)) for path, now in _changed(repo, set(paths)))
    return {str(path): kinds for path, kinds in rows if kinds}


def is_committed(repo: Repo, path: SafeRelPath, now: Pointer, oid: str) -> bool:
    """Return whether a commit has the version OID of the model at PATH. NOW: its pointer, for a new name of it."""
    return any(str(pointer.oid) == oid for pointer in _committed(repo, path, now))


def check_measurements(repo: Repo, targets: Mapping[SafeRelPath, Pointer | None]) -> None:
    """Raise WorktreeDirty if a model's pointer has measurements that neither its target nor a commit has."""
    for path, now in _changed(repo, targets):
        if kinds := unsaved_measurements(repo, path, now, targets[path]):
            words = " and ".join(kinds)
            raise WorktreeDirty(
                path,
                f"has {words} that no commit has",
                hint="keep them with `git commit`, or repeat with --force (which keeps the old pointer in Git)",
            )


def keep_pointers(repo: Repo, targets: Mapping[SafeRelPath, Pointer | None]) -> dict[SafeRelPath, str]:
    """Write pointers with unsaved measurements to Git as blobs, before they are replaced. Return their ids by model."""
    found: dict[SafeRelPath, str] = {}
    for path, now in _changed(repo, targets):
        if unsaved_measurements(repo, path, now, targets[path]):
            found[path] = index.write_blob(repo.layout, now.encode())
    return found


def _changed(repo: Repo, wanted: Collection[str]) -> Iterator[tuple[SafeRelPath, Pointer]]:
    """Yield the models of WANTED whose pointers may differ from the last commit, with their readable pointers."""
    for name in index.uncommitted(repo.layout) if wanted else ():
        path = model_of(SafeRelPath(name))
        with suppress(ModelvcError):  # mvc status reports it
            if path in wanted and (now := repo.pointer_or_none(path)):
                yield path, now


def _committed(repo: Repo, path: SafeRelPath, now: Pointer) -> Iterator[Pointer]:
    """Yield the readable versions of the model in all of history: those of HEAD first."""
    if not repo.history.has_head():
        return
    name = name_in_commit(repo, path, now)
    head = repo.history.at("HEAD").get(pointer_of(name))
    every = (version.data for _, version in versions_of(repo, name, all_refs=True))
    for data in chain([head] if head else [], every):
        try:
            yield parse(data)
        except ModelvcError:
            continue


def _measured(pointer: Pointer) -> Measured:
    """Return the measurements of POINTER by kind, each with the oid that it belongs to."""
    of = str(pointer.metrics.of) if pointer.metrics else ""
    said = pointer.predictions
    return {
        "metrics": {(of, name, repr(value)) for name, value in pointer.recorded_metrics.items()},
        "parameters": {(str(pointer.oid), name, repr(value)) for name, value in pointer.params},
        "predictions": {(str(said.of), str(said.oid))} if said else set(),
    }
