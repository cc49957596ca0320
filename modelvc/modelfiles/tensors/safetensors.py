"""Read safetensors: the length of a header, the header, which is JSON, and the bytes of the tensors.

Two libraries must see the same tensors, so that more is refused than one library refuses: a name twice, a hole between
tensors, an unknown field. The header is read in windows, because it may take 100 MB.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, NamedTuple

from modelvc.modelfiles.facts import ModelFacts, Tensor, clean
from modelvc.modelfiles.polyglots import also_as_pickle
from modelvc.modelfiles.recognise import SAFETENSORS_HEADER
from modelvc.modelfiles.source import Unreadable
from modelvc.modelfiles.tensors.dtypes import size_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.modelfiles.source import Budget, Source

_WINDOW = 1 << 20
_LONGEST = 16 << 20  # bytes of one name with its tensor, or of one note
_NOTES = 50  # of __metadata__ that are kept
_KEPT = 600  # bytes of memory for one tensor

_DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
    "C64": "complex64", "F8_E4M3": "float8_e4m3fn", "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2": "float8_e5m2",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "F8_E8M0": "float8_e8m0fnu", "F6_E2M3": "float6_e2m3",
    "F6_E3M2": "float6_e3m2", "F4": "float4_e2m1",
}  # fmt: skip
_FRAMEWORKS = {"pt": "torch", "tf": "tensorflow", "flax": "flax", "np": "numpy", "mlx": "mlx"}

# JSON, as far as a header has it. A string has no control characters, and a number is one of at most 18 digits.
_GAP = rb"[ \t\r\n]*"
_PLAIN = rb'[^"\\\x00-\x1f]*+'
_STRING = rb'"' + _PLAIN + rb"(?:\\." + _PLAIN + rb')*+"'
_NUMBER = rb"(?:0|[1-9][0-9]{0,17})"
_LIST = rb"\[" + _GAP + rb"(?:" + _NUMBER + _GAP + rb"(?:," + _GAP + _NUMBER + _GAP + rb"){0,63})?\]"
_FIELD = rb'"(?:dtype|shape|data_offsets)"' + _GAP + rb":" + _GAP + rb'(?:"[A-Z0-9_]{1,20}"|' + _LIST + rb")" + _GAP
_OPEN = re.compile(_GAP + rb"\{" + _GAP)
_NAME = re.compile(rb"(" + _STRING + rb")" + _GAP + rb":" + _GAP)
_INFO = re.compile(rb"(\{" + _GAP + _FIELD + rb"(?:," + _GAP + _FIELD + rb"){2}\})" + _GAP)
_TEXT = re.compile(rb"(" + _STRING + rb")" + _GAP)
_AFTER = re.compile(rb"(,|\})" + _GAP)


def read(source: Source, budget: Budget) -> ModelFacts:
    """Return the facts of the safetensors file SOURCE."""
    length = int.from_bytes(source.exactly(0, 8), "little")
    if length > min(SAFETENSORS_HEADER, source.size - 8):
        raise Unreadable("its header is longer than the file, or than the library allows")
    window = _Window(source.part(8, 8 + length))
    tensors, notes = _header(window, budget)
    begin = 8 + length
    _check_tiles(tensors, source.size - begin)
    placed = tuple(one._replace(start=begin + one.start, end=begin + one.end) for one in tensors)
    framework = dict(notes.pairs).get("format", "")
    facts = ModelFacts(
        "safetensors",
        framework=_FRAMEWORKS.get(framework, ""),
        figures=tuple(pair for pair in notes.pairs if pair[0] != "format" or framework not in _FRAMEWORKS),
        parameters=sum(one.elements for one in tensors),
        tensors=placed,
        notes=(f"{notes.more:,} more notes in its header",) if notes.more else (),
    )
    return also_as_pickle(source, facts, budget)  # its length may be opcodes that skip to others


class _Notes(NamedTuple):
    """The texts of __metadata__, sorted by key, and how many are left out."""

    pairs: tuple[tuple[str, str], ...]
    more: int


class _Window:
    """The part of the header that is in memory."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._read = 0  # bytes of the header
        self._held = b""
        self._at = 0  # of _held

    def take(self, pattern: re.Pattern[bytes]) -> bytes:
        """Return what the group of PATTERN matches next, and pass it. Raises Unreadable if something else is next."""
        while True:
            found = pattern.match(self._held, self._at)
            # A match that ends where the window ends could be longer.
            if found and (found.end() < len(self._held) or self._read == self._source.size):
                self._at = found.end()
                return found[1] if found.lastindex else b""
            if self._read == self._source.size or len(self._held) - self._at > _LONGEST:
                raise Unreadable("its header is not JSON as the format has it")
            length = min(max(_WINDOW, len(self._held) - self._at), self._source.size - self._read)
            self._held = self._held[self._at :] + self._source.exactly(self._read, length)
            self._at = 0
            self._read += length

    def at_end(self) -> bool:
        return self._read == self._source.size and self._at == len(self._held)

    def next_is(self, sign: bytes) -> bool:
        """Whether SIGN, one byte, is next: it was seen with the gap before it."""
        return self._held.startswith(sign, self._at)


