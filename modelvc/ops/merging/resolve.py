"""Resolve models in conflict: choose a version, check it out, and stage its pointer."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from modelvc.errors import BrokenPointer, FormatError, PointerConflict, UsageError, shown
from modelvc.formats.paths import SafeRelPath, pointer_of
from modelvc.formats.pointer.metrics import is_number
from modelvc.formats.pointer.pointer import OF_A_VERSION, parse
from modelvc.formats.text.policy import Policy
from modelvc.git import index, merge_sides
from modelvc.models.files import hide, materialise
from modelvc.models.files.prepare import DEFAULT, CheckoutOptions, fetch_missing, make_ready
from modelvc.models.policy import read_policy
from modelvc.models.progress import SILENT
from modelvc.models.versions.history import known_metrics, no_direction
from modelvc.models.versions.same_data import DATA
from modelvc.notebook.document import is_notebook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.formats.toml import Value
    from modelvc.models.files.gate import Looked
    from modelvc.models.progress import Progress
    from modelvc.repo import Repo

Pick: TypeAlias = Literal["ours", "theirs", "best", "both"]

_NAME = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")
_LONGEST = 40  # characters of a branch in a file's name
# Git's operation in progress, by the file that it leaves in its folder
_OPERATIONS = {
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
    "MERGE_HEAD": "merge",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """The version to take."""

    pick: Pick
    metric: str = ""  # for "best"
    lower: bool = False  # for "best": the smaller value is better, if the policy does not say


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """One version that was taken. `side`: "ours" or "theirs"; `change` and `was`: as for a checkout.

    `compared`: the values that decided, such as "auc 0.5 against 0.4"; "" if the side was named.
    """

    path: str
    side: str
    label: str
    oid: str
    size: int
    change: str
    was: str | None = None
    verdict: str = ""  # what loading it would run, if a person should know; `why`: the reasons
    why: str = ""
    compared: str = ""


@dataclass(frozen=True, slots=True)
class Resolved:
    """The resolved models. `left`: models still in conflict; `operation`: Git's operation in progress, "" for none.

    `unmerged`: other paths that are still in conflict for Git.
    """

    models: tuple[ResolvedModel, ...]
    left: tuple[str, ...]
    operation: str
    fetched: tuple[str, ...] = ()
    unmerged: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Sides:
    """The sides of one conflict; None if that side deleted the model."""

    ours: Pointer | None
    theirs: Pointer | None
    labels: tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Wish:
    """A choice and the policy that says which direction of a metric is better."""

    choice: Choice
    policy: Policy

    def gain(self, path: SafeRelPath, ours: float, theirs: float) -> float | None:
        """Return how much better THEIRS is than OURS; negative if it is worse.

        Raises UsageError if neither the policy nor the choice says which direction is better, or if they disagree.
        """
        metric, rule = self.choice.metric, self.policy.rule(path, self.choice.metric)
        if rule is None or rule.direction == "info":
            if not self.choice.lower:
                raise no_direction(metric)
            return ours - theirs
        if self.choice.lower and rule.direction != "lower":
            raise UsageError(
                f"--lower contradicts the policy, which says {rule.direction} of {shown(metric)}",
                hint="leave out --lower, or choose with --ours or --theirs",
            )
        return rule.gain(ours, theirs)


@dataclass(frozen=True, slots=True)
class _TakenVersion:
    pointer: Pointer
    side: str
    label: str
    compared: str = ""


def resolve(
    repo: Repo, paths: Sequence[str], choice: Choice, options: CheckoutOptions = DEFAULT, progress: Progress = SILENT
) -> Resolved:
    """Resolve the conflicts in PATHS (models, or folders of them).

    Raises UsageError if a path is not in conflict or the choice cannot be made, and WorktreeDirty if unsaved changes
    are in the way; then nothing was changed. Raises FileInUse for files that another program is writing or changed
    meanwhile: their conflict is resolved, and their models are modified.
    """
    repo.require_init()
    if not paths:
        raise UsageError("no model is named", hint="mvc resolve PATH --ours, or `mvc resolve .` for all in conflict")
    with repo.updating():
        found = conflicts(repo)
        chosen = _chosen(repo, paths, found)
        policy = read_policy(repo) if choice.pick == "best" else Policy()
        taken: dict[SafeRelPath, _TakenVersion] = {}
        for path in chosen:
            taken |= _take(repo, path, found[path], _Wish(choice, policy))
        wanted = {path: one.pointer for path, one in taken.items()}
        fetched = fetch_missing(repo, wanted, options, progress)
        plans = make_ready(repo, [materialise.plan(repo, path, pointer) for path, pointer in wanted.items()], options)
        progress.expect(sum(plan.pointer.size for plan in plans if plan.pointer and plan.action == "write"))
        staged = [pointer_of(path) for path in wanted]
        for path, pointer in wanted.items():
            hidden = hide.hide(repo, path)
            staged += [hidden] if hidden else []
            repo.write_pointer(path, pointer)
        kept, looked = materialise.apply(repo, plans, "resolve", progress.advance)
        index.stage(repo.layout, add=staged)
        known = {one.path: one for one in looked}
        rows = tuple(_row(plan, taken[plan.path], known.get(plan.path)) for plan in plans)
        left = sorted(set(found) - set(chosen))
        others = set(index.unmerged(repo.layout)) - {pointer_of(path) for path in left}
        done = Resolved(rows, tuple(left), git_operation(repo), fetched, tuple(sorted(others)))
    materialise.raise_kept(kept)
    return done


def conflicts(repo: Repo) -> dict[SafeRelPath, _Sides]:
    """Return every model in conflict with its sides. Raises BrokenPointer for a side that cannot be read."""
    stages: dict[SafeRelPath, dict[int, str]] = {}
    for entry in repo.index_pointers():
        if entry.stage > 1:  # skip the base, which may be no pointer: Git merges it from several commits
            stages.setdefault(SafeRelPath(entry.path.removesuffix(".mvc")), {})[entry.stage] = entry.blob
    blobs = index.read_blobs(repo.layout, sorted({blob for found in stages.values() for blob in found.values()}))
    labels = merge_sides.names(repo.layout, {})
    found: dict[SafeRelPath, _Sides] = {}
    for path in map(SafeRelPath, repo.tracked()):
        staged = {stage: _parsed(path, blobs.get(blob, b"")) for stage, blob in stages.get(path, {}).items()}
        try:
            pointer = repo.pointer_or_none(path)
        except (BrokenPointer, PointerConflict):
            pointer = None
        if pointer and pointer.conflict:
            other = _completed(pointer, staged.get(3))
            both = (pointer.conflict.ours, pointer.conflict.theirs)
            found[path] = _Sides(replace(pointer, conflict=None), other, both)
        elif staged:
            found[path] = _Sides(staged.get(2), staged.get(3), labels)
    return found


def _parsed(path: SafeRelPath, data: bytes) -> Pointer:
    return replace(parse(data, pointer_of(path)), conflict=None)


def _completed(pointer: Pointer, staged: Pointer | None) -> Pointer:
    """Return their side of a conflict with its unknown keys, `[env]` and `[model]`, which `[conflict]` lacks."""
    assert pointer.conflict is not None  # noqa: S101 - for the type checker
    other = pointer.conflict.other
    extra: Mapping[str, Value]
    if staged is None or staged.oid != other.oid:
        extra = {key: value for key, value in pointer.extra.items() if key not in OF_A_VERSION}
    elif staged.oid == pointer.oid:
        extra = {**pointer.extra, **staged.extra}
    else:
        extra = staged.extra
    same = staged if staged and staged.oid == other.oid else None
    model, env = (same and same.model) or pointer.model, (same and same.env) or pointer.env
    return replace(other, extra=extra, model=model, env=env)  # tables of another version are dropped


def _chosen(repo: Repo, paths: Sequence[str], found: Mapping[SafeRelPath, _Sides]) -> list[SafeRelPath]:
    tracked = repo.tracked()
    for text in paths:
        if is_notebook(text) and repo.inside(text) not in tracked:
            name = shlex.quote(shown(text))
            raise UsageError(f"{shown(text)} is a notebook", hint=f"mvc notebook resolve {name} --ours (or --theirs)")
    chosen = [path for path in repo.selected(paths, tracked) if path in found]
    for text in paths:
        if not any(path in found for path in repo.selected([text], tracked)):
            more = f"in conflict: {', '.join(shown(path) for path in list(found)[:5])}" if found else ""
            raise UsageError(f"{shown(text)} is not in conflict", hint=more or "see `mvc status`")
    return chosen


def _row(plan: materialise.ModelPlan, taken: _TakenVersion, looked: Looked | None) -> ResolvedModel:
    was = f"blake3:{plan.was[1].hex()}" if plan.was else None
    change = "blocked" if looked and looked.blocked else plan.change
    verdict, why = (looked.verdict, looked.why) if looked else ("", "")
    oid, size = str(taken.pointer.oid), taken.pointer.size
    return ResolvedModel(plan.path, taken.side, taken.label, oid, size, change, was, verdict, why, taken.compared)


def git_operation(repo: Repo) -> str:
    """Return Git's operation in progress: "merge", "rebase", "cherry-pick", "revert" or ""."""
    for name, operation in _OPERATIONS.items():
        if os.path.lexists(os.path.join(repo.layout.git_dir, name)):
            return operation
    return ""


