"""Compute metrics of two versions from their predictions, and how far rounded predictions let a metric be off."""

from __future__ import annotations

import math
from array import array
from collections import Counter
from dataclasses import dataclass, replace
from operator import eq
from typing import TYPE_CHECKING

from modelvc.errors import shown
from modelvc.gate import bootstrap, confusion, rounding
from modelvc.gate.names import canonical, meaning
from modelvc.gate.stats import Matched, Measurement, NotEnough, delong, losses, missing_values

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TypeAlias

    from modelvc.gate.pairing import PairedRows, Side

_LEAST_PROBABILITY = 2.0**-52  # log loss takes a smaller probability for this one, so that it stays finite
_BOOLEANS = {"true": 1.0, "false": 0.0}
_NAME_IT = 'name it with `mvc add --positive LABEL`, or in the policy: [[model]] positive = "LABEL"'


@dataclass(frozen=True, slots=True)
class NotComputable:
    """The reason why a metric cannot be computed from these predictions."""

    metric: str
    why: str


@dataclass(frozen=True, slots=True)
class MeasureSpec:
    """The measure to compute, and how.

    `metric`: its name, for messages. `positive`: the positive label; "" for the larger of two numbers. `measure`: the
    measure; "" for the one that the name means. `count`: resamples of a bootstrap. `macro`: the mean over all labels,
    even of two.
    """

    metric: str
    positive: str = ""
    measure: str = ""
    count: int = bootstrap.LEAST
    seed: int = 0
    macro: bool = False


if TYPE_CHECKING:
    Measure: TypeAlias = Callable[[PairedRows, MeasureSpec], Measurement | NotComputable]


def measure(paired: PairedRows, spec: MeasureSpec) -> Measurement | NotComputable:
    """Measure SPEC of both versions over the same rows; NotComputable where predictions do not give it.

    The estimate of the result is NotEnough where the rows tell no interval.
    """
    meant = meaning(spec.measure or spec.metric)
    found = MEASURES.get(meant.measure)
    if found is None:
        known = ", ".join(sorted(MEASURES))
        return NotComputable(spec.metric, f"it is not one of those that predictions can give: {known}")
    if meant.mean and meant.mean not in _MEANS.get(meant.measure, ()):
        return NotComputable(spec.metric, f"the {meant.mean} mean over labels of {meant.measure} is not computed")
    positive = canonical(spec.positive)
    if not meant.mean:  # the name may be a row of scikit-learn's report, such as cat.f1-score: then it is about cat
        positive = next((label for label in map(canonical, meant.labels) if label in paired.labels), positive)
    if paired.truth and meant.measure not in _OF_NUMBERS and (why := _missing(paired)):
        return Measurement(math.nan, math.nan, NotEnough(why), "")
    return found(paired, replace(spec, measure=meant.measure, positive=positive, macro=bool(meant.mean)))


def _missing(paired: PairedRows) -> str:
    """In words, how many rows have the label "nan", which pandas writes for a missing one; "" for none."""
    missing = {code for code, label in enumerate(paired.labels) if label.lower() == "nan"}
    columns = (paired.truth, paired.old.predicted, paired.new.predicted)
    return (
        missing_values(sum(not missing.isdisjoint(row) for row in zip(*columns, strict=True)), paired.rows)
        if missing
        else ""
    )


def _accuracy(paired: PairedRows, spec: MeasureSpec) -> Measurement | NotComputable:
    if not paired.truth:
        return NotComputable(spec.metric, "y_true and y_pred are numbers, not labels")
    was = map(eq, paired.truth, paired.old.predicted)
    now = map(eq, paired.truth, paired.new.predicted)
    counts = Counter(zip(was, now, strict=True))
    gained, lost, kept = counts[False, True], counts[True, False], counts[True, True]
    if spec.measure == "error_rate":
        gained, lost, kept = lost, gained, counts[False, False]
    old, new = (kept + lost) / paired.rows, (kept + gained) / paired.rows
    enough = paired.rows > 1
    estimate = Matched(paired.rows, gained, lost) if enough else NotEnough("1 of at least 2 rows")
    return Measurement(old, new, estimate, "exact McNemar test, Tango score interval")


def _auc(paired: PairedRows, spec: MeasureSpec) -> Measurement | NotComputable:
    if len(set(paired.truth)) == 1:
        return _one_class()
    positive = _positive(paired, spec, paired.truth)
    if isinstance(positive, NotComputable):
        return positive
    scores = [_score(side, paired.labels[positive]) for side in (paired.old, paired.new)]
    if scores[0] is None or scores[1] is None:
        return _no_score(spec, scores[0] is None, paired.labels[positive])
    flags = [code == positive for code in paired.truth]
    found = delong(flags, scores[0], scores[1])
    if isinstance(found, NotEnough):
        return Measurement(math.nan, math.nan, found, "")
    slack = (rounding.of_ranks(flags, scores[0]), rounding.of_ranks(flags, scores[1]))
    return Measurement(found.old, found.new, found.estimate, "DeLong test", slack)


