"""Replace or remove a file only if it still is the file that a plan saw. A file that differs stays.

A swap takes a read lease, compares, and exchanges the new file with the old one in one step. Then it checks the lease
and the displaced file. If a platform lacks leases or exchanges, the next lower level does the same with a longer window
(docs/decisions/0015-replacing-files.md). A displaced file is deleted only if a plan saw it: its bytes are then in the
store, and no program writes to it.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from modelvc.worktree import lease
from modelvc.worktree.state import Stat, stat_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.worktree.state import Known

BUSY = "is open in a program that may write to it"
CHANGED = "was changed while this command ran"
CAME = "was made by another program while this command ran"

_NO_REPLACE, _EXCHANGE = 1, 2  # renameat2(2)
_SWAP, _EXCLUSIVE = 2, 4  # renameatx_np(2) of macOS
_UNABLE = frozenset({errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM})
_OTHER = frozenset({errno.ELOOP, errno.EACCES, errno.EPERM, errno.ENXIO, errno.ENODEV, errno.ENOTDIR})


class Means(NamedTuple):
    """The calls that a swap may try. If the kernel refuses one, the swap tries the next."""

    lease: bool = True
    exchange: bool = True
    link: bool = True


ALL = Means()


class Place(NamedTuple):
    """A name in an open folder. `folder` is its descriptor."""

    folder: int
    name: str


class Temporary(NamedTuple):
    """A free name in an open folder. `where`: the folder's path below the worktree; None: it is the one in `.git`."""

    folder: int
    name: str
    where: str | None


@dataclass(frozen=True, slots=True)
class Swap:
    """One file to replace or remove. All places lie on one file system."""

    there: Place  # the file in the worktree
    aside: Place  # a free name, for a file that is displaced by a rename
    new: Place | None  # the new file; None: the file is removed
    mine: Stat | None  # stat data of the new file
    seen: Known | None  # the file as a plan saw it; None: nothing was there

    @property
    def spare(self) -> Place:
        """A second free name."""
        return Place(self.aside.folder, self.aside.name + "+")


def swap(work: Swap, means: Means = ALL) -> str:
    """Carry out WORK. Return "" if it was done, else why the present file stays. Raises OSError if the system refuses.

    After a crash at any step, `end_swap` finishes or undoes WORK.
    """
    if work.seen is None:
        return _fill_gap(work, means)
    try:
        fd = os.open(
            work.there.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=work.there.folder
        )
    except FileNotFoundError:
        return _fill_gap(work, means)
    except OSError as error:
        if error.errno == errno.EAGAIN:
            return BUSY
        if error.errno in _OTHER:
            return CHANGED
        raise
    try:
        leased = lease.take(fd) if means.lease else None
        if leased is False:
            return BUSY
        if not _as_seen(stat_of(os.fstat(fd)), work.seen) or not (work.seen.settled or _hashes(fd, work.seen.oid)):
            return CHANGED
        try:
            displaced, came = _displace(work, means)
        except FileNotFoundError:  # another program has just removed it
            return _fill_gap(work, means)
        if leased and lease.held(fd) and _as_seen(_look(displaced), work.seen):
            os.unlink(displaced.name, dir_fd=displaced.folder)
            return CAME if came else ""
        return end_swap(work, means, may_drop=not leased) or (CAME if came else "")
    finally:
        os.close(fd)  # ends the lease: a program that waits to open the file then finds it under its name


def end_swap(work: Swap, means: Means = ALL, *, may_drop: bool = True) -> str:
    """Finish or undo a swap from the step that it reached: after a displacement, or after a crash.

    Return "", or why a file stays. Without MAY_DROP a displaced file is put back even if it looks as it was seen.
    """
    why = ""
    for place in (work.new, work.aside, work.spare):
        found = _look(place) if place else None
        if place is None or found is None:
            continue
        now = _look(work.there)
        if (work.mine and _is_mine(found, work.mine)) or (
            now and now.inode == found.inode
        ):  # the second name of a link
            os.unlink(place.name, dir_fd=place.folder)
        elif not (may_drop and work.seen and _as_seen(found, work.seen) and _at_rest(place, work.seen, means)):
            why = CHANGED + _put_back(work, place, means)
        elif work.mine and now is None:
            _rename_back(work, place, means)
        else:
            os.unlink(place.name, dir_fd=place.folder)
    return why


def rename_noreplace(source: Place, target: Place, means: Means = ALL) -> None:
    """Rename the file or folder SOURCE to TARGET. Raises FileExistsError if TARGET exists.

    If kernel and file system have neither such a rename nor links, a TARGET that is made at the last instant is lost.
    """
    if means.exchange and _rename2(source, target, _NO_REPLACE, _EXCLUSIVE):
        return
    if means.link:
        try:
            os.link(source.name, target.name, src_dir_fd=source.folder, dst_dir_fd=target.folder, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _UNABLE | {errno.EMLINK, errno.EACCES}:
                raise
        else:
            os.unlink(source.name, dir_fd=source.folder)
            return
    if _look(target) is not None:
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))
    os.rename(source.name, target.name, src_dir_fd=source.folder, dst_dir_fd=target.folder)


