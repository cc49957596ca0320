"""Show how two versions of models differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.cli.views.inside import print_inside, verdict
from modelvc.errors import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.ops.history.diff import Diff, MetricChange, ModelChange

_MOST_FILES = 50  # most files of a folder that are listed; a line counts the others


def print_diff(found: Diff, *, deep: bool = False) -> None:
    """Print a table of the models, then a block for each model whose inside is known. DEEP: all of its tensors."""
    for path in found.unreadable:
        render.say(f"not compared, since it cannot be read: {CONTEXT.name(path)} (see `mvc status`)")
    if not found.models:
        render.out("no model differs")
        return
    rows = []
    for m in found.models:
        new = "" if m.shared is None or m.new_size is None else f"{render.size(m.new_size - m.shared)} new"
        new = "not added yet" if m.unsaved else new
        sizes = [render.size(size) for size in (m.old_size, m.new_size) if size is not None]
        if m.old_oid == m.new_oid:
            versions, sizes, new = render.short(m.new_oid), sizes[:1], "same bytes"
        else:
            versions = " -> ".join(render.short(oid) for oid in (m.old_oid, m.new_oid) if oid)
        name = f"{CONTEXT.name(m.was)} -> {CONTEXT.name(m.path)}" if m.was else CONTEXT.name(m.path)
        rows.append((name, m.change, versions, " -> ".join(sizes), new))
    head = ("model", "change", "version", "size", "content")
    render.out(*_in_width(head, rows))
    for m in found.models:
        if m.inside:
            print_inside(m, m.inside, deep)
    changed = [m for m in found.models if m.change != "removed" and not m.inside]
    _print_moved("metric", [(m.path, x) for m in changed for x in m.metrics])
    _print_moved("parameter", [(m.path, x) for m in changed for x in m.params])
    for m in found.models:
        if m.change in {"changed", "renamed"}:
            _print_files(m)


def _in_width(head: Sequence[str], rows: Sequence[Sequence[str]], colours: Sequence[str] = ()) -> list[str]:
    """Return ROWS as a table, each in its colour. If the terminal is too narrow, the names have lines of their own."""
    lines = render.table(head, rows, markdown=CONTEXT.markdown)
    apart = not CONTEXT.markdown and render.too_wide(lines)
    if apart:
        lines = [f"  {line}" for line in render.table(head[1:], [row[1:] for row in rows])]
    if colours:
        painted = (
            render.colour(line, colour) if colour else line for line, colour in zip(lines[1:], colours, strict=True)
        )
        lines = [lines[0], *painted]
    if not apart:
        return lines
    named, last = lines[:1], ""
    for line, (name, *_) in zip(lines[1:], rows, strict=True):
        named += [line] if name == last else [shown(name), line]
        last = name
    return named


_COLOURS = {True: "green", False: "red"}


def _print_moved(kind: str, moved: list[tuple[str, MetricChange]]) -> None:
    """Print changed metrics or parameters. A column says better or worse if the policy gives a direction."""
    if not moved:
        return
    rows = [
        (
            CONTEXT.name(path),
            x.name,
            render.brief(x.old),
            render.brief(x.new),
            "" if x.change is None else f"{x.change:+.6g}",
            *([verdict(x)] if any(y.better is not None for _, y in moved) else []),
        )
        for path, x in moved
    ]
    head = ("model", kind, "old", "new", "change", *([""] if len(rows[0]) > 5 else []))
    colours = () if CONTEXT.markdown else ["" if x.better is None else _COLOURS[x.better] for _, x in moved]
    render.out("", *_in_width(head, rows, colours))


def _print_files(change: ModelChange) -> None:
    if change.files is None:
        name = CONTEXT.name(change.path)
        render.out("", f"{name}: its files are not in this clone; `mvc fetch` brings what is needed to compare them")
        return
    rows = [
        (f"{CONTEXT.name(change.path)}/{f.path}", f.change, render.size(f.old_size), render.size(f.new_size))
        for f in change.files
    ]
    if rows:
        head = ("file", "change", "old", "new")
        render.out("", *render.table(head, rows[:_MOST_FILES], markdown=CONTEXT.markdown))
    if len(rows) > _MOST_FILES:
        render.out(f"... and {len(rows) - _MOST_FILES:,} more (--json lists all)")
