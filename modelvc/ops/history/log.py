"""List the versions of models in Git's history."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, NotFoundError, UsageError, shown
from modelvc.formats.paths import model_of, pointer_of
from modelvc.formats.pointer.pointer import parse
from modelvc.formats.text import expression
from modelvc.formats.text.policy import Policy
from modelvc.git import history
from modelvc.git.run import git
from modelvc.ids import Oid
from modelvc.models.versions.history import best_of, versions_of
from modelvc.worktree import file_oids

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.repo import Repo

_NOW = re.compile(r"\b(?:now|today|seconds?)\b", re.IGNORECASE)  # dates that may be this very second
_MOST_COLUMNS = 4  # metrics beside a version, if the user named none


@dataclass(frozen=True, slots=True)
class LoggedVersion:
    """One version of one model at the commit that introduced it. `time`: seconds since the epoch.

    `parent`: the oid that this version replaced; `broken`: why the pointer cannot be read.
    """

    path: str
    commit: str
    time: int
    author: str
    subject: str
    oid: str
    kind: str
    size: int
    metrics: dict[str, MetricValue]
    stored: bool
    refs: tuple[str, ...] = ()
    broken: str = ""
    params: dict[str, MetricValue] = field(default_factory=dict)
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Log:
    """Versions, newest first. `cut_off`: models whose earlier versions this shallow clone lacks."""

    versions: tuple[LoggedVersion, ...]
    cut_off: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filters:
    """The versions to list. Each filter with its default lets all versions pass."""

    limit: int = 0  # at most this many of each model
    all_refs: bool = False  # on every branch and tag
    where: str = ""  # those that fulfil this condition over metrics
    best: str = ""  # only the best by this metric
    since: str = ""  # since a date that Git understands
    rev: str = ""  # in the history of this revision; "": of HEAD


ALL = Filters()


def log(repo: Repo, paths: Sequence[str] = (), filters: Filters = ALL) -> Log:
    """Return the versions of the models in PATHS (default: all) that pass FILTERS.

    Raises NotFoundError for a path without versions.
    """
    repo.require_init()
    if filters.rev and filters.all_refs:
        raise UsageError("--all is every branch and tag, a revision is one", hint="leave one of them out")
    if not filters.rev and not history.has_head(repo.layout):
        return Log(())
    start = history.resolve(repo.layout, filters.rev or "HEAD")
    condition = expression.parse(filters.where) if filters.where else None
    oldest = _since(repo, filters.since) if filters.since else 0
    names = history.branches_and_tags(repo.layout)
    found: list[LoggedVersion] = []
    cut_off: list[str] = []
    known = False
    unknown: list[NotFoundError] = []
    tracked = map(model_of, repo.history.at(start)) if filters.rev else repo.tracked()
    for path in chosen(repo, paths, tracked):
        seen = versions_of(repo, path, start=start, all_refs=filters.all_refs)
        rows = (_logged(repo, at, one, names) for at, one in seen)
        kept: list[LoggedVersion] = []
        last = None
        for row in rows:
            known, last = True, row
            if row.time >= oldest and (condition is None or condition.holds(row.metrics)):
                kept.append(row)
                if filters.limit and len(kept) == filters.limit and not filters.best:
                    break
        else:
            if last and last.parent and repo.layout.shallow:
                cut_off.append(str(path))
        try:
            found += _best(repo, path, kept, filters.best) if filters.best else kept
        except NotFoundError as error:  # one model of several may have other metrics
            unknown.append(error)
    if unknown and not found:
        raise unknown[-1]
    if paths and not known:
        raise _no_versions(repo, paths[0])
    found.sort(key=lambda version: -version.time)
    return Log(tuple(found), tuple(cut_off))


def _no_versions(repo: Repo, text: str) -> NotFoundError:
    try:
        repo.selected([text], repo.tracked())
    except NotFoundError:
        meant = repo.nearest(text, repo.tracked()) or shown(history.nearest(repo.layout, text))
        hint = f"did you mean {meant}?" if meant else "run `mvc ls` to see the models, or `mvc log` for their versions"
        if not meant and ".." in text.strip("./"):
            hint = "mvc log takes one revision, not a range: mvc log REV [PATH]"
        return NotFoundError(f"{shown(text)} is not tracked by mvc, and no commit has it", hint=hint)
    return NotFoundError(f"{shown(text)} is in no commit", hint="commit its pointer first: `git commit -m MESSAGE`")


def columns(repo: Repo, found: Log, asked: Sequence[str], first: Sequence[str] = ()) -> list[str]:
    """Return the metrics to show beside versions: those ASKED for by name or glob, else a few.

    The few are FIRST, then those that the policy judges, then others. Raises NotFoundError for a name that no version
    has.
    """
    from modelvc.models.policy import read_policy

    known = dict.fromkeys(name for version in found.versions for name in version.metrics)
    if asked:
        for wanted in asked:
            if known and not any(matches(name, wanted) for name in known):
                names = ", ".join(shown(name) for name in list(known)[:10])
                raise NotFoundError(f"no version has {shown(wanted)}", hint=f"known metrics: {names}")
        return list(dict.fromkeys(name for wanted in asked for name in known if matches(name, wanted)))
    try:
        policy = read_policy(repo)
    except ModelvcError:  # mvc check reports it
        policy = Policy()
    paths = dict.fromkeys(version.path for version in found.versions)
    rules = {name: next((rule for path in paths if (rule := policy.rule(path, name))), None) for name in known}
    judged = [name for name, rule in rules.items() if rule and rule.direction != "info"]
    return list(dict.fromkeys([*(name for name in first if name in known), *judged, *known]))[:_MOST_COLUMNS]


def here(repo: Repo, found: Log) -> frozenset[int]:
    """Return the positions of the versions that the worktree has: for each model the newest with the oid of its file.

    No file is read: a model has none if it changed since mvc last read it.
    """
    oids: dict[str, str] = {}
    positions: dict[str, int] = {}
    for position, version in enumerate(found.versions):
        if version.path not in oids:
            try:
                known = file_oids.known_oid(repo.worktree, repo.state, version.path)
            except ModelvcError:  # mvc status reports it
                known = None
            oids[version.path] = str(Oid(known)) if known else ""
        if version.oid and version.oid == oids[version.path]:
            positions.setdefault(version.path, position)
    return frozenset(positions.values())


def matches(name: str, wanted: str) -> bool:
    """Return whether NAME is WANTED or matches it as a glob."""
    return name == wanted or fnmatchcase(name, wanted)


def _best(repo: Repo, path: str, rows: Sequence[LoggedVersion], metric: str) -> list[LoggedVersion]:
    """Return the best of ROWS, none if no row has METRIC. Raises UsageError if the policy declares no direction."""
    from modelvc.models.policy import read_policy

    position = best_of(read_policy(repo), path, metric, [row.metrics for row in rows])
    return [] if position is None else [rows[position]]


def _since(repo: Repo, text: str) -> int:
    """Return the date TEXT as Git reads it, in seconds since the epoch.

    Raises UsageError for words that are no date: Git reads them as now.
    """
    begun = int(time.time())
    out = git(repo.layout, "rev-parse", f"--since={text}").decode("ascii", "replace").strip()
    found = int(out.removeprefix("--max-age="))
    if found >= begun and not _NOW.search(text):
        words = f"--since {shown(text, 80)} is not a date in the past"
        raise UsageError(words, hint="write it such as 2025-01-31, yesterday or 2.weeks")
    return found


def chosen(repo: Repo, paths: Sequence[str], tracked: Iterable[str]) -> list[SafeRelPath]:
    """Return the TRACKED models in PATHS; if a path is not tracked, PATHS themselves, which history may have."""
    try:
        return repo.selected(paths, tracked)
    except NotFoundError:
        return [repo.path(path) for path in paths]


def _logged(repo: Repo, path: SafeRelPath, version: history.Version, names: dict[str, list[str]]) -> LoggedVersion:
    pointer: Pointer | None = None
    broken = ""
    try:
        pointer = parse(version.data, pointer_of(path))
    except ModelvcError as error:
        broken = str(error)
    return LoggedVersion(
        path=path,
        commit=version.commit,
        time=version.time,
        author=version.author,
        subject=version.subject,
        oid=str(pointer.oid) if pointer else "",
        kind=pointer.kind if pointer else "",
        size=pointer.size if pointer else 0,
        metrics=pointer.current_metrics if pointer else {},
        stored=bool(pointer and repo.store.has_root(pointer.kind, pointer.oid)),
        refs=tuple(sorted(names.get(version.commit, ()))),
        broken=broken,
        params=dict(pointer.params) if pointer else {},
        parent=str(pointer.parent) if pointer and pointer.parent else "",
    )