def _row_losses(sides: Sequence[Sequence[float]], slack: tuple[float, float]) -> Measurement:
    """A measure that is the mean of one loss per row."""
    old, new = sides
    if why := _not_finite(*sides):
        return Measurement(math.nan, math.nan, NotEnough(why), "")
    estimate = losses([b - a for a, b in zip(old, new, strict=True)])
    means = math.fsum(old) / len(old), math.fsum(new) / len(new)
    return Measurement(*means, estimate, "Student's t over the rows' losses", slack)


def _not_finite(*columns: Sequence[float]) -> str:
    """In words, how many rows have a number that is missing or infinite; "" for none."""
    missing = sum(any(map(math.isnan, row)) for row in zip(*columns, strict=True))
    if missing:
        return missing_values(missing, len(columns[0]))
    huge = sum(not all(map(math.isfinite, row)) for row in zip(*columns, strict=True))
    return f"{huge:,} of {len(columns[0]):,} rows have a value that is not finite" if huge else ""


def _probabilities(paired: PairedRows, spec: MeasureSpec) -> Measurement | NotComputable:
    """Log loss, and the Brier score with two labels."""
    brier = spec.measure == "brier"
    if not paired.truth:
        return NotComputable(spec.metric, "y_true and y_pred are numbers, not labels")
    sides: list[list[float]] = []
    slack: list[float] = []
    for number, side in enumerate((paired.old, paired.new)):
        used = None if brier else _columns_of_truth(paired, side)
        if used:
            given = array("d", (used[code][row] for row, code in enumerate(paired.truth)))
        else:
            positive = _positive(paired, spec, paired.truth)
            if isinstance(positive, NotComputable):
                return positive
            label = paired.labels[positive]
            score = _score(side, label)
            if score is None:
                return _no_score(spec, number == 0, label)
            used = {positive: score}
            given = array("d", (p if c == positive else 1 - p for p, c in zip(score, paired.truth, strict=True)))
        if any(p < 0 or p > 1 for p in given):
            return NotComputable(spec.metric, "its scores are not probabilities: some lie outside 0 to 1")
        sides.append([_brier(p) for p in given] if brier else [_log_loss(p) for p in given])
        unit = max(map(rounding.half_unit, used.values()))
        slack.append(rounding.of_brier(given, unit) if brier else rounding.of_log_loss(given, unit, _LEAST_PROBABILITY))
    return _row_losses(sides, (slack[0], slack[1]))


def _brier(p: float) -> float:
    return (1 - p) ** 2


def _log_loss(p: float) -> float:
    return -math.log(max(_LEAST_PROBABILITY, p)) if p == p else p  # noqa: PLR0124 - nan


def _columns_of_truth(paired: PairedRows, side: Side) -> dict[int, array[float]] | None:
    """By label that is true in some row, its column of scores; None unless each of them has a column of its own."""
    columns = {code: side.scores.get(f"y_score_{paired.labels[code]}") for code in set(paired.truth)}
    found = {code: column for code, column in columns.items() if column is not None}
    return found if len(found) == len(columns) else None


def _errors(paired: PairedRows, spec: MeasureSpec) -> Measurement | NotComputable:
    """Mean squared error and mean absolute error."""
    if why := _no_numbers(paired):
        return NotComputable(spec.metric, why)
    squared = spec.measure == "mse"
    sides, slack = [], []
    for side in (paired.old, paired.new):
        errors, unit = _residuals(paired, side)
        sides.append([e * e for e in errors] if squared else [abs(e) for e in errors])
        slack.append(rounding.of_squares(errors, unit) if squared else unit)
    return _row_losses(sides, (slack[0], slack[1]))


def _rooted(paired: PairedRows, spec: MeasureSpec) -> Measurement | NotComputable:
    """RMSE and R2, which are functions of sums over the rows."""
    if why := _no_numbers(paired):
        return NotComputable(spec.metric, why)
    errors = [_residuals(paired, side) for side in (paired.old, paired.new)]
    columns, values = [[e * e for e in side] for side, _ in errors], paired.truth_values
    slack = [rounding.of_squares(side, unit) for side, unit in errors]  # of the mean squared errors
    if why := _not_finite(*columns):
        return Measurement(math.nan, math.nan, NotEnough(why), "")
    n, total_old, total_new = paired.rows, math.fsum(columns[0]), math.fsum(columns[1])
    method = f"paired bootstrap (BCa, {spec.count:,} resamples)"
    if spec.measure == "rmse":
        found = bootstrap.resample_sums(columns, _rmse_change, count=spec.count, seed=spec.seed)
        old, new = math.sqrt(total_old / n), math.sqrt(total_new / n)
        return Measurement(old, new, found, method, (_root_slack(old, slack[0]), _root_slack(new, slack[1])))
    mean = math.fsum(values) / n
    centred = [value - mean for value in values]
    spread = math.fsum(value * value for value in centred)
    if min(values) == max(values):
        return Measurement(math.nan, math.nan, NotEnough("y_true is the same in all rows"), "")
    columns = [*columns, centred, [value * value for value in centred]]
    found = bootstrap.resample_sums(columns, _r2_change, count=spec.count, seed=spec.seed)
    off = (slack[0] * n / spread, slack[1] * n / spread)
    return Measurement(1 - total_old / spread, 1 - total_new / spread, found, method, off)


