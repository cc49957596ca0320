"""Swap many files of a worktree, with a journal. After a kill, the next command finishes or undoes the swaps.

The journal is written before the first swap of a run and removed after the last. After a run that raised, `end_swaps`
runs at once.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from typing import TYPE_CHECKING, NamedTuple, Self

from modelvc.atomic import write_all_at
from modelvc.errors import ConflictError, FileError, shown
from modelvc.worktree.state import Known, Stat, stat_of
from modelvc.worktree.swap import CHANGED, Place, Swap, Temporary, end_swap, swap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelvc.worktree.folders import Folders
    from modelvc.worktree.new_folder import NewFolder

_AT_ONCE = 1_000  # swaps of one journal
JOURNAL = ".swaps"  # how the name of a journal ends; it lies in the worktree's folder for temporary files
_MARK = b"1"  # the first byte of a journal whose swaps are not all done


class Replacement(NamedTuple):
    """A file to replace or remove.

    `new` is the new file, below the run's folder, and `mine` its stat data; "" and None: PATH is removed. `seen` is
    PATH as a plan saw it; None: nothing was there.
    """

    path: str
    new: str
    mine: Stat | None
    seen: Known | None


class Outcome(NamedTuple):
    """What became of PATH. `why` says why the present file stays; "" if PATH was replaced or removed.

    `stat` is the stat data of the new file as it was written; None without a new file. If a program changed the file
    since, its stat data differs, so the changed file is not taken for the written one.
    """

    path: str
    why: str
    stat: Stat | None = None


def swap_all(
    worktree: Folders,
    journal: Journal | None,
    temporary: Temporary,
    staged: NewFolder | None,
    wanted: Sequence[Replacement],
) -> list[Outcome]:
    """Carry out WANTED in order. Return the outcome of each.

    The swaps are noted in JOURNAL; None: in a new one. The new files lie in STAGED; None: in the folder of TEMPORARY.
    Raises ConflictError if a path lies on another file system than the new files, and FileError if the system refuses.
    """
    works = [(one, f"{temporary.name}~{number}") for number, one in enumerate(wanted)]
    done: list[Outcome] = []
    for start in range(0, len(works), _AT_ONCE):
        done += _swap_some(worktree, journal, temporary, staged, works[start : start + _AT_ONCE])
    return done


def _swap_some(
    worktree: Folders,
    journal: Journal | None,
    temporary: Temporary,
    staged: NewFolder | None,
    works: Sequence[tuple[Replacement, str]],
) -> Iterator[Outcome]:
    prefix = f"{temporary.name}/" if staged else ""
    noted = [(one.path, one.new and prefix + one.new, aside, one.mine, one.seen) for one, aside in works if one.seen]
    with contextlib.ExitStack() as stack:
        if noted:  # a gap that is filled displaces no file
            noting = journal or stack.enter_context(Journal(worktree))
            stack.enter_context(noting.noting(temporary.where, noted))
        folders = stack.enter_context(_Folders(worktree))
        for one, aside in works:
            there = folders.place(one.path)
            if there is None:
                yield Outcome(one.path, CHANGED if one.new else "")
                continue
            new = _new(temporary, staged, one.new)
            work = Swap(there, Place(temporary.folder, aside), new, one.mine, one.seen)
            try:
                why = swap(work, worktree.means)
            except OSError as error:
                if error.errno != errno.EXDEV:
                    raise FileError(one.path, error) from None
                raise ConflictError(
                    f"{shown(one.path)} lies on another file system than the folder above it",
                    hint="make the folder that is mounted there a model of its own, or unmount it",
                ) from None
            yield Outcome(one.path, why, None if why or not one.mine else stat_after_rename(there, one.mine))


def _new(temporary: Temporary, staged: NewFolder | None, name: str) -> Place | None:
    """Return the place of the new file NAME, or None for ""."""
    if not name:
        return None
    return staged.at(name) if staged else Place(temporary.folder, name)


def stat_after_rename(there: Place, mine: Stat) -> Stat:
    """Return the stat data of a new file at THERE. MINE: its stat data before it was renamed.

    A rename changes the ctime alone. If more differs, a program changed or removed the file: MINE is returned.
    """
    try:
        found = stat_of(os.stat(there.name, dir_fd=there.folder, follow_symlinks=False))
    except FileNotFoundError:
        return mine
    return found if found.but_ctime == mine.but_ctime else mine


class _Folders:
    """Places of paths. The folder of the last path stays open: paths of one folder follow each other."""

    def __init__(self, worktree: Folders) -> None:
        self._worktree = worktree
        self._path: str | None = None
        self._fd = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def place(self, path: str) -> Place | None:
        """Return the place of PATH; None if its folder is missing, or a link or a file has the folder's name."""
        parent, _, name = path.rpartition("/")
        if parent != self._path or self._fd < 0:
            self.__exit__()
            self._path, self._fd = parent, -1
            try:
                self._fd = self._worktree.open_parent(path)
            except (FileNotFoundError, ConflictError):
                return None
        return Place(self._fd, name)