# -- the choice


def _take(repo: Repo, path: SafeRelPath, both: _Sides, wish: _Wish) -> dict[SafeRelPath, _TakenVersion]:
    pick = wish.choice.pick
    if pick in {"ours", "theirs"}:
        return {path: _side(path, both, pick)}
    if pick == "best":
        side, compared = best(path, _pair(path, both), both.labels, wish)
        return {path: replace(_side(path, both, side), compared=compared)}
    ours, theirs = (_side(path, both, side) for side in ("ours", "theirs"))
    return {path: ours, free_path_beside(repo, path, both.labels[1]): theirs}


def _side(path: SafeRelPath, both: _Sides, side: str) -> _TakenVersion:
    position = ("ours", "theirs").index(side)
    pointer = (both.ours, both.theirs)[position]
    label = both.labels[position]
    if pointer is None:
        other = "theirs" if side == "ours" else "ours"
        raise UsageError(
            f"{shown(label)} deleted {shown(path)}",
            hint=f"to delete it: `mvc rm {shown(path)}`; to keep it: `mvc resolve {shown(path)} --{other}`",
        )
    return _TakenVersion(pointer, side, label)


def _pair(path: SafeRelPath, both: _Sides) -> tuple[Pointer, Pointer]:
    return _side(path, both, "ours").pointer, _side(path, both, "theirs").pointer


