"""Show what changed inside a model: one block of lines for each model, meant for 80 columns."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, NamedTuple

from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.errors import shown
from modelvc.modelfiles.difference import shape_of
from modelvc.modelfiles.known_values import OBJECTS, WELL_KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modelvc.modelfiles.difference import (
        Difference,
        FieldChange,
        Identity,
        Numbers,
        TensorChange,
        TensorChanges,
        ValueChange,
    )
    from modelvc.ops.history.diff import MetricChange, ModelChange

_WIDTH = 80  # columns
_VALUE = 28  # characters of a value
_NAME = 30  # characters of the name of a row, more if there is room
_NEW_LINE = 5  # characters before and after the name of a row
_MOST = 20  # rows of one kind
_TENSORS = 10  # tensors of one kind
_UNCHANGED = 2  # hyper-parameters that are shown although they did not change
_FEW = 12  # arrays of an object
_NAMES = 5  # imports of one kind
_VERSIONS = ("ir_version", "opset", "version")  # figures that are no amounts
_COLOURS = {True: "green", False: "red"}


class Row(NamedTuple):
    """One line. `old` and `new` are "" if absent; equal if they did not change. `better`: the colour of the line."""

    name: str
    old: str
    new: str
    remark: str = ""
    better: bool | None = None


def print_inside(change: ModelChange, found: Difference, deep: bool) -> None:
    """Print the block of one model: what it is, then what changed in it. DEEP: all tensors."""
    title = "   ".join(filter(None, (CONTEXT.name(change.path), *_titles(found.old, found.new))))
    rows = [*_rows(found), *_measured(change, found)]
    if CONTEXT.markdown:
        table = [(row.name, row.old if row.old != row.new else "", row.new, row.remark) for row in rows]
        render.out("", *render.table((title, "old", "new", ""), table, markdown=True))
    else:
        width = _room_of_names(rows)
        render.out("", render.colour(title, "bold"), *(line for row in rows for line in _row_lines(row, width)))
    if found.tensors and (deep or found.new.format not in OBJECTS or found.tensors.count <= _FEW):
        _print_tensors(found.tensors, deep=deep)
    if found.note:
        _print_lines([shown(found.note)])


def _width() -> int:
    return render.width() or _WIDTH


def _room_of_names(rows: Sequence[Row]) -> int:
    """Return the width of the column of names: all that the values leave, at least _NAME."""
    longest = max((len(_value_of(row)) for row in rows if row.name and not _is_text(row)), default=0)
    room = max(_NAME, _width() - _NEW_LINE - longest)
    return min(room, max((len(shown(row.name)) for row in rows), default=0))


def _print_lines(found: Sequence[str], colour: str = "") -> None:
    """Print sentences below the table of a model: indented and wrapped, or the items of a list in Markdown."""
    if CONTEXT.markdown and found:
        render.out("", *(f"- {render.markdown_text(line)}" for line in found))
        return
    for line in found:
        wrapped = textwrap.wrap(
            line,
            _width(),
            initial_indent="  ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        render.out(*(render.colour(part, colour) if colour else part for part in wrapped))


def _titles(old: Identity, new: Identity) -> Iterator[str]:
    """Yield what the model is, and the versions of its framework."""
    yield " -> ".join(dict.fromkeys((_what(old), _what(new))))
    versions = dict.fromkeys(filter(None, (old.version, new.version)))
    yield " -> ".join(map(shown, versions))


def _what(one: Identity) -> str:
    return shown(" ".join(filter(None, (one.framework or one.format, one.class_name.rpartition(".")[2]))))


def _rows(found: Difference) -> Iterator[Row]:
    if found.old.format != found.new.format:
        yield Row("format", found.old.format, found.new.format)
    yield from _hyper_parameters(found)
    figures = [one for one in found.figures if one.changed]
    same = [one for one in found.figures if one.name == "parameters"] or found.figures[:_UNCHANGED]
    yield from _values(figures or same, share=True)
    for kind, fields in (("input", found.inputs), ("output", found.outputs)):
        yield from _fields(kind, fields)
    if found.imports is not None:
        yield from _imports(found)
    for what in found.code:
        yield _text("code", f"new: {what}", better=False)
    for one, which in ((found.old, "old"), (found.new, "new")):
        if one.unreadable:
            yield _text("not read", f"the {which} version: {one.unreadable}")
    if found.same_content:
        yield _text("content", "the same: only what the format writes anew at each save differs")
    if found.tensors:
        yield _text("tensors", _summary(found.tensors))


def _text(name: str, words: str, *, better: bool | None = None) -> Row:
    return Row(name, words, words, better=better)


def _notable(found: Sequence[ValueChange]) -> list[ValueChange]:
    """Return a few hyper-parameters that did not change."""
    same = [one for one in found if not one.changed and one.new not in {None, "", "None"} and _counts(one.name)]
    named = [one for first in WELL_KNOWN for one in same if one.name.rpartition(".")[2] == first]
    numbers = [one for one in same if isinstance(one.new, int | float) and not isinstance(one.new, bool)]
    return list({one.name: one for one in (*named, *numbers)}.values())[:_UNCHANGED]


def _counts(name: str) -> bool:
    """Return whether the hyper-parameter NAME can change how well a model learns."""
    last = name.rpartition("__")[2].rpartition(".")[2]
    return last not in {"verbose", "verbosity", "n_jobs"} and not last.endswith(("seed", "random_state"))


def _hyper_parameters(found: Difference) -> Iterator[Row]:
    """Yield those that changed, and a few that did not. Of two classes, those that both have."""
    all_of_it = found.hyper_parameters
    changed = [one for one in all_of_it if one.changed]
    if found.old.class_name != found.new.class_name:
        counts = [sum(side is None for side in sides) for sides in zip(*((x.new, x.old) for x in changed), strict=True)]
        changed = [one for one in changed if one.old is not None and one.new is not None]
        words = [f"{count:,} {word}" for count, word in zip(counts, ("gone", "new"), strict=False) if count]
        if words:
            yield _text("hyper-parameters", f"of another class: {', '.join(words)}")
    yield from _values(changed)
    yield from _values(_notable(all_of_it))


def _values(found: Sequence[ValueChange], *, share: bool = False) -> Iterator[Row]:
    for one in found[:_MOST]:
        old, new = _value(one.old), _value(one.new)
        if one.changed and old == new:  # only in digits that are not shown
            old, new = shown(render.number(one.old), _VALUE), shown(render.number(one.new), _VALUE)
        yield Row(one.name, old, new, "(unchanged)" if not one.changed else _share(one) if share else "")
    if len(found) > _MOST:
        yield _text("", f"and {len(found) - _MOST:,} more (--json lists all)")


def _value(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return shown(render.brief(value), _VALUE)


def _share(one: ValueChange) -> str:
    """Return the change in percent; "" if it has none."""
    numbers = [v for v in (one.old, one.new) if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) < 2 or not numbers[0] or numbers[0] == numbers[1] or one.name.startswith(_VERSIONS):
        return ""
    share = 100 * (numbers[1] - numbers[0]) / abs(numbers[0])
    digits = 0 if abs(share) >= 10 else 1 if abs(share) >= 1 else 2
    return f"({share:+,.{digits}f} %)" if abs(share) >= 0.005 else ""


def _fields(kind: str, found: Sequence[FieldChange]) -> Iterator[Row]:
    for one in found[:_MOST]:
        yield Row(f"{kind} {one.name}", shown(one.old, _VALUE), shown(one.new, _VALUE))
    if len(found) > _MOST:
        yield _text("", f"and {len(found) - _MOST:,} more {kind}s (--json lists all)")


def _imports(found: Difference) -> Iterator[Row]:
    """Yield how many names are imported, then the new ones and the gone ones."""
    counts = [f"{len(names):,} {word}" for word, names in _moved_names(found) if names]
    yield _text("imports", f"{found.imports:,}{': ' if counts else ', '}{', '.join(counts) or 'none new'}")
    for word, names in _moved_names(found):
        for name in names[:_NAMES]:
            yield _text(f"{word} import", shown(name, _WIDTH))
        if len(names) > _NAMES:
            yield _text("", f"and {len(names) - _NAMES:,} more (--json lists all)")


def _moved_names(found: Difference) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("new", found.imports_new), ("gone", found.imports_gone)


def _measured(change: ModelChange, found: Difference) -> Iterator[Row]:
    """Yield the metrics of the model that changed, and its parameters that are no hyper-parameters."""
    known = {one.name for one in found.hyper_parameters}
    for one in change.metrics:
        yield Row(one.name, render.brief(one.old), render.brief(one.new), verdict(one), one.better)
    for one in change.params:
        if one.name not in known:
            yield Row(one.name, render.brief(one.old), render.brief(one.new))


def verdict(moved: MetricChange) -> str:
    """Return an arrow with better or worse; "" if the policy gives no direction."""
    if moved.better is None:
        return ""
    return f"{'↑' if (moved.change or 0) > 0 else '↓'} {'better' if moved.better else 'worse'}"


def _is_text(row: Row) -> bool:
    """Return whether the value of ROW is a sentence, not a value of both versions."""
    return row.old == row.new and not row.remark


def _value_of(row: Row) -> str:
    if row.old == row.new:
        value = row.new
    elif row.old and row.new:
        value = f"{row.old} -> {row.new}"
    else:
        value = f"{row.new} (new)" if row.new else f"{row.old} (gone)"
    gap = " " if row.remark.startswith("(") else "   "
    return f"{value}{gap + row.remark if row.remark else ''}"


def _row_lines(row: Row, width: int) -> list[str]:
    """Return ROW as one line, or as several if its value does not fit."""
    value = _value_of(row)
    room = _width() - width - _NEW_LINE
    values = [value] if len(value) <= room else textwrap.wrap(value, max(room, 20), break_on_hyphens=False)
    names = (_named(row.name, width), *[""] * len(values))
    found = [f"  {name:{width}}   {text}" for name, text in zip(names, values, strict=False)]
    colour = "dim" if row.remark == "(unchanged)" else "" if row.better is None else _COLOURS[row.better]
    return [render.colour(line, colour) for line in found] if colour else found


def _named(name: str, width: int) -> str:
    """Return NAME in at most WIDTH characters. Of a step of a pipeline, only the name of the step is cut."""
    name = shown(name)
    step, separator, last = name.rpartition("__")
    room = width - len(separator + last) - 1
    if len(name) > width and separator and room >= 0:
        return f"{step[:room]}…{separator}{last}"
    return render.middle_cut(name, width)


# -- tensors


def _summary(found: TensorChanges) -> str:
    counts = {kind: sum(one.change == kind for one in found.rows) for kind in _KINDS}
    words = [f"{counts[kind]:,} {word}" for kind, word in _KINDS.items() if counts[kind]]
    return f"{found.count:,}: {', '.join([*words, f'{found.same:,} same'])}" if words else f"{found.count:,}, all same"


_KINDS = {
    "changed": "changed",
    "reshaped": "of another shape or type",
    "renamed": "renamed",
    "added": "added",
    "removed": "removed",
}


def _print_tensors(found: TensorChanges, *, deep: bool) -> None:
    changed = [one for one in found.rows if one.change == "changed"]
    compared = [(one, one.numbers) for one in changed if one.numbers]
    shown_rows = compared if deep else compared[:_TENSORS]
    remarks = _print_numbers(shown_rows) if shown_rows else []
    _print_lines(remarks, "red")
    _print_lines(list(_tensor_lines(found, changed[len(shown_rows) :], deep=deep, some=bool(shown_rows))))


def _tensor_lines(found: TensorChanges, left: Sequence[TensorChange], *, deep: bool, some: bool) -> Iterator[str]:
    """Yield what the table of numbers does not hold. LEFT: changed tensors that it lacks; SOME: it has a row."""
    if found.unread:
        yield f"not compared: {shown(found.unread)}"
    if left and some:
        yield f"and {len(left):,} more that changed (--deep shows all)"
    elif left:
        yield from (_described("changed", one) for one in left[:_TENSORS])
    for kind in ("reshaped", "renamed", "added", "removed"):
        rows = [one for one in found.rows if one.change == kind]
        yield from (_described(kind, one) for one in (rows if deep else rows[:_TENSORS]))
        if len(rows) > _TENSORS and not deep:
            yield f"and {len(rows) - _TENSORS:,} more {_KINDS[kind]} (--deep lists all)"


def _print_numbers(rows: Sequence[tuple[TensorChange, Numbers]]) -> list[str]:
    """Print a table, and return remarks about its rows."""
    head = ("tensor", "values changed", "largest", "rel. norm", "cosine")
    cells = [(_counted(one), _short(one.largest), _short(one.relative_norm), _cosine(one.cosine)) for _, one in rows]
    widths = [max(len(head[at + 1]), *(len(row[at]) for row in cells)) for at in range(4)]
    room = max(20, _width() - 2 - sum(widths) - 2 * 4)
    names = [one.name if CONTEXT.markdown else render.middle_cut(shown(one.name), room) for one, _ in rows]
    lines = render.table(
        head, [(name, *row) for name, row in zip(names, cells, strict=True)], markdown=CONTEXT.markdown
    )
    render.out(*(["", *lines] if CONTEXT.markdown else (f"  {line}" for line in lines)))
    return [f"{shown(one.name)}: {', '.join(numbers.remarks)}" for one, numbers in rows if numbers.remarks]


def _counted(one: Numbers) -> str:
    unit = " bytes" if one.by_bytes else ""
    return f"all {one.total:,}{unit}" if one.changed == one.total else f"{one.changed:,} of {one.total:,}{unit}"


def _short(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _cosine(value: float | None) -> str:
    return "-" if value is None else f"{value:.6f}"


def _described(kind: str, one: TensorChange) -> str:
    old, new = _form(one.old_dtype, one.old_shape), _form(one.new_dtype, one.new_shape)
    name = shown(one.name)
    if kind == "renamed":
        return f"{kind}  {shown(one.was)} -> {name}"
    return f"{kind}  {name}  {' -> '.join(dict.fromkeys(filter(None, (old, new))))}"


def _form(dtype: str, shape: tuple[int, ...] | None) -> str:
    return "" if shape is None else f"{shown(dtype)} {shape_of(shape)}".rstrip()
