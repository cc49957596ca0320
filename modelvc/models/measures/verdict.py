"""Verdicts on metrics under a policy, one by one and corrected for their number."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.text.policy import MetricRule
    from modelvc.gate.compare import Comparison

Outcome: TypeAlias = Literal["pass", "fail", "inconclusive", "info"]

PASS: Outcome = "pass"  # noqa: S105 - not a password
FAIL: Outcome = "fail"
INCONCLUSIVE: Outcome = "inconclusive"
INFO: Outcome = "info"  # no limit is set, so it decides nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict on one metric of one model.

    `why`: the reason; `change`: new minus old; `allowed`: the most that the metric may get worse; `interval`: that of
    the change at `confidence`; `method`: the basis of the comparison; `rows`: rows of predictions that were compared;
    `rows_needed`: rows that would decide, estimated; `line`: of the rule in the policy; `warn`: the outcome does not
    fail the check.
    """

    model: str
    metric: str
    outcome: Outcome
    why: str
    old: MetricValue | None = None
    new: MetricValue | None = None
    change: float | None = None
    better: bool | None = None
    allowed: float | None = None
    interval: tuple[float, float] | None = None
    confidence: float | None = None
    method: str = ""
    rows: int | None = None
    rows_needed: int | None = None
    line: int = 0
    warn: bool = False


class Judgement(NamedTuple):
    """A verdict. If it rests on predictions, `decide` sets its outcome from the comparison and the rule.

    `unread`: its predictions cannot be read, but it counts in the correction for many comparisons.
    """

    verdict: Verdict
    comparison: Comparison | None = None
    rule: MetricRule | None = None
    unread: bool = False


def decide(judged: Sequence[Judgement]) -> list[Verdict]:
    """Return the verdicts in order. Those by rows are corrected for their number: more comparisons need more proof."""
    compared = [one.comparison for one in judged if one.comparison]
    if not compared:
        return [one.verdict for one in judged]
    from modelvc.gate.compare import decide_together

    decided = iter(decide_together(compared, unread=sum(one.unread for one in judged)))
    found = []
    for verdict, comparison, rule, _ in judged:
        if comparison and rule:
            said = next(decided)
            warn = said.outcome == INCONCLUSIVE and rule.on_inconclusive == "warn"
            found.append(replace(verdict, outcome=said.outcome, why=said.why, warn=warn))
        else:
            found.append(verdict)
    return found
