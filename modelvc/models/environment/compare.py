"""Compare a recorded environment with another one, and grade the differences by the rules of `rules.toml`."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from modelvc.models.environment.resolve import closure_of
from modelvc.models.environment.versions import GRADES, Grade, grade

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelvc.formats.pointer.environment import Environment
    from modelvc.models.environment.interpreter import Installed

Severity: TypeAlias = Literal["ok", "warning", "error"]

_RULES = os.path.join(os.path.dirname(__file__), "rules.toml")


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact in both environments. `recorded` or `present` is "" if that side lacks it.

    `kind`: "python", "package", or "system" (implementation, platform, machine, libc). `severity`: "ok" only for the
    same. `why`: the reason for an error, "" without one.
    """

    kind: str
    name: str
    recorded: str
    present: str
    grade: Grade
    severity: Severity
    why: str = ""


class Side(NamedTuple):
    """The environment to compare a record with. `versions`: of packages by name.

    `absent`: packages that are required in it, and that it lacks. `whole`: False if `versions` may have more than a
    model needs.
    """

    python: str
    implementation: str
    platform: str
    machine: str
    libc: str
    versions: Mapping[str, str]
    absent: frozenset[str] = frozenset()
    whole: bool = True


class _Rule(NamedTuple):
    error: Grade
    why: str = ""


def side_of_record(record: Environment) -> Side:
    """Return RECORD as the side to compare with."""
    texts = (record.python, record.implementation, record.platform, record.machine, record.libc)
    return Side(*texts, record.versions)


def side_of_python(installed: Installed, recorded: Environment) -> Side:
    """Return INSTALLED as the side to compare with; `absent` is about a version with the environment RECORDED."""
    absent = closure_of(installed, recorded.needs).absent
    texts = (installed.python, installed.implementation, installed.platform, installed.machine, installed.libc)
    versions = {name: one.version for name, one in installed.distributions.items()}
    return Side(*texts, versions, frozenset(absent), whole=False)


def compare(recorded: Environment, other: Side) -> tuple[Difference, ...]:
    """Return every fact of RECORDED beside that of OTHER, Python first, then packages by name, then the system."""
    return (_python(recorded, other), *_packages(recorded, other), *_system(recorded, other))


def _python(recorded: Environment, other: Side) -> Difference:
    rule = _rules("bytecode") if recorded.bytecode else _rules("python")
    return _graded(("python", "Python", recorded.python, other.python), grade(recorded.python, other.python), rule)


def _packages(recorded: Environment, other: Side) -> Iterator[Difference]:
    known, have = recorded.versions, other.versions
    for name in sorted({*known, *other.absent, *(have if other.whole else ())}):
        one, two = known.get(name, ""), have.get(name, "")
        if one and two:
            yield _graded(("package", name, one, two), grade(one, two), _rules("packages", name))
        elif two:
            yield Difference("package", name, "", two, "missing", "warning")
        elif name in recorded.needs:
            yield Difference("package", name, one, "", "missing", "error", "the model imports it")
        elif name in other.absent:
            yield Difference("package", name, one, "", "missing", "error", "a package that the model needs requires it")
        else:
            yield Difference("package", name, one, "", "missing", "warning")


def _system(recorded: Environment, other: Side) -> Iterator[Difference]:
    for name in ("implementation", "platform", "machine"):
        one, two = getattr(recorded, name), getattr(other, name)
        rule = _rules("bytecode") if name == "implementation" and recorded.bytecode else None
        yield _graded(("system", name, one, two), "same" if one == two else "major", rule)
    if recorded.libc and other.libc:
        (family, _, version), (others, _, theirs) = recorded.libc.partition(" "), other.libc.partition(" ")
        how: Grade = grade(version, theirs) if family == others else "major"
        yield _graded(("system", "libc", recorded.libc, other.libc), how, None)


def _graded(fact: tuple[str, str, str, str], how: Grade, rule: _Rule | None) -> Difference:
    if how == "same":
        return Difference(*fact, how, "ok")
    if rule is not None and GRADES.index(how) >= GRADES.index(rule.error):
        return Difference(*fact, how, "error", rule.why)
    return Difference(*fact, how, "warning")


@cache
def _table() -> dict[str, Any]:
    with open(_RULES, "rb") as file:
        return tomllib.load(file)


def _rules(*names: str) -> _Rule | None:
    """Return the rule under NAMES of the data file, None if there is none."""
    found = _table()
    for name in names:
        found = found.get(name, {})
    return _Rule(**found) if found else None
