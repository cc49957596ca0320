"""Print what is inside a version: lines of a name and a value, as `mvc show` prints them."""

from __future__ import annotations

import re
import textwrap
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from modelvc.cli.views import render
from modelvc.errors import shown
from modelvc.modelfiles.difference import shape_of
from modelvc.modelfiles.known_values import OBJECTS, WELL_KNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.ops.history.inside import Inside, ShownField

_FIRST = 10  # tensors that are shown without --all
_ARRAYS = 12  # of more arrays of an object, such as those of the trees of a forest, only the number is shown
_VALUES = 15  # hyper-parameters that are shown without --all
_MOST = 20  # figures, inputs and imports that are shown without --all
_COMMAND = re.compile(r"\(mvc [^)]*\)")  # stays on one line
_TITLES = len("hyper-parameters") + 2  # characters before a value


class Fit(Enum):
    """How a value that is too long for the terminal is shown."""

    WRAP = "on several lines, broken between words"
    END = "without its end"
    MIDDLE = "without its middle"


class Line(NamedTuple):
    """One line. `name` is "" if the line above has it."""

    name: str
    value: str
    fit: Fit = Fit.WRAP


def fitted(found: Sequence[Line], width: int) -> list[str]:
    """Return the lines with aligned values, in WIDTH characters if it is not 0. A word or a command is never broken."""
    before = max(len(one.name) for one in found) + 2
    room = max(width - before, 20) if width else 0
    return [f"{name:{before}}{text}" for one in found for name, text in _in_room(one, room)]


def _in_room(one: Line, room: int) -> Iterator[tuple[str, str]]:
    if not room or len(one.value) <= room:
        yield one.name, one.value
    elif one.fit is Fit.WRAP:
        whole = _COMMAND.sub(lambda match: match[0].replace(" ", "\0"), one.value)
        found = textwrap.wrap(whole, room, break_long_words=False, break_on_hyphens=False)
        names = (one.name, *[""] * len(found))
        yield from zip(names, (text.replace("\0", " ") for text in found), strict=False)
    else:
        cut = render.middle_cut(one.value, room) if one.fit is Fit.MIDDLE else f"{one.value[: room - 1]}…"
        yield one.name, cut


def lines(found: Inside, *, everything: bool, width: int = 0) -> list[Line]:
    """Return the lines of FOUND, long lists cut unless EVERYTHING.

    Files of tensors are left out if they do not fit into WIDTH characters, which is 0 without a limit.
    """
    found_lines = _lines(found, everything=everything, width=0 if everything else width)
    return [one._replace(fit=Fit.WRAP) for one in found_lines] if everything else list(found_lines)


def _lines(found: Inside, *, everything: bool, width: int) -> Iterator[Line]:
    most = None if everything else _MOST
    if found.format or found.unreadable:
        yield Line("inside", _what(found))
    if found.unreadable:
        yield Line("unreadable", found.unreadable)
    if found.known_from == "pointer":
        yield Line("", "(as its pointer says)")
    if found.why:
        yield Line("" if found.format else "inside", found.why)
    if found.class_name:
        yield Line("class", found.class_name, Fit.MIDDLE)
    values = found.hyper_parameters if everything else _by_interest(found.hyper_parameters)
    yield from _block("hyper-parameters", _pairs(values), None if everything else _VALUES, Fit.END)
    yield from _block("figures", _pairs(found.figures), most, Fit.END)
    if found.parameters is not None:
        yield Line("parameters", f"{found.parameters:,}")
    if found.tensors and not everything and _is_an_object(found) and len(found.tensors) > _ARRAYS:
        yield Line("tensors", f"{len(found.tensors):,} (--all lists them)")
    elif found.tensors:
        first = None if everything else _FIRST
        yield from _block("tensors", _tensors(found, first, width), first, Fit.MIDDLE)
    elif found.tensor_count:
        yield Line("tensors", f"{found.tensor_count:,}")
    yield from _block("inputs", _fields(found.inputs), most, Fit.MIDDLE)
    yield from _block("outputs", _fields(found.outputs), most, Fit.MIDDLE)
    if found.imports:
        names = [f"{one.name}{f'  ({one.use})' if one.use else ''}" for one in found.imports]
        yield from _block("imports", names, most, Fit.MIDDLE)
    elif found.import_count:
        yield Line("imports", render.count(found.import_count, "name"))
    yield from _block("findings", [f"{one.severity}: {one.what}" for one in found.findings], None)
    yield from _block("notes", found.notes, most)


def _what(found: Inside) -> str:
    """Return what the version is, in one line."""
    name = found.class_name.rpartition(".")[2]
    words = " ".join(filter(None, (found.framework, name, found.version)))
    if words:
        return f"{words} ({found.format or 'unknown format'})"
    return (
        f"a model in the format {found.format}" if found.format not in {"", "unknown"} else "no format that mvc reads"
    )


def _is_an_object(found: Inside) -> bool:
    return found.format in OBJECTS or found.framework == "scikit-learn"


def _by_interest(found: dict[str, MetricValue]) -> dict[str, MetricValue]:
    """Return the hyper-parameters of the model itself before those of its parts, the well-known ones first."""

    def key(name: str) -> tuple[int, int]:
        last = name.rpartition("__")[2].rpartition(".")[2]
        return name.count("__") + name.count("."), WELL_KNOWN.index(last) if last in WELL_KNOWN else len(WELL_KNOWN)

    return {name: found[name] for name in sorted(found, key=key)}


def _pairs(found: dict[str, MetricValue]) -> list[str]:
    return [f"{name} = {render.number(value)}" for name, value in found.items()]


def _fields(found: Iterable[ShownField]) -> list[str]:
    return ["  ".join(filter(None, (one.name, one.dtype, shape_of(one.shape)))) for one in found]


def _tensors(found: Inside, most: int | None, width: int) -> list[str]:
    rows = [(one.name, one.dtype, shape_of(one.shape), one.member) for one in found.tensors]
    aligned = render.table((), rows[:most])
    if width and max(map(len, aligned)) > width - _TITLES:
        aligned = render.table((), [row[:3] for row in rows[:most]])
    return [*aligned, *[""] * (len(rows) - len(aligned))]


def _block(title: str, found: Sequence[str], most: int | None, fit: Fit = Fit.WRAP) -> Iterator[Line]:
    """Yield FOUND below one another, the first behind TITLE, and how many are left out after MOST."""
    for at, value in enumerate(found[:most]):
        yield Line("" if at else title, shown(value), fit)
    if most is not None and len(found) > most:
        yield Line("", f"and {len(found) - most:,} more (--all)")
