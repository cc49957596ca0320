"""The calls that make a write durable, in one place: tests/faults swaps in a disk that dies."""

from __future__ import annotations

import contextlib
import os
import stat
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


def create_file(path: str, flags: int, *, folder: int | None = None) -> int:
    """Open PATH (below the descriptor FOLDER, if there is one), made where FLAGS let it; shared where its folder is."""
    fd = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o666, dir_fd=folder)
    try:
        above = os.stat(os.path.dirname(path) or ".", dir_fd=folder)
        _share(fd, above, 0o060)
    except BaseException:
        os.close(fd)
        raise
    return fd


def share_folder(fd: int, above: os.stat_result) -> None:
    """Let the group use the new folder FD as it may use the one ABOVE."""
    _share(fd, above, stat.S_ISGID | 0o070)


def _share(fd: int, above: os.stat_result, bits: int) -> None:
    """Give a group its BITS, whatever the umask, where the folder ABOVE is setgid: one that a group works in.

    Others get what the umask leaves them.
    """
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if above.st_mode & stat.S_ISGID and mode & bits != bits:
        with contextlib.suppress(PermissionError):  # another account made it
            os.fchmod(fd, mode | bits)


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
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        share_folder(fd, os.stat(parent))
    finally:
        os.close(fd)
    disk.fsync_dir(parent)


def write_file(disk: Disk, path: str, data: bytes, *, tmp: str) -> None:
    """Give PATH these bytes, whole or not at all; TMP is a folder on the same file system."""
    temporary = os.path.join(tmp, f"file-{os.getpid()}-{os.urandom(8).hex()}")
    fd = create_file(temporary, os.O_WRONLY | os.O_EXCL)
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
