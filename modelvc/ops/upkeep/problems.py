"""What fsck says is wrong, and whom it concerns."""

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
    """One thing that is wrong. `needed_by`: "path (commit)" of the pointers that need it, or "path (worktree)".

    `introduced_by`: the same with the first commit that had the pointer; `repaired`: not any more.
    """

    kind: str
    what: str
    where: str
    needed_by: tuple[str, ...] = ()
    introduced_by: tuple[str, ...] = ()
    repaired: bool = False


@dataclass(slots=True)
class FsckFinding:
    """A problem and the objects that suffer from it."""

    problem: Problem
    names: Iterable[ObjectName] = ()

    def repaired(self) -> None:
        self.problem = replace(self.problem, repaired=True)


def broken_pointers(scope: Scope) -> list[FsckFinding]:
    return [FsckFinding(Problem(BROKEN, f"{place}: {why}", "Git", (place,))) for place, why in scope.broken]


def wrong_pointers(scope: Scope, actual: Callable[[Pointer], Extent | None]) -> list[FsckFinding]:
    """Pointers whose size or files are not those of their object. ACTUAL says these; None where it has no object."""
    found = []
    for said in scope.claims.values():
        known = actual(next(iter(said.values())).pointer)
        for claim, one in said.items():
            if words := claims.difference(claim, known):
                place = f"{one.path} ({one.commit[:10] or 'worktree'})"
                found.append(FsckFinding(Problem(WRONG, f"{place}: {words}", "Git", (place,))))
    return found


def with_pointers(
    repo: Repo, findings: Sequence[FsckFinding], users: Mapping[ObjectName, Sequence[str]]
) -> tuple[Problem, ...]:
    """The problems of FINDINGS, each with the pointers concerned. History is walked again only when there are some."""
    concerned = {name for found in findings for name in found.names}
    pointers = any(found.problem.kind == BROKEN for found in findings)
    first = _introduced(repo, concerned) if pointers or not concerned.isdisjoint(users) else {}
    problems = []
    for found in findings:
        names = sorted(found.names)
        places = (*found.problem.needed_by, *(user for name in names for user in users.get(name, ())))
        keys: list[ObjectName | str] = [*names, *(place.rpartition(" in ")[0] for place in found.problem.needed_by)]
        since = (user for key in keys for user in first.get(key, ()))
        problems.append(
            replace(found.problem, needed_by=tuple(dict.fromkeys(places)), introduced_by=tuple(dict.fromkeys(since)))
        )
    return tuple(problems)


def _introduced(repo: Repo, names: set[ObjectName]) -> dict[ObjectName | str, list[str]]:
    """By object, or by the path of a pointer that cannot be read: "path (commit)" of what had it first."""
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
    return {key: [f"{path} ({commit})" for path, commit in places.items()] for key, places in found.items()}
