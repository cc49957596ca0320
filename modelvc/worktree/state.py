"""What is known about the files of one worktree, so that nothing is read twice. A cache: losing it costs time.

An entry says: the file with this stat data has this oid. It is trusted only when it is settled, that is when the
file's times were clearly in the past as its content was read: within one tick of the clock an edit leaves no trace in
stat data.
Short path: imports nothing heavy. marshal is quick, and what it reads lies inside `.git`, written by this program.
"""

from __future__ import annotations

import marshal
import os
import sys
import time
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Stat = tuple[int, int, int, int, int]  # inode, size, mtime and ctime in nanoseconds, mode
Known = tuple[Stat, bytes, bool]  # stat data, oid, settled
PointerKnown = tuple[Stat, str, bytes, int, bool]  # stat data, kind, oid, size, settled

GRAIN = 20_000_000  # ns: two ticks of the slowest kernel clock
COARSE = 2_000_000_000  # ns: file systems that keep whole seconds
_MAGIC = b"MVCSTAT1" + bytes(sys.version_info[:2])


def stat_of(found: os.stat_result) -> Stat:
    return (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_mode)


def is_settled(stat: Stat, read_from: int) -> bool:
    """Whether a file with STAT whose reading began at READ_FROM (ns) cannot have changed without a trace since."""
    newest = max(stat[2], stat[3])
    grain = COARSE if stat[3] % 1_000_000_000 == 0 else GRAIN
    return newest < read_from - grain


class State:
    """The cache of one worktree, read at once and written at once."""

    __slots__ = ("_path", "answer", "changed", "files", "pointers", "tracked", "trees")

    def __init__(self, folder: str) -> None:
        """FOLDER is `<git dir>/mvc`."""
        self._path = os.path.join(folder, "state")
        self.pointers: dict[str, PointerKnown] = {}
        self.files: dict[str, Known] = {}
        self.trees: dict[str, tuple[bytes, dict[str, Known]]] = {}
        self.tracked: tuple[Any, ...] = ()  # what Git's index said, with the stat data it was read at
        self.answer: tuple[Any, ...] = ()  # a status that stays true while what it names keeps its stat data
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
            self.pointers, self.files, self.trees, self.tracked, self.answer = found
        except (ValueError, EOFError, TypeError):  # 32 bits of checksum can fit by chance
            return

    def save(self) -> None:
        if not self.changed:
            return
        from modelvc.atomic import replace_file

        body = marshal.dumps((self.pointers, self.files, self.trees, self.tracked, self.answer))
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        # not synced: after a power cut the checksum fails, and it is built anew
        replace_file(self._path, _MAGIC + zlib.crc32(body).to_bytes(4, "little") + body)
        self.changed = False

    def remember_file(self, path: str, stat: Stat, oid: bytes, *, settled: bool) -> None:
        self.files[str(path)] = (tuple(stat), bytes(oid), settled)  # type: ignore[assignment] # marshal wants exact types
        self.changed = True

    def remember_tree(self, path: str, oid: bytes, files: dict[str, Known]) -> None:
        plain: Any = {str(name): (tuple(stat), bytes(one), settled) for name, (stat, one, settled) in files.items()}
        self.trees[str(path)] = (bytes(oid), plain)
        self.changed = True

    def remember_pointer(self, path: str, stat: Stat, kind: str, oid: bytes, size: int) -> None:
        """The pointer of PATH was just read from, or written to, a file with STAT."""
        settled = is_settled(stat, now()) or bool(stat[2] % 1000)
        entry: Any = (tuple(stat), kind, bytes(oid), size, settled)
        if self.pointers.get(path) != entry:
            self.pointers[str(path)] = entry
            self.changed = True

    def forget(self, path: str) -> None:
        for table in (self.pointers, self.files, self.trees):
            if table.pop(path, None) is not None:
                self.changed = True


def now() -> int:
    """Nanoseconds since the epoch, to compare with a file's times."""
    return time.time_ns()
