"""Read Git objects with one `git cat-file --batch` that stays open as long as its Layout lives."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from modelvc.errors import GitError
from modelvc.formats.limits import POINTER
from modelvc.git.cat_file import answer
from modelvc.git.run import end, git, held

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from modelvc.git.cat_file import GitObject
    from modelvc.git.layout import Layout
    from modelvc.git.run import Held

_AT_ONCE = 4096  # bytes of questions that are sent before answers are read: they fit into every pipe
_ORIGINAL = ("--no-replace-objects",)


class Objects:
    """The reader of one repository. Threads may share it. ORIGINAL: replace refs are ignored, as in `git push`."""

    def __init__(self, layout: Layout, *, original: bool) -> None:
        self._layout = layout.worktree, layout.git_dir, layout.common_dir  # not the Layout itself: it holds this reader
        self._args = (*(_ORIGINAL if original else ()), "cat-file", "--batch")
        self._process: Held | None = None
        self._lock = threading.Lock()

    def read(self, names: Iterable[bytes], limit: int = POINTER) -> Iterator[GitObject | None]:
        """Yield the object of each of NAMES (an id, or `HEAD:path`) with at most LIMIT bytes; None if it is missing.

        NAMES never come from a person: some, such as `main@{9}`, end the process. Raises GitError if it ends.
        """
        for some in _portions(names):
            with self._lock:
                try:
                    found = self._ask(some, limit)
                except BaseException:
                    self.close()  # its next answer would belong to an older question
                    raise
            yield from found

    def one(self, name: str, limit: int = POINTER) -> GitObject | None:
        """Return the object NAME with at most LIMIT bytes, or None."""
        return next(self.read([name.encode()], limit))

    def _ask(self, names: Sequence[bytes], limit: int) -> list[GitObject | None]:
        if not self._process:
            self._process = held(self._where(), *self._args)
        questions, answers = self._process.stdin, self._process.stdout
        if not questions or not answers:
            raise AssertionError
        try:
            questions.write(b"".join(name + b"\n" for name in names))
            questions.flush()
        except BrokenPipeError:
            self._explain(names[0])
        found: list[GitObject | None] = []
        for name in names:
            try:
                found.append(answer(answers, limit))
            except EOFError:
                self._explain(name)
        return found

    def _explain(self, name: bytes) -> None:
        """Raise GitError with Git's message about NAME, the question at which the process ended."""
        git(self._where(), *self._args, stdin=name + b"\n")
        raise GitError("git cat-file ended early", hint="run it again")

    def _where(self) -> Layout:
        from modelvc.git.layout import Layout

        return Layout(*self._layout)

    def close(self) -> None:
        """End the process. The next read starts another one."""
        if self._process:
            end(self._process)
            self._process = None

    def __del__(self) -> None:
        self.close()


def objects(layout: Layout, *, original: bool = False) -> Objects:
    """Return the open reader of LAYOUT. ORIGINAL: replace refs are ignored, as in `git push`."""
    found = layout.readers.get(original)
    if not isinstance(found, Objects):
        found = layout.readers[original] = Objects(layout, original=original)
    return found


def _portions(names: Iterable[bytes]) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    size = 0
    for name in names:
        if b"\n" in name or b"\0" in name:
            raise ValueError(name)
        if some and size + len(name) >= _AT_ONCE:
            yield some
            some, size = [], 0
        some.append(name)
        size += len(name) + 1
    if some:
        yield some
