"""Decide which of two versions was made from the other, by the parents that pointers name."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal, TypeAlias

from modelvc.errors import ModelvcError
from modelvc.formats.paths import pointer_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import history

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.ids import Oid
    from modelvc.repo import Repo

Newer: TypeAlias = Literal["ours", "theirs", "rolled-back", "unknown"]

_MOST = 100_000  # steps of one chain


class Lineage:
    """The parents of versions. History is read only as far as a question needs."""

    def __init__(self, repo: Repo, path: SafeRelPath, known: Iterable[Pointer]) -> None:
        self._parents: dict[Oid, set[Oid]] = {}
        for pointer in known:
            self._note(pointer)
        self._more = _versions(repo, path)

    def chain(self, start: Oid, goal: Oid, stop: Oid | None = None) -> tuple[Oid, ...] | None:
        """Return the versions from START back to GOAL, GOAL excluded; None if no known chain avoids STOP."""
        while True:
            found, unknown = self._search(start, goal, stop)
            if found is not None or not unknown:
                return found
            if not self._read(unknown):
                return None

    def _search(self, start: Oid, goal: Oid, stop: Oid | None) -> tuple[tuple[Oid, ...] | None, set[Oid]]:
        came_from: dict[Oid, Oid | None] = {start: None}
        waiting = [start]
        unknown: set[Oid] = set()
        while waiting and len(came_from) < _MOST:
            at = waiting.pop()
            if at == goal:
                steps: list[Oid] = []
                step = came_from[at]
                while step is not None:
                    steps.append(step)
                    step = came_from[step]
                return tuple(reversed(steps)), set()
            if at == stop:  # ancestors of STOP are older than GOAL, so they need not be read
                continue
            if at not in self._parents:
                unknown.add(at)
            for parent in self._parents.get(at, ()):
                if parent not in came_from:
                    came_from[parent] = at
                    waiting.append(parent)
        return None, unknown

    def _read(self, wanted: set[Oid]) -> bool:
        """Read on in history until a version of WANTED is found. Return False at the end of history."""
        for pointer in self._more:
            self._note(pointer)
            if pointer.oid in wanted:
                return True
        return False

    def _note(self, pointer: Pointer) -> None:
        parents = self._parents.setdefault(pointer.oid, set())
        if pointer.parent is not None and pointer.parent != pointer.oid:
            parents.add(pointer.parent)


def newer(
    repo: Repo, path: SafeRelPath, base: Pointer | None, sides: tuple[Pointer, Pointer], commits: tuple[str, str]
) -> Newer:
    """Return which of SIDES (ours, theirs) was made from the other after BASE; "unknown" if neither was.

    Return "rolled-back" if the other side once had that version, or one between, and went back. That is decided by the
    history of COMMITS, the tips of both sides, "" if unknown. A version at or before BASE is never the newer one.
    """
    lineage = Lineage(repo, path, (*sides, *((base,) if base else ())))
    names: tuple[Newer, Newer] = ("ours", "theirs")
    for position in (1, 0):
        winner, loser = sides[position], sides[1 - position]
        chain = lineage.chain(winner.oid, loser.oid, base.oid if base else None)
        if chain is None or (base and lineage.chain(loser.oid, base.oid) is None):
            continue
        if _held(repo, path, set(chain), commits[1 - position], commits[position]):
            return "rolled-back"
        return names[position]
    return "unknown"


def _held(repo: Repo, path: SafeRelPath, oids: set[Oid], commit: str, other: str) -> bool:
    """Return whether a commit that COMMIT reaches and OTHER does not had a version of OIDS at PATH."""
    if not commit or not history.has_commit(repo.layout, commit):
        return False
    if other and history.has_commit(repo.layout, other):
        seen = history.pointers_in(repo.layout, include=[commit], exclude=[other])
        data = (one.data for one in seen if one.path == pointer_of(path))
    else:
        data = (one.data for one in history.versions(repo.layout, pointer_of(path), start=commit))
    return any(pointer.oid in oids for pointer in _parsed(data))


def _versions(repo: Repo, path: SafeRelPath) -> Iterator[Pointer]:
    """Yield the pointers at PATH in all of history, newest first; then all others, since PATH may be a new name."""
    yield from _parsed(one.data for one in history.versions(repo.layout, pointer_of(path), all_refs=True))
    yield from _parsed(one.data for one in history.pointers_in(repo.layout, all_refs=True))


def _parsed(found: Iterable[bytes]) -> Iterator[Pointer]:
    for data in found:
        with suppress(ModelvcError):
            yield parse(data)