def _root_slack(root: float, slack: float) -> float:
    """By how much ROOT may be off, when the mean that it is the root of may be off by SLACK."""
    return math.sqrt(root * root + slack) - math.sqrt(max(0.0, root * root - slack))


def _rmse_change(rows: int, sums: Sequence[float]) -> float:
    return math.sqrt(sums[1] / rows) - math.sqrt(sums[0] / rows)


def _r2_change(rows: int, sums: Sequence[float]) -> float:
    spread = sums[3] - sums[2] * sums[2] / rows
    return (sums[0] - sums[1]) / spread if spread > 1e-12 * sums[3] else math.nan


def _confused(paired: PairedRows, spec: MeasureSpec) -> Measurement | NotComputable:
    if not paired.truth:
        return NotComputable(spec.metric, "y_true and y_pred are numbers, not labels")
    cells = confusion.cells_of(paired.truth, paired.old.predicted, paired.new.predicted)
    used = {code for cell in cells for code in cell}
    if len(used) < 2:
        return _one_class()
    positive = None
    if not spec.macro and spec.measure != "balanced_accuracy" and (spec.positive or len(used) == 2):
        found = _positive(paired, spec, used)
        if isinstance(found, NotComputable):
            return found
        positive = found
    return confusion.measure_cells(cells, spec.measure, positive, count=spec.count, seed=spec.seed)


def _one_class() -> Measurement:
    return Measurement(math.nan, math.nan, NotEnough("all rows are of one class"), "")


MEASURES: Mapping[str, Measure] = {
    "accuracy": _accuracy,
    "error_rate": _accuracy,
    "auc": _auc,
    "log_loss": _probabilities,
    "brier": _probabilities,
    "mse": _errors,
    "mae": _errors,
    "rmse": _rooted,
    "r2": _rooted,
    "f1": _confused,
    "precision": _confused,
    "recall": _confused,
    "balanced_accuracy": _confused,
}
_MEANS = {
    "f1": ("macro",),
    "precision": ("macro",),
    "recall": ("macro",),
    "accuracy": ("micro",),
    "auc": ("macro", "weighted"),
}
_OF_NUMBERS = frozenset({"mse", "mae", "rmse", "r2"})


def _positive(paired: PairedRows, spec: MeasureSpec, used: array[int] | set[int]) -> int | NotComputable:
    """The code of the positive label: the label that SPEC names, else the larger of two numbers among those USED.

    NotComputable where SPEC names none and the labels are not two numbers: a guess could measure the wrong label.
    """
    if not paired.truth:
        return NotComputable(spec.metric, "y_true and y_pred are numbers, not labels")
    codes = set(used)
    if spec.positive:
        if spec.positive not in paired.labels:
            return NotComputable(spec.metric, f'no row has the positive label "{shown(spec.positive, 80)}"')
        return paired.labels.index(spec.positive)
    if len(codes) == 1:  # a single label may be the negative one: the predicted labels can tell
        codes = set(range(len(paired.labels)))
    if len(codes) != 2:
        many = f"{len(codes):,}" if len(codes) > 1 else "only one"
        return NotComputable(spec.metric, f"it needs two labels, and there are {many}; name the positive one")
    ranks = {code: _rank(paired.labels[code]) for code in codes}
    numbers = {code: rank for code, rank in ranks.items() if rank is not None}
    if len(numbers) < len(ranks):
        labels = " or ".join(shown(paired.labels[code], 40) for code in sorted(codes, key=paired.labels.__getitem__))
        return NotComputable(spec.metric, f"nothing says which label is the positive one, {labels}: {_NAME_IT}")
    return max(numbers, key=numbers.__getitem__)


def _rank(label: str) -> float | None:
    """LABEL as a number, where true is 1 and false 0; None for a text."""
    try:
        return _BOOLEANS[label.lower()] if label.lower() in _BOOLEANS else float(label)
    except ValueError:
        return None


def _score(side: Side, label: str) -> array[float] | None:
    """The scores of LABEL: its own column, else `y_score`; None where there is neither."""
    return side.scores.get(f"y_score_{label}", side.scores.get("y_score"))


def _no_score(spec: MeasureSpec, old: bool, label: str) -> NotComputable:  # noqa: FBT001 - which of two
    which = "old" if old else "new"
    return NotComputable(
        spec.metric, f"the predictions of the {which} version have no column y_score or y_score_{shown(label, 80)}"
    )


def _no_numbers(paired: PairedRows) -> str:
    """In words, that a column is not numeric; "" where all are."""
    if paired.truth_values and paired.old.values and paired.new.values:
        return ""
    return "y_true and y_pred are not numbers in every row"


def _residuals(paired: PairedRows, side: Side) -> tuple[list[float], float]:
    """The error of each row, and by how much rounded numbers let an error be off."""
    unit = rounding.half_unit(paired.truth_values) + rounding.half_unit(side.values)
    return [a - b for a, b in zip(side.values, paired.truth_values, strict=True)], unit
