"""Read leases: the kernel says whether a program can write to a file now, by a descriptor or a shared mapping.

Linux grants a read lease only where nobody has the file open for writing, and lets an opener wait until the holder
looked again. Another owner's file, NFS and macOS have no leases.
"""

from __future__ import annotations

import errno
import fcntl
import signal


def take(fd: int) -> bool | None:
    """Take a read lease on FD. Return False if a program can write to the file, None if the file has no leases.

    The kernel announces an opener by SIGIO, which ends a process that does not handle it. SIGURG takes its place: a
    process ignores it unless it asked for it.
    """
    try:
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return False if error.errno == errno.EAGAIN else None
    except AttributeError:  # a platform without leases
        return None
    return True


def held(fd: int) -> bool:
    """Return whether the lease on FD still stands: False once somebody opened the file to write."""
    return fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_RDLCK


def release(fd: int) -> None:
    """Let openers go on."""
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
