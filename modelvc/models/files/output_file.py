"""Write the output file of a command. A model at its path is stored before it is replaced."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from modelvc.atomic import write_atomically
from modelvc.errors import ConflictError, FileError, ModelvcError, shown
from modelvc.formats.paths import SafeRelPath, is_pointer, model_of
from modelvc.git import index
from modelvc.git.layout import discover
from modelvc.models.files.store_present import store_present
from modelvc.repo import Repo

if TYPE_CHECKING:
    from modelvc.ids import Oid

_ELSEWHERE = "name another path"


class Replaced(NamedTuple):
    """A model that an output file replaced, and the oid under which it was stored."""

    path: SafeRelPath
    oid: Oid


def check_target(target: str, *, force: bool) -> tuple[Repo, SafeRelPath] | None:
    """Return the model that writing the absolute path TARGET would change, with its clone; None without one.

    Raises ConflictError for a model without FORCE, and always for a pointer or a folder with models or files of Git.
    """
    repo = _clone_around(target)
    if repo is None:
        return None
    inside = repo.inside(target)
    tracked = repo.tracked()
    if is_pointer(inside) and model_of(inside) in tracked:
        raise ConflictError(f"{shown(target)} is the pointer of a model", hint=_ELSEWHERE)
    if below := [path for path in tracked if path.startswith(inside + "/")] or _of_git(repo, inside, target):
        raise ConflictError(f"{shown(target)} is a folder that holds {shown(below[0])}", hint=_ELSEWHERE)
    model = next((path for path in tracked if f"{inside}/".startswith(f"{path}/")), None)
    if model is None:
        return None
    if not force:
        what = "is a model" if model == inside else f"lies in the model {shown(model)}"
        raise ConflictError(
            f"{shown(target)} {what}", hint=f"{_ELSEWHERE}, or repeat with --force (which stores it first)"
        )
    return repo, SafeRelPath(model)


def store_replaced(target: str, why: str, *, force: bool) -> Replaced | None:
    """Store the model that writing the absolute path TARGET changes, and write it to the reflog with WHY.

    Return None without a model. Raises ConflictError as `check_target` does.
    """
    found = check_target(target, force=force)
    if found is None:
        return None
    repo, path = found
    if not os.path.lexists(os.path.join(repo.layout.worktree, path)):
        return None
    with repo.updating():
        oid = store_present(repo, [path])[path]
        is_folder = repo.worktree.is_folder(path)
        repo.log_replaced(path, "tree" if is_folder else "file", oid, why)
    return Replaced(path, oid)


def write_file(target: str, data: bytes, why: str, *, force: bool) -> Replaced | None:
    """Write DATA to the absolute path TARGET, or where a link at TARGET leads. Return the model that it replaced.

    A regular file is replaced whole and keeps its mode: a kill leaves the old file or the new one. Other names of the
    old file keep its bytes. A pipe, a device or an open file (`/dev/stdout`) is written to.
    """
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        mode = 0
    replaced = None
    real = os.path.realpath(target)
    if not mode or stat.S_ISREG(mode):
        replaced = store_replaced(real, why, force=force)
        if not _is_descriptor(target):
            _replace(real, data, stat.S_IMODE(mode))
            return replaced
    with open(target, "wb") as opened:  # which refuses a folder
        opened.write(data)
    return replaced


def _is_descriptor(path: str) -> bool:
    """Return whether PATH leads through the name of an open file, such as `/dev/stdout`, which others write too."""
    while os.path.islink(path):
        folder = os.path.dirname(path)
        if os.path.realpath(folder).startswith("/proc/"):
            return True
        path = os.path.join(folder, os.readlink(path))
    return os.path.dirname(path) == "/dev/fd"


def _replace(path: str, data: bytes, mode: int) -> None:
    """Give PATH these bytes, and MODE unless that is 0. Raises FileError if the system refuses."""
    try:
        write_atomically(path, data, mode=mode, sync=True)
    except OSError as error:
        raise FileError(path, error) from None


def _clone_around(target: str) -> Repo | None:
    """Return the clone that uses mvc and whose worktree holds TARGET; None without one."""
    folder = os.path.realpath(os.path.dirname(target))
    try:
        repo = Repo(discover(folder, {}), folder)
        repo.inside(target)
        repo.require_init()
    except (ModelvcError, OSError):  # no repository, one without mvc, or a path inside `.git`
        return None
    return repo


def _of_git(repo: Repo, inside: str, target: str) -> list[str]:
    is_folder = os.path.isdir(target) and not os.path.islink(target)
    return index.tracked_under(repo.layout, inside) if is_folder else []
