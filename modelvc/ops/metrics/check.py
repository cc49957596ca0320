"""Check models against the policy: floors, ceilings, and no regression from another version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, UsageError
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.text import policy as policies
from modelvc.git import history
from modelvc.models.measures.judging import Case, judge
from modelvc.models.measures.verdict import FAIL, INCONCLUSIVE, INFO, PASS, Judgement, Outcome, Verdict, decide
from modelvc.models.policy import read_policy
from modelvc.models.versions.baseline import Baseline
from modelvc.models.versions.pointers import pointers_of

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from modelvc.formats.text.policy import Policy
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class Checked:
    """All verdicts, in the order of models and rules. `against`: the baseline; `commit`: "" for the worktree.

    `outcome`: the worst of the verdicts that are no warnings: fail, then inconclusive, then pass.
    """

    against: str
    commit: str
    verdicts: tuple[Verdict, ...]
    outcome: Outcome


def check(
    repo: Repo, paths: Sequence[str] = (), *, against: str = "", rev: str = "", policy: Policy | None = None
) -> Checked:
    """Judge the models below PATHS, of the worktree or of REV, by POLICY (default: the worktree's).

    AGAINST: as for `Baseline`. All models are judged, whatever PATHS are: the correction for many comparisons covers
    all that the policy names. Raises UsageError if the policy has no rule for these models.
    """
    repo.require_init()
    rules = policy if policy is not None else read_policy(repo)
    if not rules.rules:
        exists = repo.worktree.stat(SafeRelPath.parse(policies.POLICY)) is not None
        raise UsageError(
            f"there is no {'metric in ' if exists else ''}{policies.POLICY}",
            hint=f"write a line each into it: {policies.SHORTEST} (more: mvc help policy)",
        )
    commit = history.resolve(repo.layout, rev) if rev else ""
    good, broken = pointers_of(repo, commit)
    found = {**good, **broken}
    other = Baseline(repo, against, rules, commit or "HEAD")
    chosen = {str(path) for path in repo.selected(paths, found)} if paths else {str(path) for path in found}
    judged: list[Judgement] = []
    for path in sorted(found):
        if path in broken:
            judged.append(Judgement(Verdict(path, "", FAIL, f"its pointer cannot be read: {broken[path]}")))
        elif rules.rules_for(path):
            try:
                judged += judge(repo, rules, Case(path, good[path], other.version(path, good[path])))
            except ModelvcError:
                if path in chosen:
                    raise
                judged += [
                    Judgement(Verdict(path, one.name, INFO, ""), unread=one.paired) for one in rules.rules_for(path)
                ]
    for_all = {one.line for one in rules.rules if one.model == "*"} if len(found) > 1 else set()
    verdicts = tuple(_with_reach(one, for_all) for one in decide(judged) if one.model in chosen)
    if not verdicts:
        raise UsageError(
            "the policy names no metric of these models", hint=f"see what `model = ` says in {policies.POLICY}"
        )
    counted = {one.outcome for one in verdicts if not one.warn}
    worst = FAIL if FAIL in counted else INCONCLUSIVE if INCONCLUSIVE in counted else PASS
    return Checked(against or "previous", commit, verdicts, worst)


def _with_reach(verdict: Verdict, for_all: Container[int]) -> Verdict:
    """Return VERDICT. If a rule for every model, on one of the lines FOR_ALL, finds no metric, the reason says so."""
    if verdict.outcome != FAIL or verdict.new is not None or verdict.old is not None or verdict.line not in for_all:
        return verdict
    reach = f"line {verdict.line} of the policy judges every model, unless `model = PATH` limits it"
    return replace(verdict, why=f"{verdict.why}; {reach}")