# -- the journal


class Journal:
    """A file that names the swaps in progress: a mark, then a line. The mark is written last, and erased at the end."""

    def __init__(self, worktree: Folders) -> None:
        os.makedirs(worktree.tmp, exist_ok=True)
        self._worktree = worktree
        self._under_way = False
        self._path = os.path.join(worktree.tmp, f"mvc-{os.getpid()}-{os.urandom(6).hex()}{JOURNAL}")
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._fd)
        if not self._under_way:
            os.unlink(self._path)

    @contextlib.contextmanager
    def noting(self, where: str | None, noted: Sequence[tuple[object, ...]]) -> Iterator[None]:
        """Keep NOTED in the journal while the block runs. After a block that raises, its swaps are finished or undone.

        WHERE is `Temporary.where` of the run. NOTED holds the arguments of `_end_one` for each swap.
        """
        text = f"{json.dumps([where, noted], default=bytes.hex)}\n".encode("ascii")
        write_all_at(self._fd, text, 1)
        os.pwrite(self._fd, _MARK, 0)
        self._under_way = True
        try:
            yield
        except BaseException:
            end_swaps(self._worktree, self._path)
            self._end()
            raise
        self._end()

    def _end(self) -> None:
        os.pwrite(self._fd, b" ", 0)
        self._under_way = False


def end_swaps(worktree: Folders, journal: str) -> None:
    """Finish or undo the swaps of JOURNAL. A displaced file is deleted if a plan saw it; else it gets its name back."""
    with open(journal, "rb") as file:
        if file.read(1) != _MARK:
            return
        where, works = json.loads(file.readline())
    for one, new, aside, mine, seen in works:
        _end_one(worktree, where, (one, new, aside), (mine and Stat(mine), _seen(*seen)))


def _end_one(
    worktree: Folders, where: str | None, names: tuple[str, str, str], known: tuple[Stat | None, Known]
) -> None:
    """Finish or undo one swap. NAMES: the path, its new file and the name aside. KNOWN: `mine` and `seen`."""
    path, new, aside = names
    with contextlib.ExitStack() as stack:

        def opened(fd: int) -> int:
            stack.callback(os.close, fd)
            return fd

        base = opened(worktree.open_folder(where) if where is not None else _folder(worktree.tmp))
        place = None
        if new:
            parent, _, last = new.rpartition("/")
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                place = Place(opened(_folder(parent or ".", base)), last)
        there = Place(opened(worktree.open_parent(path, create=True)), path.rpartition("/")[2])
        end_swap(Swap(there, Place(base, aside), place, known[0], known[1]), worktree.means)
    worktree.remove_empty(os.path.dirname(path))  # it may have been made for this call


def _folder(path: str, base: int | None = None) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=base)


def _seen(stat: Sequence[int], oid: str, settled: bool) -> Known:  # noqa: FBT001 - as the journal has it
    return Known((Stat(stat), bytes.fromhex(oid), settled))
