"""How often, and how long apart, a far side is asked again."""

from __future__ import annotations

import random

DELAYS = (0.3, 1.0, 3.0, 8.0)  # seconds; five tries in about a dozen seconds


def delays() -> list[float]:
    """Seconds to wait before each further try, spread so that many clients do not come back at once."""
    return [delay * random.uniform(0.6, 1.2) for delay in DELAYS]  # noqa: S311 - spread, not secrecy
