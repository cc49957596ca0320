"""Read what is inside a file or folder that no pointer names, such as a download. Nothing is stored or kept."""

from __future__ import annotations

import os
import stat
from dataclasses import replace
from typing import TYPE_CHECKING

from modelvc.errors import FileChanged, FileError, UsageError, shown
from modelvc.modelfiles.facts import ModelFacts
from modelvc.modelfiles.source import OutOfTime, Source
from modelvc.modelfiles.verdict import UNKNOWN_FORMAT
from modelvc.models.inside.facts import look
from modelvc.models.inside.source import Opened
from modelvc.worktree.state import stat_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelvc.worktree.state import Stat

_MOST = 100_000  # files of a folder
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC  # a pipe must not make the command wait


def facts_at(path: str, *, seconds: float) -> ModelFacts:
    """Return what is inside the file or folder at PATH, as `unreadable` if something in it was not read.

    A link to a file is followed, as the library that loads the file would do. Raises UsageError for a device,
    FileError, and FileChanged if a file changed meanwhile.
    """
    try:
        found = os.stat(path)
        if stat.S_ISREG(found.st_mode):
            return _look("file", {"": path}, seconds)
        if not stat.S_ISDIR(found.st_mode):
            raise UsageError(f"{shown(path)} is neither a file nor a folder", hint="name a file or a folder")
        files, unread = _files_in(path)
        facts = _look("tree", files, seconds)
    except OSError as error:
        raise FileError(path, error) from None
    return replace(facts, unreadable=unread) if unread and not facts.unreadable else facts


def _files_in(top: str) -> tuple[dict[str, str], str]:
    """Return the files below TOP by their path in it, without those of `.git`, and why one is left out, or ""."""
    found: dict[str, str] = {}
    unread = ""
    waiting = [("", top)]
    while waiting:
        prefix, folder = waiting.pop()
        with os.scandir(folder) as entries:
            for entry in entries:
                name = prefix + entry.name
                if entry.is_file():
                    found[name] = entry.path
                elif entry.is_dir(follow_symlinks=False):
                    waiting += [(name + "/", entry.path)] if entry.name != ".git" else []
                else:
                    unread = f"{shown(name)} is neither a file nor a folder, and is not read"
                if len(found) + len(waiting) > _MOST:
                    return found, f"the folder has more than {_MOST:,} files"
    return found, unread


def _look(kind: str, paths: Mapping[str, str], seconds: float) -> ModelFacts:
    reader = _Reader()
    try:
        sources = {name: Source(os.stat(path).st_size, reader.of(path)) for name, path in paths.items()}
        found = look(Opened(kind, sources), seconds=seconds)
        reader.close()
    except OutOfTime as error:
        return ModelFacts(UNKNOWN_FORMAT, unreadable=str(error))
    finally:
        reader.drop()
    return found


class _Reader:
    """Files by their paths, of which one is open at a time. Each must stay as it was when it was first read."""

    def __init__(self) -> None:
        self._path, self._fd = "", -1
        self._seen: dict[str, Stat] = {}

    def of(self, path: str) -> Callable[[int, int], bytes]:
        """Return how to read the file at PATH: a function of an offset and a length."""

        def read_at(offset: int, length: int) -> bytes:
            if path != self._path:
                self._open(path)
            return os.pread(self._fd, max(0, length), offset)

        return read_at

    def _open(self, path: str) -> None:
        self.close()
        try:
            self._fd = os.open(path, _OPEN)
        except OSError as error:
            raise FileError(path, error) from None
        self._path = path
        self._compare()

    def _compare(self) -> None:
        now = os.fstat(self._fd)
        if not stat.S_ISREG(now.st_mode) or self._seen.setdefault(self._path, stat_of(now)) != stat_of(now):
            raise FileChanged(self._path)

    def close(self) -> None:
        """Close the open file. Raises FileChanged if it changed."""
        try:
            if self._fd >= 0:
                self._compare()
        finally:
            self.drop()

    def drop(self) -> None:
        """Close the open file as it is."""
        if self._fd >= 0:
            os.close(self._fd)
        self._path, self._fd = "", -1
