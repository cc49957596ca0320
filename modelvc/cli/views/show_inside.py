"""Print what is inside a version: lines of a name and a value, as `mvc show` prints them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.cli.views import render
from modelvc.errors import shown
from modelvc.modelfiles.difference import shape_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.ops.history.inside import Inside, ShownField

    Line = tuple[str, str]

_FIRST = 10  # tensors that are shown without --all
_MOST = 20  # hyper-parameters, figures, inputs and imports that are shown without --all


def lines(found: Inside, *, everything: bool) -> list[Line]:
    """Return the lines of FOUND, long lists cut unless EVERYTHING."""
    return list(_lines(found, everything=everything))


def _lines(found: Inside, *, everything: bool) -> Iterator[Line]:
    most = None if everything else _MOST
    if found.format or found.unreadable:
        name = found.class_name.rpartition(".")[2]
        words = filter(None, (found.framework, name, found.version, f"({found.format or 'unknown'})"))
        yield "inside", " ".join(words)
    if found.unreadable:
        yield "unreadable", found.unreadable
    if found.known_from == "pointer":
        yield "", "(as its pointer says)"
    if found.why:
        yield "" if found.format else "inside", found.why
    if found.class_name:
        yield "class", found.class_name
    yield from _block("hyper-parameters", _pairs(found.hyper_parameters), most)
    yield from _block("figures", _pairs(found.figures), most)
    if found.parameters is not None:
        yield "parameters", f"{found.parameters:,}"
    if found.tensors:
        rows = [(one.name, one.dtype, shape_of(one.shape), one.member) for one in found.tensors]
        yield from _block("tensors", _aligned(rows, None if everything else _FIRST), None if everything else _FIRST)
    elif found.tensor_count:
        yield "tensors", f"{found.tensor_count:,}"
    yield from _block("inputs", _fields(found.inputs), most)
    yield from _block("outputs", _fields(found.outputs), most)
    if found.imports:
        yield from _block(
            "imports", [f"{one.name}{f'  ({one.use})' if one.use else ''}" for one in found.imports], most
        )
    elif found.import_count:
        yield "imports", render.count(found.import_count, "name")
    yield from _block("findings", [f"{one.severity}: {one.what}" for one in found.findings], None)
    yield from _block("notes", found.notes, most)


def _pairs(found: dict[str, MetricValue]) -> list[str]:
    return [f"{name} = {render.number(value)}" for name, value in found.items()]


def _fields(found: Iterable[ShownField]) -> list[str]:
    return ["  ".join(filter(None, (one.name, one.dtype, shape_of(one.shape)))) for one in found]


def _aligned(rows: Sequence[Sequence[str]], most: int | None) -> list[str]:
    return [*render.table((), rows[:most]), *[""] * len(rows[most:] if most is not None else ())]


def _block(title: str, found: Sequence[str], most: int | None) -> Iterator[Line]:
    """Yield FOUND below one another, the first behind TITLE, and how many are left out after MOST."""
    for at, value in enumerate(found[:most]):
        yield ("" if at else title), shown(value)
    if most is not None and len(found) > most:
        yield "", f"and {len(found) - most:,} more (--all)"
