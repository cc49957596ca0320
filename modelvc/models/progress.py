"""The interface by which an operation reports its progress."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """A receiver of progress in bytes. Both methods may be called from any thread."""

    def expect(self, size: int) -> None:
        """Add SIZE bytes to the work ahead."""

    def advance(self, size: int) -> None:
        """Count SIZE bytes as done."""

    def waiting(self, words: str) -> None:
        """A remote is asked again in a moment: WORDS say which, and why."""


class Silent:
    """Progress that is not shown."""

    def expect(self, size: int) -> None:
        """Ignore SIZE."""
        del size

    def advance(self, size: int) -> None:
        """Ignore SIZE."""
        del size

    def waiting(self, words: str) -> None:
        del words


SILENT = Silent()
