"""Collect the history of a model's metrics, oldest version first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import UsageError, shown
from modelvc.models.policy import read_policy
from modelvc.models.versions.history import no_such_metric
from modelvc.ops.history.log import ALL, Filters, chosen, log, matches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.formats.text.policy import MetricRule
    from modelvc.ops.history.log import LoggedVersion
    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class PlotMetric:
    """One metric and its rule in the policy. `direction`: "" without a rule.

    `best`: the index in `Plot.versions` of the best version, None if the policy declares no better direction.
    """

    name: str
    direction: str
    floor: float | None
    ceiling: float | None
    target: float | None
    best: int | None


@dataclass(frozen=True, slots=True)
class Plot:
    """The metrics of one model. `versions`: oldest first; `links`: (from, to) indexes of a version and its next one.

    `before`: the version that the newest one replaced, with which `mvc check` compares it too.
    """

    path: str
    metrics: tuple[PlotMetric, ...]
    versions: tuple[LoggedVersion, ...]
    links: tuple[tuple[int, int], ...]
    before: LoggedVersion | None = None


def plot(repo: Repo, path: str, names: Sequence[str] = (), filters: Filters = ALL) -> Plot:
    """Return the versions of one model that pass FILTERS, with the metrics that match NAMES (globs; default: all).

    Metrics that the policy judges come first. Raises NotFoundError for a model without versions, and for a name for
    which no version has a number.
    """
    model, *more = chosen(repo, [path], repo.tracked())
    if more:
        raise UsageError(f"{shown(path)} holds {1 + len(more)} models", hint=f"one at a time: mvc plot {shown(model)}")
    found = log(repo, [path], filters).versions
    versions = tuple(version for version in reversed(found) if not version.broken)
    policy = read_policy(repo)
    numeric = dict.fromkeys(
        name for version in reversed(versions) for name in version.metrics if _has_number(versions, name)
    )
    ruled = {name: policy.rule(model, name) for name in numeric}
    ordered = sorted(numeric, key=lambda name: (rule := ruled[name]) is None or rule.direction == "info")
    metrics = tuple(_metric(versions, name, ruled[name]) for name in _wanted(ordered, names, model))
    before = _before(repo, path, versions[-1], filters) if versions else None
    return Plot(model, metrics, versions, _links(versions, branched=filters.all_refs), before)


def _before(repo: Repo, path: str, newest: LoggedVersion, filters: Filters) -> LoggedVersion | None:
    """Return the version that NEWEST replaced, even if FILTERS hide it; None if history lacks it."""
    if not newest.parent:
        return None
    every = log(repo, [path], Filters(all_refs=filters.all_refs, rev=filters.rev)).versions
    return next((version for version in every if version.oid == newest.parent), None)


def value(version: LoggedVersion, name: str) -> float | None:
    """Return the metric NAME of VERSION; None unless it is a finite number."""
    found = version.metrics.get(name)
    if isinstance(found, bool | str) or found is None or not math.isfinite(found):
        return None
    return float(found)


def _has_number(versions: Sequence[LoggedVersion], name: str) -> bool:
    return any(value(version, name) is not None for version in versions)


def _wanted(ordered: Sequence[str], names: Sequence[str], model: str) -> list[str]:
    found: dict[str, None] = {}
    for wanted in names:
        hits = [name for name in ordered if matches(name, wanted)]
        if not hits:
            raise no_such_metric(model, wanted, ordered)
        found.update(dict.fromkeys(hits))
    return list(found) if names else list(ordered)


def _metric(versions: Sequence[LoggedVersion], name: str, rule: MetricRule | None) -> PlotMetric:
    if rule is None:
        return PlotMetric(name, "", None, None, None, None)
    best: tuple[int, float] | None = None
    for position, version in enumerate(versions):
        number = value(version, name)
        if number is None:
            continue
        gain = rule.gain(best[1], number) if best else rule.gain(number, number)
        if gain is not None and (best is None or gain > 0):
            best = (position, number)
    return PlotMetric(name, rule.direction, rule.floor, rule.ceiling, rule.target, best[0] if best else None)


def _links(versions: Sequence[LoggedVersion], *, branched: bool) -> tuple[tuple[int, int], ...]:
    """Return the links. On one branch each version follows the previous one; if BRANCHED, the parent that it names."""
    if not branched:
        return tuple((position, position + 1) for position in range(len(versions) - 1))
    found: list[tuple[int, int]] = []
    last: dict[str, int] = {}
    for position, version in enumerate(versions):
        before = last.get(version.parent)
        if before is not None:
            found.append((before, position))
        last[version.oid] = position
    return tuple(found)
