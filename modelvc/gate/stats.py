"""Paired tests: how much two versions differ over the same rows, and how sure that is.

Each method gives an `Estimate`: a difference (new less old), its interval at any confidence, and one-sided p-values.

| class | for | source |
|---|---|---|
| `Matched` | accuracy, error rate | score interval of Tango (Statistics in Medicine 17, 1998); exact McNemar test |
| `Ranked` | AUC | DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988), computed from one sort per version |
| `Losses` | means of one loss per row | Student's t over the rows' differences |
| `modelvc.gate.bootstrap.Resampled` | the rest | paired bootstrap, BCa (Efron, JASA 82, 1987) |
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from modelvc.gate.distributions import half_tail, normal_cdf, normal_quantile, t_cdf, t_quantile, t_sf

if TYPE_CHECKING:
    from collections.abc import Sequence

Decision: TypeAlias = Literal["pass", "fail", "inconclusive"]

_POWER = 0.8  # the share of cases that as many rows as `rows_needed` says would decide
_MOST_ROWS = 10**12  # more are no advice


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the true difference lies at a confidence such as 0.95; half of the remaining share is on each side."""

    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True)
class NotEnough:
    """The reason why there is no interval: too few rows, or rows in which nothing varies."""

    why: str


class Estimate(Protocol):
    """A difference between two versions, estimated from rows."""

    @property
    def difference(self) -> float:
        """New less old."""
        ...

    @property
    def spread(self) -> float:
        """The standard error of the difference."""
        ...

    def interval(self, confidence: float) -> Interval:
        """The interval of the true difference at CONFIDENCE, such as 0.95."""
        ...

    def tails(self, value: float) -> tuple[float, float]:
        """One-sided p-values: that the true difference is at most VALUE, and that it is at least VALUE."""
        ...

    def p_value(self) -> float:
        """The two-sided p-value of no difference."""
        ...


@dataclass(frozen=True, slots=True)
class Measurement:
    """A metric of both versions, and the estimate of its change.

    `old` and `new` are nan where the rows do not define the metric. `method`: the test, in words. `slack`: by how much
    `old` and `new` may be off, because scores or values in the file are rounded.
    """

    old: float
    new: float
    estimate: Estimate | NotEnough
    method: str
    slack: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Matched:
    """The estimate for rows that are right or wrong.

    `gained` rows are right only with the new version, `lost` rows only with the old one. The interval is Tango's score
    interval, which keeps its confidence for few discordant rows and for none. The p-value is McNemar's exact one. A
    one-sided p-value is that of the score test, and at least the exact one where VALUE includes no difference. So a
    version that is shown to be worse by more than a margin is also shown to be worse.
    """

    rows: int
    gained: int
    lost: int

    @property
    def difference(self) -> float:
        return (self.gained - self.lost) / self.rows

    @property
    def spread(self) -> float:
        either, net = self.gained + self.lost, self.gained - self.lost
        return math.sqrt(max(0.0, either - net * net / self.rows)) / self.rows

    def score(self, value: float) -> float:
        """Tango's statistic: standard normal if the true difference is VALUE. Source: Tango 1998."""
        n, b, c = self.rows, self.gained, self.lost
        top = b - c - n * value
        linear = -b - c + (2 * n - b + c) * value
        root = math.sqrt(max(0.0, linear * linear + 8 * n * c * value * (1 - value)))
        only_old = max(0.0, (root - linear) / (4 * n))  # the likeliest share of lost rows
        variance = n * (2 * only_old + value * (1 - value))
        if variance <= 0:
            return 0.0 if top == 0 else math.copysign(math.inf, top)
        return top / math.sqrt(variance)

    def interval(self, confidence: float) -> Interval:
        z = normal_quantile((1 + confidence) / 2)
        return Interval(self._where(z, -1.0, self.difference), self._where(-z, self.difference, 1.0), confidence)

    def _where(self, wanted: float, low: float, high: float) -> float:
        """The value between LOW and HIGH at which the statistic is WANTED, by bisection: it falls with the value."""
        for _ in range(200):
            middle = (low + high) / 2
            if middle in {low, high}:
                break
            if self.score(middle) > wanted:
                low = middle
            else:
                high = middle
        return (low + high) / 2

    def tails(self, value: float) -> tuple[float, float]:
        score, either = self.score(value), self.gained + self.lost
        below, above = normal_cdf(-score), normal_cdf(score)
        if value >= 0:
            below = max(below, half_tail(self.lost, either))
        if value <= 0:
            above = max(above, half_tail(self.gained, either))
        return below, above

    def p_value(self) -> float:
        return mcnemar(self.gained, self.lost)


