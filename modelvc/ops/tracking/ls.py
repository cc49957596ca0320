"""List the tracked models and the places that have their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, PointerConflict
from modelvc.formats.paths import SafeRelPath, model_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import history
from modelvc.models.remotes.seen_cache import is_pushed, pushed_oids

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    found: dict[str, Pointer | ModelvcError] = {}
    if rev:
        for path, data in history.pointers_at(repo.layout, commit).items():
            found[model_of(path)] = _parsed(path, data)
    else:
        good, broken = repo.worktree_pointers()
        found |= {path: good.get(path) or broken[path] for path in {**good, **broken}}
    rows = []
    for path in repo.selected(paths, found):
        pointer = found[path]
        if isinstance(pointer, ModelvcError):
            rows.append(ListedModel(path, broken=str(pointer), conflict=isinstance(pointer, PointerConflict)))
        else:
            rows.append(_listed(repo, path, pointer, pushed))
    return ListedModels(tuple(rows), commit)


def _parsed(path: str, data: bytes) -> Pointer | ModelvcError:
    try:
        return parse(data, path)
    except ModelvcError as error:
        return error


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
