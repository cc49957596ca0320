"""Show one version of one model."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, NotFoundError, UsageError, shown
from modelvc.formats.pointer.pointer import parse
from modelvc.git import history
from modelvc.models.remotes.seen_cache import is_pushed, pushed_oids
from modelvc.models.versions.history import versions_of
from modelvc.models.versions.pointers import pointer_at
from modelvc.ops.history.inside import NOWHERE, Inside, inside

if TYPE_CHECKING:
    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.ids import Oid
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class ConflictSide:
    """One version of a model in conflict. `label`: the branch that it comes from."""

    label: str
    oid: str
    size: int
    metrics: dict[str, MetricValue]


@dataclass(frozen=True, slots=True)
class Shown:
    """A pointer, and where its bytes are. `lineage`: oids of the versions before, newest first.

    `conflict`: ours and theirs, if a merge left both; all other fields describe ours. `predictions`: number of rows.
    `inside`: what the version is.
    `environment`: versions of Python and of the packages that the model imports, if `mvc add` recorded them.
    """

    path: str
    commit: str
    kind: str
    oid: str
    size: int
    files: int | None
    executable: bool
    metrics: dict[str, MetricValue]
    stale_metrics: bool
    stored: bool
    pushed: bool | None
    lineage: tuple[str, ...]
    conflict: tuple[ConflictSide, ...] = ()
    params: dict[str, MetricValue] = field(default_factory=dict)
    predictions: int | None = None
    inside: Inside = field(default_factory=lambda: Inside(NOWHERE))
    environment: dict[str, str] = field(default_factory=dict)


def show(repo: Repo, what: str, *, inspect: bool = False) -> Shown:
    """Return the version WHAT: PATH (of the worktree) or REV:PATH. Raises NotFoundError if it is not tracked.

    INSPECT: look inside the model however long it takes.
    """
    repo.require_init()
    rev, colon, text = what.rpartition(":")
    path = repo.path(text)
    commit, pointer = pointer_at(repo, rev, path) if colon else ("", _in_worktree(repo, path, what))
    stored = repo.store.has_root(pointer.kind, pointer.oid)
    return Shown(
        path=path,
        commit=commit,
        kind=pointer.kind,
        oid=str(pointer.oid),
        size=pointer.size,
        files=pointer.files,
        executable=pointer.executable,
        metrics=pointer.recorded_metrics,
        stale_metrics=pointer.stale,
        stored=stored,
        pushed=is_pushed(pushed_oids(repo), pointer.oid, stored=stored),
        lineage=_lineage(repo, path, pointer, commit),
        conflict=_sides(pointer),
        params=dict(pointer.params),
        predictions=pointer.predictions.rows if pointer.predictions else None,
        inside=inside(repo, path, pointer, inspect=inspect),
        environment=_environment(pointer),
    )


def _environment(pointer: Pointer) -> dict[str, str]:
    if pointer.env is None:
        return {}
    versions = pointer.env.versions
    return {pointer.env.implementation: pointer.env.python, **{name: versions[name] for name in pointer.env.needs}}


def _in_worktree(repo: Repo, path: SafeRelPath, what: str) -> Pointer:
    try:
        return repo.pointer(path)
    except NotFoundError:
        try:
            history.resolve(repo.layout, what)
        except ModelvcError:
            pass
        else:
            hint = f"mvc show {shown(what)}:PATH; `mvc ls {shown(what)}` lists its models"
            raise UsageError(f"{shown(what)} is a revision, of which model is not said", hint=hint) from None
        raise


def _sides(pointer: Pointer) -> tuple[ConflictSide, ...]:
    if pointer.conflict is None:
        return ()
    labels = (pointer.conflict.ours, pointer.conflict.theirs)
    return tuple(
        ConflictSide(label, str(version.oid), version.size, version.current_metrics)
        for label, version in zip(labels, pointer.sides, strict=True)
    )


def _lineage(repo: Repo, path: SafeRelPath, pointer: Pointer, commit: str) -> tuple[str, ...]:
    """Return the oids of the chain of parents, as far as history has their pointers."""
    if pointer.parent is None:
        return ()
    parents: dict[bytes, Oid | None] = {}
    if history.has_head(repo.layout):
        for _, version in versions_of(repo, path, start=commit or "HEAD"):
            with suppress(ModelvcError):
                before = parse(version.data)
                parents.setdefault(before.oid, before.parent)
    found: dict[bytes, str] = {}
    oid: Oid | None = pointer.parent
    while oid is not None and oid not in found and oid != pointer.oid:
        found[oid] = str(oid)
        oid = parents.get(oid)
    return tuple(found.values())
