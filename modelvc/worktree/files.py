"""Writing where people work: through directory descriptors, following no link, whole files only.

A path is walked part by part with O_NOFOLLOW, so a symlink that was put in its way, even between check and use, is met
as an error and never followed. Content is written to a fresh temporary file and renamed: hard links, symlinks and
readers of the old file keep the old bytes.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from typing import TYPE_CHECKING

from modelvc.atomic import is_left, write_all
from modelvc.errors import ConflictError, FileError, FileInUse, shown
from modelvc.worktree import replacing
from modelvc.worktree.descriptors import FOLDER, NEW, stamp
from modelvc.worktree.folders import Folders, in_the_way
from modelvc.worktree.new_folder import NewFolder
from modelvc.worktree.replacing import JOURNAL, Journal, Placed, Replacement, end_swaps
from modelvc.worktree.state import Known, Stat, stat_of
from modelvc.worktree.swap import ALL, CAME, Means, Place, Temporary, give, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from modelvc.formats.paths import SafeRelPath

    Fill = Callable[[int], None]

NOWHERE = "/"  # no path below a worktree
ANY = Known((Stat((0, 0, 0, 0, 0)), b"", False))  # whatever is there: for files that mvc alone writes


class Worktree(Folders):
    """The files under one root. TMP is a folder inside `.git`, used when it is on the same file system. MEANS limits
    how files are replaced.
    """

    def __init__(self, root: str, tmp: str, means: Means = ALL) -> None:
        super().__init__(root, tmp, means)
        self.journal: Journal | None = None  # for many runs, else each has its own

    # -- reading

    def stat(self, path: str) -> Stat | None:
        """Stat data of PATH itself, None when it (or a folder on the way) is not there or is a link."""
        try:
            with self.parent(path) as (folder, name):
                return stat_of(os.stat(name, dir_fd=folder, follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError, ConflictError):
            return None

    def open(self, path: str) -> int:
        """A descriptor for reading a regular file; ConflictError for anything else."""
        with self.parent(path) as (folder, name):
            try:
                fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)
            except FileNotFoundError:
                raise
            except OSError as error:
                if error.errno == errno.ELOOP:
                    raise in_the_way(path, "is a symbolic link") from None
                if error.errno == errno.ENXIO:
                    raise in_the_way(path, "is a socket or a device") from None
                raise FileError(path, error) from None
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                os.close(fd)
                raise in_the_way(path, "is not a regular file")
            return fd

    def read(self, path: str, limit: int) -> bytes:
        """At most LIMIT + 1 bytes of a small file; FileNotFoundError when it is not there."""
        fd = self.open(path)
        try:
            return os.read(fd, limit + 1)
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def journalled(self) -> Iterator[None]:
        """Keep one journal for all that the block replaces."""
        with Journal(self) as journal:
            self.journal = journal
            try:
                yield
            finally:
                self.journal = None

    def as_read(self, path: str, data: bytes) -> Known | None:
        """PATH as a command read it a moment ago, when it held DATA; None when it is not there."""
        from blake3 import blake3

        found = self.stat(path)
        return Known((found, blake3(data).digest(), False)) if found else None

    # -- writing

    def write(
        self,
        path: SafeRelPath,
        fill: Fill,
        *,
        executable: bool = False,
        before: int = 0,
        seen: Known | None = ANY,
    ) -> Stat:
        """Give PATH the content that FILL writes to a descriptor; stat data of the new file.

        With BEFORE (ns) the file's time lies just before it: a model is then not newer than its pointer. After a power
        cut PATH is the old file or the new one. FileInUse when PATH is not as it was SEEN (None: not there).
        """
        with self.parent(path, create=True) as (folder, name), self.temporary(folder, path) as temporary:
            tmp, new = temporary.folder, temporary.name
            try:
                mine = self._write_new(temporary, fill, executable=executable, before=before)
                if seen is ANY:
                    self._refuse_folder(folder, name, path)
                    os.rename(new, name, src_dir_fd=tmp, dst_dir_fd=folder)
                    return replacing.found_again(Place(folder, name), mine)
                (placed,) = replacing.run(self, self.journal, temporary, None, [Replacement(path, new, mine, seen)])
            except BaseException as error:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(new, dir_fd=tmp)
                if isinstance(error, OSError):
                    raise FileError(path, error) from None
                raise
            if placed.stat is None:
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(new, dir_fd=tmp)
                raise FileInUse([(path, placed.why)])
            return placed.stat

    def _write_new(self, temporary: Temporary, fill: Fill, *, executable: bool, before: int) -> Stat:
        fd = os.open(temporary.name, NEW, 0o777 if executable else 0o666, dir_fd=temporary.folder)
        try:
            fill(fd)
            stamp(fd, before)
            os.fsync(fd)  # else a cut can leave its name, size and time without its bytes
            return stat_of(os.fstat(fd))
        finally:
            os.close(fd)

    def _aside(self, path: str) -> str | None:
        """Where a file is moved aside to (`Temporary.where`); NOWHERE when its folder is gone."""
        try:
            with self.parent(path) as (folder, _), self.temporary(folder, path) as temporary:
                return temporary.where
        except FileNotFoundError:
            return NOWHERE

    def write_bytes(
        self, path: SafeRelPath, data: bytes, *, executable: bool = False, seen: Known | None = ANY
    ) -> Stat:
        """Give a small file these bytes, name and all on the disk when this returns. SEEN: as of `write`."""
        found = self.write(path, lambda fd: write_all(fd, data), executable=executable, seen=seen)
        self.sync_folder(os.path.dirname(path))
        return found

    @contextlib.contextmanager
    def staged(self, path: SafeRelPath, *, before: int = 0) -> Iterator[NewFolder]:
        """A folder on the file system of PATH's own, for files that `place` then gives their names. BEFORE: as in
        write.
        """
        with self.parent(path, create=True) as (folder, _), self.temporary(folder, path) as temporary:
            os.mkdir(temporary.name, 0o777, dir_fd=temporary.folder)
            fd = os.open(temporary.name, FOLDER, dir_fd=temporary.folder)
            new = NewFolder(fd, before, temporary)
            try:
                yield new
            finally:
                new.close()
                os.close(fd)
                with contextlib.suppress(OSError):
                    _remove_all(temporary.folder, temporary.name)

    def place(self, staged: NewFolder, path: SafeRelPath, files: Mapping[str, Known | None]) -> dict[str, Placed]:
        """Give staged files their places in the folder PATH, each if what is there is as it was seen."""
        assert staged.temporary is not None  # noqa: S101 - for the type checker: it comes from `staged`
        for parent in {os.path.dirname(f"{path}/{name}") for name in files}:
            with self.parent(f"{parent}/.", create=True):
                pass
        wanted = [Replacement(f"{path}/{name}", name, staged.stats[name], seen) for name, seen in files.items()]
        done = replacing.run(self, self.journal, staged.temporary, staged, wanted)
        return dict(zip(files, done, strict=True))

    def take_away(self, files: Mapping[str, Known]) -> dict[str, str]:
        """Remove FILES (by path), each if it is as it was seen. Return why the others stay."""
        kept: dict[str, str] = {}
        groups: dict[str | None, list[Replacement]] = {}  # by the folder that they are moved aside to
        aside: dict[str, str | None] = {}
        for path, seen in files.items():
            folder = os.path.dirname(path)
            if folder not in aside:
                aside[folder] = self._aside(path)
            if aside[folder] != NOWHERE:
                groups.setdefault(aside[folder], []).append(Replacement(path, "", None, seen))
        for wanted in groups.values():
            with self.parent(wanted[0].path) as (fd, _), self.temporary(fd, wanted[0].path) as temporary:
                done = replacing.run(self, self.journal, temporary, None, wanted)
            kept.update((one.path, one.why) for one in done if one.why)
        return kept

    @contextlib.contextmanager
    def new_folder(self, path: SafeRelPath, *, before: int = 0) -> Iterator[NewFolder]:
        """A folder that gets its name when the block ends well, for a PATH that is not there. BEFORE: as in write."""
        with self.parent(path, create=True) as (folder, name), self.temporary(folder, path) as temporary:
            tmp_fd, staged, _ = temporary
            os.mkdir(staged, 0o777, dir_fd=tmp_fd)
            fd = os.open(staged, FOLDER, dir_fd=tmp_fd)
            new = NewFolder(fd, before)
            try:
                yield new
                new.sync()
                try:
                    give(Place(tmp_fd, staged), Place(folder, name), self.means)
                except FileExistsError:
                    raise FileInUse([(path, CAME)]) from None
            except BaseException:
                with contextlib.suppress(OSError):
                    _remove_all(tmp_fd, staged)
                raise
            finally:
                new.close()
                os.close(fd)

    def remove(self, path: SafeRelPath) -> None:
        """Remove a file of mvc's own; one that is gone is fine."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self.parent(path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def rename(self, old: SafeRelPath, new: SafeRelPath) -> None:
        """Give a file or folder another name, which nothing has; folders on the way are made."""
        with self.parent(old) as (source, was), self.parent(new, create=True) as (target, becomes):
            try:
                give(Place(source, was), Place(target, becomes), self.means)
            except FileExistsError:
                raise FileInUse([(new, CAME)]) from None
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise FileError(old, error) from None
                raise ConflictError(
                    f"{shown(old)} and {shown(new)} lie on two file systems",
                    hint=f"move it yourself, `mv {shown(old)} {shown(new)}`, then repeat the command",
                ) from None

    def set_executable(self, path: SafeRelPath, seen: Known, *, executable: bool) -> Stat:
        """Change the mode of a file; FileInUse when it is not as it was SEEN, so that no edit passes for its oid."""
        fd = self.open(path)
        try:
            if why := unchanged(fd, seen, self.means):
                raise FileInUse([(path, why)])
            mode = stat.S_IMODE(os.fstat(fd).st_mode)
            readable = (mode & 0o444) >> 2
            os.fchmod(fd, mode | readable if executable else mode & ~0o111)
            return stat_of(os.fstat(fd))
        finally:
            os.close(fd)

    def clean_tmp(self) -> None:
        """Finish or undo the swaps of killed processes, then remove the files that these left behind."""
        try:
            names = os.listdir(self.tmp)
        except FileNotFoundError:
            return
        dead = sorted((name for name in names if is_left(name)), key=lambda name: not name.endswith(JOURNAL))
        for name in dead:
            if name.endswith(JOURNAL):
                end_swaps(self, os.path.join(self.tmp, name))
            with contextlib.suppress(OSError):
                self._remove_tmp(name)

    def _remove_tmp(self, name: str) -> None:
        fd = os.open(self.tmp, FOLDER)
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

    def _refuse_folder(self, folder: int, name: str, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise in_the_way(path, "is a folder")


def _remove_all(folder: int, name: str) -> None:
    """Remove a folder below FOLDER, however deep it is: what lies in it is moved up, so one descriptor is enough."""
    left, count = [name], 0
    while left:
        top = left.pop()
        fd = os.open(top, FOLDER, dir_fd=folder)
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
