"""Roll a model back to an earlier version that the policy, a condition or the user chooses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from modelvc.errors import NotFoundError, shown
from modelvc.formats.paths import pointer_of
from modelvc.formats.text import expression
from modelvc.formats.text.policy import Policy
from modelvc.git import commit as commits
from modelvc.git import index
from modelvc.models.files.prepare import DEFAULT, CheckoutOptions
from modelvc.models.measures.judging import passes
from modelvc.models.policy import read_policy
from modelvc.models.progress import SILENT
from modelvc.models.versions.baseline import not_in_shallow_clone
from modelvc.models.versions.history import best_of, no_such_metric
from modelvc.ops.history.earlier import step_of, steps_from
from modelvc.ops.tracking.checkout import checkout_pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.git.history import Version
    from modelvc.models.environment.compare import Difference
    from modelvc.models.progress import Progress
    from modelvc.ops.history.earlier import Step, Steps
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class RollbackTarget:
    """How to choose the version. At most one field is set; without any, the policy chooses.

    `where` and `best` choose among all versions that `mvc log` shows; `steps` and the policy among those before the
    current one.
    """

    to: str = ""  # the version of this revision
    where: str = ""  # the newest that fulfils this condition over metrics
    best: str = ""  # the best by this metric
    steps: int = 0  # the one so many versions back


@dataclass(frozen=True, slots=True)
class Candidate:
    """Another version, and the commit that brought it. `fits`: whether it can be chosen; `why`: why it cannot."""

    commit: str
    time: int
    subject: str
    oid: str
    size: int
    metrics: dict[str, MetricValue]
    stored: bool
    fits: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class RolledBack:
    """From `old` to `new` version. `reason`: why it was chosen, or why none was; `committed`: the new commit, if any.

    `message`: the message for the commit, "" if the last commit has that version already. `was`: the oid
    that was replaced, if no commit has it; `pointer_was`: as for a checkout. `environment`: how the recorded
    environment of `new` differs from that of `old`. `passed`: the policy chose, and `old` passes it too.
    """

    path: str
    old: Candidate
    new: Candidate | None
    candidates: tuple[Candidate, ...]
    reason: str
    message: str
    committed: str = ""
    fetched: tuple[str, ...] = ()
    was: str | None = None
    pointer_was: str = ""
    environment: tuple[Difference, ...] = ()
    passed: bool = False


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """A rollback that was not carried out yet. `found.new` is None if no version fits; `data`: the pointer to write."""

    path: SafeRelPath
    found: RolledBack
    data: bytes = b""


def plan_rollback(repo: Repo, text: str, wish: RollbackTarget) -> RollbackPlan:
    """Choose the version to roll back to. Changes nothing. Raises UsageError for a wish that makes no sense."""
    repo.require_init()
    path = repo.path(text)
    now = repo.pointer(path)
    needed = wish.best or not (wish.to or wish.where or wish.steps)  # a broken policy must not block the others
    policy = read_policy(repo) if needed else Policy()
    if wish.to:
        chosen = step_of(repo, path, wish.to)
        judged: tuple[Candidate, ...] = (_candidate(repo, chosen.pointer, chosen.version, ""),)
        return _plan(repo, path, (now, chosen), judged, f"the one of {shown(wish.to)}")
    steps = steps_from(repo, path, now)
    known = steps.by_age if wish.where or wish.best else (*steps.before, *steps.after)
    why = _whys(policy, path, steps, wish)
    judged = tuple(_candidate(repo, step.pointer, step.version, why(step)) for step in known)
    _check_history(repo, path, (now, steps), wish, judged)
    position, reason = _choose(policy, path, (now, steps), judged, wish)
    plan = _plan(repo, path, (now, None if position is None else known[position]), judged, reason)
    if wish != RollbackTarget() or not policy.rules_for(path):
        return plan
    before = next((step.pointer for step in steps.by_age if step.pointer.oid == now.parent), None)
    return replace(plan, found=replace(plan.found, passed=passes(policy, path, now, before)[0]))


def _plan(
    repo: Repo,
    path: SafeRelPath,
    versions: tuple[Pointer, Step | None],
    judged: tuple[Candidate, ...],
    reason: str,
) -> RollbackPlan:
    """Return the plan that goes from the first of VERSIONS to the second, one of JUDGED; None: no version fits."""
    now, step = versions
    old = _candidate(repo, now, None, "it is the current version")
    if step is None:
        return RollbackPlan(path, RolledBack(path, old, None, judged, reason, ""))
    new = next(one for one in judged if one.oid == str(step.pointer.oid))
    message = _message(path, old, new)
    differs = _environment(step.pointer, now)
    return RollbackPlan(path, RolledBack(path, old, new, judged, reason, message, environment=differs), step.data)


def _environment(new: Pointer, old: Pointer) -> tuple[Difference, ...]:
    """Return how the environment of NEW differs from that of OLD; () unless both have a record."""
    if new.env is None or old.env is None:
        return ()
    from modelvc.models.environment.compare import compare, side_of_record

    return tuple(one for one in compare(new.env, side_of_record(old.env)) if one.severity != "ok")


def rollback(
    repo: Repo,
    plan: RollbackPlan,
    options: CheckoutOptions = DEFAULT,
    progress: Progress = SILENT,
    *,
    commit: bool = False,
) -> RolledBack:
    """Check out the chosen version, stage its pointer byte for byte and, with COMMIT, commit it.

    Raises NotFoundError if no version fits, else as a checkout does.
    """
    if plan.found.new is None:
        raise NotFoundError(
            f"no other version of {shown(plan.path)} fits: {plan.found.reason}",
            hint=f"see them with `mvc rollback {shown(plan.path)} --dry-run`, or take one with --to REV",
        )
    brought = checkout_pointer(repo, plan.path, plan.data, options, progress)
    [model] = brought.models
    was = model.was if model.only_here else None
    done = replace(plan.found, fetched=brought.fetched, was=was, pointer_was=model.pointer_was)
    name = pointer_of(plan.path)
    if index.head_blobs(repo.layout, [name]).get(name) == plan.data:
        return replace(done, message="")  # nothing to commit
    made = commits.commit(repo.layout, plan.found.message, [pointer_of(plan.path)]) if commit else ""
    return replace(done, committed=made)


def _check_history(
    repo: Repo, path: SafeRelPath, seen: tuple[Pointer, Steps], wish: RollbackTarget, judged: Sequence[Candidate]
) -> None:
    """Raise GitError if the answer may lie in history that a shallow clone lacks."""
    now, steps = seen
    if steps.complete or not repo.layout.shallow:
        return
    if wish.best or wish.steps > len(steps.before) or not any(one.fits for one in judged):
        oldest = steps.before[-1].pointer if steps.before else now
        raise not_in_shallow_clone(f"the version of {shown(path)} before {oldest.oid.short}")


def _whys(policy: Policy, path: SafeRelPath, steps: Steps, wish: RollbackTarget) -> Callable[[Step], str]:
    """Return the function that says why a version cannot be chosen; "" if it can."""
    if wish.where:
        condition = expression.parse(wish.where)
        return lambda step: "" if condition.holds(step.pointer.current_metrics) else "does not meet the condition"
    if wish.best:
        return lambda _: ""
    known = {step.pointer.oid: step.pointer for step in steps.by_age}
    later = {step.pointer.oid for step in steps.after}

    def why(step: Step) -> str:
        if step.pointer.oid in later:
            return "came after the current version"
        before = known.get(step.pointer.parent) if step.pointer.parent else None
        return "" if wish.steps else passes(policy, path, step.pointer, before)[1]

    return why


def _choose(
    policy: Policy,
    path: SafeRelPath,
    seen: tuple[Pointer, Steps],
    judged: Sequence[Candidate],
    wish: RollbackTarget,
) -> tuple[int | None, str]:
    """Return the index of the chosen version in JUDGED, None without one, and the reason."""
    now, steps = seen
    if not judged:
        return None, "`mvc log` shows no other version"
    searched = _searched(len(judged))
    if wish.best:
        position = best_of(policy, path, wish.best, [one.metrics for one in judged])
        if position is None:
            _check_names(path, [wish.best], (now, judged))
            return None, f"none of {searched} has a number for {shown(wish.best)}"
        return position, f"the best by {shown(wish.best)} of {searched}"
    position = next((at for at, one in enumerate(judged) if one.fits), None)
    if wish.where:
        if position is None:
            _check_names(path, expression.parse(wish.where).names, (now, judged))
            return None, f"none of {searched} meets that"
        return position, f"the newest one where {shown(wish.where)}, of {searched}"
    count = len(steps.before)
    if not count:
        return None, f"it is the first version{_later(steps)}"
    if wish.steps:
        if wish.steps > count:
            return None, f"there {'is' if count == 1 else 'are'} only {count:,} before it{_later(steps)}"
        return wish.steps - 1, f"the one {wish.steps} version{'s' * (wish.steps > 1)} back"
    if not policy.rules_for(path):
        return 0, "the one before; there is no policy for this model"
    if position is None:
        return None, f"none of the {count:,} before it passes the policy{_later(steps)}"
    return position, "the newest earlier one that passes the policy"


def _searched(count: int) -> str:
    return f"the {count:,} other version{'s' * (count > 1)} that `mvc log` shows"


def _later(steps: Steps) -> str:
    """Say how to take a version that came after the current one; "" if there is none."""
    if not steps.after:
        return ""
    count = len(steps.after)
    came = f"{count:,} versions" if count > 1 else "one version"
    return f"; {came} of `mvc log` came after it: --to REV takes one, --best and --where search all"


def _check_names(path: SafeRelPath, names: Sequence[str], seen: tuple[Pointer, Sequence[Candidate]]) -> None:
    """Raise NotFoundError for the first of NAMES that no version has: it is probably mistyped."""
    now, judged = seen
    known = dict.fromkeys((*now.recorded_metrics, *(name for one in judged for name in one.metrics)))
    for name in names:
        if name not in known:
            raise no_such_metric(path, name, known)


def _candidate(repo: Repo, pointer: Pointer, version: Version | None, why: str) -> Candidate:
    """Return POINTER, which VERSION brought, as a candidate. WHY: why it cannot be chosen, "" if it can."""
    return Candidate(
        commit=version.commit if version else "",
        time=version.time if version else 0,
        subject=version.subject if version else "",
        oid=str(pointer.oid),
        size=pointer.size,
        metrics=pointer.current_metrics,
        stored=repo.store.has_root(pointer.kind, pointer.oid),
        fits=not why,
        why=why,
    )


def _message(path: SafeRelPath, old: Candidate, new: Candidate) -> str:
    lines = [f"Roll back {path} to {new.oid[7:17]}", ""]
    lines += [
        f"{name} {old.metrics[name]} -> {value}"
        for name, value in islice(new.metrics.items(), 10)
        if name in old.metrics
    ]
    lines.append(f"That version came with {new.commit[:10]}: {new.subject[:60]}")
    return "\n".join(lines)