def _header(window: _Window, budget: Budget) -> tuple[list[Tensor], _Notes]:
    """Return the tensors, in order of their bytes, with offsets in the data; and the notes."""
    tensors: list[Tensor] = []
    notes = _Notes((), 0)
    names: set[bytes] = set()
    for name in _members(window):
        budget.open_members(1)
        budget.keep(_KEPT + len(name))
        if not len(names) % 1000:
            budget.look_at_clock()
        if name in names:
            raise Unreadable("its header has a name twice")
        names.add(name)
        if name == b"__metadata__":
            notes = _metadata(window, budget)
        else:
            tensors.append(_tensor(clean(name.decode()), window.take(_INFO)))
    if not window.at_end():
        raise Unreadable("its header goes on behind its end")
    tensors.sort(key=lambda one: (one.start, one.end))
    return tensors, notes


def _members(window: _Window) -> Iterator[bytes]:
    """Yield each key of the object that is next. The caller takes the value before it asks for the next key."""
    window.take(_OPEN)
    if window.next_is(b"}"):
        window.take(_AFTER)
        return
    after = b","
    while after == b",":
        yield _plain(window.take(_NAME))
        after = window.take(_AFTER)


def _plain(text: bytes) -> bytes:
    """Return the UTF-8 that TEXT, a string of JSON, means."""
    if b"\\" in text:
        try:
            value: str = json.loads(text)
            return value.encode()
        except ValueError as error:  # an unknown escape, half a character, or not UTF-8
            raise Unreadable("a text in its header is malformed") from error
    try:
        text.decode()
    except UnicodeDecodeError as error:
        raise Unreadable("its header is not UTF-8") from error
    return text[1:-1]


def _tensor(name: str, info: bytes) -> Tensor:
    """Return the tensor that INFO, three fields in any order, describes."""
    found = json.loads(info)
    dtype, shape, offsets = found.get("dtype"), found.get("shape"), found.get("data_offsets")
    if not (isinstance(dtype, str) and isinstance(shape, list) and isinstance(offsets, list) and len(offsets) == 2):
        raise Unreadable("a tensor in its header lacks a field")
    if dtype not in _DTYPES:
        raise Unreadable(f"a tensor has the unknown type {dtype}")
    start, end = offsets
    if end - start != size_of(_DTYPES[dtype], shape):
        raise Unreadable("a tensor is not as long as its shape says")
    return Tensor(name, _DTYPES[dtype], tuple(shape), start, end)


def _check_tiles(tensors: list[Tensor], size: int) -> None:
    """Raise Unreadable unless TENSORS cover SIZE bytes without a hole and without an overlap."""
    at = 0
    for one in tensors:
        if one.start != at:
            raise Unreadable("its tensors overlap, or leave a hole")
        at = one.end
    if at != size:
        raise Unreadable("its tensors do not end where the file ends")


def _metadata(window: _Window, budget: Budget) -> _Notes:
    """Return the notes, an object of texts."""
    kept: dict[bytes, str] = {}
    seen: set[bytes] = set()
    for name in _members(window):
        budget.open_members(1)
        budget.keep(_KEPT + len(name))
        if name in seen:
            raise Unreadable("its notes have a key twice")
        seen.add(name)
        text = _plain(window.take(_TEXT))
        if len(kept) < _NOTES or name == b"format":
            kept[name] = clean(text[:1000].decode(errors="ignore"))
    pairs = tuple(sorted((clean(name.decode()), text) for name, text in kept.items()))
    return _Notes(pairs, len(seen) - len(kept))
