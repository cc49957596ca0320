"""List the tracked models and the places that have their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import PointerConflict
from modelvc.git import history
from modelvc.models.remotes.seen_cache import is_pushed, pushed_oids
from modelvc.models.versions.pointers import pointers_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class ListedModel:
    """One tracked model. `worktree`, `store`: whether its file and its object exist there; `pushed`: None if unknown.

    `broken`: why its pointer cannot be read; `conflict`: a merge left two versions, and the other fields describe ours.
    """

    path: str
    kind: str = ""
    oid: str = ""
    size: int = 0
    files: int | None = None
    worktree: bool = False
    store: bool = False
    pushed: bool | None = None
    broken: str = ""
    conflict: bool = False


@dataclass(frozen=True, slots=True)
class ListedModels:
    """The models of the worktree, or of `commit`."""

    models: tuple[ListedModel, ...]
    commit: str = ""


def ls(repo: Repo, rev: str = "", paths: Sequence[str] = ()) -> ListedModels:
    """List the models below PATHS, of the worktree or of REV."""
    repo.require_init()
    commit = history.resolve(repo.layout, rev) if rev else ""
    pushed = pushed_oids(repo)
    good, broken = pointers_of(repo, commit)
    rows = []
    for path in repo.selected(paths, [*good, *broken]):
        if path in good:
            rows.append(_listed(repo, path, good[path], pushed))
        else:
            conflict = isinstance(broken[path], PointerConflict)
            rows.append(ListedModel(path, broken=str(broken[path]), conflict=conflict))
    return ListedModels(tuple(rows), commit)


def _listed(repo: Repo, path: SafeRelPath, pointer: Pointer, pushed: frozenset[bytes] | None) -> ListedModel:
    stored = repo.store.has_root(pointer.kind, pointer.oid)
    return ListedModel(
        path=path,
        kind=pointer.kind,
        oid=str(pointer.oid),
        size=pointer.size,
        files=pointer.files,
        worktree=repo.worktree.stat(path) is not None,
        store=stored,
        pushed=is_pushed(pushed, pointer.oid, stored=stored),
        conflict=pointer.conflict is not None,
    )
