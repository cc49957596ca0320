"""The versions of a model that a rollback can choose from."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import ModelvcError, NotFoundError, shown
from modelvc.formats.paths import pointer_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import history
from modelvc.models.versions.history import versions_of
from modelvc.models.versions.renames import name_in_commit

if TYPE_CHECKING:
    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.git.history import Version
    from modelvc.ids import Oid
    from modelvc.repo import Repo


class Step(NamedTuple):
    """A version of history: its pointer, the pointer's bytes, and the newest commit that brought it."""

    pointer: Pointer
    data: bytes
    version: Version


class Steps(NamedTuple):
    """The other versions of a model that `mvc log` shows, each once.

    `before`: those before the current version, nearest first: its parent, that one's parent, and so on, then what
    history had before the current version first appeared. `after`: all others, newest first. `by_age`: all, newest
    first. `complete`: whether history has the whole chain of parents.
    """

    before: tuple[Step, ...]
    after: tuple[Step, ...]
    by_age: tuple[Step, ...]
    complete: bool


def step_of(repo: Repo, path: SafeRelPath, rev: str) -> Step:
    """Return the version of the revision REV. Raises NotFoundError if it does not have the model."""
    commit = history.resolve(repo.layout, rev)
    for at, version in versions_of(repo, path, start=commit):
        return Step(parse(version.data, pointer_of(at)), version.data, version)
    raise NotFoundError(f"{shown(path)} was not tracked in {commit[:10]}", hint=f"see `mvc log {shown(path)}`")


def steps_from(repo: Repo, path: SafeRelPath, now: Pointer) -> Steps:
    """Return the versions in the history of HEAD, seen from NOW, the current version of the model at PATH."""
    known: dict[Oid, Step] = {}
    first = 0  # how many of them are newer than the first appearance of NOW
    for at, version in versions_of(repo, name_in_commit(repo, path, now)) if repo.history.has_head() else ():
        try:
            pointer = parse(version.data, pointer_of(at))
        except ModelvcError:
            continue
        if pointer.oid == now.oid:
            first = len(known)
        elif not pointer.conflict:
            known.setdefault(pointer.oid, Step(pointer, version.data, version))
    by_age = tuple(known.values())
    chain: dict[Oid, Step] = {}
    parent = now.parent
    while parent is not None and parent in known and parent not in chain:
        chain[parent] = known[parent]
        parent = known[parent].pointer.parent
    before = chain | {step.pointer.oid: step for step in by_age[first:]}
    after = tuple(step for step in by_age if step.pointer.oid not in before)
    complete = parent is None or parent == now.oid or parent in chain
    return Steps(tuple(before.values()), after, by_age, complete)
