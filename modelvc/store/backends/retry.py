"""How often a remote is asked again, how long apart, and who hears of it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelvc.errors import RemoteError

DELAYS = (0.3, 1.0, 3.0, 8.0)  # seconds; five tries in about a dozen seconds

_listeners: list[Callable[[str], None]] = []
_said = [0.0]  # when; many requests fail together, and one line tells of them


def delays() -> list[float]:
    """Seconds to wait before each further try, spread so that many clients do not come back at once."""
    import random

    return [delay * random.uniform(0.6, 1.2) for delay in DELAYS]  # noqa: S311 - spread, not secrecy


@contextmanager
def heard_by(listener: Callable[[str], None]) -> Iterator[None]:
    """LISTENER is told, from any thread, what is waited for while the block runs."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def announce(why: RemoteError, seconds: float) -> None:
    """Say that the remote is asked again in SECONDS, because of WHY; at most one line a second."""
    now = time.monotonic()
    if not _listeners or now - _said[0] < 1:
        return
    _said[0] = now
    for listener in _listeners:
        listener(f"{why}; trying again in {seconds:.1f} s")


def pause(why: RemoteError, seconds: float) -> None:
    announce(why, seconds)
    time.sleep(seconds)
