"""Decide whether stat data stands for content that was read from a file of the worktree.

Files that mvc wrote itself are decided by models/files/materialise, pointers by worktree/state. An entry
is settled if every later edit shows in the stat data. Two kinds do not: an edit within a tick of the clock,
and one through a shared mapping whose page was dirty before the file was read.
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
    """One look at the content of one file, or with MANY of those of a folder. Begin it before the first is opened."""

    def __init__(self, *, many: bool = False, means: Means | None = None) -> None:
        self._started = now()
        self._many = many
        self._leases = means is None or means.lease
        self._written: set[int] = set()  # inodes that a program can write to now
        self._synced: set[int] = set()  # devices

    def opened(self, fd: int) -> None:
        """Look who can write to a file that is about to be read. Call this before taking its stat data."""
        taken = lease.take(fd) if self._leases else None
        if taken:
            lease.release(fd)  # a mapping made from now on sets the file's time when it first writes a page
        elif taken is False or not self._clean(fd):
            self._written.add(os.fstat(fd).st_ino)

    def settles(self, stat: Stat) -> bool:
        """Return whether a file that was read with STAT, before and after, cannot change without a trace."""
        return stat.inode not in self._written and is_settled(stat, self._started)

    def _clean(self, fd: int) -> bool:
        """Write back the pages of a file, so that the next write to each sets the file's time; of a folder, at once."""
        with contextlib.suppress(OSError):
            device = os.fstat(fd).st_dev
            if not self._many:
                getattr(os, "fdatasync", os.fsync)(fd)
            elif device not in self._synced:
                descriptors.sync_file_system(fd)
                self._synced.add(device)
            return True
        return False
