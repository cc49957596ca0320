"""Open the folders of a worktree, part by part, without following a symbolic link."""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from modelvc.errors import ConflictError, FileError, shown
from modelvc.worktree.descriptors import FOLDER
from modelvc.worktree.swap import ALL, Means, Temporary

if TYPE_CHECKING:
    from collections.abc import Iterator


class Folders:
    """The folders below ROOT.

    TMP is the folder in `.git` for temporary files. It serves the folders that are on its file system. MEANS limits
    how files are replaced.
    """

    def __init__(self, root: str, tmp: str, means: Means = ALL) -> None:
        self.root = root
        self.tmp = tmp
        self.means = means

    def is_folder(self, path: str) -> bool:
        """Return True if a folder, or a link to one, is at PATH; "" is the root."""
        return os.path.isdir(os.path.join(self.root, path))

    def open_folder(self, path: str) -> int:
        """Return a descriptor of the folder PATH; "" is the root. Raises as `open_parent`."""
        with self.parent(f"{path}/." if path else ".") as (folder, _):
            return os.dup(folder)

    @contextlib.contextmanager
    def parent(self, path: str, *, create: bool = False) -> Iterator[tuple[int, str]]:
        """Yield a descriptor of the folder of PATH, and the last part of PATH. CREATE, errors: as of `open_parent`."""
        fd = self.open_parent(path, create=create)
        try:
            yield fd, path.rpartition("/")[2]
        finally:
            os.close(fd)

    def open_parent(self, path: str, *, create: bool = False) -> int:
        """Return a descriptor of the folder of PATH. CREATE: missing folders are made.

        Raises FileNotFoundError if a folder is missing, ConflictError if a part of the way is a link or no folder, and
        FileError if the system refuses.
        """
        fd = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in path.split("/")[:-1]:
            fd = _enter(fd, part, path, create=create)
        return fd

    def remove_empty(self, path: str, *, stop: str = "") -> None:
        """Remove the folder PATH and its parents while they are empty. STOP stays; "" is the root."""
        while path and path != stop:
            try:
                with self.parent(path) as (folder, name):
                    os.rmdir(name, dir_fd=folder)
            except OSError:
                return
            path = os.path.dirname(path)

    @contextlib.contextmanager
    def temporary(self, folder: int, path: str) -> Iterator[Temporary]:
        """Yield a free name on the file system of FOLDER, the folder of PATH: in `tmp` if possible, else in FOLDER."""
        os.makedirs(self.tmp, exist_ok=True)
        name = f"mvc-{os.getpid()}-{os.urandom(6).hex()}"
        fd = os.open(self.tmp, FOLDER)
        try:
            if os.fstat(fd).st_dev == os.fstat(folder).st_dev:
                yield Temporary(fd, name, None)
            else:
                yield Temporary(folder, "." + name, os.path.dirname(path))
        finally:
            os.close(fd)


def _enter(fd: int, part: str, path: str, *, create: bool) -> int:
    """Return a descriptor of the folder PART in FD, and close FD. CREATE: make it if it is missing.

    PATH is the whole path, for messages.
    """
    try:
        if create:
            with contextlib.suppress(FileExistsError):
                os.mkdir(part, 0o777, dir_fd=fd)
        return os.open(part, FOLDER, dir_fd=fd)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.ENOTDIR}:
            raise in_the_way(path, f"leads through {shown(part)}, which is not a folder") from None
        if isinstance(error, FileNotFoundError):
            raise
        raise FileError(path, error) from None
    finally:
        os.close(fd)


def in_the_way(path: str, why: str) -> ConflictError:
    """Return the error that PATH is in the way. WHY: words that follow the path."""
    return ConflictError(f"{shown(path)} {why}", hint="move it away, then run the command again")
