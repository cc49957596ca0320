"""List the versions of a model in Git's history, under all of its names, and find the best by a metric."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, NotFoundError, UsageError, near, shown
from modelvc.formats.paths import pointer_of
from modelvc.formats.pointer.pointer import parse
from modelvc.models.versions.pointers import readable
from modelvc.models.versions.renames import FormerNames

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import TypeGuard

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.text.policy import Policy
    from modelvc.git import history
    from modelvc.repo import Repo


def versions_of(
    repo: Repo, path: SafeRelPath, *, start: str = "HEAD", all_refs: bool = False
) -> Iterator[tuple[SafeRelPath, history.Version]]:
    """Yield (path, version) of the model at PATH, newest first. Before a rename, its former name is followed."""
    seen = {path}
    last: history.Version | None = None
    for version in repo.history.of(pointer_of(path), start=start, all_refs=all_refs):
        last = version
        yield path, version
    while last is not None:
        before = _renamed_from(repo, last, seen)
        if before is None:
            return
        seen.add(before)
        commit, last = last.commit, None
        for version in repo.history.before(commit, pointer_of(before), start=start, all_refs=all_refs):
            last = version
            yield before, version


def _renamed_from(repo: Repo, version: history.Version, seen: set[SafeRelPath]) -> SafeRelPath | None:
    """Return the model's path before VERSION's commit if that commit removed the path; else None."""
    lost = repo.history.gone(version.commit)
    if not lost:
        return None
    try:
        return FormerNames(readable(lost), seen).name(parse(version.data))
    except ModelvcError:
        return None


def best_of(policy: Policy, path: str, metric: str, rows: Sequence[Mapping[str, MetricValue]]) -> int | None:
    """Return the index of the best of ROWS by METRIC; None if no row has a number for METRIC.

    Raises UsageError if the policy declares no direction. Raises NotFoundError if moreover no row has METRIC: then the
    name is probably mistyped.
    """
    rule = policy.rule(path, metric)
    if rule is None or rule.direction == "info":
        if rows and not any(_comparable(row.get(metric)) for row in rows):
            raise no_such_metric(path, metric, (name for row in rows for name in row if _comparable(row[name])))
        raise no_direction(metric)
    best: tuple[float, int] | None = None
    for position, row in enumerate(rows):
        value = row.get(metric)
        if _comparable(value) and (best is None or (rule.gain(best[0], float(value)) or 0) > 0):
            best = (float(value), position)
    return best[1] if best else None


def no_direction(metric: str) -> UsageError:
    """Return the error for a METRIC whose better direction no rule of the policy names."""
    return UsageError(
        f"the policy does not say which way {shown(metric)} is better",
        hint='say so in .mvc/policy.toml: [[metric]] with name and direction = "higher" or "lower"',
    )


def no_such_metric(model: str, metric: str, known: Iterable[str]) -> NotFoundError:
    """Return the error for a METRIC that no version of MODEL has as a number. KNOWN: metrics that some version has."""
    return NotFoundError(
        f"no version of {shown(model)} has a number for {shown(metric)}", hint=known_metrics(metric, known)
    )


def known_metrics(metric: str, known: Iterable[str]) -> str:
    """Return the hint for a METRIC that is probably mistyped: the nearest one of KNOWN, and ten of them."""
    there = list(dict.fromkeys(known))
    names = ", ".join(map(shown, there[:10])) or "none; add one with `mvc add PATH -m NAME=NUMBER`"
    meant = near(metric, there)
    return f"{f'did you mean {shown(meant)}? ' if meant else ''}known metrics: {names}"


def _comparable(value: MetricValue | None) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value  # noqa: PLR0124 - nan
