"""How an operation tells of its progress, without knowing who listens."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Told in bytes; may be called from any thread."""

    def expect(self, size: int) -> None:
        """SIZE more bytes are to be worked on."""

    def advance(self, size: int) -> None:
        """SIZE bytes are done."""


class Silent:
    """Nobody listens."""

    def expect(self, size: int) -> None:
        del size

    def advance(self, size: int) -> None:
        del size


SILENT = Silent()
