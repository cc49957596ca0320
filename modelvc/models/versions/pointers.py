"""Parse all pointers of a commit or of the worktree, and find an earlier one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, NotFoundError, shown
from modelvc.formats.paths import model_of, pointer_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import history

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.repo import Repo


def pointers_of(repo: Repo, commit: str) -> tuple[dict[SafeRelPath, Pointer], dict[SafeRelPath, ModelvcError]]:
    """Return the pointers of COMMIT ("": the worktree) by model, and the errors of those that cannot be read."""
    if not commit:
        return repo.worktree_pointers()
    good: dict[SafeRelPath, Pointer] = {}
    broken: dict[SafeRelPath, ModelvcError] = {}
    for name, data in repo.history.at(commit).items():
        model = model_of(name)
        try:
            good[model] = parse(data, name)
        except ModelvcError as error:
            broken[model] = error
    return good, broken


def readable(pointers: Mapping[str, bytes]) -> dict[SafeRelPath, Pointer]:
    """Parse POINTERS, by model. Those that cannot be read are skipped."""
    found = {}
    for name, data in pointers.items():
        try:
            found[model_of(name)] = parse(data, name)
        except ModelvcError:
            continue
    return found


def way_back(repo: Repo, path: SafeRelPath) -> str:
    """Return the command that brings back a pointer of PATH to a version that the local store has; "" without one."""

    def is_stored(data: bytes) -> bool:
        try:
            found = parse(data)
        except ModelvcError:
            return False
        return repo.store.has_root(found.kind, found.oid)

    return repo.restoring(path, is_stored)


def pointer_at(repo: Repo, rev: str, path: SafeRelPath) -> tuple[str, Pointer]:
    """Return the full id of the commit REV ("": HEAD), and the pointer of the model PATH in it.

    Raises NotFoundError if the commit has none, UsageError if REV names no commit.
    """
    commit = history.resolve(repo.layout, rev or "HEAD")
    data = history.pointers_at(repo.layout, commit).get(pointer_of(path))
    if data is None:
        raise NotFoundError(
            f"{shown(path)} was not tracked in {commit[:10]}",
            hint=f"run `mvc log {shown(path)}` to see when it was",
        )
    return commit, parse(data, pointer_of(path))
