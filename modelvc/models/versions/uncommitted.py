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
from modelvc.models.versions.pointers import readable
from modelvc.models.versions.renames import FormerNames

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from typing import TypeAlias

    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.repo import Repo

    Measured: TypeAlias = dict[str, set[tuple[str, ...]]]


class Commits:
    """The versions that commits have, for one command. History is read only as far as a question needs."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._names: FormerNames | None = None

    def unsaved(self, path: SafeRelPath, now: Pointer, target: Pointer | None = None) -> tuple[str, ...]:
        """Return the kinds of measurements of NOW that neither TARGET nor a commit has.

        NOW: the pointer of the model at PATH. The kinds: "metrics", "parameters", "predictions".
        """
        left = _measured(now)
        if now.conflict or not any(left.values()):
            return ()
        for known in chain([target] if target else [], self._versions(path, now)):
            for kind, found in _measured(known).items():
                left[kind] -= found
            if not any(left.values()):
                return ()
        return tuple(kind for kind, found in left.items() if found)

    def have(self, path: SafeRelPath, now: Pointer, oid: str) -> bool:
        """Return whether a commit has the version OID of the model at PATH, whose pointer is NOW."""
        return any(str(pointer.oid) == oid for pointer in self._versions(path, now))

    def _versions(self, path: SafeRelPath, now: Pointer) -> Iterator[Pointer]:
        """Yield the readable versions of the model in all of history: that of HEAD first."""
        if not self._repo.history.has_head():
            return
        pointers = self._repo.history.at("HEAD")
        name = path if pointer_of(path) in pointers else self._former_name(now) or path
        head = pointers.get(pointer_of(name))
        every = (version.data for _, version in versions_of(self._repo, name, all_refs=True))
        for data in chain([head] if head else [], every):
            try:
                yield parse(data)
            except ModelvcError:
                continue

    def _former_name(self, now: Pointer) -> SafeRelPath | None:
        if self._names is None:
            before = readable(self._repo.history.at("HEAD"))
            self._names = FormerNames(before, set(self._repo.tracked()))
        return self._names.name(now)


def unsaved_in_worktree(repo: Repo, paths: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return the kinds of unsaved measurements of the models PATHS. Models without any are left out."""
    commits = Commits(repo)
    rows = ((path, commits.unsaved(path, now)) for path, now in _changed(repo, set(paths)))
    return {str(path): kinds for path, kinds in rows if kinds}


def check_measurements(repo: Repo, targets: Mapping[SafeRelPath, Pointer | None]) -> None:
    """Raise WorktreeDirty if a model's pointer has measurements that neither its target nor a commit has."""
    commits = Commits(repo)
    for path, now in _changed(repo, targets):
        if kinds := commits.unsaved(path, now, targets[path]):
            words = " and ".join(kinds)
            raise WorktreeDirty(
                path,
                f"has {words} that no commit has",
                hint="keep them with `git commit`, or repeat with --force (which keeps the old pointer in Git)",
            )


def keep_pointers(repo: Repo, targets: Mapping[SafeRelPath, Pointer | None]) -> dict[SafeRelPath, str]:
    """Write pointers with unsaved measurements to Git as blobs, before they are replaced. Return their ids by model."""
    commits = Commits(repo)
    rows = ((path, now) for path, now in _changed(repo, targets) if commits.unsaved(path, now, targets[path]))
    return {path: index.write_blob(repo.layout, now.encode()) for path, now in rows}


def _changed(repo: Repo, wanted: Collection[str]) -> Iterator[tuple[SafeRelPath, Pointer]]:
    """Yield the models of WANTED whose pointers may differ from the last commit, with their readable pointers."""
    for name in index.uncommitted(repo.layout) if wanted else ():
        with suppress(ModelvcError):  # mvc status reports it
            path = model_of(SafeRelPath(name))
            if path in wanted and (now := repo.pointer_or_none(path)):
                yield path, now


def _measured(pointer: Pointer) -> Measured:
    """Return the measurements of POINTER by kind, each with the oid that it belongs to."""
    of = str(pointer.metrics.of) if pointer.metrics else ""
    said = pointer.predictions
    return {
        "metrics": {(of, name, repr(value)) for name, value in pointer.recorded_metrics.items()},
        "parameters": {(str(pointer.oid), name, repr(value)) for name, value in pointer.params},
        "predictions": {(str(said.of), str(said.oid))} if said else set(),
    }
