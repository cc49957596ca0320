"""Read .npy, one array or several behind each other, and .npz, a zip of them. Source: numpy.lib.format."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from modelvc.modelfiles.archive import blocks, content
from modelvc.modelfiles.facts import ModelFacts, Tensor, clean
from modelvc.modelfiles.polyglots import merged
from modelvc.modelfiles.source import OutOfTime, Source, Unreadable, of_bytes
from modelvc.modelfiles.tensors.cursor import forward
from modelvc.modelfiles.tensors.literals import read_literal

if TYPE_CHECKING:
    from modelvc.modelfiles.archive import Member
    from modelvc.modelfiles.source import Budget

MAGIC = b"\x93NUMPY"
_LONGEST = 1 << 16  # bytes of a header; numpy itself refuses more than 10,000 unless it is told otherwise
_KEPT = 600  # bytes of memory for one array
_FIELDS = 1000  # of a record
_DEPTH = 10

_KINDS = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}
_WIDTHS = {"b": {1}, "i": {1, 2, 4, 8}, "u": {1, 2, 4, 8}, "f": {2, 4, 8, 12, 16}, "c": {8, 16, 24, 32}}
_TYPE = re.compile(r"([<>|])([biufcSUVMm])([0-9]{1,9})(\[[0-9a-zA-Z]{1,20}\])?")


class _Type(NamedTuple):
    """The type of the elements of an array. `size`: bytes of one. `objects`: a pickle is in their place."""

    name: str
    size: int
    numbers: bool
    objects: bool = False


class _Header(NamedTuple):
    type: _Type
    shape: tuple[int, ...]
    fortran: bool
    start: int  # the offset of the elements

    @property
    def end(self) -> int:
        return self.start + self.type.size * prod(self.shape)


def read(source: Source, budget: Budget) -> ModelFacts:
    """Return the facts of the .npy file SOURCE."""
    arrays = _Arrays(budget)
    at = count = 0
    with arrays:
        while at < source.size or not count:
            budget.look_at_clock()
            budget.open_members(1)
            rest = source.part(at, source.size)
            header = _header(rest)
            # A pickle says itself where it ends, so that the rest of the file is that of the machine.
            end = rest.size if header.type.objects else header.end
            if end > rest.size:
                raise Unreadable("an array is longer than the file")
            arrays.add(str(count), header, at)
            if header.type.objects:
                arrays.add_objects(rest.part(header.start, end))
            at += end
            count += 1
    if len(arrays.tensors) == 1:
        arrays.tensors[0] = arrays.tensors[0]._replace(name="")
    return arrays.facts("npy")


def read_npz(source: Source, budget: Budget, members: tuple[Member, ...]) -> ModelFacts:
    """Return the facts of the .npz file SOURCE, a zip of MEMBERS."""
    arrays = _Arrays(budget)
    for member in members:
        with arrays:
            budget.look_at_clock()
            header = _header(Source(member.size, _first(source, member, budget).read_at))
            name = clean(member.name.removesuffix(".npy"))
            arrays.add(name, header, -1 if member.method else member.start)
            if header.type.objects:
                arrays.add_objects(of_bytes(content(source, member, budget)[header.start :]))
            elif header.end != member.size:
                raise Unreadable("an array is not as long as its shape says")
    return arrays.facts("npz")


def elements(source: Source, member: Member, budget: Budget) -> Source:
    """Return the bytes of the array in MEMBER of the .npz file SOURCE. Those of a compressed one are read forward."""
    header = _header(Source(member.size, _first(source, member, budget).read_at))
    if not member.method:
        return source.part(member.start + header.start, member.end)
    return forward(blocks(source, member, budget), member.size).part(header.start, member.size)


def _first(source: Source, member: Member, budget: Budget) -> Source:
    """Return the first bytes of MEMBER: all that a header may take."""
    if not member.method:
        return source.part(member.start, member.end)
    return of_bytes(next(blocks(source, member, budget, size=_LONGEST + 12), b""))


class _Arrays:
    """The arrays of one file. As a context it takes note of an Unreadable, so that what was seen before counts."""

    def __init__(self, budget: Budget) -> None:
        self.tensors: list[Tensor] = []
        self._budget = budget
        self._parameters = 0
        self._fortran = 0
        self._pickled: list[ModelFacts] = []
        self._unreadable = ""

    def __enter__(self) -> None: ...

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        if not isinstance(error, Unreadable) or isinstance(error, OutOfTime):
            return False
        self._unreadable = self._unreadable or str(error)
        return True

    def add(self, name: str, header: _Header, at: int) -> None:
        """Take the array NAME, whose file begins AT an offset; -1 if it is compressed."""
        self._budget.keep(_KEPT + len(name))
        placed = at >= 0 and not header.type.objects
        start, end = (at + header.start, at + header.end) if placed else (-1, -1)
        self.tensors.append(Tensor(name, header.type.name, header.shape, start, end))
        if header.type.numbers:
            self._parameters += self.tensors[-1].elements
        self._fortran += header.fortran and len(header.shape) > 1

    def add_objects(self, pickled: Source) -> None:
        """Take the pickle of an array of objects."""
        from modelvc.modelfiles.pickles import pickle_files

        found = pickle_files.read(pickled, self._budget)
        self._pickled.append(found)
        self._unreadable = self._unreadable or found.unreadable

    def facts(self, form: str) -> ModelFacts:
        """Return the facts of a file of the format FORM."""
        notes = [f"{self._fortran:,} in Fortran order"] if self._fortran else []
        if self._pickled:
            notes.append("holds Python objects, as pickles")
        return ModelFacts(
            form,
            framework="numpy",
            tensors=tuple(self.tensors),
            parameters=self._parameters,
            imports=merged(*(one.imports for one in self._pickled)),
            findings=tuple(dict.fromkeys(finding for one in self._pickled for finding in one.findings)),
            notes=tuple(notes),
            unreadable=self._unreadable,
        )


def _header(source: Source) -> _Header:
    """Return the header of the array that SOURCE begins with."""
    head = source.exactly(0, 10)
    version = tuple(head[6:8])
    if not head.startswith(MAGIC) or version not in {(1, 0), (2, 0), (3, 0)}:
        raise Unreadable("an array does not begin as numpy writes it")
    begin = 10 if version == (1, 0) else 12
    length = int.from_bytes(source.exactly(8, begin - 8), "little")
    if length > _LONGEST:
        raise Unreadable("the header of an array is too long")
    try:
        text = source.exactly(begin, length).decode("utf-8" if version == (3, 0) else "latin-1")
    except UnicodeDecodeError as error:
        raise Unreadable("the header of an array is not UTF-8") from error
    found = read_literal(text)
    if not isinstance(found, dict) or set(found) != {"descr", "fortran_order", "shape"}:
        raise Unreadable("the header of an array lacks a field")
    shape, fortran = found["shape"], found["fortran_order"]
    if not isinstance(fortran, bool) or not isinstance(shape, tuple) or len(shape) > 64:
        raise Unreadable("the header of an array has a wrong shape")
    if not all(type(length) is int for length in shape):
        raise Unreadable("the header of an array has a wrong shape")
    return _Header(_type(found["descr"], _DEPTH), shape, fortran, begin + length)


def _type(descr: object, depth: int) -> _Type:
    """Return the type that DESCR is, as numpy writes it: a text, or a list of the fields of a record."""
    if descr == "|O":
        return _Type("object", 0, numbers=False, objects=True)
    if isinstance(descr, list) and 0 < len(descr) <= _FIELDS and depth:
        fields = [_field(field, depth - 1) for field in descr]
        size = sum(field.size for field in fields)
        objects = any(field.objects for field in fields)
        return _Type("object" if objects else f"void{8 * size}", size, numbers=False, objects=objects)
    found = _TYPE.fullmatch(descr) if isinstance(descr, str) else None
    if not found:
        raise Unreadable("an array has an unknown type")
    order, kind, width, unit = found[1], found[2], int(found[3]), found[4]
    if kind in _KINDS:
        if width not in _WIDTHS[kind] or unit or (order == "|") != (width == 1):
            raise Unreadable("an array has an unknown type")
        name = found[0] if order == ">" else _KINDS[kind] + ("" if kind == "b" else str(8 * width))
        return _Type(name, width, numbers=True)
    if (width != 8 or order == "|") if kind in "Mm" else unit:
        raise Unreadable("an array has an unknown type")
    return _Type(found[0], 4 * width if kind == "U" else width, numbers=False)


def _field(field: object, depth: int) -> _Type:
    """Return the type of a FIELD of a record: its name, its type, and a shape if it is an array."""
    if not isinstance(field, tuple) or len(field) not in {2, 3}:
        raise Unreadable("a record of an array is malformed")
    found = _type(field[1], depth)
    shape = field[2] if len(field) == 3 else ()
    if not isinstance(shape, tuple) or len(shape) > 32 or not all(type(length) is int for length in shape):
        raise Unreadable("a record of an array is malformed")
    return found._replace(size=found.size * prod(shape))
