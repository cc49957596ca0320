"""Decide whether stat data proves that a file of the worktree still has the content that was read from it.

models/files/materialise decides it for files that mvc wrote itself, worktree/state for pointers. An entry is settled if
every later edit shows in the stat data. Two kinds of edit do not show: an edit within a tick of the clock, and an edit
through a shared mapping whose page was dirty before the file was read.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from modelvc.worktree import descriptors, lease
from modelvc.worktree.state import is_settled, now

if TYPE_CHECKING:
    from modelvc.worktree.state import Stat
    from modelvc.worktree.swap import Means


class Reading:
    """One reading of a file, or with MANY of the files of a folder. Create it before the first file is opened.

    MEANS says whether leases may be used; None: they may.
    """

    def __init__(self, *, many: bool = False, means: Means | None = None) -> None:
        self._started = now()
        self._many = many
        self._leases = means is None or means.lease
        self._written: set[int] = set()  # inodes that a program could write to when they were opened
        self._synced: set[int] = set()  # devices whose file system was synced

    def opened(self, fd: int) -> None:
        """Check whether a program can write to FD. Call this before its stat data is taken and its content is read."""
        taken = lease.take(fd) if self._leases else None
        if taken:
            lease.release(fd)  # a later mapping sets the file's time when it first writes a page
        elif taken is False or not self._clean(fd):
            self._written.add(os.fstat(fd).st_ino)

    def settles(self, stat: Stat) -> bool:
        """Return True if every later edit of a file shows. STAT is its stat data, before and after it was read."""
        return stat.inode not in self._written and is_settled(stat, self._started)

    def _clean(self, fd: int) -> bool:
        """Write the dirty pages of FD to the disk: the next write to a page then sets the file's time.

        With MANY, the whole file system is synced once. Return False if the system refuses.
        """
        with contextlib.suppress(OSError):
            device = os.fstat(fd).st_dev
            if not self._many:
                getattr(os, "fdatasync", os.fsync)(fd)
            elif device not in self._synced:
                descriptors.sync_file_system(fd)
                self._synced.add(device)
            return True
        return False