def mcnemar(gained: int, lost: int) -> float:
    """The exact two-sided p-value of McNemar's test for GAINED and LOST discordant rows."""
    return min(1.0, 2 * half_tail(min(gained, lost), gained + lost))


@dataclass(frozen=True, slots=True)
class Losses:
    """The estimate for a mean of differences that are independent from row to row, by Student's t."""

    difference: float
    spread: float
    df: int

    def interval(self, confidence: float) -> Interval:
        half = t_quantile((1 + confidence) / 2, self.df) * self.spread
        return Interval(self.difference - half, self.difference + half, confidence)

    def tails(self, value: float) -> tuple[float, float]:
        t = (self.difference - value) / self.spread
        return t_sf(t, self.df), t_cdf(t, self.df)

    def p_value(self) -> float:
        return min(1.0, 2 * min(self.tails(0.0)))


def losses(differences: Sequence[float]) -> Losses | NotEnough:
    """The estimate from DIFFERENCES, one change of loss per row; NotEnough where they tell no spread."""
    n = len(differences)
    if n < 2:
        return NotEnough(f"{n} of at least 2 rows")
    mean = math.fsum(differences) / n
    if not math.isfinite(mean):
        return NotEnough("some values are not finite")
    variance = math.fsum((d - mean) ** 2 for d in differences) / (n - 1)
    # A variance of 0 that rounding makes a little larger would look like certainty.
    if not variance > (1e-12 * abs(mean)) ** 2 or not math.isfinite(variance):
        return NotEnough("every row changed by the same amount, so the spread is unknown")
    return Losses(mean, math.sqrt(variance / n), n - 1)


@dataclass(frozen=True, slots=True)
class Linear:
    """The estimate for a difference that is normal for many rows, from its standard error."""

    difference: float
    spread: float

    def interval(self, confidence: float) -> Interval:
        half = normal_quantile((1 + confidence) / 2) * self.spread
        return Interval(self.difference - half, self.difference + half, confidence)

    def tails(self, value: float) -> tuple[float, float]:
        z = (self.difference - value) / self.spread
        return normal_cdf(-z), normal_cdf(z)

    def p_value(self) -> float:
        return min(1.0, 2 * min(self.tails(0.0)))


@dataclass(frozen=True, slots=True)
class Unmoved:
    """The estimate for an AUC where no positive row changed its rank against any negative row.

    `pairs`: the largest number of pairs of a positive and a negative row that share no row. At confidence c, the share
    of pairs that would change is at most 1 - ((1-c)/2)^(1/pairs), as for any event that was never seen (Clopper and
    Pearson 1934). The AUC changes by no more than that share.
    """

    pairs: int
    difference: float = 0.0

    @property
    def spread(self) -> float:
        return 1 / self.pairs

    def interval(self, confidence: float) -> Interval:
        most = -math.expm1(math.log((1 - confidence) / 2) / self.pairs)
        return Interval(-most, most, confidence)

    def tails(self, value: float) -> tuple[float, float]:
        share = (1 - min(1.0, abs(value))) ** self.pairs
        return (1.0, share) if value > 0 else (share, 1.0)

    def p_value(self) -> float:
        return 1.0


@dataclass(frozen=True, slots=True)
class Ranked:
    """The areas under two ROC curves over the same rows, and the estimate of their difference."""

    old: float
    new: float
    estimate: Linear | Unmoved | NotEnough


def missing_values(count: int, rows: int) -> str:
    """In words, that COUNT of ROWS rows lack a value."""
    return f"{count:,} {'row' if count == 1 else 'rows'} of {rows:,} {'lacks' if count == 1 else 'lack'} a value"


def delong(positive: Sequence[bool | int], old: Sequence[float], new: Sequence[float]) -> Ranked | NotEnough:
    """Compare the AUC of two versions; NotEnough where a score is missing or one class is empty.

    POSITIVE: for each row whether its true label is the positive one. OLD, NEW: the scores. Source: DeLong, DeLong and
    Clarke-Pearson, Biometrics 44, 1988, computed from one sort per version.
    """
    if bad := sum(a != a or b != b for a, b in zip(old, new, strict=True)):  # noqa: PLR0124 - nan
        return NotEnough(missing_values(bad, len(old)))
    positives = sum(map(bool, positive))
    negatives = len(positive) - positives
    if not positives or not negatives:
        return NotEnough("all rows are of one class")
    before, after = _placements(positive, old), _placements(positive, new)
    moved: tuple[list[float], list[float]] = ([], [])
    total = [0.0, 0.0]
    for flag, a, b in zip(positive, before, after, strict=True):
        moved[bool(flag)].append(b - a)
        if flag:
            total[0] += a
            total[1] += b
    area_old, area_new = total[0] / positives, total[1] / positives
    return Ranked(area_old, area_new, _area_estimate(area_new - area_old, moved))


