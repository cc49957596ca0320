"""Judge a version of a model by the policy, alone or compared with another version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import shown
from modelvc.models.measures.row_comparison import RowComparison
from modelvc.models.measures.verdict import FAIL, INFO, PASS, Judgement, Outcome, Verdict

if TYPE_CHECKING:
    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.formats.text.policy import MetricRule, Policy
    from modelvc.repo import Repo

_NAMED = 8  # metrics that a verdict lists
_NAMES_NOTHING = "names no metric that is recorded"


@dataclass(frozen=True, slots=True)
class Case:
    """A version to judge, and the version that it is compared with; `old` is None without one."""

    path: SafeRelPath
    new: Pointer
    old: Pointer | None


def passes(policy: Policy, path: SafeRelPath, pointer: Pointer, before: Pointer | None) -> tuple[bool, str]:
    """Return whether the version POINTER passes the policy by its recorded numbers, compared with BEFORE.

    If not, the second value is the first reason, else "". Predictions are not read: a version that passes by them also
    passes by its numbers, and they might have to be fetched.
    """
    case = Case(path, pointer, before)
    for rule in policy.rules_for(path):
        names = _names(rule, pointer, before)
        if not names:
            return False, f"{rule.name} {_NAMES_NOTHING}"
        for name in names:
            verdict = _alone(case, rule, name) or _by_numbers(case, rule, name)
            if verdict.outcome == FAIL:
                return False, f"{name} {verdict.why}"
    return True, ""


def judge(repo: Repo, policy: Policy, case: Case) -> list[Judgement]:
    """Judge the case by each rule for the model and each metric that the rule names."""
    rows = RowComparison(repo, case.path, case.new, case.old, policy.positive_for(case.path))
    found = []
    for rule in policy.rules_for(case.path):
        names = _names(rule, case.new, case.old)
        if not names:
            found.append(Judgement(Verdict(case.path, rule.name, FAIL, _NAMES_NOTHING, line=rule.line)))
        for name in names:
            verdict = _alone(case, rule, name)
            if verdict is None:
                numbers = _by_numbers(case, rule, name)
                found.append(rows.judge(numbers, rule) if rule.paired else Judgement(numbers))
            else:
                found.append(Judgement(verdict))
    return found


def _names(rule: MetricRule, new: Pointer, old: Pointer | None) -> list[str]:
    if rule.exact:
        return [rule.name]
    known = dict.fromkeys([*new.recorded_metrics, *(old.recorded_metrics if old else ())])
    return [name for name in known if rule.covers_metric(name)]


def _alone(case: Case, rule: MetricRule, name: str) -> Verdict | None:
    """Return the verdict that needs no comparison with another version; None if one is needed."""
    new = case.new.recorded_metrics.get(name)
    old = case.old.recorded_metrics.get(name) if case.old else None

    def said(outcome: Outcome, why: str) -> Verdict:
        numbers = [value for value in (old, new) if isinstance(value, int | float) and not isinstance(value, bool)]
        change = float(numbers[1] - numbers[0]) if len(numbers) == 2 else None
        return Verdict(case.path, name, outcome, why, old=old, new=new, change=change, line=rule.line)

    if case.new.conflict:
        return said(FAIL, "its pointer is in conflict")
    if rule.direction == "info":
        return said(INFO, "for information")
    if new is None:
        return said(FAIL, _not_recorded(case.new) if old is None else "is no longer recorded")
    if case.new.stale:
        return said(FAIL, "was measured on another version: measure again")
    if isinstance(new, bool | str):
        return said(FAIL, f"is {shown(new)}, which is not a number")
    if new != new:  # noqa: PLR0124 - how nan is told
        return said(FAIL, "is nan")
    if crossed := rule.crossed(new):
        return said(FAIL, crossed)
    if rule.margin is None and rule.floor is None and rule.ceiling is None:
        return said(INFO, f"{_moved(rule, old, new)}, no limit is set")
    if rule.margin is None or case.old is None:
        alone = "" if rule.margin is None else "; there is no other version to compare it with"
        bounded = rule.floor is not None or rule.ceiling is not None
        return said(PASS, ("is within its bounds" if bounded else "is recorded") + alone)
    if case.old.stale or old is None or isinstance(old, bool | str) or old != old:  # noqa: PLR0124 - nan
        return said(PASS, "is missing in the other version")
    return None


def _moved(rule: MetricRule, old: MetricValue | None, new: float) -> str:
    """Describe how a metric changed."""
    if old is None or isinstance(old, bool | str) or old != old:  # noqa: PLR0124 - nan
        return "is recorded"
    gain = rule.gain(float(old), float(new)) or 0.0
    return "is the same" if not gain else f"{'better' if gain > 0 else 'worse'} by {abs(gain):.6g}"


def _not_recorded(pointer: Pointer) -> str:
    names = [shown(name, 60) for name in pointer.recorded_metrics]
    more = ", ..." if len(names) > _NAMED else ""
    return f"is not recorded (known metrics: {', '.join(names[:_NAMED])}{more})" if names else "is not recorded"


def _by_numbers(case: Case, rule: MetricRule, name: str) -> Verdict:
    before, after = _old(case).recorded_metrics[name], case.new.recorded_metrics[name]
    old, new = float(before), float(after)
    gain = rule.gain(old, new) or 0.0
    margin = rule.margin.allowed(old) if rule.margin else 0.0
    worse = -gain > margin
    change = f"{new - old:+.6g}"
    same = f"changed by {change}" if new != old else "is the same"
    why = f"got worse by {-gain:.6g}, of which {margin:.6g} is allowed" if worse else same
    return Verdict(
        case.path,
        name,
        FAIL if worse else PASS,
        why,
        old=before,
        new=after,
        change=new - old,
        better=None if not gain else gain > 0,
        allowed=margin,
        method="numbers",
        line=rule.line,
    )


def _old(case: Case) -> Pointer:
    assert case.old is not None  # noqa: S101 - for the type checker: _alone() answered otherwise
    return case.old
