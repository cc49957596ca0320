"""Show progress on a terminal, and nothing in a pipe."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modelvc.models.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.models.progress import Progress


@contextmanager
def progress(what: str, *, quiet: bool) -> Iterator[Progress]:
    """Show a bar on stderr during the block, and why a remote is waited for. Without a terminal, show nothing."""
    if quiet or not sys.stderr.isatty():
        yield SILENT
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn
    from rich.progress import Progress as Bar

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)

    with Bar(*columns, console=console, transient=True) as bar:
        yield _Shown(bar, what)


class _Shown:
    def __init__(self, bar: object, what: str) -> None:
        self._bar = bar
        self._total = 0
        self._task = bar.add_task(what, total=None)  # type: ignore[attr-defined]

    def expect(self, size: int) -> None:
        self._total += size
        self._bar.update(self._task, total=self._total)  # type: ignore[attr-defined]

    def advance(self, size: int) -> None:
        self._bar.advance(self._task, size)  # type: ignore[attr-defined]

    def waiting(self, words: str) -> None:
        self._bar.console.print(words, markup=False, highlight=False, soft_wrap=True)  # type: ignore[attr-defined]
