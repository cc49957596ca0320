"""Locks and whole-file writes, once.

A file is written under a temporary name, then renamed: a reader finds the old bytes or the new ones, never a part.
`write_durably` survives a power cut. `write_atomically` is for files whose loss costs little: caches, whose readers
check what they read, hooks, and copies. The file may be incomplete after a power cut, unless `sync`.
Short path: notebook drivers import this module, and clones get a copy of it. It imports nothing heavy.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol, Self

    class Disk(Protocol):
        """The calls of a durable write. A power cut forgets unsynced bytes, and renames in an unsynced folder."""

        def write(self, fd: int, data: bytes | bytearray | memoryview) -> None: ...
        def fsync(self, fd: int) -> None: ...
        def rename(self, old: str, new: str) -> None: ...
        def unlink(self, path: str) -> None: ...
        def fsync_dir(self, path: str) -> None: ...


TEMPORARY = ".mvc-"  # how the name of a temporary file begins; the process id follows
_LEFT_AFTER = 60  # seconds


class RealDisk:
    """The operating system. Tests take a Disk that notes its calls, or fails."""

    def write(self, fd: int, data: bytes | bytearray | memoryview) -> None:
        write_all(fd, data)

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


def write_all(fd: int, data: bytes | bytearray | memoryview) -> None:
    """Write DATA to the descriptor FD; write(2) may take a part at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def write_all_at(fd: int, data: bytes | memoryview, offset: int) -> None:
    """Write DATA to the descriptor FD at OFFSET; pwrite(2) may take a part at a time."""
    while data:
        done = os.pwrite(fd, data, offset)
        data, offset = data[done:], offset + done


# -- new files and folders


def create_file(path: str, flags: int, *, folder: int | None = None) -> int:
    """Open PATH with FLAGS, create it if it is missing, and return the descriptor.

    PATH is below the descriptor FOLDER if there is one. A file in a setgid folder belongs to the group.
    """
    fd = os.open(path, flags | os.O_CREAT | os.O_CLOEXEC, 0o666, dir_fd=folder)
    try:
        above = os.stat(os.path.dirname(path) or ".", dir_fd=folder)
        _share(fd, above, 0o060)
    except BaseException:
        os.close(fd)
        raise
    return fd


def share_folder(fd: int, above: os.stat_result) -> None:
    """Let the group use the new folder FD as it uses the folder ABOVE."""
    _share(fd, above, stat.S_ISGID | 0o070)


def _share(fd: int, above: os.stat_result, bits: int) -> None:
    """Give the group its BITS, whatever the umask, if the folder ABOVE is setgid. Others get what the umask leaves."""
    mode = stat.S_IMODE(os.fstat(fd).st_mode)
    if above.st_mode & stat.S_ISGID and mode & bits != bits:
        try:  # noqa: SIM105 - contextlib costs 3 ms of every start
            os.fchmod(fd, mode | bits)
        except PermissionError:  # another account made it
            pass


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


# -- whole files


def write_durably(disk: Disk, path: str, data: bytes, *, tmp: str) -> None:
    """Give PATH the bytes DATA and bring them and the name to the disk. TMP is a folder on the same file system."""
    temporary = _temporary(tmp)
    try:
        fd = create_file(temporary, os.O_WRONLY | os.O_EXCL)
        try:
            disk.write(fd, data)
            disk.fsync(fd)
        finally:
            os.close(fd)
        disk.rename(temporary, path)
    except BaseException:
        _remove(temporary)
        raise
    disk.fsync_dir(os.path.dirname(path))


def write_atomically(path: str, data: bytes, *, tmp: str = "", mode: int | None = None, sync: bool = False) -> None:
    """Give PATH the bytes DATA. After a power cut PATH may hold fewer bytes, unless SYNC.

    TMP is a folder on the same file system; "": the folder of PATH.
    MODE: the permissions; 0: what the umask leaves; None: that, and the group's bits in a setgid folder.
    """
    temporary = _temporary(tmp or os.path.dirname(path))
    new = os.O_WRONLY | os.O_EXCL
    try:
        fd = create_file(temporary, new) if mode is None else os.open(temporary, new | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            if mode:
                os.fchmod(fd, mode)
            write_all(fd, data)
            if sync:
                os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except BaseException:
        _remove(temporary)
        raise


def _temporary(folder: str) -> str:
    """Return a name in FOLDER that no other process or thread takes. `is_left` finds the process id in it."""
    return os.path.join(folder, f"{TEMPORARY}{os.getpid()}-{os.urandom(8).hex()}")


def _remove(temporary: str) -> None:
    """Remove a file that did not get its name; the error that led here matters more than one of this call."""
    try:  # noqa: SIM105 - contextlib costs 3 ms of every start
        os.unlink(temporary)
    except OSError:
        pass


def is_left(name: str) -> bool:
    """Return True if the process that made the temporary file NAME is dead, or if NAME holds no process id."""
    try:
        os.kill(int(name.split("-")[1]), 0)
    except (ProcessLookupError, IndexError, ValueError, OverflowError):
        return True
    except PermissionError:  # another account's process
        return False
    return False


def delete_left(folder: str) -> None:
    """Delete the temporary files in FOLDER that killed processes left there, if they are older than a minute.

    The age protects the files of a living process in another container, whose id means nothing here.
    """
    import time

    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return
    for name in names:
        if name.startswith(TEMPORARY) and is_left(name):
            path = os.path.join(folder, name)
            try:
                if time.time() - os.stat(path).st_mtime > _LEFT_AFTER:
                    os.unlink(path)
            except OSError:  # another process deleted it, or it belongs to another account
                pass


# -- locks


class FileLock:
    """A lock on the file PATH for a `with` block, exclusive or SHARED. The kernel frees it if the process dies.

    Entering waits up to SECONDS for other holders, then raises BUSY.
    """

    def __init__(self, path: str, seconds: float, busy: Exception, *, shared: bool = False) -> None:
        self._path = path
        self._seconds = seconds
        self._busy = busy
        self._shared = shared
        self._fd = -1

    def __enter__(self) -> Self:
        fd = create_file(self._path, os.O_RDWR)
        try:
            wait_for_lock(fd, self._seconds, self._busy, shared=self._shared)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)


def wait_for_lock(fd: int, seconds: float, busy: Exception, *, shared: bool = False, pause: float = 0.05) -> None:
    """Lock the open file FD. Ask every PAUSE seconds for at most SECONDS, then raise BUSY."""
    import time

    end = time.monotonic() + seconds
    while not try_lock(fd, shared=shared):
        if time.monotonic() > end:
            raise busy
        time.sleep(pause)


def lock(fd: int) -> None:
    """Lock the open file FD, however long another process holds it."""
    import fcntl

    fcntl.flock(fd, fcntl.LOCK_EX)


def try_lock(fd: int, *, shared: bool = False) -> bool:
    """Lock the open file FD unless another process holds it: then return False. OSError if there are no locks here."""
    import fcntl

    try:
        fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def unlock(fd: int) -> None:
    """Free the lock on FD; closing FD does so as well."""
    import fcntl

    fcntl.flock(fd, fcntl.LOCK_UN)
