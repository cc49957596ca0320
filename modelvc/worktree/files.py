"""Read, replace and remove the files of a worktree, through descriptors of folders and as whole files.

Each part of a path is opened with O_NOFOLLOW. A symbolic link that is put in the way, even between check and use, is
an error and is never followed. Content is written to a new temporary file, which is then renamed: hard links, symbolic
links and readers of the old file keep the old bytes.
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
from modelvc.worktree.replacing import JOURNAL, Journal, Outcome, Replacement, end_swaps
from modelvc.worktree.state import Known, Stat, stat_of
from modelvc.worktree.swap import ALL, CAME, Means, Place, Temporary, rename_noreplace, unchanged

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from modelvc.formats.paths import SafeRelPath

    Fill = Callable[[int], None]

NOWHERE = "/"  # no path below a worktree
ANY = Known((Stat((0, 0, 0, 0, 0)), b"", False))  # any file or none: for files that mvc alone writes


class Worktree(Folders):
    """The files below ROOT. TMP and MEANS: as of Folders."""

    def __init__(self, root: str, tmp: str, means: Means = ALL) -> None:
        super().__init__(root, tmp, means)
        self.journal: Journal | None = None  # of `journalled`; None: each run has its own

    # -- reading

    def stat(self, path: str) -> Stat | None:
        """Return the stat data of PATH itself, which may be a link. None if it, or a folder on the way, is not there.

        A link on the way counts as a missing folder.
        """
        try:
            with self.parent(path) as (folder, name):
                return stat_of(os.stat(name, dir_fd=folder, follow_symlinks=False))
        except (FileNotFoundError, NotADirectoryError, ConflictError):
            return None

    def open(self, path: str) -> int:
        """Return a descriptor to read the regular file PATH.

        Raises FileNotFoundError if nothing is there, ConflictError for anything else than a regular file, and FileError
        if the system refuses.
        """
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
        """Return at most LIMIT + 1 bytes of the file PATH: the extra byte shows that it is larger. Raises as `open`."""
        fd = self.open(path)
        try:
            return os.read(fd, limit + 1)
        finally:
            os.close(fd)

    @contextlib.contextmanager
    def journalled(self) -> Iterator[None]:
        """Note all replacements of the block in one journal."""
        with Journal(self) as journal:
            self.journal = journal
            try:
                yield
            finally:
                self.journal = None

    def as_read(self, path: str, data: bytes) -> Known | None:
        """Return what is known of PATH, which held DATA when a command read it. None if it is not there now."""
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
        """Give PATH the content that FILL writes to a descriptor. Return the stat data of the new file.

        SEEN is PATH as a plan saw it; None: nothing was there. BEFORE (ns) makes the file just older than that: a model
        is then not newer than its pointer. After a power cut PATH is the old file or the new one.
        Raises FileInUse if PATH is not as it was SEEN, ConflictError if a folder is there, and FileError if the system
        refuses.
        """
        with self.parent(path, create=True) as (folder, name), self.temporary(folder, path) as temporary:
            tmp, new = temporary.folder, temporary.name
            try:
                mine = self._write_new(temporary, fill, executable=executable, before=before)
                if seen is ANY:
                    self._refuse_folder(folder, name, path)
                    os.rename(new, name, src_dir_fd=tmp, dst_dir_fd=folder)
                    return replacing.stat_after_rename(Place(folder, name), mine)
                (placed,) = replacing.swap_all(
                    self, self.journal, temporary, None, [Replacement(path, new, mine, seen)]
                )
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
        """Write the file TEMPORARY and sync it. Return its stat data."""
        fd = os.open(temporary.name, NEW, 0o777 if executable else 0o666, dir_fd=temporary.folder)
        try:
            fill(fd)
            stamp(fd, before)
            os.fsync(fd)  # else a power cut can leave its name, size and time without its bytes
            return stat_of(os.fstat(fd))
        finally:
            os.close(fd)

    def _aside(self, path: str) -> str | None:
        """Return `Temporary.where` of the folder to which PATH is moved; NOWHERE if the folder of PATH is missing."""
        try:
            with self.parent(path) as (folder, _), self.temporary(folder, path) as temporary:
                return temporary.where
        except FileNotFoundError:
            return NOWHERE

    def write_bytes(
        self, path: SafeRelPath, data: bytes, *, executable: bool = False, seen: Known | None = ANY
    ) -> Stat:
        """Give the small file PATH the bytes DATA. When this returns, bytes and name are on the disk.

        SEEN, stat data and errors: as of `write`.
        """
        found = self.write(path, lambda fd: write_all(fd, data), executable=executable, seen=seen)
        self.sync_folder(os.path.dirname(path))
        return found

    @contextlib.contextmanager
    def staged(self, path: SafeRelPath, *, before: int = 0) -> Iterator[NewFolder]:
        """Yield a temporary folder on the file system of PATH: `place` moves its files. BEFORE: as of `write`."""
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

    def place(self, staged: NewFolder, path: SafeRelPath, files: Mapping[str, Known | None]) -> dict[str, Outcome]:
        """Move files of STAGED to their names in the folder PATH, each if the present file is as it was seen.

        FILES holds by name the file that was seen; None: nothing was there. Return the outcome by name.
        """
        assert staged.temporary is not None  # noqa: S101 - for the type checker: it comes from `staged`
        for parent in {os.path.dirname(f"{path}/{name}") for name in files}:
            with self.parent(f"{parent}/.", create=True):
                pass
        wanted = [Replacement(f"{path}/{name}", name, staged.stats[name], seen) for name, seen in files.items()]
        done = replacing.swap_all(self, self.journal, staged.temporary, staged, wanted)
        return dict(zip(files, done, strict=True))

    def take_away(self, files: Mapping[str, Known]) -> dict[str, str]:
        """Remove FILES, each if it is as it was seen. Return by path why the others stay."""
        kept: dict[str, str] = {}
        groups: dict[str | None, list[Replacement]] = {}  # by the folder to which they are moved aside
        aside: dict[str, str | None] = {}
        for path, seen in files.items():
            folder = os.path.dirname(path)
            if folder not in aside:
                aside[folder] = self._aside(path)
            if aside[folder] != NOWHERE:
                groups.setdefault(aside[folder], []).append(Replacement(path, "", None, seen))
        for wanted in groups.values():
            with self.parent(wanted[0].path) as (fd, _), self.temporary(fd, wanted[0].path) as temporary:
                done = replacing.swap_all(self, self.journal, temporary, None, wanted)
            kept.update((one.path, one.why) for one in done if one.why)
        return kept

    @contextlib.contextmanager
    def new_folder(self, path: SafeRelPath, *, before: int = 0) -> Iterator[NewFolder]:
        """Yield a folder that gets the name PATH when the block ends; if the block raises, the folder is removed.

        BEFORE: as of `write`. Raises FileInUse if PATH exists at the end.
        """
        with self.parent(path, create=True) as (folder, name), self.temporary(folder, path) as temporary:
            tmp_fd, staged, _ = temporary
            os.mkdir(staged, 0o777, dir_fd=tmp_fd)
            fd = os.open(staged, FOLDER, dir_fd=tmp_fd)
            new = NewFolder(fd, before)
            try:
                yield new
                new.sync()
                try:
                    rename_noreplace(Place(tmp_fd, staged), Place(folder, name), self.means)
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
        """Remove the file PATH, which mvc alone writes. A missing file is no error."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), self.parent(path) as (folder, name):
            os.unlink(name, dir_fd=folder)

    def rename(self, old: SafeRelPath, new: SafeRelPath) -> None:
        """Rename the file or folder OLD to NEW. Missing folders of NEW are made.

        Raises FileInUse if NEW exists, ConflictError if OLD and NEW lie on two file systems, and FileError if the
        system refuses.
        """
        with self.parent(old) as (source, was), self.parent(new, create=True) as (target, becomes):
            try:
                rename_noreplace(Place(source, was), Place(target, becomes), self.means)
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
        """Make the file PATH executable or not. Return its new stat data.

        Raises FileInUse if it is not as it was SEEN: else its new stat data would stand for the oid of SEEN.
        """
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
        """Finish or undo the swaps of killed processes, then delete their temporary files and folders."""
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
        """Delete the file or folder NAME in `tmp`."""
        fd = os.open(self.tmp, FOLDER)
        try:
            if stat.S_ISDIR(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                _remove_all(fd, name)
            else:
                os.unlink(name, dir_fd=fd)
        finally:
            os.close(fd)

    def sync_folder(self, path: str) -> None:
        """Make the names in the folder PATH survive a power cut."""
        fd = os.open(os.path.join(self.root, path), os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    # -- inside

    def _refuse_folder(self, folder: int, name: str, path: str) -> None:
        """Raise ConflictError if NAME in FOLDER is a folder. PATH: for the message."""
        with contextlib.suppress(FileNotFoundError):
            if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
                raise in_the_way(path, "is a folder")


def _remove_all(folder: int, name: str) -> None:
    """Remove the folder NAME in FOLDER with its content.

    Folders in it are first moved up to FOLDER: however deep they are, one descriptor at a time is enough.
    """
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
