"""Fill a new folder with files before it has its name."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from modelvc.atomic import write_all
from modelvc.errors import ConflictError, shown
from modelvc.worktree import descriptors
from modelvc.worktree.descriptors import FOLDER, NEW, stamp
from modelvc.worktree.state import stat_of
from modelvc.worktree.swap import Place, Temporary

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.worktree.state import Stat

    Fill = Callable[[int], None]


class NewFolder:
    """A folder with a temporary name, and its files, which have their own names from the start.

    FD is the open folder; its owner closes it. BEFORE: as of `descriptors.stamp`. TEMPORARY is the folder's name, if
    `Worktree.place` will move the files.
    """

    def __init__(self, fd: int, before: int, temporary: Temporary | None = None) -> None:
        self._fds = {"": fd}
        self._before = before
        self.temporary = temporary
        self.stats: dict[str, Stat] = {}  # of the files, by path in the folder

    def write(self, path: str, data: memoryview | bytes, *, executable: bool) -> Stat:
        """Create the file PATH with the bytes DATA. Return its stat data. Raises as `fill`."""

        def fill(fd: int) -> None:
            write_all(fd, data)

        return self.fill(path, fill, executable=executable)

    def fill(self, path: str, fill: Fill, *, executable: bool) -> Stat:
        """Create the file PATH with the content that FILL writes to a descriptor. Return its stat data.

        Raises ConflictError if the file system takes PATH for the name of another file here.
        """
        parent, _, name = path.rpartition("/")
        try:
            fd = os.open(name, NEW, 0o777 if executable else 0o666, dir_fd=self._folder(parent))
        except (FileExistsError, NotADirectoryError):
            raise ConflictError(
                f"{shown(path)} cannot lie beside the other files of its folder: one of them has that name here",
                hint="this file system takes two names for one, or the folder was made to do harm",
            ) from None
        try:
            fill(fd)
            stamp(fd, self._before)
            self.stats[path] = found = stat_of(os.fstat(fd))
            return found
        finally:
            os.close(fd)

    def at(self, path: str) -> Place:
        """Return the place of the file PATH. The next call of a method may close its descriptor."""
        parent, _, last = path.rpartition("/")
        return Place(self._folder(parent), last)

    def sync(self) -> None:
        """Write all files to the disk, at once: one sync for each of ten thousand files takes half a minute."""
        descriptors.sync_file_system(self._fds[""])

    def _folder(self, path: str) -> int:
        """Return a descriptor of the folder PATH. Missing folders are made. About 130 descriptors are open at most."""
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
            below = os.open(part, FOLDER, dir_fd=fd)
            if len(self._fds) > 128:
                self.close()
            fd = self._fds[at] = below
        return fd

    def close(self) -> None:
        """Close the folders inside."""
        for path, fd in list(self._fds.items()):
            if path:
                os.close(fd)
                del self._fds[path]
