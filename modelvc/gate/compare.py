"""Compare a metric of two versions by their predictions: its change, how sure that is, and the decision of a gate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.gate import bootstrap
from modelvc.gate.measures import MeasureSpec, NotComputable, measure
from modelvc.gate.stats import Interval, Measurement, NotEnough, decide, holm, rows_needed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.gate.pairing import PairedRows
    from modelvc.gate.stats import Decision, Estimate

ENOUGH_TO_BE_SAME = 30  # rows; in fewer, equal predictions do not count as an unchanged metric


@dataclass(frozen=True, slots=True)
class Question:
    """How to judge a metric.

    `margin`: how much worse it may get. `higher`: whether higher is better. `positive`: the label that precision,
    recall, F1, AUC and Brier are about; "" for the larger of two numbers. `measure`: the measure to compute; "" for the
    one that the metric's name means. `seed`: of the bootstrap.
    """

    margin: float = 0.0
    higher: bool = True
    confidence: float = 0.95
    positive: str = ""
    measure: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A metric of two versions over the same rows.

    `difference`: new less old, with its `interval`. `p_value`: two-sided, of no difference. `p_worse`: one-sided, of a
    loss within the margin; it is small when a larger loss is shown. `enough`: whether there is an interval; where there
    is none, `why` says so. `same`: both versions predicted the same in every row. `rows_needed`: about how many rows
    would decide; None where these rows decide, or no number would.
    """

    metric: str
    question: Question
    old: float
    new: float
    difference: float
    interval: Interval | None
    p_value: float | None
    p_worse: float | None
    rows: int
    rows_needed: int | None
    method: str
    enough: bool
    why: str
    same: bool = False
    slack: tuple[float, float] = (0.0, 0.0)  # by how much rounded predictions let `old` and `new` be off


@dataclass(frozen=True, slots=True)
class Decided:
    """The decision about one metric. `p_adjusted`: `p_worse` after Holm's correction; None without a `p_worse`."""

    outcome: Decision
    why: str
    p_adjusted: float | None = None


def compare_metric(paired: PairedRows, metric: str, question: Question) -> Comparison | NotComputable:
    """Compare METRIC of both versions over the rows of PAIRED; NotComputable where predictions do not give it."""
    count = bootstrap.resample_count(question.confidence)
    spec = MeasureSpec(metric, question.positive, question.measure, count, question.seed)
    try:
        found = measure(paired, spec)
    except (OverflowError, ZeroDivisionError):
        found = Measurement(math.nan, math.nan, NotEnough("its values are too large to compute with"), "")
    if isinstance(found, NotComputable):
        return found
    return _compared(paired, metric, question, found)


def _compared(paired: PairedRows, metric: str, question: Question, found: Measurement) -> Comparison:
    defined = math.isfinite(found.old) and math.isfinite(found.new)
    method, tested, why = found.method, None, "it is not defined for these rows"
    if defined and paired.same and paired.rows >= ENOUGH_TO_BE_SAME:
        method, tested = (
            "every prediction is the same",
            _Tested(Interval(0.0, 0.0, question.confidence), 1.0, 1.0, None),
        )
    elif isinstance(found.estimate, NotEnough):
        why = found.estimate.why
    elif defined:
        tested = _tested(found.estimate, paired.rows, question)
    return Comparison(
        metric,
        question,
        found.old,
        found.new,
        found.new - found.old,
        tested.interval if tested else None,
        tested.p_value if tested else None,
        tested.p_worse if tested else None,
        paired.rows,
        tested.rows_needed if tested else None,
        method,
        enough=tested is not None,
        why="" if tested else why,
        same=paired.same,
        slack=found.slack,
    )


@dataclass(frozen=True, slots=True)
class _Tested:
    """An estimate applied to a question; the fields are those of `Comparison`."""

    interval: Interval
    p_value: float
    p_worse: float
    rows_needed: int | None


def _tested(estimate: Estimate, rows: int, question: Question) -> _Tested:
    margin, confidence, higher = question.margin, question.confidence, question.higher
    interval = estimate.interval(confidence)
    p_worse = estimate.tails(-margin)[1] if higher else estimate.tails(margin)[0]
    outcome = _outcome(interval, question)
    decided = outcome == "pass" or (outcome == "fail" and _holds(p_worse, question))
    needed = None if decided else rows_needed(estimate, rows, margin, confidence, higher=higher)
    return _Tested(interval, estimate.p_value(), p_worse, needed)


