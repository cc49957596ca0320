"""Metrics that depend on the confusion table alone: precision, recall, F1 and balanced accuracy.

With two labels, the metric is about the positive one. With more labels, it is the plain mean ("macro") over the labels
that occur in `y_true` or in `y_pred` of that version. A precision without any positive prediction is 0.
"""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

from modelvc.gate import bootstrap
from modelvc.gate.stats import Linear, Measurement, NotEnough

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import TypeAlias

    LabelTriple: TypeAlias = tuple[int, int, int]  # true label, prediction of the old version, of the new version
    OfClass: TypeAlias = Callable[[int, int, int], float]  # right, predicted, there -> value; nan where it has none

MOST_CELLS = 1_000  # with more, resampling takes too long: the jackknife gives the standard error


def _f1(right: int, predicted: int, there: int) -> float:
    return 2 * right / (predicted + there) if predicted + there else math.nan


def _precision(right: int, predicted: int, there: int) -> float:
    return right / predicted if predicted else 0.0 if there else math.nan


def _recall(right: int, predicted: int, there: int) -> float:
    return right / there if there else 0.0 if predicted else math.nan


def _recall_of_known(right: int, _: int, there: int) -> float:
    return right / there if there else math.nan


OF_CLASS: Mapping[str, OfClass] = {
    "f1": _f1,
    "precision": _precision,
    "recall": _recall,
    "balanced_accuracy": _recall_of_known,
}


def measure_cells(
    cells: Mapping[LabelTriple, int], metric: str, positive: int | None, *, count: int, seed: int
) -> Measurement:
    """Measure METRIC from how often each cell of the confusion table occurs.

    POSITIVE: the label that the metric is about; None for the mean over all labels. COUNT: resamples of the bootstrap.
    A table with more than `MOST_CELLS` cells gets its standard error from the jackknife.
    """
    if positive is not None:
        cells = _about(cells, positive)
    table = sorted(cells.items())  # so that the order of rows makes no difference
    of_class = OF_CLASS[metric]
    only = None if positive is None or metric == "balanced_accuracy" else 1
    keys, counts = [cell for cell, _ in table], [times for _, times in table]
    classes = 2 if positive is not None else 1 + max(max(cell) for cell in keys)

    def both(drawn: Sequence[int]) -> tuple[_LabelCounts, _LabelCounts]:
        sides = _LabelCounts(classes, of_class, only), _LabelCounts(classes, of_class, only)
        for (truth, old, new), times in zip(keys, drawn, strict=True):
            if times:
                sides[0].add(truth, old, times)
                sides[1].add(truth, new, times)
        return sides

    old, new = both(counts)
    before, after = old.value(), new.value()
    if math.isnan(before) or math.isnan(after) or (only and not old.there[only]):
        return Measurement(before, after, NotEnough("no row is of the positive class"), "")
    without_old, without_new = old.leaving_out(), new.leaving_out()
    left_out = [
        (times, without_new(truth, said_new) - without_old(truth, said_old))
        for (truth, said_old, said_new), times in table
    ]
    if len(table) > MOST_CELLS:
        spread = bootstrap.jackknife_spread(left_out)
        estimate = Linear(after - before, spread) if spread > 0 else NotEnough("no row changes the metric")
        return Measurement(before, after, estimate, "jackknife over rows")
    values = (_difference(both(drawn)) for drawn in bootstrap.resample_cells(counts, count=count, seed=seed))
    found = bootstrap.bca(after - before, list(values), left_out)
    return Measurement(before, after, found, f"paired bootstrap (BCa, {count:,} resamples)")


def cells_of(truth: Iterable[int], old: Iterable[int], new: Iterable[int]) -> Counter[LabelTriple]:
    """How often each triple of labels occurs in rows."""
    return Counter(zip(truth, old, new, strict=True))


def _about(cells: Mapping[LabelTriple, int], positive: int) -> Counter[LabelTriple]:
    """The table with two labels instead: 1 for POSITIVE, 0 for any other."""
    found: Counter[LabelTriple] = Counter()
    for (truth, old, new), times in cells.items():
        found[int(truth == positive), int(old == positive), int(new == positive)] += times
    return found


def _difference(sides: tuple[_LabelCounts, _LabelCounts]) -> float:
    return sides[1].value() - sides[0].value()


class _LabelCounts:
    """Counts of one version by label: how often it was predicted rightly, predicted at all, and true.

    ONLY: the label that the metric is about; None for the mean over all labels.
    """

    def __init__(self, classes: int, of_class: OfClass, only: int | None) -> None:
        self._of_class = of_class
        self._only = only
        self.right = [0] * classes
        self.predicted = [0] * classes
        self.there = [0] * classes

    def add(self, truth: int, said: int, times: int) -> None:
        self.there[truth] += times
        self.predicted[said] += times
        if truth == said:
            self.right[truth] += times

    def values(self) -> list[float]:
        """The metric of each label that counts; nan for a label that does not occur."""
        if self._only is not None:
            one = self._only
            return [self._of_class(self.right[one], self.predicted[one], self.there[one])]
        return list(map(self._of_class, self.right, self.predicted, self.there))

    def value(self) -> float:
        """The metric; nan where no label has a value."""
        return _mean(self.values())

    def leaving_out(self) -> Callable[[int, int], float]:
        """A function of (truth, prediction): the metric without one such row. It recomputes those two labels alone."""
        known = [value for value in self.values() if value == value]  # noqa: PLR0124 - nan
        total, number = math.fsum(known), len(known)

        def without(truth: int, said: int) -> float:
            left, many = total, number
            for label in {truth, said} if self._only is None else {self._only}:
                counts = self.right[label], self.predicted[label], self.there[label]
                less = (
                    counts[0] - (truth == said == label),
                    counts[1] - (said == label),
                    counts[2] - (truth == label),
                )
                for value, sign in ((self._of_class(*counts), -1), (self._of_class(*less), 1)):
                    if value == value:  # noqa: PLR0124 - nan
                        left += sign * value
                        many += sign
            return left / many if many else math.nan

        return without


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if value == value]  # noqa: PLR0124 - nan: a label that does not occur
    return math.fsum(known) / len(known) if known else math.nan
