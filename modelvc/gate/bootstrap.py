"""The paired bootstrap: how much a difference varies when whole rows are drawn again.

BCa intervals (Efron, JASA 82, 1987). The only source of randomness is `random.Random.random` with a seed, which gives
the same numbers on every platform and in every version of Python.

Rows are not drawn one by one, so that a million rows take little longer than a thousand. `resample_cells` counts the
rows that a metric cannot tell apart, and draws the counts. `resample_sums`, for metrics made of sums, deals the rows at
random into at most `GROUPS` groups, and draws groups.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from modelvc.gate.distributions import normal_cdf, normal_quantile
from modelvc.gate.stats import Interval, NotEnough

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

GROUPS = 1_000
LEAST, MOST = 2_000, 20_000  # resamples


@dataclass(frozen=True, slots=True)
class Resampled:
    """The estimate of a BCa bootstrap: a difference, the sorted differences of the resamples, and two corrections."""

    difference: float
    values: tuple[float, ...]
    bias: float  # z0
    acceleration: float

    @property
    def spread(self) -> float:
        """The standard deviation of the resampled differences."""
        mean = math.fsum(self.values) / len(self.values)
        return math.sqrt(math.fsum((value - mean) ** 2 for value in self.values) / (len(self.values) - 1))

    def interval(self, confidence: float) -> Interval:
        """The BCa interval at CONFIDENCE, such as 0.95."""
        tail = (1 - confidence) / 2
        return Interval(self._end(tail), self._end(1 - tail), confidence)

    def _end(self, share: float) -> float:
        """The end of an interval that has SHARE of the distribution below it, interpolated between two resamples."""
        shifted = self.bias + normal_quantile(share)
        below = 1 - self.acceleration * shifted
        corrected = normal_cdf(self.bias + shifted / below) if below > 0 else float(shifted > 0)
        position = corrected * (len(self.values) - 1)
        first = min(int(position), len(self.values) - 2)
        low, high = self.values[first], self.values[first + 1]
        return low + (high - low) * (position - first)

    def tails(self, value: float) -> tuple[float, float]:
        """One-sided p-values, as in `Estimate.tails`: the BCa interval solved for its confidence."""
        # A value that no resample reached is rarer than one in their number, and still possible.
        count = len(self.values)
        at = (bisect_left(self.values, value) + bisect_right(self.values, value)) / 2
        w = normal_quantile(min(max(at, 0.5), count - 0.5) / count) - self.bias
        below = 1 + self.acceleration * w
        z = (w / below if below > 0 else math.copysign(math.inf, w)) - self.bias
        return normal_cdf(z), normal_cdf(-z)

    def p_value(self) -> float:
        """The two-sided p-value of no difference."""
        return min(1.0, 2 * min(self.tails(0.0)))


def resample_count(confidence: float) -> int:
    """The number of resamples to draw: on average twenty lie beyond each end of the interval."""
    return min(MOST, max(LEAST, math.ceil(40 / (1 - confidence))))


def bca(difference: float, drawn: Sequence[float], left_out: Sequence[tuple[int, float]]) -> Resampled | NotEnough:
    """The BCa estimate from the DRAWN differences; NotEnough where they tell no spread. Source: Efron 1987.

    LEFT_OUT: for rows or groups that are alike, how many there are and the difference without one of them.
    """
    values = tuple(sorted(value for value in drawn if value == value))  # noqa: PLR0124 - nan: the metric is not defined
    if len(values) < len(drawn) * 0.99:
        return NotEnough("in many resamples the metric is not defined: a class has too few rows")
    if values[-1] - values[0] <= 1e-12 * abs(difference):
        return NotEnough("no resample differs, so the spread is unknown")
    tolerance = 1e-12 * (values[-1] - values[0])
    low, high = bisect_left(values, difference - tolerance), bisect_right(values, difference + tolerance)
    share = min(max((low + high) / 2 / len(values), 0.5 / len(values)), 1 - 0.5 / len(values))
    return Resampled(difference, values, normal_quantile(share), acceleration(left_out))


def acceleration(left_out: Sequence[tuple[int, float]]) -> float:
    """The second correction of BCa, from the jackknife; 0.0 where no value is defined or all are equal."""
    known = [(count, value) for count, value in left_out if value == value]  # noqa: PLR0124 - nan
    total = sum(count for count, _ in known)
    if not total:
        return 0.0
    mean = math.fsum(count * value for count, value in known) / total
    squares = math.fsum(count * (mean - value) ** 2 for count, value in known)
    cubes = math.fsum(count * (mean - value) ** 3 for count, value in known)
    scale = squares**1.5
    return cubes / (6 * scale) if scale > 0 else 0.0


def jackknife_spread(left_out: Sequence[tuple[int, float]]) -> float:
    """The standard error of a difference by the jackknife, which leaves out one row at a time."""
    total = sum(count for count, _ in left_out)
    mean = math.fsum(count * value for count, value in left_out) / total
    return math.sqrt((total - 1) / total * math.fsum(count * (mean - value) ** 2 for count, value in left_out))


def resample_sums(
    columns: Sequence[Sequence[float]],
    difference: Callable[[int, Sequence[float]], float],
    *,
    count: int = LEAST,
    seed: int = 0,
) -> Resampled | NotEnough:
    """Bootstrap a metric that is a function of sums; NotEnough for fewer than two rows.

    COLUMNS: the values to sum, one per row. DIFFERENCE takes the number of rows and the sum of each column over them.
    COUNT: resamples.
    """
    rows = len(columns[0])
    if rows < 2:
        return NotEnough(f"{rows} of at least 2 rows")
    rng = Random(seed)  # noqa: S311 - reproducible on purpose
    sizes, grouped = _groups(columns, rng)
    groups = len(sizes)
    totals = [math.fsum(column) for column in grouped]

    def drawn() -> Iterator[float]:
        draw = rng.random
        for _ in range(count):
            picks = [int(draw() * groups) for _ in range(groups)]
            size = sum(map(sizes.__getitem__, picks))
            yield difference(size, [math.fsum(map(column.__getitem__, picks)) for column in grouped])

    left_out = [
        (1, difference(rows - sizes[g], [total - column[g] for total, column in zip(totals, grouped, strict=True)]))
        for g in range(groups)
    ]
    return bca(difference(rows, totals), list(drawn()), left_out)


def _groups(columns: Sequence[Sequence[float]], rng: Random) -> tuple[list[int], list[Sequence[float]]]:
    """The sizes of the groups, and for each column its sum over each group.

    Rows are dealt at random: groups of neighbours in a sorted file would be too much alike.
    """
    rows = len(columns[0])
    if rows <= GROUPS:
        return [1] * rows, list(columns)
    order = list(range(rows))
    for at in range(rows - 1, 0, -1):
        other = int(rng.random() * (at + 1))
        order[at], order[other] = order[other], order[at]
    parts = [order[group::GROUPS] for group in range(GROUPS)]
    return [len(part) for part in parts], [
        [math.fsum(map(column.__getitem__, part)) for part in parts] for column in columns
    ]


def resample_cells(counts: Sequence[int], *, count: int = LEAST, seed: int = 0) -> Iterator[list[int]]:
    """Yield COUNT times how often each cell occurs when all rows are drawn again. COUNTS: rows in each cell."""
    rng = Random(seed)  # noqa: S311 - reproducible on purpose
    rows = sum(counts)
    for _ in range(count):
        left, weight = rows, rows
        found = []
        for cell in counts:
            took = binomial(rng, left, cell / weight) if weight > cell else left
            found.append(took)
            left -= took
            weight -= cell
        yield found


def binomial(rng: Random, n: int, p: float) -> int:
    """A binomial random number of N tries with probability P.

    Small means (N * P < 10) are drawn by waiting times, others by rejection. Source: BTRS, Hörmann 1993.
    """
    if n <= 0 or p <= 0:
        return 0
    if p > 0.5:
        return n - binomial(rng, n, 1 - p)
    return _waited(rng, n, p) if n * p < 10 else _rejected(rng, n, p)


def _waited(rng: Random, n: int, p: float) -> int:
    """A binomial number by waiting times: the tries up to each success are geometric."""
    scale = math.log1p(-p)
    found, at = 0, 0
    while True:
        at += int(math.log(1 - rng.random()) / scale) + 1
        if at > n:
            return found
        found += 1


def _rejected(rng: Random, n: int, p: float) -> int:
    """A binomial number by transformed rejection with squeeze (BTRS); the letters are those of the paper."""
    deviation = math.sqrt(n * p * (1 - p))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * p
    c = n * p + 0.5
    v_r = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * deviation
    odds = math.log(p / (1 - p))
    mode = int((n + 1) * p)
    top = math.lgamma(mode + 1) + math.lgamma(n - mode + 1)
    while True:
        u = rng.random() - 0.5
        v = 1 - rng.random()
        us = 0.5 - abs(u)
        if us <= 0:
            continue
        k = math.floor((2 * a / us + b) * u + c)
        if us >= 0.07 and v <= v_r:
            return k
        if not 0 <= k <= n:
            continue
        v *= alpha / (a / (us * us) + b)
        if math.log(v) <= top - math.lgamma(k + 1) - math.lgamma(n - k + 1) + (k - mode) * odds:
            return k
