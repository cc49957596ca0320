"""Scale axes: their ends, their ticks, and the labels of ticks."""

from __future__ import annotations

import math

_LEAST = 1e-300  # the least span; near the smallest floats, a fifth of a span may round to zero


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return at most MOST + 1 round numbers from LOW to HIGH, in steps of 1, 2 or 5 times a power of ten."""
    span = high - low
    if not math.isfinite(span) or span < max(_LEAST, 1e-12 * max(abs(low), abs(high))):
        return [low]
    rough = span / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [number * step for number in range(first, last + 1)]


def label(value: float, span: float) -> str:
    """Return VALUE with enough digits to distinguish neighbours on an axis of length SPAN."""
    largest = max(abs(value), abs(span))
    if value and not 1e-4 <= largest < 1e7:
        return f"{value:.3g}"
    digits = 0 if span <= 0 else max(0, 2 - math.floor(math.log10(span)))
    text = f"{value:.{min(digits, 12)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def bounds(values: list[float], also: list[float]) -> tuple[float, float]:
    """Return the ends of an axis: it shows all VALUES with some margin, and those of ALSO that are near."""
    low, high = min(values), max(values)
    span = high - low or abs(high) or 1.0
    near = [one for one in also if low - 2 * span <= one <= high + 2 * span]
    low, high = min([low, *near]), max([high, *near])
    room = 0.06 * ((high - low) or abs(high) or 1.0)
    return low - room, high + room
