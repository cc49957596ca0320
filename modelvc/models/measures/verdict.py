"""What becomes of metrics under a policy, one by one and together."""

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
INFO: Outcome = "info"  # no limit is set: it is shown, and decides nothing


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of one metric of one model.

    `why`: in words; `change`: new minus old; `allowed`: how much worse it may get; `interval`: of the change, at
    `confidence`; `method`: what the comparison rests on; `rows`, `rows_needed`: of the predictions that were compared,
    and about how many would decide; `warn`: an outcome that does not fail the check.
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
    """A verdict; where it rests on predictions, the comparison by rows and the rule, which settle it with the others.

    `unread`: predictions that could not be read may belong to it, so that it counts as one more comparison.
    """

    verdict: Verdict
    comparison: Comparison | None = None
    rule: MetricRule | None = None
    unread: bool = False


def decide(judged: Sequence[Judgement]) -> list[Verdict]:
    """The verdicts in their order; those by rows are decided together: the more there are, the more must be shown."""
    compared = [one.comparison for one in judged if one.comparison]
    if not compared:
        return [one.verdict for one in judged]
    from modelvc.gate.compare import settle

    decided = iter(settle(compared, unread=sum(one.unread for one in judged)))
    found = []
    for verdict, comparison, rule, _ in judged:
        if comparison and rule:
            said = next(decided)
            warn = said.outcome == INCONCLUSIVE and rule.on_inconclusive == "warn"
            found.append(replace(verdict, outcome=said.outcome, why=said.why, warn=warn))
        else:
            found.append(verdict)
    return found
