"""Show the recorded environment of a version, and compare it with another one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from modelvc.errors import NotFoundError
from modelvc.models.environment.asked import AskedPythons
from modelvc.models.environment.compare import compare, side_of_python, side_of_record

if TYPE_CHECKING:
    from modelvc.models.environment.choose import Wanted
    from modelvc.models.environment.compare import Difference
    from modelvc.ops.parity.records import Recorded
    from modelvc.repo import Repo

Outcome: TypeAlias = Literal["pass", "fail"]


@dataclass(frozen=True, slots=True)
class EnvironmentShown:
    """The environment of one version. `commit`: "" for the worktree; `packages`: versions by name.

    `needs`: names of the packages that the version itself imports; `direct`: of those that came from no index.
    `lock` and `lock_digest`: the file that pinned packages, "" if there was none.
    """

    path: str
    commit: str
    oid: str
    python: str
    implementation: str
    platform: str
    machine: str
    libc: str
    bytecode: bool
    needs: tuple[str, ...]
    packages: dict[str, str]
    direct: tuple[str, ...]
    lock: str
    lock_digest: str


@dataclass(frozen=True, slots=True)
class EnvironmentCompared:
    """A version's environment beside another. `other`: a Python, or a version; `why`: where that Python was found.

    `outcome`: "fail" if a difference is an error. `differences` has equal facts too.
    """

    path: str
    commit: str
    oid: str
    other: str
    why: str
    differences: tuple[Difference, ...]
    outcome: Outcome


def show_environment(recorded: Recorded) -> EnvironmentShown:
    """Return the environment RECORDED."""
    found = recorded.environment
    return EnvironmentShown(
        path=recorded.path,
        commit=recorded.commit,
        oid=str(recorded.pointer.oid),
        python=found.python,
        implementation=found.implementation,
        platform=found.platform,
        machine=found.machine,
        libc=found.libc,
        bytecode=found.bytecode,
        needs=found.needs,
        packages=found.versions,
        direct=found.direct,
        lock=str(found.lock.path) if found.lock else "",
        lock_digest=str(found.lock.digest) if found.lock else "",
    )


def compare_with_python(recorded: Recorded, wanted: Wanted, repo: Repo | None) -> EnvironmentCompared:
    """Compare RECORDED with what a Python has installed. REPO: None outside of a clone.

    Raises UsageError if the Python that the user named is none, NotFoundError if there is no Python.
    """
    environment = recorded.environment
    with AskedPythons(wanted, repo) as asked:
        found = asked.with_packages(environment.needs)
    if found is None:
        raise NotFoundError("there is no Python to compare with", hint="name one: --python PATH")
    differences = compare(environment, side_of_python(found.installed, environment))
    return _compared(recorded, (found.candidate.python, found.candidate.why), differences)


def compare_records(recorded: Recorded, other: Recorded) -> EnvironmentCompared:
    """Compare RECORDED with the environment of another version."""
    name = f"{other.commit[:10]}:{other.path}" if other.commit else other.path
    return _compared(recorded, (name, ""), compare(recorded.environment, side_of_record(other.environment)))


def _compared(recorded: Recorded, other: tuple[str, str], differences: tuple[Difference, ...]) -> EnvironmentCompared:
    failed = any(one.severity == "error" for one in differences)
    oid = str(recorded.pointer.oid)
    return EnvironmentCompared(recorded.path, recorded.commit, oid, *other, differences, "fail" if failed else "pass")
