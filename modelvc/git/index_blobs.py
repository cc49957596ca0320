"""Read blobs of Git's index, for the notebook filter: one `git cat-file --batch` for many files.

The process reads the index and takes no lock, so it works while `git add` holds one. The drivers that are copied into
clones load this module, so it needs the standard library alone. git/objects is no substitute: it does not notice a
changed index.
"""

from __future__ import annotations

import os

from modelvc.errors import ModelvcError
from modelvc.git.cat_file import answer
from modelvc.git.run import end, held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from modelvc.git.cat_file import GitObject
    from modelvc.git.run import Held

_STAGED, *_ELSE = (":0:", ":2:", "HEAD:")  # the index, our side of a conflict, the last commit


class IndexBlobs:
    """What Git's index has of files in the current worktree. INDEX is the path of the index, LIMIT in bytes."""

    def __init__(self, index: str, limit: int) -> None:
        self._index = index
        self._limit = limit
        self._seen: object = None
        self._reader: Held | None = None

    def of(self, path: str) -> bytes:
        """Return the content in the index, else of our side, else of HEAD; b"" if it is missing or above the limit."""
        if "\n" in path:
            return b""
        try:
            self._open()
            found = self._read(_STAGED + path)
            return found[0] or next(filter(None, self._read(*(rev + path for rev in _ELSE))), b"")
        except (OSError, ValueError, EOFError, ModelvcError):  # without an answer from Git, the version is unknown
            self.close()
            return b""

    def close(self) -> None:
        """End Git. The next question starts it again."""
        reader, self._reader = self._reader, None
        if reader:
            end(reader)

    def _open(self) -> None:
        """Start Git, and start it again if the index changed: a process reads the index once."""
        try:
            found = os.stat(self._index)
            seen: object = (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            seen = ()
        if self._reader is None or seen != self._seen:
            self.close()
            self._seen = seen
            # A partial clone must not fetch a blob for this.
            self._reader = held(".", "cat-file", "--batch", commit_env=True, extra={"GIT_NO_LAZY_FETCH": "1"})

    def _read(self, *names: str) -> list[bytes]:
        reader = self._reader
        if reader is None or reader.stdin is None or reader.stdout is None:
            raise ValueError("Git is not there")
        reader.stdin.write(b"".join(os.fsencode(name) + b"\n" for name in names))
        reader.stdin.flush()
        return [self._content(answer(reader.stdout, self._limit)) for _ in names]

    def _content(self, found: GitObject | None) -> bytes:
        return found.data if found and found.kind == "blob" and found.size <= self._limit else b""
