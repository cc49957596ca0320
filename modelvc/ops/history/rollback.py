"""Roll a model back to an earlier version that the policy, a condition or the user chooses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import islice, zip_longest
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, NotFoundError, shown
from modelvc.formats.paths import pointer_of
from modelvc.formats.pointer.pointer import parse
from modelvc.formats.text import expression
from modelvc.formats.text.policy import Policy
from modelvc.git import commit as commits
from modelvc.git import history, index
from modelvc.models.files.prepare import DEFAULT, CheckoutOptions
from modelvc.models.measures.judging import passes
from modelvc.models.policy import read_policy
from modelvc.models.progress import SILENT
from modelvc.models.versions.baseline import not_in_shallow_clone
from modelvc.models.versions.history import best_of, versions_of
from modelvc.models.versions.renames import name_in_commit
from modelvc.ops.tracking.checkout import checkout_pointer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.git.history import Version
    from modelvc.ids import Oid
    from modelvc.models.progress import Progress
    from modelvc.repo import Repo

_MOST = 1_000  # earlier versions that are considered


@dataclass(frozen=True, slots=True)
class RollbackTarget:
    """How to choose the version. At most one field is set; without any, the policy chooses."""

    to: str = ""  # the version of this revision
    where: str = ""  # the newest that fulfils this condition over metrics
    best: str = ""  # the best by this metric
    steps: int = 0  # the one so many versions back


@dataclass(frozen=True, slots=True)
class Candidate:
    """An earlier version, and the commit that introduced it. `fits`: whether it can be chosen; `why`: why it cannot."""

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

    `message`: the message for the commit, "" if the last commit has that version already.
    """

    path: str
    old: Candidate
    new: Candidate | None
    candidates: tuple[Candidate, ...]
    reason: str
    message: str
    committed: str = ""
    fetched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Step:
    pointer: Pointer
    data: bytes
    version: Version


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
    chain = [_at(repo, path, wish.to)] if wish.to else _chain(repo, path, now)
    before = [step.pointer for step in chain[1:]]
    judged = tuple(
        _candidate(repo, step.pointer, step.version, _fits(policy, path, (step.pointer, older), wish))
        for step, older in zip_longest(chain, before)
    )
    _check_history(repo, path, [now, *(step.pointer for step in chain)], wish, judged)
    position, reason = _choose(policy, path, [step.pointer for step in chain], judged, wish)
    old = _candidate(repo, now, None, (False, ""))
    if position is None:
        return RollbackPlan(path, RolledBack(path, old, None, judged, reason, ""))
    message = _message(path, old, judged[position])
    return RollbackPlan(path, RolledBack(path, old, judged[position], judged, reason, message), chain[position].data)


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
            f"no earlier version of {shown(plan.path)} fits: {plan.found.reason}",
            hint=f"see them with `mvc rollback {shown(plan.path)} --dry-run`, or take one with --to REV",
        )
    brought = checkout_pointer(repo, plan.path, plan.data, options, progress)
    name = pointer_of(plan.path)
    if index.head_blobs(repo.layout, [name]).get(name) == plan.data:
        return replace(plan.found, message="", fetched=brought.fetched)  # the last commit has it: nothing to commit
    made = commits.commit(repo.layout, plan.found.message, [pointer_of(plan.path)]) if commit else ""
    return replace(plan.found, committed=made, fetched=brought.fetched)


def _at(repo: Repo, path: SafeRelPath, rev: str) -> _Step:
    """Return the version of the revision REV. Raises NotFoundError if it does not have the model."""
    commit = history.resolve(repo.layout, rev)
    for at, version in versions_of(repo, path, start=commit):
        pointer = parse(version.data, pointer_of(at))
        return _Step(pointer, version.data, version)
    raise NotFoundError(f"{shown(path)} was not tracked in {commit[:10]}", hint=f"see `mvc log {shown(path)}`")