def unchanged(fd: int, seen: Known, means: Means = ALL) -> str:
    """Return "" if the open file FD is as it was SEEN and no program can write to it, else why not.

    FD then holds a lease, if the file has leases.
    """
    if (lease.take(fd) if means.lease else None) is False:
        return BUSY
    same = _as_seen(stat_of(os.fstat(fd)), seen) and (seen.settled or _hashes(fd, seen.oid))
    return "" if same else CHANGED


# -- steps


def _fill_gap(work: Swap, means: Means) -> str:
    """Put the new file where no file is. Return as `swap`."""
    if work.new is None:
        return ""
    try:
        rename_noreplace(work.new, work.there, means)
    except FileExistsError:
        return CAME
    return ""


def _displace(work: Swap, means: Means) -> tuple[Place, bool]:
    """Move the present file away. Return its place now, and True if another file has taken its name meanwhile."""
    if work.new and means.exchange and _rename2(work.new, work.there, _EXCHANGE, _SWAP):
        return work.new, False
    _rename(work.there, work.aside)
    try:
        if work.new:
            rename_noreplace(work.new, work.there, means)
    except FileExistsError:
        return work.aside, True
    return work.aside, False


def _put_back(work: Swap, place: Place, means: Means) -> str:
    """Give the displaced file at PLACE its name back. Return "", or words about a file whose name was taken."""
    now = _look(work.there)
    if now is None:
        return _rename_back(work, place, means)
    if work.mine is None or now.inode != work.mine.inode:
        return _keep_beside(work, place, means)
    said = ""
    if means.exchange and _rename2(place, work.there, _EXCHANGE, _SWAP):
        other = place
    else:
        other = work.spare
        _rename(work.there, other)
        said = _rename_back(work, place, means)
    found = _look(other)
    if found and _is_mine(found, work.mine) and _at_rest(other, None, means):
        os.unlink(other.name, dir_fd=other.folder)
        return said
    return said + _keep_beside(work, other, means)


def _rename_back(work: Swap, place: Place, means: Means) -> str:
    """Give the file at PLACE its name back; if the name is taken, keep the file beside. Return as `_put_back`."""
    try:
        rename_noreplace(place, work.there, means)
    except FileExistsError:
        return _keep_beside(work, place, means)
    return ""


def _keep_beside(work: Swap, place: Place, means: Means) -> str:
    """Keep the file at PLACE under a new name: another file has its own. Return words with the name, or ""."""
    name = f"{work.there.name}.kept-{os.urandom(4).hex()}"
    with contextlib.suppress(FileNotFoundError):
        rename_noreplace(place, Place(work.there.folder, name), means)
        return f" (another version of it is now {name})"
    return ""


def _as_seen(found: Stat | None, seen: Known) -> bool:
    """Return True if inode, size, mtime and mode are those that a plan saw. A rename changes the ctime alone."""
    return found is not None and found.but_ctime == seen.stat.but_ctime


def _is_mine(found: Stat, mine: Stat) -> bool:
    """Return True if FOUND is the new file. Its mode may have changed."""
    return (found.inode, found.size, found.mtime) == (mine.inode, mine.size, mine.mtime)


def _at_rest(place: Place, seen: Known | None, means: Means) -> bool:
    """Return True if no program writes to the file at PLACE, as far as the platform tells.

    A file whose entry SEEN is not settled must also have the oid of SEEN.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        fd = os.open(place.name, flags, dir_fd=place.folder)
    except OSError:
        return False
    try:
        if means.lease and lease.take(fd) is False:
            return False
        return seen is None or seen.settled or _hashes(fd, seen.oid)
    finally:
        os.close(fd)


def _hashes(fd: int, oid: bytes) -> bool:
    """Return True if FD is a regular file with OID."""
    from modelvc.worktree.digest import digest_of

    return stat.S_ISREG(os.fstat(fd).st_mode) and digest_of(fd) == oid


def _look(place: Place) -> Stat | None:
    """Return the stat data of the file or link at PLACE, or None if nothing is there."""
    try:
        return stat_of(os.stat(place.name, dir_fd=place.folder, follow_symlinks=False))
    except FileNotFoundError:
        return None


# -- the kernel


def _rename(source: Place, target: Place) -> None:
    os.rename(source.name, target.name, src_dir_fd=source.folder, dst_dir_fd=target.folder)


def _rename2(source: Place, target: Place, flag: int, flag_on_macos: int) -> bool:
    """Rename with a flag, which the standard library lacks. Return False if kernel or file system lack it as well.

    Raises OSError if the system refuses.
    """
    call = _call()
    if call is None:
        return False
    flags = flag_on_macos if sys.platform == "darwin" else flag
    error = call(source.folder, os.fsencode(source.name), target.folder, os.fsencode(target.name), flags)
    if error in _UNABLE:
        return False
    if error:
        raise OSError(error, os.strerror(error))
    return True


@cache
def _call() -> Callable[[int, bytes, int, bytes, int], int] | None:
    """Return the C library's function, or None without one. The function returns 0 or an error number."""
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    found = getattr(library, "renameatx_np" if sys.platform == "darwin" else "renameat2", None)
    if found is None:
        return None
    found.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    found.restype = ctypes.c_int

    def call(old_folder: int, old: bytes, new_folder: int, new: bytes, flags: int) -> int:
        return 0 if found(old_folder, old, new_folder, new, flags) == 0 else ctypes.get_errno()

    return call
