"""Bytes through descriptors: how files and folders are opened, filled, dated and brought to the disk."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
import time

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FICLONERANGE = 0x4020940D  # ioctl_ficlonerange(2)


def sync_file_system(fd: int) -> None:
    """Bring to the disk what the file system of FD still holds back."""
    if sys.platform == "linux":
        import ctypes

        if ctypes.CDLL(None, use_errno=True).syncfs(fd) == 0:
            return
        error = ctypes.get_errno()
        if error not in {errno.ENOSYS, errno.EBADF}:
            raise OSError(error, os.strerror(error))
    os.sync()


def clone_range(source: int, offset: int, size: int, target: int) -> bool:
    """Let TARGET share SIZE bytes of SOURCE from OFFSET, where the file system can; False where it cannot.

    The kernel wants lengths in whole blocks unless the range ends the source, so the last partial block is copied.
    """
    whole = size - size % 4096
    if not whole:
        return False
    try:
        fcntl.ioctl(target, _FICLONERANGE, struct.pack("qQQQ", source, offset, whole, 0))
    except OSError:
        return False
    if size > whole:
        write_all_at(target, os.pread(source, size - whole, offset + whole), whole)
    return True


def write_all_at(fd: int, data: bytes, offset: int) -> None:
    while data:
        done = os.pwrite(fd, data, offset)
        data, offset = data[done:], offset + done


def stamp(fd: int, before: int) -> None:
    """Set a time that no later write can set again, so that a write in the same tick of the clock shows in it."""
    fine = (before - 2 if before else time.time_ns()) | 1
    os.utime(fd, ns=(fine, fine))
