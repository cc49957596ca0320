"""The problems that fsck reports, and the pointers that they concern."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError
from modelvc.formats.paths import model_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import history
from modelvc.ids import ObjectName
from modelvc.models.versions import claims

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.models.versions.claims import Extent
    from modelvc.models.versions.scope import Scope
    from modelvc.repo import Repo


DAMAGED, MISSING, UNREADABLE, BROKEN = "damaged", "missing", "unreadable", "broken-pointer"
WRONG = "wrong-pointer"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `needed_by`: "path (commit)" or "path (worktree)" of the pointers that need the object.

    `introduced_by`: the same with the first commit that had each pointer; `repaired`: it is fixed.
    """

    kind: str
    what: str
    where: str
    needed_by: tuple[str, ...] = ()
    introduced_by: tuple[str, ...] = ()
    repaired: bool = False


@dataclass(slots=True)
class FsckFinding:
    """A problem and the objects that it affects."""

    problem: Problem
    names: Iterable[ObjectName] = ()

    def repaired(self) -> None:
        """Mark the problem as repaired."""
        self.problem = replace(self.problem, repaired=True)


def broken_pointers(scope: Scope) -> list[FsckFinding]:
    """Return a finding for each pointer in SCOPE that cannot be read."""
    return [FsckFinding(Problem(BROKEN, f"{location}: {why}", "Git", (location,))) for location, why in scope.broken]


def wrong_pointers(scope: Scope, actual: Callable[[Pointer], Extent | None]) -> list[FsckFinding]:
    """Return a finding for each pointer that claims a wrong size or number of files.

    ACTUAL returns the extent of a pointer's object, None if unknown.
    """
    found = []
    for said in scope.claims.values():
        known = actual(next(iter(said.values())).pointer)
        for claim, one in said.items():
            if words := claims.difference(claim, known):
                location = f"{one.path} ({one.commit[:10] or 'worktree'})"
                found.append(FsckFinding(Problem(WRONG, f"{location}: {words}", "Git", (location,))))
    return found


def with_pointers(
    repo: Repo, findings: Sequence[FsckFinding], needed_by: Mapping[ObjectName, Sequence[str]]
) -> tuple[Problem, ...]:
    """Return the problems of FINDINGS, each with the pointers concerned. History is walked again only if needed.

    NEEDED_BY: "path (commit)" of the pointers to each object.
    """
    concerned = {name for found in findings for name in found.names}
    pointers = any(found.problem.kind == BROKEN for found in findings)
    first = _introduced(repo, concerned) if pointers or not concerned.isdisjoint(needed_by) else {}
    problems = []
    for found in findings:
        names = sorted(found.names)
        locations = (*found.problem.needed_by, *(pointer for name in names for pointer in needed_by.get(name, ())))
        keys: list[ObjectName | str] = [
            *names,
            *(location.rpartition(" in ")[0] for location in found.problem.needed_by),
        ]
        since = (user for key in keys for user in first.get(key, ()))
        problems.append(
            replace(found.problem, needed_by=tuple(dict.fromkeys(locations)), introduced_by=tuple(dict.fromkeys(since)))
        )
    return tuple(problems)


def _introduced(repo: Repo, names: set[ObjectName]) -> dict[ObjectName | str, list[str]]:
    """Return "path (commit)" of the first pointers to each object of NAMES, or of each unreadable pointer, by path."""
    found: dict[ObjectName | str, dict[str, str]] = {}
    for seen in history.introductions(repo.layout):
        commit = seen.commit[:10]
        try:
            model = model_of(seen.path)
            for one in parse(seen.data, seen.path).versions:
                if ObjectName(one.kind, one.oid) in names:
                    found.setdefault(ObjectName(one.kind, one.oid), {}).setdefault(model, commit)
        except ModelvcError:
            found.setdefault(seen.path, {}).setdefault(seen.path, commit)
    return {key: [f"{path} ({commit})" for path, commit in locations.items()] for key, locations in found.items()}
