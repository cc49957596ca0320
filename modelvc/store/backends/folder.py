"""A store in a folder: on a disk, or on a mounted share.

Bytes reach the disk first, and then get their key in one step. That step happens under a lock, which the kernel
releases when a process dies.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modelvc.atomic import create_file, share_folder, try_lock, unlock, wait_for_lock
from modelvc.errors import KeyMissing, RemoteBusy, RemoteError, shown
from modelvc.store.backends import openat, refusals
from modelvc.store.backends.api import Capabilities, Entry, KeyDenied
from modelvc.store.backends.keys import check_key, check_prefix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from modelvc.store.backends.api import Data
    from modelvc.store.backends.openat import TemporaryFile

_LOCK = ".lock"
_PATIENCE = 30  # seconds to wait for the lock, which is held for a few system calls
_NO_LOCKS = {errno.ENOTSUP, errno.ENOSYS, errno.ENOLCK, errno.EINVAL, errno.EOPNOTSUPP}


class FolderBackend:
    """The store in the folder at an absolute path; the methods are those of `api.Backend`."""

    def __init__(self, path: str) -> None:
        self.name = path
        self._path = path
        self._root = -1
        self._lock_fd = -1
        self._locks = True
        self._requests = 0
        self._opening = threading.Lock()
        self._mutex = threading.Lock()  # taken before the lock of the folder: threads then wait without polling

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(conditional=self._locks, page=1000)

    @property
    def requests(self) -> int:
        return self._requests

    # -- reading

    def list(self, prefix: str) -> Iterator[Entry]:
        todo = [check_prefix(prefix)]
        self._count()
        while todo:
            folder = todo.pop()
            with self._explained(folder):
                try:
                    found, below = openat.list_folder(self._open_root(), folder)
                except FileNotFoundError:
                    self._check_mounted()
                    continue
            yield from found
            todo.extend(below)

    def stat(self, keys: Collection[str]) -> dict[str, Entry]:
        wanted = [check_key(key) for key in keys]
        self._count(len(wanted))
        found: dict[str, Entry] = {}
        for key in wanted:
            with self._explained(key):
                entry = self._stat(key)
            if entry is not None:
                found[key] = entry
        return found

    def read(self, key: str, *, limit: int) -> tuple[bytes, Entry]:
        with self._opened(key) as fd:
            entry = openat.entry_of(key, os.fstat(fd))
            if entry.size > limit:
                raise refusals.too_large(key, self.name, limit)
            return self._read(key, fd, 0, entry.size), entry

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        with self._opened(key) as fd:
            size = os.fstat(fd).st_size
            for offset, length in ranges:  # before anything is allocated
                if not 0 <= offset <= offset + length <= size:
                    raise refusals.too_short(key, self.name)
            return [self._read(key, fd, offset, length) for offset, length in ranges]

    # -- writing

    def create(self, key: str, data: Data) -> Entry:
        with self._written(key, data) as (new, folder, name):
            with self._locked():
                if not openat.link(self._root, new.name, folder, name):
                    raise refusals.exists(key, self.name)
            os.fsync(folder)
            return new.entry(key)

    def put(self, key: str, data: Data) -> Entry:
        with self._written(key, data) as (new, folder, name):
            with self._locked():
                os.rename(new.name, name, src_dir_fd=self._root, dst_dir_fd=folder)
            os.fsync(folder)
            return new.entry(key)

    def replace(self, key: str, data: Data, etag: str) -> Entry:
        with self._written(key, data) as (new, folder, name):
            with self._locked():
                self._check(key, openat.stat_file(folder, name), etag)
                os.rename(new.name, name, src_dir_fd=self._root, dst_dir_fd=folder)
            os.fsync(folder)
            return new.entry(key)

    def delete(self, key: str, etag: str | None) -> None:
        parent, _, name = check_key(key).rpartition("/")
        self._count()
        with self._explained(key):
            try:
                folder = openat.open_folder(self._open_root(), parent)
            except FileNotFoundError:
                self._check_mounted()
                return
            try:
                with self._locked():
                    found = openat.stat_file(folder, name)
                    if found is None:
                        return
                    if etag is not None:
                        self._check(key, found, etag)
                    os.unlink(name, dir_fd=folder)
                os.fsync(folder)
            finally:
                os.close(folder)

    def now(self, *, write: bool = True) -> float:
        """The clock that stamps files in this folder: on a share, the server's. Without WRITE, this computer's."""
        if not write:
            return time.time()
        with self._explained(""):
            self._prepare()
            new = openat.write_temporary(self._root, b"")
            openat.remove_temporary(self._root, new.name)
        return new.mtime

    def abort(self) -> None:
        pass  # a system call cannot be interrupted from another thread

    def is_there(self) -> bool:
        """Return True if the folder exists."""
        return os.path.isdir(self._path)

    def close(self) -> None:
        with self._opening:
            for fd in (self._root, self._lock_fd):
                if fd >= 0:
                    os.close(fd)
            self._root = self._lock_fd = -1

    # -- the root

    def _open_root(self) -> int:
        with self._opening:
            if self._root < 0:
                self._root = os.open(self._path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            return self._root

    def _prepare(self) -> None:
        """Create the root if its parent exists, and open the lock. Called before each write; later calls do nothing."""
        if self._lock_fd >= 0:
            return
        made = True
        try:
            os.mkdir(self._path)
        except FileExistsError:
            made = False
        except FileNotFoundError:
            self._check_mounted()
            raise
        root = self._open_root()
        if made:
            share_folder(root, os.stat(os.path.dirname(self._path)))
        with self._opening:
            if self._lock_fd < 0:
                fd = create_file(_LOCK, os.O_RDWR | os.O_NOFOLLOW, folder=root)
                self._locks = _has_locks(fd)
                self._lock_fd = fd
                openat.sweep_temporaries(root)

    def _check_mounted(self) -> None:
        """Raise RemoteError if the parent of the root is missing: the drive is not mounted.

        A root that is missing in a parent that exists is an empty store here: the backend cannot know that a store
        was in it. `RemoteStore` knows, and raises StoreGone.
        """
        parent = os.path.dirname(self._path)
        if not os.path.isdir(parent):
            raise RemoteError(
                f"there is no folder {shown(parent)}", hint=f"is the drive mounted? otherwise: mkdir -p {shown(parent)}"
            )

    # -- one key

    def _stat(self, key: str) -> Entry | None:
        parent, _, name = key.rpartition("/")
        try:
            folder = openat.open_folder(self._open_root(), parent)
        except FileNotFoundError:
            self._check_mounted()
            return None
        try:
            found = openat.stat_file(folder, name)
        finally:
            os.close(folder)
        return None if found is None else openat.entry_of(key, found)

    @contextmanager
    def _opened(self, key: str) -> Iterator[int]:
        check_key(key)
        self._count()
        with self._explained(key):
            try:
                fd = openat.open_file(self._open_root(), key)
            except FileNotFoundError:
                self._check_mounted()
                raise KeyMissing(f"{key} is not in {shown(self.name)}") from None
            except PermissionError:
                raise KeyDenied(
                    f"this account may not read {shown(self.name)}/{key}", hint="ask its owner for `chmod g+r` on it"
                ) from None
            try:
                yield fd
            finally:
                os.close(fd)

    def _read(self, key: str, fd: int, offset: int, length: int) -> bytes:
        data = openat.read_exactly(fd, offset, length)
        if data is None:
            raise refusals.too_short(key, self.name)
        return data

    @contextmanager
    def _written(self, key: str, data: Data) -> Iterator[tuple[TemporaryFile, int, str]]:
        """Write DATA to the disk for a block that gives it KEY; yield the file, the folder of KEY, and its last part.

        If the block raises, the file is deleted.
        """
        parent, _, name = check_key(key).rpartition("/")
        self._count()
        with self._explained(key):
            self._prepare()
            folder = openat.open_folder(self._root, parent, make=True)
            try:
                new = openat.write_temporary(self._root, data)
                try:
                    yield new, folder, name
                except BaseException:
                    openat.remove_temporary(self._root, new.name)
                    raise
            finally:
                os.close(folder)

    def _check(self, key: str, found: os.stat_result | None, etag: str) -> None:
        if found is None or openat.etag(found) != etag:
            raise refusals.changed(key, self.name)

    # -- around every call

    def _count(self, more: int = 1) -> None:
        with self._opening:
            self._requests += more

    @contextmanager
    def _explained(self, key: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise openat.explain(error, f"{self._path}/{key}".rstrip("/")) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._prepare()
        with self._mutex:
            if self._locks:
                wait_for_lock(self._lock_fd, _PATIENCE, self._busy(), pause=0.001)
            try:
                yield
            finally:
                if self._locks:
                    unlock(self._lock_fd)

    def _busy(self) -> RemoteBusy:
        return RemoteBusy(
            f"waited {_PATIENCE} s to write to {shown(self.name)}, and another process still holds {_LOCK} there",
            hint="see who: `fuser -v` on that file",
        )


def _has_locks(fd: int) -> bool:
    """Whether the file system of FD has locks. Without them push works, and notes that in the config of the store."""
    try:
        if try_lock(fd):
            unlock(fd)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        return False
    return True
