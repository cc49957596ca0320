"""Go back to a version that worked: the newest earlier one that a policy, a condition or a person chooses."""

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

_MOST = 1_000  # versions that are looked at


@dataclass(frozen=True, slots=True)
class RollbackTarget:
    """How the version is chosen: by at most one of these, else by the policy's bounds."""

    to: str = ""  # a revision
    where: str = ""  # a condition over metrics
    best: str = ""  # a metric
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An earlier version, and the commit that brought it. `fits`: whether it could be chosen, and `why` not."""

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
    """From `old` to `new` version. `reason`: why that one; `message`: what to say in the commit, "" when the last one
    has that version already; `committed`: the commit, "" when there is none yet.
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
    """What a rollback would do: `found.new` is None when nothing fits. `data`: the pointer to write."""

    path: SafeRelPath
    found: RolledBack
    data: bytes = b""


def plan_rollback(repo: Repo, text: str, wish: RollbackTarget) -> RollbackPlan:
    """Choose the version; changes nothing. UsageError when the wish cannot be understood."""
    repo.require_init()
    path = repo.path(text)
    now = repo.pointer(path)
    needed = wish.best or not (wish.to or wish.where or wish.steps)  # at night it may be the policy that is broken
    policy = read_policy(repo) if needed else Policy()
    chain = [_at(repo, path, wish.to)] if wish.to else _chain(repo, path, now)
    before = [step.pointer for step in chain[1:]]
    judged = tuple(
        _candidate(repo, step.pointer, step.version, _fits(policy, path, (step.pointer, older), wish))
        for step, older in zip_longest(chain, before)
    )
    _check_history(repo, path, [now, *(step.pointer for step in chain)], wish, judged)
    place, reason = _choose(policy, path, [step.pointer for step in chain], judged, wish)
    old = _candidate(repo, now, None, (False, ""))
    if place is None:
        return RollbackPlan(path, RolledBack(path, old, None, judged, reason, ""))
    message = _message(path, old, judged[place])
    return RollbackPlan(path, RolledBack(path, old, judged[place], judged, reason, message), chain[place].data)


def rollback(
    repo: Repo,
    plan: RollbackPlan,
    options: CheckoutOptions = DEFAULT,
    progress: Progress = SILENT,
    *,
    commit: bool = False,
) -> RolledBack:
    """Bring the version back and stage its pointer, as it was in history. NotFoundError when none fits."""
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
    """The version that a revision has."""
    commit = history.resolve(repo.layout, rev)
    for at, version in versions_of(repo, path, start=commit):
        pointer = parse(version.data, pointer_of(at))
        return _Step(pointer, version.data, version)
    raise NotFoundError(f"{shown(path)} was not tracked in {commit[:10]}", hint=f"see `mvc log {shown(path)}`")


def _chain(repo: Repo, path: SafeRelPath, now: Pointer) -> list[_Step]:
    """The versions before NOW, newest first: each is the parent of the one before it, whatever commits came between."""
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
    """Raise GitError when the answer may lie in a part of history that a shallow clone does not have."""
    if not repo.layout.shallow or wish.to or known[-1].parent is None or len(known) > _MOST:
        return
    if wish.best or wish.steps > len(judged) or not any(one.fits for one in judged):
        raise not_in_shallow_clone(f"the version of {shown(path)} before {known[-1].oid.short}")


def _fits(
    policy: Policy, path: SafeRelPath, pair: tuple[Pointer, Pointer | None], wish: RollbackTarget
) -> tuple[bool, str]:
    """Whether a version, beside the one before it, could be chosen, and if not, why."""
    if wish.where:
        fits = expression.parse(wish.where).holds(_values(pair[0]))
        return fits, "" if fits else "does not fulfil the condition"
    return (True, "") if wish.to or wish.best or wish.steps else passes(policy, path, *pair)


def _choose(
    policy: Policy, path: SafeRelPath, chain: list[Pointer], judged: Sequence[Candidate], wish: RollbackTarget
) -> tuple[int | None, str]:
    """The place in the chain, and why that one (or why none)."""
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
    place = next((at for at, one in enumerate(judged) if one.fits), None)
    if wish.where:
        unknown = [name for name in expression.parse(wish.where).names if not any(name in _values(p) for p in chain)]
        none = f"none has {shown(unknown[0])}" if unknown else "none fulfils that"
        return place, f"the newest earlier one where {shown(wish.where)}" if place is not None else none
    if not policy.rules_for(path):
        return 0, "the one before; there is no policy for this model"
    return place, "the newest earlier one that passes the policy" if place is not None else "none passes the policy"


def _best(policy: Policy, path: SafeRelPath, chain: list[Pointer], metric: str) -> tuple[int | None, str]:
    place = best_of(policy, path, metric, [_values(pointer) for pointer in chain])
    return place, f"none has {shown(metric)}" if place is None else f"the best earlier one by {shown(metric)}"


def _values(pointer: Pointer) -> dict[str, MetricValue]:
    return dict(pointer.metrics.values) if pointer.metrics and not pointer.stale else {}


def _candidate(repo: Repo, pointer: Pointer, version: Version | None, fits: tuple[bool, str]) -> Candidate:
    return Candidate(
        commit=version.commit if version else "",
        time=version.time if version else 0,
        subject=version.subject if version else "",
        oid=str(pointer.oid),
        size=pointer.size,
        metrics=_values(pointer),
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
