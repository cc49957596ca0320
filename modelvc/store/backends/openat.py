"""Files of a folder store, by descriptor and without following links.

So an account that can write into the store cannot make mvc read or write elsewhere.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.atomic import create_file, share_folder, write_all
from modelvc.errors import RemoteBusy, RemoteDenied, RemoteError, shown
from modelvc.store.backends.api import Entry
from modelvc.store.backends.keys import is_part

if TYPE_CHECKING:
    from modelvc.store.backends.api import Data

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC  # a planted pipe must not block
_NEW = os.O_WRONLY | os.O_EXCL | os.O_NOFOLLOW
_TEMPORARY = ".new-"  # no key starts with a dot, so no listing shows it
_STALE = 86_400  # seconds; the writer of an older temporary file is dead
_DENIED = {errno.EACCES, errno.EPERM, errno.EROFS}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_TRANSIENT = {errno.ESTALE, errno.ETIMEDOUT, errno.EIO, errno.EAGAIN, errno.EMFILE, errno.ENFILE, errno.EHOSTDOWN}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EOPNOTSUPP, errno.EMLINK}


@dataclass(frozen=True, slots=True)
class TemporaryFile:
    """A file in the root of the store whose bytes are on the disk, and which has no key yet."""

    name: str
    size: int
    etag: str
    mtime: float

    def entry(self, key: str) -> Entry:
        """The entry of this file under KEY."""
        return Entry(key, self.size, self.etag, self.mtime)


def open_folder(root: int, path: str, *, make: bool = False) -> int:
    """A descriptor of the folder at PATH below ROOT, for the caller to close. MAKE: whether to create the folder."""
    fd = os.dup(root)
    for part in path.split("/") if path else ():
        try:
            below = _open_or_make(part, fd) if make else os.open(part, _FOLDER, dir_fd=fd)
        finally:
            os.close(fd)
        fd = below
    return fd


def open_file(root: int, path: str) -> int:
    """A descriptor of the plain file at PATH below ROOT, for the caller to close. Raises OSError for another kind."""
    parent, _, name = path.rpartition("/")
    folder = open_folder(root, parent)
    try:
        fd = os.open(name, _FILE, dir_fd=folder)
    finally:
        os.close(folder)
    if stat.S_ISREG(os.fstat(fd).st_mode):
        return fd
    os.close(fd)
    raise OSError(errno.ELOOP, "not a regular file")


def stat_file(folder: int, name: str) -> os.stat_result | None:
    """The stat of the plain file NAME in FOLDER; None where it is missing. Raises OSError for another kind of file."""
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.ELOOP, "not a regular file")
    return found


def list_folder(root: int, prefix: str) -> tuple[list[Entry], list[str]]:
    """The keys directly below PREFIX, and the prefixes directly below it."""
    found: list[Entry] = []
    below: list[str] = []
    folder = open_folder(root, prefix[:-1])
    try:
        with os.scandir(folder) as entries:
            for item in entries:
                if not is_part(item.name):
                    continue
                if item.is_dir(follow_symlinks=False):
                    below.append(f"{prefix}{item.name}/")
                elif item.is_file(follow_symlinks=False):
                    with contextlib.suppress(FileNotFoundError):  # deleted since
                        found.append(entry_of(prefix + item.name, item.stat(follow_symlinks=False)))
    finally:
        os.close(folder)
    return found, below


def read_exactly(fd: int, offset: int, length: int) -> bytes | None:
    """LENGTH bytes at OFFSET; None if the file ends earlier."""
    data = os.pread(fd, length, offset)
    if len(data) == length:
        return data
    parts = [data]  # a single read gives at most 2 GiB
    done = len(data)
    while parts[-1] and done < length:
        parts.append(os.pread(fd, length - done, offset + done))
        done += len(parts[-1])
    return b"".join(parts) if done == length else None


def write_temporary(root: int, data: Data) -> TemporaryFile:
    """Write DATA to the disk, so that `link` or a rename can give it a key."""
    name = f"{_TEMPORARY}{os.getpid()}-{os.urandom(8).hex()}"
    fd = create_file(name, _NEW, folder=root)
    try:
        write_all(fd, data)
        # A new file may get the inode of a deleted one, within one tick of the clock. Random last digits of the time
        # give it another etag.
        stamped = os.fstat(fd)
        mtime = stamped.st_mtime_ns - stamped.st_mtime_ns % 1_000_000 + int.from_bytes(os.urandom(4)) % 1_000_000
        os.utime(fd, ns=(stamped.st_atime_ns, mtime))
        os.fsync(fd)
        found = os.fstat(fd)
    except BaseException:
        remove_temporary(root, name)
        raise
    finally:
        os.close(fd)
    return TemporaryFile(name, found.st_size, etag(found), found.st_mtime)


def link(root: int, new: str, folder: int, name: str) -> bool:
    """Give the file NEW the name NAME; False if another file has it. Hard links make this atomic without locks too."""
    try:
        os.link(new, name, src_dir_fd=root, dst_dir_fd=folder, follow_symlinks=False)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if stat_file(folder, name) is not None:
            return False
        os.rename(new, name, src_dir_fd=root, dst_dir_fd=folder)
    else:
        os.unlink(new, dir_fd=root)
    return True


def remove_temporary(folder: int, name: str) -> None:
    """Delete a temporary file. If that fails, a later writer sweeps it."""
    with contextlib.suppress(OSError):
        os.unlink(name, dir_fd=folder)


def sweep_temporaries(root: int) -> None:
    """Delete the temporary files of dead writers."""
    clock = time.time()
    with os.scandir(root) as entries:
        for item in entries:
            if item.name.startswith(_TEMPORARY):
                with contextlib.suppress(OSError):
                    if clock - item.stat(follow_symlinks=False).st_mtime > _STALE:
                        os.unlink(item.name, dir_fd=root)


def etag(found: os.stat_result) -> str:
    """The etag of a file: it changes with every write."""
    return f"{found.st_ino:x}-{found.st_size:x}-{found.st_mtime_ns:x}"


def entry_of(key: str, found: os.stat_result) -> Entry:
    """The entry of the file under KEY."""
    return Entry(key, found.st_size, etag(found), found.st_mtime)


def explain(error: OSError, path: str) -> RemoteError:
    """The RemoteError for ERROR, which the operating system raised about PATH."""
    where, why = shown(path), shown(error.strerror or type(error).__name__, 200)
    if error.errno in _DENIED:
        return RemoteDenied(f"{where}: {why}", hint="check who may read and write that folder")
    if error.errno in _FULL:
        return RemoteError(f"{where}: {why}", hint="free some space there, or use another remote")
    if error.errno in {errno.ELOOP, errno.ENOTDIR}:
        return RemoteError(
            f"{where} is a link or not a regular file; mvc does not follow it inside a store",
            hint="remove it, then run `mvc push`",
        )
    if error.errno in _TRANSIENT:
        return RemoteBusy(f"{where}: {why}", hint="try again; check that the drive is still mounted")
    return RemoteError(f"{where}: {why}", hint="check that the folder is there and mounted")


def _open_or_make(part: str, folder: int) -> int:
    try:
        return os.open(part, _FOLDER, dir_fd=folder)
    except FileNotFoundError:
        with contextlib.suppress(FileExistsError):  # another writer was faster
            os.mkdir(part, dir_fd=folder)
        os.fsync(folder)
        fd = os.open(part, _FOLDER, dir_fd=folder)
        share_folder(fd, os.fstat(folder))
        return fd
