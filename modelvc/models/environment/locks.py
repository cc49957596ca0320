"""Files that pin packages: the one beside a model is recorded by its digest."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from blake3 import blake3

from modelvc.errors import ModelvcError
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer.environment import LockFile
from modelvc.git.objects import objects
from modelvc.ids import Oid

if TYPE_CHECKING:
    from modelvc.repo import Repo

NAMES = ("uv.lock", "pylock.toml", "requirements.txt")
_LARGEST = 16 << 20  # bytes


def lock_beside(repo: Repo, path: SafeRelPath) -> LockFile | None:
    """Return the file that pins packages beside the model PATH, else the one at the top of the worktree, else None."""
    for folder in dict.fromkeys((path.parent, "")):
        for name in NAMES:
            where = SafeRelPath(os.path.join(folder, name))
            data = _in_worktree(repo, where)
            if data is not None:
                return LockFile(where, _digest(data))
    return None


def content(repo: Repo, lock: LockFile, commit: str) -> bytes | None:
    """Return the bytes of LOCK in COMMIT ("": in the worktree); None if the file is missing or has other bytes."""
    if commit:
        blob = objects(repo.layout).one(f"{commit}:{lock.path}", _LARGEST)
        data = blob.data if blob and blob.kind == "blob" and blob.size <= _LARGEST else None
    else:
        data = _in_worktree(repo, lock.path)
    return data if data is not None and _digest(data) == lock.digest else None


def _in_worktree(repo: Repo, path: SafeRelPath) -> bytes | None:
    try:
        data = repo.worktree.read(path, _LARGEST)
    except (OSError, ModelvcError):  # it does not exist, or lies behind a link
        return None
    return data if len(data) <= _LARGEST else None


def _digest(data: bytes) -> Oid:
    return Oid(blake3(data).digest())
