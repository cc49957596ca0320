"""Which Python has the environment of a model: the one that the user names, or the first that is the user's own.

A folder that Git or mvc brought into the worktree may hold a program named `python`. No such program is started.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import ModelvcError, UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelvc.repo import Repo

_MOST_LINKS = 40  # as in Linux
_PARTS = ("bin", "lib", "lib64", "pyvenv.cfg")  # of an environment that is the top of the worktree


@dataclass(frozen=True, slots=True)
class Wanted:
    """The Python that a command asks about. `python`: the user's own word, "" for none.

    `folder`: where the user stands; `env`: the environment variables of the command.
    """

    python: str
    folder: str
    env: Mapping[str, str]


class Candidate(NamedTuple):
    """A Python that may have the packages of a model. `why`: where it was found, for people."""

    python: str  # an absolute path
    why: str
    named: bool = False  # the user named it


def candidates(wanted: Wanted, repo: Repo | None) -> Iterator[Candidate]:
    """Yield the Pythons to ask, in order; if the user named one, that alone. REPO: None outside of a clone.

    Raises UsageError if the user named a file that cannot be started.
    """
    if wanted.python:
        yield Candidate(_named(wanted), "--python", named=True)
        return
    seen: set[str] = set()
    for python, home, why in _found(wanted, repo):
        # Links are kept: the same program has other packages when it is started by the name in a virtual environment.
        if python not in seen and (python == sys.executable or repo is None or not brought(repo, home, python)):
            seen.add(python)
            yield Candidate(python, why)


def _found(wanted: Wanted, repo: Repo | None) -> Iterator[tuple[str, str, str]]:
    """Yield program, folder of its environment, and where it was found."""
    for variable in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        home = wanted.env.get(variable, "")
        if os.path.isabs(home) and (python := _of_folder(home)):
            yield python, home, variable
    if repo is not None:
        home = os.path.join(repo.layout.worktree, ".venv")
        if python := _of_folder(home):
            yield python, home, ".venv"
    if sys.executable:
        yield sys.executable, os.path.dirname(os.path.dirname(sys.executable)), "mvc's own"
    if python := _on_path("python3", wanted.env) or _on_path("python", wanted.env):
        yield python, os.path.dirname(os.path.dirname(python)), "PATH"


def _named(wanted: Wanted) -> str:
    """Return the program that the user named: a path, the folder of an environment, or a name on the PATH."""
    path = os.path.normpath(os.path.join(wanted.folder, wanted.python))
    if os.path.isdir(path) and (found := _of_folder(path)):
        return found
    if "/" not in wanted.python and not os.path.isfile(path):
        path = _on_path(wanted.python, wanted.env)
    if not path or not os.path.isfile(path) or not os.access(path, os.X_OK):
        raise UsageError(
            f"--python {shown(wanted.python)} is not a program", hint="name a Python, such as .venv/bin/python"
        )
    return path


def _of_folder(home: str) -> str:
    """Return the Python of the environment in the folder HOME, "" if there is none."""
    for name in ("python", "python3"):
        path = os.path.join(home, "bin", name)
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""


def _on_path(name: str, env: Mapping[str, str]) -> str:
    """Return the program NAME on the PATH, "" if there is none. Relative entries are skipped: they may be a project."""
    for folder in env.get("PATH", "").split(os.pathsep):
        path = os.path.join(folder, name)
        if os.path.isabs(folder) and os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return ""


def brought(repo: Repo, home: str, python: str) -> bool:
    """Return True if Git tracks anything in the folder HOME or at PYTHON, or a link to them, or if a model holds them.

    True as well if that cannot be found out.
    """
    paths = {one for path in (home, *_hops(python)) for full in _spellings(path) for one in _inside(repo, full)}
    if not paths:
        return False
    from modelvc.git import index

    # Some file systems take names in any case. An entry above a path is a link or a submodule: Git tracks no folders.
    globs = sorted({f":(top,icase,literal){path.partition('/')[0]}" for path in paths})
    try:
        theirs = {*index.staged(repo.layout, globs), *repo.tracked()}
    except ModelvcError:
        return True
    wanted = {path.casefold() for path in paths}
    return any(_meets(one, path) for one in map(str.casefold, theirs) for path in wanted)


def _hops(path: str) -> Iterator[str]:
    """Yield PATH and each path that its links lead to, with the folder of each."""
    for _ in range(_MOST_LINKS):
        yield path
        yield os.path.dirname(path)
        if not os.path.islink(path):
            return
        path = os.path.join(os.path.dirname(path), os.readlink(path))


def _spellings(path: str) -> Iterator[str]:
    """Yield PATH as it is written, without the links in its folder, and without any link."""
    yield os.path.abspath(path)
    yield os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    yield os.path.realpath(path)


def _meets(one: str, other: str) -> bool:
    """Return True if the paths are equal, or if one is a folder of the other."""
    return one == other or one.startswith(f"{other}/") or other.startswith(f"{one}/")


def _inside(repo: Repo, path: str) -> set[str]:
    """Return PATH relative to the worktree, if it lies in it."""
    inside = os.path.relpath(path, repo.layout.worktree)
    if inside == ".":
        return set(_PARTS)
    return set() if inside == ".." or inside.startswith("../") else {inside}
