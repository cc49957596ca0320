"""The calls that make a write durable, in one place: tests/faults swaps in a disk that dies."""

from __future__ import annotations

import os
from typing import Protocol


class Disk(Protocol):
    """What writes go through. A power cut forgets what was not synced, renames without a synced folder included."""

    def write(self, fd: int, data: bytes | bytearray | memoryview) -> None: ...
    def fsync(self, fd: int) -> None: ...
    def rename(self, old: str, new: str) -> None: ...
    def unlink(self, path: str) -> None: ...
    def fsync_dir(self, path: str) -> None: ...


class RealDisk:
    """The operating system."""

    def write(self, fd: int, data: bytes | bytearray | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(fd, view) :]

    def fsync(self, fd: int) -> None:
        os.fsync(fd)

    def rename(self, old: str, new: str) -> None:
        os.replace(old, new)

    def unlink(self, path: str) -> None:
        os.unlink(path)

    def fsync_dir(self, path: str) -> None:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)


def make_folder(disk: Disk, path: str) -> None:
    """Create PATH and its missing parents so that they survive a power cut."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(path)
    make_folder(disk, parent)
    try:
        os.mkdir(path)
    except FileExistsError:
        return
    disk.fsync_dir(parent)


def write_file(disk: Disk, path: str, data: bytes, *, tmp: str) -> None:
    """Give PATH these bytes, whole or not at all; TMP is a folder on the same file system."""
    temporary = os.path.join(tmp, f"file-{os.getpid()}-{os.urandom(8).hex()}")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        disk.write(fd, data)
        disk.fsync(fd)
    except Exception:
        os.unlink(temporary)
        raise
    finally:
        os.close(fd)
    disk.rename(temporary, path)
    disk.fsync_dir(os.path.dirname(path))
