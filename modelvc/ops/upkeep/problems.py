"""The problems that fsck reports, and the pointers that they concern."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError
from modelvc.formats.paths import SafeRelPath, model_of
from modelvc.formats.pointer.pointer import parse
from modelvc.git import history
from modelvc.ids import ObjectName
from modelvc.models.versions import claims
from modelvc.models.versions.pointers import way_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.models.versions.claims import Extent
    from modelvc.models.versions.scope import Scope
    from modelvc.repo import Repo


DAMAGED, MISSING, UNREADABLE, BROKEN = "damaged", "missing", "unreadable", "broken-pointer"
WRONG, NOT_PUSHED = "wrong-pointer", "not-pushed"
_HERE = " (worktree)"
_MOST_FIXES = 20  # problems whose command is looked up: each asks Git


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem. `needed_by`: "path (commit)" or "path (worktree)" of the pointers that need the object.

    `introduced_by`: the same with the first commit that had each pointer; `repaired`: it is fixed; `set_aside`:
    namely by moving it away, because nothing needs it or no good copy was found. `fix`: the command that repairs a
    pointer of the worktree, or brings back a version that this clone has.
    """

    kind: str
    what: str
    where: str
    needed_by: tuple[str, ...] = ()
    introduced_by: tuple[str, ...] = ()
    repaired: bool = False
    set_aside: bool = False
    fix: str = ""


@dataclass(slots=True)
class FsckFinding:
    """A problem and the objects that it affects. `pointer`: the path of a pointer that cannot be read."""

    problem: Problem
    names: Iterable[ObjectName] = ()
    pointer: str = ""

    def repaired(self) -> None:
        """Mark the problem as repaired."""
        self.problem = replace(self.problem, repaired=True)

    def set_aside(self) -> None:
        """Mark the problem as solved by moving the damaged root or pack away."""
        self.problem = replace(self.problem, repaired=True, set_aside=True)


def broken_pointers(repo: Repo, scope: Scope) -> list[FsckFinding]:
    """Return a finding for each pointer in SCOPE that cannot be read. One in the worktree has a command that helps."""
    found: list[FsckFinding] = []
    for location, why in scope.broken:
        path, _, commit = location.rpartition(" in ")
        here = commit == "the worktree"
        where = f"{path} ({'worktree' if here else commit})"
        words = why.removeprefix(path) if why.startswith(path) else f": {why}"
        fix = ""
        if here and "was written by a newer mvc" not in why and len(found) < _MOST_FIXES:
            with suppress(ModelvcError):
                fix = repo.mending(model_of(path))
        found.append(FsckFinding(Problem(BROKEN, f"{where}{words}", "Git", fix=fix), pointer=path))
    return found


def with_way_back(repo: Repo, findings: Sequence[FsckFinding]) -> None:
    """Add to each missing version of the worktree the command that takes the nearest version that this clone has."""
    for found in findings[:_MOST_FIXES]:
        users = [user.removesuffix(_HERE) for user in found.problem.needed_by if user.endswith(_HERE)]
        if found.problem.kind == MISSING and users and not found.problem.repaired:
            found.problem = replace(found.problem, fix=way_back(repo, SafeRelPath(users[0])))


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
    pointers = any(found.pointer for found in findings)
    first = _introduced(repo, concerned) if pointers or not concerned.isdisjoint(needed_by) else {}
    problems = []
    for found in findings:
        names = sorted(found.names)
        locations = (*found.problem.needed_by, *(pointer for name in names for pointer in needed_by.get(name, ())))
        keys: list[ObjectName | str] = [*names, *([found.pointer] if found.pointer else [])]
        since = (user for key in keys for user in first.get(key, ()))
        found.problem = replace(
            found.problem, needed_by=tuple(dict.fromkeys(locations)), introduced_by=tuple(dict.fromkeys(since))
        )
        problems.append(found.problem)
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
