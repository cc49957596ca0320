"""Read leases: the kernel says whether a program can write to a file now, by a descriptor or a shared mapping.

Linux grants a read lease only if no program has the file open for writing. A program that then opens the file for
writing waits until the lease ends. Files of other owners, NFS and macOS have no leases.
"""

from __future__ import annotations

import errno
import fcntl
import signal


def take(fd: int) -> bool | None:
    """Take a read lease on FD. Return False if a program can write to the file, None if the file has no leases.

    By default the kernel announces an opener by SIGIO, which would end this process. The lease asks for SIGURG, which
    a process without a handler ignores.
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
    """Return True while the lease on FD stands, False once a program opens the file for writing."""
    return fcntl.fcntl(fd, fcntl.F_GETLEASE) == fcntl.F_RDLCK


def release(fd: int) -> None:
    """End the lease on FD. Programs that wait to open the file go on."""
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
