"""Find the recorded environment of a version: of a clone, or of a pointer alone."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import NoRecord, UsageError, shown
from modelvc.formats import limits
from modelvc.formats.pointer.pointer import parse

if TYPE_CHECKING:
    from modelvc.formats.pointer.environment import Environment
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.repo import Repo


class Recorded(NamedTuple):
    """A version with its environment. `commit`: "" for the worktree, and for a pointer alone."""

    path: str
    commit: str
    pointer: Pointer
    environment: Environment


def of_model(repo: Repo, what: str) -> Recorded:
    """Return the version WHAT: PATH (of the worktree) or REV:PATH. Raises NotFoundError, NoRecord."""
    from modelvc.models.versions.pointers import pointer_at

    repo.require_init()
    rev, colon, text = what.rpartition(":")
    path = repo.path(text)
    commit, pointer = pointer_at(repo, rev, path) if colon else ("", repo.pointer(path))
    return _recorded(path, commit, pointer)


def of_pointer(file: str) -> Recorded:
    """Return the version whose pointer is FILE, an absolute path. It needs neither Git nor a store. Raises NoRecord."""
    name = os.path.basename(file)
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)  # a pipe must not block
    except OSError as error:
        raise UsageError(f"{shown(name)} cannot be read: {error.strerror}", hint="name a pointer") from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise UsageError(f"{shown(name)} is not a regular file", hint="name a pointer, such as model.pkl.mvc")
        data = os.read(fd, limits.POINTER + 1)
    finally:
        os.close(fd)
    return _recorded(name.removesuffix(".mvc"), "", parse(data, name))


def _recorded(path: str, commit: str, pointer: Pointer) -> Recorded:
    found = pointer.env
    if found is None:
        raise NoRecord(
            f"{shown(path)} has no record of its environment",
            hint=f"record it where it was made: mvc add --python PYTHON {shown(path)}",
        )
    return Recorded(path, commit, pointer, found)
