"""Write a recorded environment as a file that installs it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from modelvc.errors import NoRecord, UsageError, shown
from modelvc.models.environment.locks import content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelvc.formats.pointer.environment import Environment, Package
    from modelvc.ops.parity.records import Recorded
    from modelvc.repo import Repo


def export_environment(recorded: Recorded, form: str) -> str:
    """Return RECORDED in the format FORM, one of FORMS."""
    return "".join(line + "\n" for line in FORMS[form](recorded))


def export_lock(recorded: Recorded, repo: Repo | None) -> bytes:
    """Return the file that pinned packages when the version was added: of its commit, or of the worktree.

    Raises NoRecord if there was none, UsageError if the file is missing or has changed since.
    """
    lock = recorded.environment.lock
    if lock is None:
        raise NoRecord(
            f"no lock file lay beside {shown(recorded.path)} when it was added", hint="mvc env export has its packages"
        )
    data = content(repo, lock, recorded.commit) if repo else None
    if data is None:
        raise UsageError(
            f"{shown(lock.path)} is not here as it was when {shown(recorded.path)} was added",
            hint="name a commit that has it: mvc env export --format lock REV:PATH",
        )
    return data


def _requirements(recorded: Recorded) -> Iterator[str]:
    """Yield the lines of a requirements.txt."""
    yield from _head(recorded)
    for one in recorded.environment.packages:
        why = _not_in_an_index(recorded.environment, one)
        yield f"# {one.name}=={one.version}  ({why})" if why else f"{one.name}=={one.version}"


def _conda(recorded: Recorded) -> Iterator[str]:
    """Yield the lines of an environment.yml. Packages are named as pip names them, so pip installs them."""
    environment = recorded.environment
    yield from _head(recorded)
    yield "dependencies:"
    python = "pypy" if environment.implementation == "PyPy" else "python"
    yield f"  - {python}={'.'.join(environment.python.split('.')[:2]) if python == 'pypy' else environment.python}"
    yield "  - pip"
    wanted = [one for one in environment.packages if not _not_in_an_index(environment, one) and one.name != "pip"]
    if wanted:
        yield "  - pip:"
        yield from (f"      - {json.dumps(f'{one.name}=={one.version}')}" for one in wanted)
    for one in environment.packages:
        if why := _not_in_an_index(environment, one):
            yield f"  # {one.name}=={one.version}  ({why})"


def _head(recorded: Recorded) -> Iterator[str]:
    environment = recorded.environment
    yield f"# {shown(recorded.path)}, {recorded.pointer.oid}"
    yield f"# {environment.implementation} {environment.python}, {environment.platform} {environment.machine}"


def _not_in_an_index(environment: Environment, one: Package) -> str:
    """Return why no index has the package ONE, "" if an index may have it."""
    if one.name in environment.direct:
        return "installed from a folder or an address"
    return "a local version" if "+" in one.version else ""


FORMS: dict[str, Callable[[Recorded], Iterator[str]]] = {"requirements": _requirements, "conda": _conda}
