"""When a failed request is tried again, and which listeners hear of it."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelvc.errors import RemoteError

DELAYS = (0.3, 1.0, 3.0, 8.0)  # seconds; with the first, five tries in about a dozen seconds

_listeners: list[Callable[[str], None]] = []
_said = [0.0]  # time.monotonic() of the last line: many requests fail together, and one line is enough


def delays() -> list[float]:
    """Seconds to wait before each further try. They are random, so that many clients do not return at once."""
    import random

    return [delay * random.uniform(0.6, 1.2) for delay in DELAYS]  # noqa: S311 - spread, not secrecy


@contextmanager
def heard_by(listener: Callable[[str], None]) -> Iterator[None]:
    """While the block runs, call LISTENER, from any thread, with a line about each wait."""
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def announce(why: RemoteError, seconds: float) -> None:
    """Tell the listeners that a request is tried again in SECONDS, because of WHY; at most one line a second."""
    now = time.monotonic()
    if not _listeners or now - _said[0] < 1:
        return
    _said[0] = now
    for listener in _listeners:
        listener(f"{why}; trying again in {seconds:.1f} s")


def pause(why: RemoteError, seconds: float) -> None:
    """Tell the listeners, then wait SECONDS."""
    announce(why, seconds)
    time.sleep(seconds)
