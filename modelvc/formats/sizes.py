"""Sizes as people write them in a configuration, such as `10 MiB`, and numbers as people read them."""

from __future__ import annotations

import math

_UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_LOWER = {unit.lower(): factor for unit, factor in _UNITS.items()}
MAX = (1 << 63) - 1  # bytes


def parse(text: str) -> int:
    """The number of bytes in a text such as `10 MiB`, `10MiB` or `512`. Raises ValueError for anything else."""
    stripped = text.strip()
    digits = stripped.rstrip("BKMGTibkmgt ")
    factor = _LOWER.get(stripped[len(digits) :].strip().lower() or "b")
    if factor is None or not (digits.isascii() and digits.isdigit() and len(digits) < 20) or int(digits) * factor > MAX:
        raise ValueError(f"not a size: {text[:40]!r}")
    return int(digits) * factor


def written(size: int) -> str:
    """SIZE, in bytes, as `parse` reads it: in the largest unit that needs no fraction."""
    unit, factor = next((u, f) for u, f in reversed(_UNITS.items()) if size % f == 0 and (size or f == 1))
    return f"{size // factor} {unit}"


def about(size: int) -> str:
    """SIZE, in bytes, for people: `999 B`, `4.2 MB`. Units are powers of ten, and at most three digits are shown."""
    number = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{size} B" if unit == "B" else f"{number:.{0 if number >= 99.95 else 1}f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def six_digits(number: float) -> str:
    """NUMBER rounded to six significant digits, to be shown beside others."""
    if not math.isfinite(number) or not number:
        return repr(number)
    power = math.floor(math.log10(abs(number)))
    return repr(round(number, max(0, 5 - power))) if -5 < power < 15 else f"{number:.6g}"