def _outcome(interval: Interval, question: Question) -> Decision:
    return decide(interval, question.margin, higher=question.higher)


def decide_together(comparisons: Sequence[Comparison], *, unread: int = 0) -> tuple[Decided, ...]:
    """Decide metrics that are gated together, in the order of COMPARISONS.

    `decide` decides each metric by its interval. Holm's correction then raises the p-values of the losses, because with
    more metrics one of them looks worse by chance more easily. A loss that does not hold after it is inconclusive. A
    pass needs no correction, since every metric has to pass. UNREAD: the number of further metrics that could not be
    computed. Each counts as a metric without a loss, so that fewer losses hold.
    """
    p_values = {place: one.p_worse for place, one in enumerate(comparisons) if one.p_worse is not None}
    adjusted = dict(zip(p_values, holm([*p_values.values(), *[1.0] * unread]), strict=False))
    metrics = len(p_values) + unread
    return tuple(_decided(one, adjusted.get(place), metrics) for place, one in enumerate(comparisons))


def _decided(one: Comparison, p_adjusted: float | None, metrics: int) -> Decided:
    if one.interval is None:
        return Decided("inconclusive", f"not enough data: {one.why}")
    question, percent = one.question, f"{one.interval.confidence * 100:g} %"
    if one.same and one.rows >= ENOUGH_TO_BE_SAME:
        return Decided("pass", f"every prediction is the same in {one.rows:,} rows", p_adjusted)
    outcome = _outcome(one.interval, question)
    if outcome == "fail" and not _holds(one.p_worse, question):  # the exact test can contradict the score interval
        outcome = "inconclusive"
    within = f"{percent} interval of the change {one.interval.low:+.4g} to {one.interval.high:+.4g}"
    if outcome == "fail" and not _holds(p_adjusted, question):
        why = f"a loss is shown for it alone, but among {metrics} metrics that may be chance ({within})"
        return Decided("inconclusive", why, p_adjusted)
    if outcome == "pass":
        return Decided("pass", f"a loss of more than {question.margin:g} is ruled out ({within})", p_adjusted)
    if outcome == "fail":
        return Decided("fail", f"a loss of more than {question.margin:g} is shown ({within})", p_adjusted)
    needed = f"; about {one.rows_needed:,} would" if one.rows_needed else ""
    why = f"not enough data: {one.rows:,} rows do not decide whether more than {question.margin:g} is lost ({within})"
    return Decided("inconclusive", why + needed, p_adjusted)


def _holds(p_value: float | None, question: Question) -> bool:
    """Whether a one-sided P_VALUE shows a loss at the confidence of QUESTION."""
    return p_value is not None and p_value <= (1 - question.confidence) / 2


def agrees(computed: float, recorded: float, slack: float = 0.0) -> bool:
    """Whether a RECORDED metric equals the one COMPUTED from predictions, apart from rounding.

    RECORDED with d decimals may be off by half a unit of the last decimal, and by at most 0.005. A large number may be
    off by a millionth. So `0.93` agrees with 0.9341, and `0.9` does not. SLACK is added: by how much COMPUTED may be
    off because the predictions are rounded.
    """
    if computed != computed or recorded != recorded:  # noqa: PLR0124 - nan agrees with nan alone
        return computed != computed and recorded != recorded  # noqa: PLR0124
    if math.isinf(computed) or math.isinf(recorded):
        return computed == recorded
    fraction, _, exponent = repr(float(recorded)).partition("e")
    decimals = len(fraction.partition(".")[2]) - int(exponent or 0)
    rounding = 0.5 * 10.0 ** -max(2, min(decimals, 300)) * (1 + 1e-9)
    return abs(computed - recorded) <= slack * (1 + 1e-9) + max(rounding, 1e-6 * abs(computed), 1e-12)


def disagreement(comparison: Comparison, old: float, new: float) -> str:
    """In words, how the recorded metrics OLD and NEW differ from those of the predictions; "" where they agree.

    A metric that the predictions leave undefined, because a row lacks a value, agrees with every recorded one.
    """
    said = []
    sides = (("old", comparison.old, old), ("new", comparison.new, new))
    for (which, computed, recorded), slack in zip(sides, comparison.slack, strict=True):
        if math.isfinite(computed) and not agrees(computed, recorded, slack):
            said.append(f"the {which} version's predictions give {computed:.6g}, and {recorded:.6g} is recorded")
    return "; ".join(said)
