"""Show progress on a terminal, and nothing in a pipe."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING

from modelvc.models.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Progress as Bar
    from rich.progress import ProgressColumn

    from modelvc.models.progress import Progress


_PATIENCE = 0.3  # seconds until a command says what it does


@contextmanager
def doing(what: str, *, quiet: bool) -> Iterator[None]:
    """Say WHAT takes so long, on stderr, if the block takes longer than a moment. Without a terminal, say nothing.

    The block must not print.
    """
    if quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        yield
        return
    done = Event()

    def say() -> None:
        if not done.wait(_PATIENCE):
            sys.stderr.write(f"{what} ...")
            sys.stderr.flush()
            done.wait()
            sys.stderr.write("\r\x1b[2K")
            sys.stderr.flush()

    thread = Thread(target=say, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@contextmanager
def progress(what: str, *, quiet: bool) -> Iterator[Progress]:
    """Show a bar on stderr during the block, and why a remote is waited for. Without a terminal, show nothing."""
    if quiet or not sys.stderr.isatty():
        yield SILENT
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("{task.description}"), BarColumn())
    counts = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Shown(bar, what, (*columns, *counts))


class _Shown:
    def __init__(self, bar: Bar, what: str, columns: tuple[ProgressColumn, ...]) -> None:
        """COLUMNS: what BAR shows from when its length is known."""
        self._bar = bar
        self._columns = columns
        self._total = 0
        self._task = bar.add_task(what, total=None)

    def expect(self, size: int) -> None:
        """Add SIZE bytes to the bar's length."""
        self._bar.columns = self._columns
        self._total += size
        self._bar.update(self._task, total=self._total)

    def advance(self, size: int) -> None:
        self._bar.advance(self._task, size)

    def waiting(self, words: str) -> None:
        self._bar.console.print(words, markup=False, highlight=False, soft_wrap=True)
