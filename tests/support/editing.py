"""A process that edits a file again and again, and a judge of whether an edit was lost."""

from __future__ import annotations

import mmap
import os
import random
import select
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SIZE = 4096


def edit_bytes(number: int) -> bytes:
    return b"edit %d " % number + random.Random(number).randbytes(SIZE - 20)


def in_place(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_RDWR)
    try:
        os.write(fd, data)
        os.ftruncate(fd, len(data))
    finally:
        os.close(fd)


def truncating(path: Path, data: bytes) -> None:
    path.write_bytes(data)


def slowly(path: Path, data: bytes) -> None:
    """Open the file, wait, and write in two pieces."""
    with path.open("r+b", buffering=0) as file:
        for _ in range(random.Random(data).randrange(300)):
            os.getpid()
        file.write(data[:100])
        file.write(data[100:])
        file.truncate()


def renaming(path: Path, data: bytes) -> None:
    other = path.with_name(path.name + ".saving")
    other.write_bytes(data)
    other.rename(path)


def mapping(path: Path, data: bytes) -> None:
    with path.open("r+b") as file:
        file.truncate(len(data))
        with mmap.mmap(file.fileno(), len(data)) as view:
            view[:] = data


ALL: tuple[Callable[[Path, bytes], None], ...] = (in_place, truncating, slowly, renaming, mapping)


class Editor:
    """Edits PATH, one edit after the other. Each edit waits until the one before was judged."""

    def __init__(self, path: Path, ways: tuple[Callable[[Path, bytes], None], ...]) -> None:
        self._path = path
        self.number = 0  # of the edit that is being made
        self._said, child_says = os.pipe()
        child_hears, self._ask = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(child_says)
            os.close(child_hears)
            os.write(self._ask, b"g")
            return
        try:
            for number in range(1_000_000):
                os.read(child_hears, 1)
                for _ in range(random.Random(number).randrange(2_000)):  # meet each moment of the other process
                    os.getpid()
                ways[number % len(ways)](path, edit_bytes(number))
                os.write(child_says, b"d")
        finally:
            os._exit(1)

    def judge(self, lost: Callable[[bytes], bool], *, wait: bool = False) -> bool | None:
        """Return whether the last edit was lost, and begin the next; None while an edit is being made."""
        if not select.select([self._said], [], [], None if wait else 0)[0]:
            return None
        assert os.read(self._said, 1) == b"d", "the editor died"
        found = lost(edit_bytes(self.number))
        self.number += 1
        os.write(self._ask, b"g")
        return found

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._said)
        os.close(self._ask)


@contextmanager
def editing(path: Path, ways: tuple[Callable[[Path, bytes], None], ...] = ALL) -> Iterator[Editor]:
    editor = Editor(path, ways)
    try:
        yield editor
    finally:
        editor.stop()