def _chain(repo: Repo, path: SafeRelPath, now: Pointer) -> list[_Step]:
    """Return the versions before NOW, newest first: its parent, that one's parent, and so on."""
    known: dict[Oid, _Step] = {}
    waiting = versions_of(repo, name_in_commit(repo, path, now))

    def find(oid: Oid) -> _Step | None:
        for at, version in waiting if oid not in known else ():
            try:
                pointer = parse(version.data, pointer_of(at))
            except ModelvcError:
                continue
            if not pointer.conflict:
                known.setdefault(pointer.oid, _Step(pointer, version.data, version))
            if pointer.oid == oid:
                break
        return known.get(oid)

    found: list[_Step] = []
    seen = {now.oid}
    parent = now.parent
    while parent is not None and parent not in seen and len(found) < _MOST:
        seen.add(parent)
        step = find(parent)
        if step is None:
            break
        found.append(step)
        parent = step.pointer.parent
    return found


def _check_history(
    repo: Repo, path: SafeRelPath, known: list[Pointer], wish: RollbackTarget, judged: Sequence[Candidate]
) -> None:
    """Raise GitError if the answer may lie in history that a shallow clone lacks."""
    if not repo.layout.shallow or wish.to or known[-1].parent is None or len(known) > _MOST:
        return
    if wish.best or wish.steps > len(judged) or not any(one.fits for one in judged):
        raise not_in_shallow_clone(f"the version of {shown(path)} before {known[-1].oid.short}")


def _fits(
    policy: Policy, path: SafeRelPath, pair: tuple[Pointer, Pointer | None], wish: RollbackTarget
) -> tuple[bool, str]:
    """Return whether the first of PAIR can be chosen, and if not, why. The second is the version before it."""
    if wish.where:
        fits = expression.parse(wish.where).holds(pair[0].current_metrics)
        return fits, "" if fits else "does not meet the condition"
    return (True, "") if wish.to or wish.best or wish.steps else passes(policy, path, *pair)


def _choose(
    policy: Policy, path: SafeRelPath, chain: list[Pointer], judged: Sequence[Candidate], wish: RollbackTarget
) -> tuple[int | None, str]:
    """Return the index of the chosen version in CHAIN, None without one, and the reason."""
    if not chain:
        return None, "it is the first, or the versions before it are not in this history"
    if wish.steps:
        if wish.steps > len(chain):
            return None, f"there are only {len(chain)} earlier versions"
        return wish.steps - 1, f"the one {wish.steps} version{'s' * (wish.steps > 1)} back"
    if wish.to:
        return 0, f"the one of {shown(wish.to)}"
    if wish.best:
        return _best(policy, path, chain, wish.best)
    position = next((at for at, one in enumerate(judged) if one.fits), None)
    if wish.where:
        unknown = [
            name for name in expression.parse(wish.where).names if not any(name in p.current_metrics for p in chain)
        ]
        none = f"none has {shown(unknown[0])}" if unknown else "no version meets that"
        return position, f"the newest earlier one where {shown(wish.where)}" if position is not None else none
    if not policy.rules_for(path):
        return 0, "the one before; there is no policy for this model"
    return (
        position,
        "the newest earlier one that passes the policy" if position is not None else "none passes the policy",
    )


def _best(policy: Policy, path: SafeRelPath, chain: list[Pointer], metric: str) -> tuple[int | None, str]:
    position = best_of(policy, path, metric, [pointer.current_metrics for pointer in chain])
    return position, f"none has {shown(metric)}" if position is None else f"the best earlier one by {shown(metric)}"


def _candidate(repo: Repo, pointer: Pointer, version: Version | None, fits: tuple[bool, str]) -> Candidate:
    return Candidate(
        commit=version.commit if version else "",
        time=version.time if version else 0,
        subject=version.subject if version else "",
        oid=str(pointer.oid),
        size=pointer.size,
        metrics=pointer.current_metrics,
        stored=repo.store.has_root(pointer.kind, pointer.oid),
        fits=fits[0],
        why=fits[1],
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
