"""How far a metric may be off because the file of predictions holds rounded numbers.

A number that was rounded to d decimals is off by at most half a unit of the last decimal. Numbers without a fraction
count as exact, and so do numbers with nine decimals or more.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_EXACT = 9  # decimals; a number with so many counts as exact


def decimals(values: Sequence[float]) -> int:
    """The largest number of decimals among VALUES: 0 when all are whole, at most 9."""
    most = 0
    for value in values:
        fraction, _, exponent = repr(value).partition("e")
        if not math.isfinite(value) or value == int(value):
            continue
        most = max(most, len(fraction.partition(".")[2]) - int(exponent or 0))
        if most >= _EXACT:
            return _EXACT
    return most


def half_unit(values: Sequence[float]) -> float:
    """By how much each of VALUES may be off; 0.0 where they count as exact."""
    most = decimals(values)
    return 0.0 if most in {0, _EXACT} else 0.5 * 10.0**-most


def of_ranks(positive: Sequence[bool], scores: Sequence[float]) -> float:
    """How far rounded SCORES let an area under the ROC curve be off.

    Rounding ties pairs of a positive and a negative row; each tied pair may be off by one half.
    """
    if not half_unit(scores):
        return 0.0
    pairs = Counter(zip(scores, positive, strict=True))
    tied = sum(times * pairs[score, False] for (score, flag), times in pairs.items() if flag)
    ones = sum(positive)
    return tied / (2 * ones * (len(positive) - ones))


def of_brier(probabilities: Sequence[float], unit: float) -> float:
    """How far a Brier score, the mean of (1 - p)^2 over the rows, may be off when each p is off by at most UNIT."""
    return math.fsum(2 * abs(1 - p) * unit + unit * unit for p in probabilities) / len(probabilities) if unit else 0.0


def of_log_loss(probabilities: Sequence[float], unit: float, least: float) -> float:
    """How far a log loss, the mean of -log p over the rows, may be off when each p is off by at most UNIT.

    A p below LEAST counts as LEAST.
    """
    if not unit:
        return 0.0
    spread = (
        max(math.log(min(1.0, p + unit) / max(p, least)), math.log(max(p, least) / max(p - unit, least)))
        for p in probabilities
    )
    return math.fsum(spread) / len(probabilities)


def of_squares(residuals: Sequence[float], unit: float) -> float:
    """How far a mean of squares e^2 over the rows may be off when each e is off by at most UNIT."""
    return math.fsum(2 * abs(e) * unit + unit * unit for e in residuals) / len(residuals) if unit else 0.0


def is_rounded(exact: Sequence[float], rounded: Sequence[float]) -> int | None:
    """The decimals to which ROUNDED rounds EXACT; None where ROUNDED holds other numbers, or as many decimals."""
    places = decimals(rounded)
    most = max((abs(a - b) for a, b in zip(exact, rounded, strict=True) if a != b), default=0.0)
    return places if most <= 0.5 * 10.0**-places * (1 + 1e-6) and places < decimals(exact) else None
