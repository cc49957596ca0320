"""The state file of one worktree: the oids of its files, so that no file is read twice. Losing it costs time alone.

An entry says that the file with this stat data has this oid. A settled entry is trusted. An entry is settled if the
file's times were clearly in the past when its content was read. An edit within one tick of the clock leaves no trace in
the stat data.
Short path: imports nothing heavy. marshal is fast, and reads only what this program wrote inside `.git`.
"""

from __future__ import annotations

import marshal
import os
import sys
import time
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    # Rows as marshal writes and reads them: it takes plain tuples alone.
    _Stat = tuple[int, int, int, int, int]
    _File = tuple[_Stat, bytes, bool]
    _Pointer = tuple[_Stat, str, bytes, int, bool]

GRAIN = 20_000_000  # ns: two ticks of the slowest kernel clock
COARSE = 2_000_000_000  # ns: file systems that keep whole seconds
_MAGIC = b"MVCSTAT1" + bytes(sys.version_info[:2])


class Stat(tuple[int, int, int, int, int]):
    """Stat data of a file: inode, size in bytes, mtime and ctime in nanoseconds, mode.

    Written by hand, as are the other named tuples here: `collections` costs 1.3 ms of every start.
    """

    __slots__ = ()

    @property
    def inode(self) -> int:
        return self[0]

    @property
    def size(self) -> int:
        return self[1]

    @property
    def mtime(self) -> int:
        return self[2]

    @property
    def ctime(self) -> int:
        return self[3]

    @property
    def mode(self) -> int:
        return self[4]

    @property
    def executable(self) -> bool:
        """True if the owner of the file may execute it."""
        return bool(self[4] & 0o100)

    @property
    def but_ctime(self) -> tuple[int, int, int, int]:
        """Inode, size, mtime and mode: a rename changes none of them."""
        return (*self[:3], self[4])


class Known(tuple[Stat, bytes, bool]):
    """A file as it was read: its stat data, its oid, and whether the entry is settled.

    A plan also holds the files that it will replace in this form. If an entry is not settled, its file is hashed again
    before it is replaced.
    """

    __slots__ = ()

    @property
    def stat(self) -> Stat:
        return self[0]

    @property
    def oid(self) -> bytes:
        return self[1]

    @property
    def settled(self) -> bool:
        return self[2]


class KnownPointer(tuple[Stat, str, bytes, int, bool]):
    """A pointer as it was read: stat data of its file; kind, oid and size in it; whether the entry is settled."""

    __slots__ = ()

    @property
    def stat(self) -> Stat:
        return self[0]

    @property
    def kind(self) -> str:
        return self[1]

    @property
    def oid(self) -> bytes:
        return self[2]


class KnownTree(tuple[bytes, "dict[str, Any]"]):
    """A folder as it was read: its oid, b"" if it is unknown, and its files."""

    __slots__ = ()

    @property
    def oid(self) -> bytes:
        return self[0]

    @property
    def files(self) -> dict[str, Known]:
        """The files by their path in the folder, in a new dict."""
        return {name: Known((Stat(stat), oid, settled)) for name, (stat, oid, settled) in self[1].items()}


def stat_of(found: os.stat_result) -> Stat:
    """Return the stat data of FOUND by which an edit shows."""
    return Stat((found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode))


def is_settled(stat: Stat, read_from: int) -> bool:
    """Return True if every edit of a file with STAT shows in its stat data. READ_FROM (ns): when its reading began."""
    newest = max(stat.mtime, stat.ctime)
    grain = COARSE if stat.ctime % 1_000_000_000 == 0 else GRAIN
    return newest < read_from - grain


class State:
    """The state file, read at once and written at once.

    `pointers`, `files` and `trees` hold plain rows by path. `pointer`, `file` and `tree` return them by name.
    """

    __slots__ = ("_path", "answer", "changed", "files", "pointers", "trees")

    def __init__(self, folder: str) -> None:
        """FOLDER is `<git dir>/mvc`."""
        self._path = os.path.join(folder, "state")
        self.pointers: dict[str, _Pointer] = {}
        self.files: dict[str, _File] = {}
        self.trees: dict[str, tuple[bytes, dict[str, _File]]] = {}
        self.answer: tuple[Any, ...] = ()  # a status; it stays true while the files that it names keep their stat data
        self.changed = False
        self._load()

    def _load(self) -> None:
        try:
            with open(self._path, "rb") as file:
                data = file.read()
        except OSError:
            return
        head = len(_MAGIC) + 4
        if data[: len(_MAGIC)] != _MAGIC or data[len(_MAGIC) : head] != zlib.crc32(data[head:]).to_bytes(4, "little"):
            return
        try:
            found = marshal.loads(data[head:])  # noqa: S302
            self.pointers, self.files, self.trees, _, self.answer = found
        except (ValueError, EOFError, TypeError):  # 32 bits of checksum can fit by chance
            return

    def save(self) -> None:
        """Write the file if an entry changed. Raises OSError if the system refuses; the old file then stays."""
        if not self.changed:
            return
        from modelvc.atomic import write_atomically

        body = marshal.dumps((self.pointers, self.files, self.trees, (), self.answer))  # (): unused
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        # Not synced: if a power cut tears the file, its checksum fails, and it is built anew.
        write_atomically(self._path, _MAGIC + zlib.crc32(body).to_bytes(4, "little") + body)
        self.changed = False

    def file(self, path: str) -> Known | None:
        """Return the entry of the file at PATH, or None."""
        row = self.files.get(path)
        return Known((Stat(row[0]), *row[1:])) if row else None

    def pointer(self, path: str) -> KnownPointer | None:
        """Return the entry of the pointer of the model at PATH, or None."""
        row = self.pointers.get(path)
        return KnownPointer((Stat(row[0]), *row[1:])) if row else None

    def tree(self, path: str) -> KnownTree:
        """Return the entry of the folder at PATH; one without oid and files if it is unknown."""
        return KnownTree(self.trees.get(path, (b"", {})))

    def remember_file(self, path: str, stat: Stat, oid: bytes, *, settled: bool) -> None:
        """Note that the file at PATH had OID when it had STAT."""
        self.files[str(path)] = (_plain(stat), bytes(oid), settled)
        self.changed = True

    def remember_tree(self, path: str, oid: bytes, files: Mapping[str, Known]) -> None:
        """Note that the folder at PATH had OID and FILES."""
        rows = {str(name): (_plain(stat), bytes(one), settled) for name, (stat, one, settled) in files.items()}
        self.trees[str(path)] = (bytes(oid), rows)
        self.changed = True

    def remember_pointer(self, path: str, stat: Stat, kind: str, oid: bytes, size: int) -> None:
        """Note that the pointer of PATH was just read from, or written to, a file with STAT."""
        settled = is_settled(stat, now()) or bool(stat.mtime % 1000)
        entry = (_plain(stat), kind, bytes(oid), size, settled)
        if self.pointers.get(path) != entry:
            self.pointers[str(path)] = entry
            self.changed = True

    def forget(self, path: str) -> None:
        """Delete the entries of the model at PATH and of its pointer."""
        for table in (self.pointers, self.files, self.trees):
            if table.pop(path, None) is not None:
                self.changed = True


def _plain(stat: Stat) -> _Stat:
    """Return STAT as a plain tuple: marshal refuses subclasses."""
    inode, size, mtime, ctime, mode = stat
    return inode, size, mtime, ctime, mode


def now() -> int:
    """Return the nanoseconds since the epoch, to compare with a file's times."""
    return time.time_ns()