def best(
    path: SafeRelPath, pair: tuple[Pointer, Pointer], labels: tuple[str, str], wish: _Wish
) -> tuple[Literal["ours", "theirs"], str]:
    """Return the side with the better metric, and both values in words.

    Raises UsageError with the reason if the versions cannot be compared or the better direction is unknown.
    """
    metric = wish.choice.metric
    _check_name(path, pair, metric)
    values = [_number(path, pointer, label, metric) for pointer, label in zip(pair, labels, strict=True)]
    data = [pointer.current_metrics.get(DATA) for pointer in pair]
    hint = f"choose with --ours or --theirs; from now on name the data: `mvc add PATH -m METRIC=VALUE -m {DATA}=NAME`"
    name = shown(path)
    for label, value in zip(labels, data, strict=True):
        if not isinstance(value, str) or not value:
            raise UsageError(f"{name}: {shown(label)}'s version does not say on which data it was measured", hint=hint)
    if data[0] != data[1]:
        said = " and ".join(f"{shown(label)} on {shown(value)}" for label, value in zip(labels, data, strict=True))
        raise UsageError(f"{name}: the versions were measured on different data: {said}", hint=hint)
    if values[0] == values[1]:
        raise UsageError(
            f"{name}: both versions have {shown(metric)} = {values[0]}", hint="choose with --ours or --theirs"
        )
    ours, theirs = values
    gain = wish.gain(path, ours, theirs)
    if not gain:
        why = (
            f"{name}: {shown(metric)} {ours} of {shown(labels[0])} and {theirs} of {shown(labels[1])} are equally good"
        )
        raise UsageError(why, hint="choose with --ours or --theirs")
    if gain > 0:
        return "theirs", f"{shown(metric)} {theirs} against {ours}"
    return "ours", f"{shown(metric)} {ours} against {theirs}"


def _check_name(path: SafeRelPath, pair: tuple[Pointer, Pointer], metric: str) -> None:
    """Raise UsageError with the nearest name if neither version has METRIC: the name is probably mistyped."""
    known = [name for pointer in pair for name in pointer.current_metrics]
    if known and metric not in known and not any(pointer.stale for pointer in pair):
        numbers = (n for pointer in pair for n, value in pointer.current_metrics.items() if is_number(value))
        raise UsageError(
            f"{shown(path)}: neither version has a metric {shown(metric)}", hint=known_metrics(metric, numbers)
        )


def _number(path: SafeRelPath, pointer: Pointer, label: str, metric: str) -> int | float:
    found = pointer.current_metrics.get(metric)
    whose = f"{shown(path)}: {shown(label)}'s version"
    if pointer.stale:
        why = f"{whose} has metrics that were measured on another one"
    elif found is None:
        why = f"{whose} has no metric {shown(metric)}"
    elif isinstance(found, bool | str):
        why = f"{whose} has {shown(metric)} = {shown(found)}, which is not a number"
    elif found != found:  # noqa: PLR0124 - how nan is told
        why = f"{whose} has {shown(metric)} = nan"
    else:
        return found
    raise UsageError(why, hint="choose with --ours or --theirs")


def free_path_beside(repo: Repo, path: SafeRelPath, label: str) -> SafeRelPath:
    """Return a free path for their version: the model's name with their branch. Raises UsageError without one."""
    word = "".join(char if char in _NAME else "-" for char in label).strip("-.")[:_LONGEST].strip("-.") or "theirs"
    stem, suffix = os.path.splitext(path.name)
    tracked = set(repo.tracked())
    for number in range(1, 1000):
        again = f"-{number}" if number > 1 else ""
        name = f"{stem}-{word}{again}{suffix}"
        try:
            found = SafeRelPath(f"{path.parent}/{name}" if path.parent else name)
        except FormatError as error:
            raise UsageError(str(error), hint="choose with --ours or --theirs") from None
        if found not in tracked and not any(_is_taken(repo, one) for one in (found, pointer_of(found))):
            break
    else:
        raise UsageError(f"no name beside {shown(path)} is free", hint="choose with --ours or --theirs")
    rule = index.ignore_rule(repo.layout, pointer_of(found))
    if rule is not None:
        where = f"{shown(rule.file)} line {rule.line} says {shown(rule.pattern)}"
        raise UsageError(f"Git ignores {shown(pointer_of(found))}: {where}", hint="add the line `!*.mvc` below it")
    return found


def _is_taken(repo: Repo, path: SafeRelPath) -> bool:
    return repo.worktree.stat(path) is not None or bool(index.tracked_under(repo.layout, path))
