"""When a failed request is tried again, and which listeners hear of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.errors import RemoteError

    OnWait = Callable[[str], None] | None

DELAYS = (0.3, 1.0, 3.0, 8.0)  # seconds; with the first, five tries in about a dozen seconds


def delays() -> list[float]:
    """Seconds to wait before each further try. They are random, so that many clients do not return at once."""
    import random

    return [delay * random.uniform(0.6, 1.2) for delay in DELAYS]  # noqa: S311 - spread, not secrecy


class Waits:
    """Says why one remote is asked again: a line a second at most, because many requests fail together.

    ON_WAIT is called from any thread; None: nobody listens.
    """

    def __init__(self, on_wait: OnWait = None) -> None:
        self.on_wait = on_wait
        self._last = 0.0  # when a line was said

    def announce(self, why: RemoteError, seconds: float) -> None:
        """Say that the remote is asked again in SECONDS, because of WHY."""
        now = time.monotonic()
        if self.on_wait and now - self._last >= 1:
            self._last = now
            self.on_wait(f"{why}; trying again in {seconds:.1f} s")

    def pause(self, why: RemoteError, seconds: float) -> None:
        """Say it, and wait."""
        self.announce(why, seconds)
        time.sleep(seconds)
