"""Show the recorded metrics of models, and amend those of one version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import UsageError, shown
from modelvc.formats.paths import SafeRelPath, pointer_of
from modelvc.git import history, index
from modelvc.models.measures.measurements import with_measurements
from modelvc.models.versions.pointers import readable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.models.measures.measurements import Measurements
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class ModelMetrics:
    """The recorded measurements of a model. `stale`: its metrics were measured on another version.

    `metrics_file`: the file of the metrics, "" if none; `rows`: rows of its predictions, 0 without any.
    """

    path: str
    oid: str
    metrics: dict[str, MetricValue]
    params: dict[str, MetricValue]
    metrics_file: str
    rows: int
    stale: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class MetricsShown:
    """The measurements of models, sorted by path. `commit`: "" for the worktree."""

    commit: str
    models: tuple[ModelMetrics, ...]


def metrics_show(repo: Repo, rev: str = "", paths: Sequence[str] = ()) -> MetricsShown:
    """Return the measurements of the models below PATHS, in the worktree's pointers or those of REV."""
    repo.require_init()
    commit = history.resolve(repo.layout, rev) if rev else ""
    # mvc status and mvc ls report pointers that cannot be read
    found = readable(repo.history.at(commit)) if commit else repo.worktree_pointers()[0]
    chosen = repo.selected(paths, found) if paths else sorted(found)
    return MetricsShown(commit, tuple(_row(path, found[path]) for path in chosen))


def metrics_set(repo: Repo, text: str, given: Measurements, remove: Sequence[str] = ()) -> ModelMetrics:
    """Record GIVEN in the worktree's pointer of the model TEXT, REMOVE metrics by name, and stage the pointer."""
    repo.require_init()
    if not given and not remove:
        raise UsageError("nothing to record", hint="mvc metrics set PATH NAME=VALUE, or --metrics FILE")
    with repo.updating():
        path = repo.path(text)
        before = repo.pointer(path)
        if before.conflict:
            raise UsageError(f"{shown(path)} is in conflict", hint=f"resolve it first: mvc resolve {shown(path)}")
        pointer, note = with_measurements(repo, path, before, None, given)
        pointer = _without(pointer, remove)
        if pointer.encode() != before.encode():
            repo.write_pointer(path, pointer)
        index.stage(repo.layout, add=[pointer_of(path)])
        return _row(path, pointer, note)


def _without(pointer: Pointer, names: Sequence[str]) -> Pointer:
    if not names:
        return pointer
    values = pointer.recorded_metrics
    for name in names:
        if name not in values:
            raise UsageError(f"there is no metric {shown(name)}", hint="see `mvc metrics show`")
        del values[name]
    assert pointer.metrics is not None  # noqa: S101 - for the type checker: a name was found
    kept = replace(pointer.metrics, values=tuple(values.items())) if values else None
    return replace(pointer, metrics=kept, metrics_file=pointer.metrics_file if kept else None)


def _row(path: SafeRelPath | str, pointer: Pointer, note: str = "") -> ModelMetrics:
    return ModelMetrics(
        path=path,
        oid=str(pointer.oid),
        metrics=pointer.recorded_metrics,
        params=dict(pointer.params),
        metrics_file=str(pointer.metrics_file.path) if pointer.metrics_file else "",
        rows=pointer.predictions.rows if pointer.predictions else 0,
        stale=pointer.stale,
        note=note,
    )
