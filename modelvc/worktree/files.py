"""Writing where people work: through directory descriptors, following no link, whole files only.

A path is walked part by part with O_NOFOLLOW, so a symlink that was put in its way, even between check and use, is met
as an error and never followed. Content is written to a fresh temporary file and renamed: hard links, symlinks and
readers of the old file keep the old bytes.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import struct
import sys
import time
from typing import TYPE_CHECKING

from modelvc.errors import ConflictError, FileError, shown
from modelvc.worktree.state import stat_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelvc.formats.paths import SafeRelPath
    from modelvc.worktree.state import Stat

    Fill = Callable[[int], None]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FICLONERANGE = 0x4020940D  # ioctl_ficlonerange(2)


class Worktree:
    """The files under one root. TMP is a folder inside `.git`, used when it is on the same file system."""

    def __init__(self, root: str, tmp: str) -> None:
        self.root = root
        self._tmp = tmp

    # -- reading

    def stat(self, path: str) -> Stat | None:
        """Stat data of PATH itself, None when it (or a folder on the way) is not there or is a link."""
        try:
            with self._parent(path) as (folder, name):
                return stat_of(os.stat(name, dir_fd=folder, follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError, ConflictError):
            return None

    def open(self, path: str) -> int:
        """A descriptor for reading a regular file; ConflictError for anything else."""
        with self._parent(path) as (folder, name):
            try:
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
            except FileNotFoundError:
                raise
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise _in_the_way(path, "is a symbolic link") from None
                raise FileError(path, error) from None
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                os.close(fd)
                raise _in_the_way(path, "is not a regular file")
            return fd

    def open_folder(self, path: str) -> int:
        """A descriptor of a folder, "" for the root; ConflictError when a link leads there."""
        with self._parent(f"{path}/." if path else ".") as (folder, _):
            return os.dup(folder)

    def read(self, path: str, limit: int) -> bytes:
        """At most LIMIT + 1 bytes of a small file; FileNotFoundError when it is not there."""
        fd = self.open(path)
        try:
            return os.read(fd, limit + 1)
        finally:
            os.close(fd)

    # -- writing

    def write(self, path: SafeRelPath, fill: Fill, *, executable: bool = False, before: int = 0) -> Stat:
        """Give PATH the content that FILL writes to a descriptor; stat data of the new file.

        With BEFORE (ns) the file's time lies just before it: a model is then not newer than its pointer. After a power
        cut PATH is the old file or the new one.
        """
        with self._parent(path, create=True) as (folder, name), self._temporary(folder) as (tmp_fd, temporary):
            fd = os.open(temporary, _NEW, 0o777 if executable else 0o666, dir_fd=tmp_fd)
            try:
                fill(fd)
                _stamp(fd, before)
                os.fsync(fd)  # else a cut can leave its name, size and time without its bytes
                self._refuse_folder(folder, name, path)
                os.rename(temporary, name, src_dir_fd=tmp_fd, dst_dir_fd=folder)
                return stat_of(os.fstat(fd))
            except OSError as error:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=tmp_fd)
                raise FileError(path, error) from None
            except BaseException:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(temporary, dir_fd=tmp_fd)
                raise
            finally:
                os.close(fd)

    def write_bytes(self, path: SafeRelPath, data: bytes, *, executable: bool = False) -> Stat:
        """Give a small file these bytes, name and all on the disk when this returns."""
        found = self.write(path, lambda fd: write_all(fd, data), executable=executable)
        self.sync_folder(os.path.dirname(path))
        return found

    @contextlib.contextmanager
    def staged(self, path: SafeRelPath, *, before: int = 0) -> Iterator[NewFolder]:
        """A folder on the file system of PATH's own, for files that then `move` to where they belong. BEFORE: as in
        write.
        """
        with self._parent(path, create=True) as (folder, _), self._temporary(folder) as (tmp_fd, temporary):
            os.mkdir(temporary, 0o777, dir_fd=tmp_fd)
            fd = os.open(temporary, _FOLDER, dir_fd=tmp_fd)
            new = NewFolder(fd, before)
            try:
                yield new
            finally:
                new.close()
                os.close(fd)
                with contextlib.suppress(OSError):
                    _remove_all(tmp_fd, temporary)

    def move(self, staged: NewFolder, name: str, path: SafeRelPath) -> Stat:
        """Give a staged file its place; stat data of it there."""
        with self._parent(path, create=True) as (folder, last):
            self._refuse_folder(folder, last, path)
            staged.rename(name, folder, last)
            return stat_of(os.stat(last, dir_fd=folder, follow_symlinks=False))

    @contextlib.contextmanager
    def new_folder(self, path: SafeRelPath, *, before: int = 0) -> Iterator[NewFolder]:
        """A folder that gets its name when the block ends well, for a PATH that is not there. BEFORE: as in write."""
        with self._parent(path, create=True) as (folder, name), self._temporary(folder) as (tmp_fd, temporary):
            os.mkdir(temporary, 0o777, dir_fd=tmp_fd)
            fd = os.open(temporary, _FOLDER, dir_fd=tmp_fd)
            new = NewFolder(fd, before)
            try:
                yield new
                new.sync()
                os.rename(temporary, name, src_dir_fd=tmp_fd, dst_dir_fd=folder)
            except BaseException:
                with contextlib.suppress(OSError):
                    _remove_all(tmp_fd, temporary)
                raise
            finally:
                new.close()
                os.close(fd)

    def remove(self, path: SafeRelPath) -> None:
        """Remove a file; one that is gone is fine."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self._parent(path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def rename(self, old: SafeRelPath, new: SafeRelPath) -> None:
        """Give a file or folder another name; folders on the way are made."""
        with self._parent(old) as (source, was), self._parent(new, create=True) as (target, becomes):
            os.rename(was, becomes, src_dir_fd=source, dst_dir_fd=target)

    def remove_empty(self, path: str, *, stop: str = "") -> None:
        """Remove the folder PATH and its parents up to (not with) STOP, as long as they are empty."""
        while path and path != stop:
            try:
                with self._parent(path) as (folder, name):
                    os.rmdir(name, dir_fd=folder)
            except OSError:
                return
            path = os.path.dirname(path)

    def set_executable(self, path: SafeRelPath, *, executable: bool) -> Stat:
        fd = self.open(path)
        try:
            mode = stat.S_IMODE(os.fstat(fd).st_mode)
            readable = (mode & 0o444) >> 2
            os.fchmod(fd, mode | readable if executable else mode & ~0o111)
            return stat_of(os.fstat(fd))
        finally:
            os.close(fd)

    def clean_tmp(self) -> None:
        """Remove what a killed process left behind."""
        try:
            names = os.listdir(self._tmp)
        except FileNotFoundError:
            return
        for name in names:
            with contextlib.suppress(OSError):
                if _is_dead(name):
                    self._remove_tmp(name)

    def _remove_tmp(self, name: str) -> None:
        fd = os.open(self._tmp, _FOLDER)
        try:
            if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                _remove_all(fd, name)
            else:
                os.unlink(name, dir_fd=fd)
        finally:
            os.close(fd)

    def sync_folder(self, path: str) -> None:
        """Make the names in a folder survive a power cut."""
        fd = os.open(os.path.join(self.root, path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    # -- inside

    @contextlib.contextmanager
    def _parent(self, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """A descriptor of PATH's folder, and PATH's last part."""
        *folders, name = path.split("/")
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for part in folders:
                fd = _enter(fd, part, path, create=create)
            yield fd, name
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def _temporary(self, folder: int) -> Iterator[tuple[int, str]]:
        """A folder on FOLDER's file system and a fresh name in it."""
        os.makedirs(self._tmp, exist_ok=True)
        name = f"mvc-{os.getpid()}-{os.urandom(6).hex()}"
        fd = os.open(self._tmp, _FOLDER)
        try:
            if os.fstat(fd).st_dev == os.fstat(folder).st_dev:
                yield fd, name
            else:
                yield folder, "." + name
        finally:
            os.close(fd)

    def _refuse_folder(self, folder: int, name: str, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise _in_the_way(path, "is a folder")


class NewFolder:
    """Files in a folder that nobody sees yet; they need no temporary names of their own."""

    def __init__(self, fd: int, before: int) -> None:
        self._fds = {"": fd}
        self._before = before

    def write(self, path: str, data: memoryview | bytes, *, executable: bool) -> Stat:
        """A small file with these bytes."""

        def fill(fd: int) -> None:
            write_all(fd, data)

        return self.fill(path, fill, executable=executable)

    def fill(self, path: str, fill: Fill, *, executable: bool) -> Stat:
        parent, _, name = path.rpartition("/")
        try:
            fd = os.open(name, _NEW, 0o777 if executable else 0o666, dir_fd=self._folder(parent))
        except (FileExistsError, NotADirectoryError):
            raise ConflictError(
                f"{shown(path)} can not lie beside the other files of its folder: one of them has that name here",
                hint="this file system takes two names for one, or the folder was made to do harm",
            ) from None
        try:
            fill(fd)
            _stamp(fd, self._before)
            return stat_of(os.fstat(fd))
        finally:
            os.close(fd)

    def rename(self, path: str, folder: int, name: str) -> None:
        """Let a file go to another folder."""
        parent, _, last = path.rpartition("/")
        os.rename(last, name, src_dir_fd=self._folder(parent), dst_dir_fd=folder)

    def sync(self) -> None:
        """Bring all of it to the disk: at once, since a sync for each of ten thousand files takes half a minute."""
        sync_file_system(self._fds[""])

    def _folder(self, path: str) -> int:
        """A descriptor of a folder inside, made with those on the way; few are open at once, however deep it lies."""
        if (fd := self._fds.get(path)) is not None:
            return fd
        at = path.rpartition("/")[0]
        while at not in self._fds:
            at = at.rpartition("/")[0]
        fd = self._fds[at]
        for part in path[len(at) :].removeprefix("/").split("/"):
            at = f"{at}/{part}" if at else part
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o777, dir_fd=fd)
            below = os.open(part, _FOLDER, dir_fd=fd)
            if len(self._fds) > 128:
                self.close()
            fd = self._fds[at] = below
        return fd

    def close(self) -> None:
        for path, fd in list(self._fds.items()):
            if path:
                os.close(fd)
                del self._fds[path]


def write_all(fd: int, data: memoryview | bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


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
    """Let TARGET share SIZE bytes of SOURCE from OFFSET, where the file system can; False where it can not.

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


def _stamp(fd: int, before: int) -> None:
    """Set a time that no later write can set again, so that a write in the same tick of the clock shows in it."""
    fine = (before - 2 if before else time.time_ns()) | 1
    if fine % 1000 == 0:  # what a coarse file system would have made of it
        fine -= 2
    os.utime(fd, ns=(fine, fine))


def _enter(fd: int, part: str, path: str, *, create: bool) -> int:
    """Go one folder down; FD is closed or returned."""
    try:
        if create:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o777, dir_fd=fd)
        below = os.open(part, _FOLDER, dir_fd=fd)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise _in_the_way(path, f"leads through {shown(part)}, which is not a folder") from None
        if isinstance(error, FileNotFoundError):
            raise
        raise FileError(path, error) from None
    os.close(fd)
    return below


def _remove_all(folder: int, name: str) -> None:
    """Remove a folder below FOLDER, however deep it is: what lies in it is moved up, so one descriptor is enough."""
    left, count = [name], 0
    while left:
        top = left.pop()
        fd = os.open(top, _FOLDER, dir_fd=folder)
        try:
            with os.scandir(fd) as found:
                entries = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in found]
            for entry, is_folder in entries:
                if is_folder:
                    count += 1
                    left.append(f"{name}.{count}")
                    os.rename(entry, left[-1], src_dir_fd=fd, dst_dir_fd=folder)
                else:
                    os.unlink(entry, dir_fd=fd)
        finally:
            os.close(fd)
        os.rmdir(top, dir_fd=folder)


def _in_the_way(path: str, why: str) -> ConflictError:
    return ConflictError(f"{shown(path)} {why}", hint="move it away, then run the command again")


def _is_dead(name: str) -> bool:
    """Whether the process that made a temporary name is gone."""
    try:
        os.kill(int(name.split("-")[1]), 0)
    except (ProcessLookupError, IndexError, ValueError, OverflowError):
        return True
    except PermissionError:
        return False
    return False
