"""What changed between two versions: bytes, files, metrics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError
from modelvc.formats.paths import SafeRelPath, model_of
from modelvc.formats.pointer import parse
from modelvc.formats.policy import Policy
from modelvc.git import history
from modelvc.ops.record import read_policy
from modelvc.ops.renames import former_name
from modelvc.ops.trees import stored_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.formats.metrics import MetricValue
    from modelvc.formats.pointer import Pointer
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file of a folder. `change`: "added", "removed" or "changed"; sizes in bytes."""

    path: str
    change: str
    old_size: int | None
    new_size: int | None


@dataclass(frozen=True, slots=True)
class MetricChange:
    """One metric or parameter; None where a side does not have it. `change` only for numbers.

    `better`: whether it got better; None where the policy declares no direction.
    """

    name: str
    old: MetricValue | None
    new: MetricValue | None
    change: float | None
    better: bool | None = None


@dataclass(frozen=True, slots=True)
class ModelChange:
    """One model. `change`: "added", "removed", "renamed" (and perhaps changed) or "changed"; `was`: its name before,
    where that is another; `files`: None when a side is not in the store.
    """

    path: str
    change: str
    old_oid: str | None
    new_oid: str | None
    old_size: int | None
    new_size: int | None
    shared: int | None  # bytes that both sides have in common, None when unknown
    files: tuple[FileChange, ...] | None
    metrics: tuple[MetricChange, ...]
    params: tuple[MetricChange, ...] = ()
    was: str | None = None


@dataclass(frozen=True, slots=True)
class Diff:
    """From `old` to `new`: commits, or "" for the worktree. `unreadable`: models left out for their pointers."""

    old: str
    new: str
    models: tuple[ModelChange, ...]
    unreadable: tuple[str, ...] = ()


def diff(repo: Repo, old: str = "HEAD", new: str = "", paths: Sequence[str] = ()) -> Diff:
    """What differs between OLD and NEW ("": the worktree's pointers) in the models below PATHS."""
    repo.require_init()
    first, before, bad = _side(repo, old)
    second, after, worse = _side(repo, new)
    unreadable = {*bad, *worse}
    known = {*before, *after, *unreadable}
    chosen = repo.selected(paths, known) if paths else sorted(known)
    policy = _policy(repo)
    came_from = {
        path: name
        for path in map(SafeRelPath, chosen)
        if path in after and path not in before and (name := former_name(after[path], before, {*after, *unreadable}))
    }
    rows = []
    for path in map(SafeRelPath, chosen):
        name = came_from.get(path, path)
        if path in unreadable or path in came_from.values():
            continue
        if name != path or _differs(before.get(name), after.get(path)):
            rows.append(_changed(repo, policy, (name, path), before.get(name), after.get(path)))
    return Diff(first, second, tuple(rows), tuple(path for path in chosen if path in unreadable))


def _side(repo: Repo, rev: str) -> tuple[str, dict[SafeRelPath, Pointer], set[SafeRelPath]]:
    """The commit, its pointers, and the models whose pointers can not be read, as in a conflict."""
    if not rev:
        good, broken = repo.worktree_pointers()
        return "", good, set(broken)
    if rev == "HEAD" and not history.has_head(repo.layout):
        return "", {}, set()
    commit = history.resolve(repo.layout, rev)
    found, unreadable = {}, set()
    for path, data in history.pointers_at(repo.layout, commit).items():
        try:
            found[model_of(path)] = parse(data, path)
        except ModelvcError:
            unreadable.add(model_of(path))
    return commit, found, unreadable


def _differs(old: Pointer | None, new: Pointer | None) -> bool:
    return old is None or new is None or old.encode() != new.encode()


def _policy(repo: Repo) -> Policy:
    """The policy, for what is better; one that can not be read is for `mvc check` to complain about."""
    try:
        return read_policy(repo)
    except ModelvcError:
        return Policy()


def _changed(
    repo: Repo, policy: Policy, names: tuple[SafeRelPath, SafeRelPath], old: Pointer | None, new: Pointer | None
) -> ModelChange:
    was, path = names
    change = "added" if old is None else "removed" if new is None else "changed" if was == path else "renamed"
    return ModelChange(
        path=path,
        change=change,
        old_oid=str(old.oid) if old else None,
        new_oid=str(new.oid) if new else None,
        old_size=old.size if old else None,
        new_size=new.size if new else None,
        shared=_shared(repo, old, new),
        files=_files(repo, old, new),
        metrics=_metrics(policy, path, old, new),
        params=_moved(dict(old.params) if old else {}, dict(new.params) if new else {}),
        was=was if was != path else None,
    )


def _shared(repo: Repo, old: Pointer | None, new: Pointer | None) -> int | None:
    """Bytes of NEW whose chunks OLD has too."""
    if old is None or new is None:
        return None
    from modelvc.store.proof import read_content

    if not all(repo.store.has_root(p.kind, p.oid) for p in (old, new)):
        return None
    sides = [read_content(repo.store, p.kind, p.oid, "", prove_it=False).recipe for p in (old, new)]
    known = {cid for cid, _ in sides[0]}
    return sum(length for cid, length in sides[1] if cid in known)


def _files(repo: Repo, old: Pointer | None, new: Pointer | None) -> tuple[FileChange, ...] | None:
    trees = [p for p in (old, new) if p and p.kind == "tree"]
    if not trees:
        return ()
    if not all(repo.store.has_root("tree", p.oid) for p in trees):
        return None
    before = stored_files(repo.store, old.oid) if old and old.kind == "tree" else {}
    after = stored_files(repo.store, new.oid) if new and new.kind == "tree" else {}
    rows = []
    for name in sorted({*before, *after}):
        a, b = before.get(name), after.get(name)
        if a != b:
            word = "added" if a is None else "removed" if b is None else "changed"
            rows.append(FileChange(name, word, a.size if a else None, b.size if b else None))
    return tuple(rows)


def _metrics(policy: Policy, path: SafeRelPath, old: Pointer | None, new: Pointer | None) -> tuple[MetricChange, ...]:
    rows = []
    for row in _moved(_values(old), _values(new)):
        gain = policy.gain(path, row.name, row.old, row.new)
        rows.append(replace(row, better=None if not gain else gain > 0))
    return tuple(rows)


def _moved(before: Mapping[str, MetricValue], after: Mapping[str, MetricValue]) -> tuple[MetricChange, ...]:
    rows = []
    for name in dict.fromkeys([*before, *after]):
        a, b = before.get(name), after.get(name)
        if a != b or type(a) is not type(b):
            rows.append(MetricChange(name, a, b, _difference(a, b)))
    return tuple(rows)


def _values(pointer: Pointer | None) -> Mapping[str, MetricValue]:
    return dict(pointer.metrics.values) if pointer and pointer.metrics and not pointer.stale else {}


def _difference(a: MetricValue | None, b: MetricValue | None) -> float | None:
    numbers = [x for x in (a, b) if isinstance(x, int | float) and not isinstance(x, bool)]
    return numbers[1] - numbers[0] if len(numbers) == 2 else None
