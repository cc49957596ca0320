"""Print the versions of models as a table. On a terminal, it has the columns that fit."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, NamedTuple

from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.errors import shown

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from modelvc.ops.history.log import Log, LoggedVersion

_SUBJECT = 60  # most characters of a subject
_LEAST_SUBJECT = 20  # a narrower column would tell nothing
_ALWAYS, _ASKED = 0, 1  # ranks; a column with a lower rank is kept first


class _Column(NamedTuple):
    title: str
    cells: list[str]
    rank: int


def print_log(found: Log, metrics: Sequence[str], *, asked: Collection[str], here: Collection[int]) -> None:
    """Print the versions with METRICS. ASKED: those that the user named; HERE: positions that the worktree has."""
    here = () if CONTEXT.markdown else here
    columns = _columns(found, metrics, asked, here)
    width = 0 if CONTEXT.markdown else render.width()
    kept = _fitting(columns, width) if width else columns
    if width and kept[-1] is columns[-1]:
        room = width - sum(_width(column) + 2 for column in kept[:-1])
        kept[-1] = kept[-1]._replace(cells=[_subject(version, room) for version in found.versions])
    rows = zip(*(column.cells for column in kept), strict=True)
    render.out(*render.table([column.title for column in kept], rows, markdown=CONTEXT.markdown))
    titles = {column.title for column in kept}
    left_out = [shown(column.title) for column in columns if column.title not in titles]
    if left_out:
        words = f"{render.count(len(left_out), 'column')} left out to fit {width} characters: {', '.join(left_out)}"
        render.say(words, "to see them: widen the terminal, or pipe into `less -S`", quiet=CONTEXT.quiet)
    if not CONTEXT.markdown:
        marked = "* the worktree has this version · " if here else ""
        render.say(f"{marked}back to one of them: mvc checkout COMMIT PATH", quiet=CONTEXT.quiet)


def _columns(found: Log, metrics: Sequence[str], asked: Collection[str], here: Collection[int]) -> list[_Column]:
    versions = found.versions
    several = len({version.path for version in versions}) > 1
    # the versions of one model at several paths, since it was renamed, are told apart without its name
    model_rank = _ALWAYS if _of_several_models(versions) else 10
    columns = [
        *([_Column("", ["*" if at in here else "" for at in range(len(versions))], _ALWAYS)] if here else []),
        _Column("commit", [v.commit[:8] for v in versions], _ALWAYS),
        _Column("date", [time.strftime("%Y-%m-%d", time.localtime(v.time)) for v in versions], 4),
        _Column("author", [v.author[:20] for v in versions], 6),
        *([_Column("model", [CONTEXT.name(v.path) for v in versions], model_rank)] if several else []),
        _Column("version", [render.short(v.oid) for v in versions], _ALWAYS),
        _Column("size", ["broken" if v.broken else render.size(v.size) for v in versions], 8),
    ]
    ranks = (2, 5, 7, 9)  # of metrics that nobody asked for, between the other columns
    for at, name in enumerate(metrics):
        rank = _ASKED if name in asked else ranks[at]
        columns.append(_Column(name, [render.brief(v.metrics.get(name)) for v in versions], rank))
    return [*columns, _Column("subject", [_subject(v) for v in versions], 3)]


def _of_several_models(versions: Sequence[LoggedVersion]) -> bool:
    """Return False if each path took over from the path before it, as a rename does."""
    return any(
        version.path != before.path and before.oid not in {version.oid, version.parent}
        for version, before in itertools.pairwise(versions)
    )


def _fitting(columns: Sequence[_Column], width: int) -> list[_Column]:
    """Return the columns that fit into WIDTH characters, chosen by rank, in their order."""
    room = width + 2  # two spaces lie between columns
    kept = set()
    for at in sorted(range(len(columns)), key=lambda at: columns[at].rank):
        least = 2 + min(_width(columns[at]), _LEAST_SUBJECT if columns[at] is columns[-1] else width)
        if columns[at].rank != _ALWAYS and least > room:
            break
        kept.add(at)
        room -= least
    return [column for at, column in enumerate(columns) if at in kept]


def _width(column: _Column) -> int:
    return max(map(len, map(shown, (column.title, *column.cells))))


def _subject(version: LoggedVersion, room: int = 0) -> str:
    """Return the subject and the refs of a version, in at most ROOM characters if it is not 0."""
    subject = _cut(shown(version.subject), _SUBJECT)
    refs = shown(f" ({', '.join(version.refs)})") if version.refs else ""
    if not room or len(subject) + len(refs) <= room:
        return subject + refs
    return _cut(subject, room - len(refs)) + refs if len(refs) <= room // 2 else _cut(subject + refs, room)


def _cut(text: str, room: int) -> str:
    """Return TEXT in at most ROOM characters, cut between words."""
    if len(text) <= room:
        return text
    head = text[: room - 3]
    whole = head if text[room - 3] == " " else head.rpartition(" ")[0] or head
    return whole.rstrip(" ,;:-") + "..."
