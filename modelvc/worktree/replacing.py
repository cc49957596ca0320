"""Runs of swaps in one worktree, with a journal. After a run that died, the next command finishes or undoes its swaps.

The journal is written before the first swap of a run and removed after the last. `end_swaps` also runs at once after a
run that raised.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from typing import TYPE_CHECKING, NamedTuple, Self

from modelvc.errors import ConflictError, FileError, shown
from modelvc.worktree.descriptors import write_all_at
from modelvc.worktree.state import Known, Stat, stat_of
from modelvc.worktree.swap import CHANGED, Place, Swap, Temporary, end_swap, swap

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelvc.worktree.folders import Folders
    from modelvc.worktree.new_folder import NewFolder

_AT_ONCE = 1_000  # swaps of one journal
JOURNAL = ".swaps"  # how the name of one ends, in the worktree's folder for temporary files
_MARK = b"1"


class Replacement(NamedTuple):
    """What is to become of PATH. `new`: the file for it, below the run's folder; "": PATH goes."""

    path: str
    new: str
    mine: Stat | None
    seen: Known | None


class Placed(NamedTuple):
    """What became of a path. `why`: why the file that is there stays, "" for a path that was done.

    `stat` is that of the new file. It is what was written even if somebody changed the file since, so that nobody takes
    the changed file for the written one.
    """

    path: str
    why: str
    stat: Stat | None = None


def run(
    worktree: Folders,
    journal: Journal | None,
    temporary: Temporary,
    staged: NewFolder | None,
    wanted: Sequence[Replacement],
) -> list[Placed]:
    """Carry out WANTED, in order, noted in JOURNAL or in one of its own.

    STAGED is the folder that its new files lie in, None for TEMPORARY's own folder.
    """
    works = [(one, f"{temporary.name}~{number}") for number, one in enumerate(wanted)]
    done: list[Placed] = []
    for start in range(0, len(works), _AT_ONCE):
        done += _run(worktree, journal, temporary, staged, works[start : start + _AT_ONCE])
    return done


def _run(
    worktree: Folders,
    journal: Journal | None,
    temporary: Temporary,
    staged: NewFolder | None,
    works: Sequence[tuple[Replacement, str]],
) -> Iterator[Placed]:
    prefix = f"{temporary.name}/" if staged else ""
    noted = [(one.path, one.new and prefix + one.new, aside, one.mine, one.seen) for one, aside in works if one.seen]
    with contextlib.ExitStack() as stack:
        if noted:  # nothing is displaced where nothing was
            noting = journal or stack.enter_context(Journal(worktree))
            stack.enter_context(noting.noting(temporary.where, noted))
        folders = stack.enter_context(_Folders(worktree))
        for one, aside in works:
            there = folders.place(one.path)
            if there is None:
                yield Placed(one.path, CHANGED if one.new else "")
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
            yield Placed(one.path, why, None if why or not one.mine else found_again(there, one.mine))


def _new(temporary: Temporary, staged: NewFolder | None, name: str) -> Place | None:
    if not name:
        return None
    return staged.at(name) if staged else Place(temporary.folder, name)


def found_again(there: Place, mine: Stat) -> Stat:
    """Stat data of a new file at its place. A rename changes the ctime; anything else is somebody's edit."""
    try:
        found = stat_of(os.stat(there.name, dir_fd=there.folder, follow_symlinks=False))
    except FileNotFoundError:
        return mine
    return found if found.but_ctime == mine.but_ctime else mine


class _Folders:
    """The folders of paths, the last of them held open: neighbours come one after the other."""

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
        """The place of PATH; None when its folder is gone, or a link or a file is there."""
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
    """A file that names the swaps under way: one line behind a mark, which is set last and taken away at the end."""

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
        """Keep NOTED while the block runs. After a block that raises, its swaps are finished or undone."""
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
    """Finish or undo the swaps of JOURNAL: a file that a plan saw is removed, any other gets its name back."""
    with open(journal, "rb") as file:
        if file.read(1) != _MARK:
            return
        where, works = json.loads(file.readline())
    for one, new, aside, mine, seen in works:
        _end_one(worktree, where, (one, new, aside), (mine and Stat(mine), _seen(*seen)))


def _end_one(
    worktree: Folders, where: str | None, names: tuple[str, str, str], known: tuple[Stat | None, Known]
) -> None:
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
    worktree.remove_empty(os.path.dirname(path))  # it may have been made for nothing


def _folder(path: str, base: int | None = None) -> int:
    return os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=base)


def _seen(stat: Sequence[int], oid: str, settled: bool) -> Known:  # noqa: FBT001 - as the journal has it
    return Known((Stat(stat), bytes.fromhex(oid), settled))
