"""Compare two versions of models: bytes, files, metrics and parameters."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import ModelvcError
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.text.policy import Policy
from modelvc.git import history
from modelvc.ids import Oid
from modelvc.models.files.model_status import MODIFIED, OBSTRUCTED, UNIGNORED, model_statuses, save_state
from modelvc.models.files.trees import entries_of, oid_of, stored_files
from modelvc.models.policy import read_policy
from modelvc.models.versions.pointers import pointers_of
from modelvc.models.versions.renames import FormerNames
from modelvc.ops.history.diff_inside import Insides
from modelvc.worktree import file_oids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.formats.binary.tree import TreeEntry
    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.modelfiles.difference import Difference
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
    """One metric or parameter; None if a side does not have it. `change`: new minus old, for numbers.

    `better`: whether it got better; None if it did not change or the policy declares no direction.
    """

    name: str
    old: MetricValue | None
    new: MetricValue | None
    change: float | None
    better: bool | None = None


@dataclass(frozen=True, slots=True)
class ModelChange:
    """One model. `change`: "added", "removed", "renamed" (and perhaps changed) or "changed"; `was`: its former name.

    `files`: None if a side is not in the store; `unsaved`: the new side is the worktree's file or folder, which was not
    added yet and has no metrics. `inside`: None if nothing is known of what both versions are.
    """

    path: str
    change: str
    old_oid: str | None
    new_oid: str | None
    old_size: int | None
    new_size: int | None
    shared: int | None  # bytes that both sides have in common, None if unknown
    files: tuple[FileChange, ...] | None
    metrics: tuple[MetricChange, ...]
    params: tuple[MetricChange, ...] = ()
    was: str | None = None
    unsaved: bool = False
    inside: Difference | None = None


@dataclass(frozen=True, slots=True)
class Diff:
    """From `old` to `new`: commits, or "" for the worktree. `unreadable`: skipped models whose pointers or files cannot
    be read.
    """

    old: str
    new: str
    models: tuple[ModelChange, ...]
    unreadable: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Version:
    """A version of a model. `files`: the files of an unsaved folder in the worktree."""

    pointer: Pointer
    unsaved: bool = False
    files: Mapping[SafeRelPath, TreeEntry] | None = None


class _Side(NamedTuple):
    """A commit ("": the worktree), its models, and the models whose pointers or files cannot be read."""

    commit: str
    models: dict[SafeRelPath, _Version]
    unreadable: set[SafeRelPath]


def diff(repo: Repo, old: str = "HEAD", new: str = "", paths: Sequence[str] = (), *, deep: bool = False) -> Diff:
    """Compare the models below PATHS in the revisions OLD and NEW. "" is the worktree with its unsaved models.

    DEEP: compare the numbers of all tensors that changed. Raises UsageError if that needs numpy and it is missing.
    """
    repo.require_init()
    before, after = _side(repo, old), _side(repo, new)
    unreadable = {*before.unreadable, *after.unreadable}
    known = {*before.models, *after.models, *unreadable}
    chosen = [SafeRelPath(path) for path in (repo.selected(paths, known) if paths else sorted(known))]
    if not new:
        unreadable |= _use_worktree(repo, after.models, chosen)
    policy = _policy(repo)
    earlier = {path: version.pointer for path, version in before.models.items()}
    names = FormerNames(earlier, {*after.models, *unreadable})
    came_from = {
        path: name
        for path in chosen
        if path in after.models and path not in before.models and (name := names.name(after.models[path].pointer))
    }
    rows = []
    insides = Insides(repo, deep=deep)
    for path in chosen:
        name = came_from.get(path, path)
        if path in unreadable or path in came_from.values():
            continue
        if name != path or _differs(before.models.get(name), after.models.get(path)):
            sides = before.models.get(name), after.models.get(path)
            inside = _inside(insides, path, *sides, here=not new)
            rows.append(replace(_changed(repo, policy, (name, path), *sides), inside=inside))
    return Diff(before.commit, after.commit, tuple(rows), tuple(path for path in chosen if path in unreadable))


def _side(repo: Repo, rev: str) -> _Side:
    if rev == "HEAD" and not history.has_head(repo.layout):
        return _Side("", {}, set())
    commit = history.resolve(repo.layout, rev) if rev else ""
    good, broken = pointers_of(repo, commit)
    return _Side(commit, {path: _Version(pointer) for path, pointer in good.items()}, set(broken))


def _use_worktree(repo: Repo, models: dict[SafeRelPath, _Version], chosen: Sequence[SafeRelPath]) -> set[SafeRelPath]:
    """Replace in MODELS the pointers of modified models by what the worktree holds.

    Return the models that cannot be read.
    """
    here = [os.path.join(repo.layout.worktree, path) for path in chosen if path in models]
    unreadable = set()
    rows = model_statuses(repo, here) if here else ()
    save_state(repo)
    for row in rows:
        path = SafeRelPath(row.path)
        if row.state == OBSTRUCTED:
            unreadable.add(path)
        elif row.state in {MODIFIED, UNIGNORED} and path in models:
            try:
                models[path] = _version_in_worktree(repo, path, models[path].pointer)
            except (ModelvcError, OSError):
                unreadable.add(path)
    return unreadable


def _version_in_worktree(repo: Repo, path: SafeRelPath, pointer: Pointer) -> _Version:
    """Return what lies at PATH now as a version. Raises ModelvcError for what no pointer can name, such as a link."""
    files = file_oids.tree_files(repo.worktree, repo.state, path)
    if files is not None:
        entries = entries_of(files)
        size = sum(entry.size for entry in entries)
        found = replace(pointer, kind="tree", oid=oid_of(entries), size=size, files=len(entries), executable=False)
        return _Version(found, unsaved=True, files={entry.path: entry for entry in entries})
    stat = repo.worktree.stat(path)
    oid = file_oids.file_oid(repo.worktree, repo.state, path)
    if stat is None or oid is None:
        return _Version(pointer)
    found = replace(pointer, kind="file", oid=Oid(oid), size=stat.size, files=None, executable=stat.executable)
    return _Version(found, unsaved=True)


def _differs(old: _Version | None, new: _Version | None) -> bool:
    if old is None or new is None:
        return True
    if new.unsaved:  # no pointer of its own yet
        sides = [(side.kind, side.oid, side.executable) for side in (old.pointer, new.pointer)]
        return sides[0] != sides[1]
    return old.pointer.encode() != new.pointer.encode()


def _policy(repo: Repo) -> Policy:
    """Return the policy; an empty one if it cannot be read, which `mvc check` reports."""
    try:
        return read_policy(repo)
    except ModelvcError:
        return Policy()


def _changed(
    repo: Repo, policy: Policy, names: tuple[SafeRelPath, SafeRelPath], before: _Version | None, after: _Version | None
) -> ModelChange:
    was, path = names
    old, new = before.pointer if before else None, after.pointer if after else None
    change = "added" if old is None else "removed" if new is None else "changed" if was == path else "renamed"
    unsaved = bool(after and after.unsaved)
    return ModelChange(
        path=path,
        change=change,
        old_oid=str(old.oid) if old else None,
        new_oid=str(new.oid) if new else None,
        old_size=old.size if old else None,
        new_size=new.size if new else None,
        shared=_shared(repo, old, new),
        files=_files(repo, before, after),
        metrics=() if unsaved else _metrics(policy, path, old, new),
        params=() if unsaved else _moved(dict(old.params) if old else {}, dict(new.params) if new else {}),
        was=was if was != path else None,
        unsaved=unsaved,
    )


def _inside(
    insides: Insides, path: SafeRelPath, old: _Version | None, new: _Version | None, *, here: bool
) -> Difference | None:
    return insides.compare(path, old.pointer, new.pointer, here=here) if old and new else None


def _shared(repo: Repo, old: Pointer | None, new: Pointer | None) -> int | None:
    """Return the bytes of NEW in chunks that OLD has too; None if the store lacks a side."""
    if old is None or new is None:
        return None
    from modelvc.store.local.hash_whole import read_content

    if not all(repo.store.has_root(p.kind, p.oid) for p in (old, new)):
        return None
    sides = [read_content(repo.store, p.kind, p.oid, "", hash_unproven=False).recipe for p in (old, new)]
    known = {cid for cid, _ in sides[0]}
    return sum(length for cid, length in sides[1] if cid in known)


def _files(repo: Repo, old: _Version | None, new: _Version | None) -> tuple[FileChange, ...] | None:
    sides = [_entries(repo, side) for side in (old, new)]
    if None in sides:
        return None
    before, after = sides
    rows = []
    for name in sorted({*(before or {}), *(after or {})}):
        a, b = (before or {}).get(name), (after or {}).get(name)
        if a != b:
            word = "added" if a is None else "removed" if b is None else "changed"
            rows.append(FileChange(name, word, a.size if a else None, b.size if b else None))
    return tuple(rows)


def _entries(repo: Repo, side: _Version | None) -> Mapping[SafeRelPath, TreeEntry] | None:
    """Return the files of a folder; none for a file, None if the store lacks the folder."""
    if side is None or side.pointer.kind != "tree":
        return {}
    if side.files is not None:
        return side.files
    if not repo.store.has_root("tree", side.pointer.oid):
        return None
    return stored_files(repo.store, side.pointer.oid)


def _metrics(policy: Policy, path: SafeRelPath, old: Pointer | None, new: Pointer | None) -> tuple[MetricChange, ...]:
    rows = []
    for row in _moved(old.current_metrics if old else {}, new.current_metrics if new else {}):
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


def _difference(a: MetricValue | None, b: MetricValue | None) -> float | None:
    numbers = [x for x in (a, b) if isinstance(x, int | float) and not isinstance(x, bool)]
    return numbers[1] - numbers[0] if len(numbers) == 2 else None