def _area_estimate(difference: float, moved: tuple[list[float], list[float]]) -> Linear | Unmoved | NotEnough:
    fewest = min(map(len, moved))
    if not any(moved[0]) and not any(moved[1]):
        return Unmoved(fewest)
    if fewest < 2:
        return NotEnough("a class has a single row")
    variance = sum(_variance(part) / len(part) for part in moved)
    if not variance > 1e-24 * difference**2:
        return NotEnough("every row changed by the same amount, so the spread is unknown")
    return Linear(difference, math.sqrt(variance))


def _placements(positive: Sequence[bool | int], scores: Sequence[float]) -> list[float]:
    """For each row, the share of rows of the other class that it is ranked correctly against; a tie counts half."""
    order = sorted(range(len(scores)), key=scores.__getitem__)
    positives = sum(map(bool, positive))
    negatives = len(scores) - positives
    found = [0.0] * len(scores)
    below = [0, 0]  # negatives, positives with lower scores
    start = 0
    while start < len(order):
        end = start + 1
        score = scores[order[start]]
        while end < len(order) and scores[order[end]] == score:
            end += 1
        tied = order[start:end]
        ups = sum(1 for row in tied if positive[row])
        above_negatives = (below[0] + (len(tied) - ups) / 2) / negatives
        below_positives = (positives - below[1] - ups / 2) / positives
        for row in tied:
            found[row] = above_negatives if positive[row] else below_positives
        below[0] += len(tied) - ups
        below[1] += ups
        start = end
    return found


def _variance(values: Sequence[float]) -> float:
    mean = math.fsum(values) / len(values)
    return math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """P_VALUES adjusted by Holm's step-down rule, in their order: one level then holds for all of them together.

    Source: Holm, Scandinavian Journal of Statistics 6, 1979.
    """
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    adjusted = [0.0] * len(p_values)
    least = 0.0
    for rank, which in enumerate(order):
        least = max(least, min(1.0, (len(p_values) - rank) * p_values[which]))
        adjusted[which] = least
    return tuple(adjusted)


def decide(interval: Interval, margin: float, *, higher: bool = True) -> Decision:
    """Decide by the INTERVAL of a difference (new less old) about a metric that may get worse by MARGIN.

    HIGHER: whether higher is better. If lower is better, both ends of the interval change their sign and swap. Then:

    - **pass**: the whole interval is at or above -MARGIN, so that a larger loss is ruled out;
    - **fail**: the whole interval is below -MARGIN, so that a larger loss is shown;
    - **inconclusive**: -MARGIN lies inside the interval: too few rows for so small a margin. An undefined interval and
      a negative MARGIN are inconclusive as well.

    At confidence c, a model that is worse by at most MARGIN fails in at most (1-c)/2 of cases. A model that is worse by
    more passes in at most (1-c)/2 of cases. With a MARGIN of 0, an equal model is nearly always inconclusive, and only
    a model that is shown to be better passes. With `on_inconclusive = "warn"`, shown losses alone then fail.
    """
    low, high = (interval.low, interval.high) if higher else (-interval.high, -interval.low)
    if low != low or high != high or margin != margin or margin < 0:  # noqa: PLR0124 - nan is no answer
        return "inconclusive"
    return "pass" if low >= -margin else "fail" if high < -margin else "inconclusive"


def rows_needed(estimate: Estimate, rows: int, margin: float, confidence: float, *, higher: bool = True) -> int | None:
    """About how many rows would decide in four of five cases, if further rows are like these ROWS.

    The estimate assumes that both versions are equally good. If ROWS are that many already, or MARGIN is 0, it assumes
    that the true difference is the one that was seen. None where no number of rows would decide.
    """
    z = normal_quantile((1 + confidence) / 2) + normal_quantile(_POWER)
    spread = max(estimate.spread, 1 / rows)
    gain = estimate.difference if higher else -estimate.difference
    for gap in (margin, abs(gain + margin)):
        if gap > 0:
            needed = rows * (z * spread / gap) ** 2
            if needed > _MOST_ROWS:
                return None
            if needed > rows:
                return math.ceil(needed)
    return None
