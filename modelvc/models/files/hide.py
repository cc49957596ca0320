"""Hide models from Git by entries in the `.gitignore` of their folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import FileInUse, UsageError
from modelvc.formats.paths import SafeRelPath
from modelvc.worktree import gitignore

if TYPE_CHECKING:
    from modelvc.repo import Repo

_ATTEMPTS = 3
_LIMIT = 4 << 20  # bytes of .gitignore; a larger one is an accident


def _file(path: SafeRelPath) -> SafeRelPath:
    return SafeRelPath(f"{path.parent}/.gitignore" if path.parent else ".gitignore")


def hide(repo: Repo, path: SafeRelPath, *, again: bool = False) -> SafeRelPath | None:
    """Add the entry for PATH. Return the `.gitignore` to stage, None if it did not change.

    AGAIN: return it anyway, since a killed command may have changed it.
    """
    return _edit(repo, path, hidden=True) or (_file(path) if again else None)


def reveal(repo: Repo, path: SafeRelPath, *, again: bool = False) -> SafeRelPath | None:
    """Remove the entry for PATH, and the `.gitignore` if it is empty then. Return the file to stage, as `hide` does."""
    return _edit(repo, path, hidden=False) or (_file(path) if again else None)


def _edit(repo: Repo, path: SafeRelPath, *, hidden: bool) -> SafeRelPath | None:
    file = _file(path)
    for attempt in range(_ATTEMPTS):
        try:
            return _edit_once(repo, file, path.name, hidden=hidden)
        except FileInUse:  # another program changed it since it was read
            if attempt == _ATTEMPTS - 1:
                raise
    return None


def _edit_once(repo: Repo, file: SafeRelPath, name: str, *, hidden: bool) -> SafeRelPath | None:
    try:
        before = repo.worktree.read(file, _LIMIT)
    except (FileNotFoundError, NotADirectoryError):
        before = b""
    if len(before) > _LIMIT:
        raise UsageError(f"{file} is larger than {_LIMIT:,} bytes", hint="move entries that are not needed out of it")
    after = gitignore.with_entry(before, name) if hidden else gitignore.without_entry(before, name)
    if after == before:
        return None
    seen = repo.worktree.as_read(file, before)
    if after:
        repo.worktree.write_bytes(file, after, seen=seen)
    elif seen and (kept := repo.worktree.take_away({file: seen})):
        raise FileInUse(list(kept.items()))
    return file
