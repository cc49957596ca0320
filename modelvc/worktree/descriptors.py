"""Operations on open files: write, share blocks, set the times, sync."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
import time

from modelvc.atomic import write_all_at

# Flags of open(2). None follows a symbolic link at the end of a path.
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FICLONERANGE = 0x4020940D  # ioctl_ficlonerange(2)


def sync_file_system(fd: int) -> None:
    """Write all unsynced data of the file system of FD to the disk. Raises OSError if that fails."""
    if sys.platform == "linux":
        import ctypes

        if ctypes.CDLL(None, use_errno=True).syncfs(fd) == 0:
            return
        error = ctypes.get_errno()
        if error not in {errno.ENOSYS, errno.EBADF}:
            raise OSError(error, os.strerror(error))
    os.sync()


def clone_range(source: int, offset: int, size: int, target: int) -> bool:
    """Let TARGET begin with SIZE bytes of SOURCE from OFFSET, in shared blocks. Return False if that is not possible.

    It is not possible for less than a block, or if the file system shares no blocks. The kernel shares whole blocks
    alone, unless the range ends the source: the last partial block is copied.
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


def stamp(fd: int, before: int) -> None:
    """Set the times of FD just before BEFORE (ns); 0: to now. No later write sets this time again.

    A write in the same tick of the clock therefore shows in the stat data.
    """
    fine = (before - 2 if before else time.time_ns()) | 1
    os.utime(fd, ns=(fine, fine))
