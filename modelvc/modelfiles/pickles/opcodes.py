"""What each opcode does that the loop of the machine does not do itself.

A function takes the machine and the offset behind the opcode in its window. It returns the offset behind the arguments,
which may lie behind the window.
"""

from __future__ import annotations

import re
from codecs import decode as decode_text
from struct import unpack_from
from typing import TYPE_CHECKING

from modelvc.modelfiles.pickles.arrays import is_odd_dtype
from modelvc.modelfiles.pickles.names import imported
from modelvc.modelfiles.pickles.stream import line
from modelvc.modelfiles.pickles.values import (
    BYTES,
    DROPPED,
    KEPT,
    LETTERS,
    Blob,
    Dropped,
    Entries,
    Global,
    Items,
    Made,
    Persistent,
    Text,
)
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.modelfiles.pickles.state import State
    from modelvc.modelfiles.pickles.values import Value

    Act = Callable[[State, int], int]

_NEWEST = 5  # protocol
_NAMES = 10_000  # texts in persistent ids that are kept
# Functions that return one object of the process.
_SHARED = frozenset({
    "pandas._libs.tslibs.nattype._nat_unpickle", "pandas._libs.tslibs.nattype.__nat_unpickle",
    "numpy.ma.core.MaskedConstant",
})  # fmt: skip
_NUMBER = 40  # letters of a number that is read
_DIGITS = re.compile(rb"\d{1,10}")
_LONG_DIGITS = re.compile(rb"[-+]?\d+L?")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))", re.DOTALL)
_LETTER = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v", b"\n": b""}
COLD: list[Act | None] = [None] * 256


def _on(code: int) -> Callable[[Act], Act]:
    def keep(act: Act) -> Act:
        COLD[code] = act
        return act

    return keep


def _line(machine: State, i: int) -> tuple[bytes, int, int]:
    """Return the first bytes of the line at I, the offset behind it, and its length."""
    end = machine.window.find(b"\n", i, min(machine.real, i + LETTERS))
    if end >= 0:
        return machine.window[i:end], end + 1, end - i
    first, behind = line(machine.stream, machine.base + i, LETTERS)
    return first, behind - machine.base, behind - machine.base - i - 1


# -- numbers


def _integer(text: bytes, size: int, *, base: int = 0) -> Value:
    if size > _NUMBER:
        if not _LONG_DIGITS.fullmatch(text):
            raise Unreadable("the pickle has a number that is none")
        return Text(0, 0)
    return int(text.decode("ascii"), base)


@_on(0x49)  # INT
def _int(machine: State, i: int) -> int:
    text, end, size = _line(machine, i)
    machine.stack.append({b"00": False, b"01": True}[text] if text in {b"00", b"01"} else _integer(text, size))
    return end


@_on(0x4C)  # LONG
def _long(machine: State, i: int) -> int:
    text, end, size = _line(machine, i)
    machine.stack.append(_integer(text.removesuffix(b"L") if size <= _NUMBER else text, size))
    return end


@_on(0x8A)  # LONG1
def _long1(machine: State, i: int) -> int:
    return _binary_long(machine, i + 1, machine.take(i, 1)[0])


@_on(0x8B)  # LONG4
def _long4(machine: State, i: int) -> int:
    (size,) = unpack_from("<i", machine.take(i, 4))
    if size < 0:
        raise Unreadable("the pickle has a number of a negative length")
    return _binary_long(machine, i + 4, size)


def _binary_long(machine: State, i: int, size: int) -> int:
    if size > BYTES:
        machine.stack.append(Text(machine.base + i, machine.base + i + size))
    else:
        machine.stack.append(int.from_bytes(machine.take(i, size), "little", signed=True))
    return i + size


@_on(0x46)  # FLOAT
def _float(machine: State, i: int) -> int:
    text, end, size = _line(machine, i)
    if size > LETTERS:
        raise Unreadable("the pickle has a number that is none")
    machine.stack.append(float(text.decode("ascii")))
    return end


@_on(0x88)  # NEWTRUE
def _true(machine: State, i: int) -> int:
    machine.stack.append(True)
    return i


@_on(0x89)  # NEWFALSE
def _false(machine: State, i: int) -> int:
    machine.stack.append(False)
    return i


# -- texts and bytes


def _text(machine: State, i: int, size: int) -> int:
    start = machine.base + i
    if size > LETTERS:
        machine.stack.append(Text(start, start + size))
    else:
        machine.stack.append(str(machine.take(i, size), "utf-8", "surrogatepass"))
    return i + size


def _blob(machine: State, i: int, size: int) -> int:
    start = machine.base + i
    machine.stack.append(Blob(start, start + size, machine.take(i, size) if size <= BYTES else None))
    return i + size


def _old_text(machine: State, i: int, size: int) -> int:
    """Push a string of Python 2: text if it is ASCII, else what the reader's encoding makes of it."""
    start = machine.base + i
    machine.stack.append(machine.take(i, size).decode("latin-1") if size <= LETTERS else Text(start, start + size))
    return i + size


def _sized(code: int, form: str, push: Callable[[State, int, int], int]) -> None:
    width = {"B": 1, "i": 4, "I": 4, "Q": 8}[form]

    def act(machine: State, i: int) -> int:
        (size,) = unpack_from(f"<{form}", machine.take(i, width))
        if not 0 <= size < 1 << 62:
            raise Unreadable("the pickle has a text of a negative length")
        return push(machine, i + width, size)

    COLD[code] = act


_sized(0x58, "I", _text)  # BINUNICODE
_sized(0x8D, "Q", _text)  # BINUNICODE8
_sized(0x43, "B", _blob)  # SHORT_BINBYTES
_sized(0x42, "I", _blob)  # BINBYTES
_sized(0x8E, "Q", _blob)  # BINBYTES8
_sized(0x96, "Q", _blob)  # BYTEARRAY8
_sized(0x55, "B", _old_text)  # SHORT_BINSTRING
_sized(0x54, "i", _old_text)  # BINSTRING


@_on(0x56)  # UNICODE
def _unicode(machine: State, i: int) -> int:
    text, end, size = _line(machine, i)
    start = machine.base + i
    machine.stack.append(decode_text(text, "raw-unicode-escape") if size <= LETTERS else Text(start, start + size))
    return end


@_on(0x53)  # STRING
def _string(machine: State, i: int) -> int:
    text, end, size = _line(machine, i)
    if size > LETTERS:
        machine.stack.append(Text(machine.base + i, machine.base + i + size))
        return end
    if len(text) < 2 or text[0] != text[-1] or text[0] not in b"'\"":
        raise Unreadable("the pickle has a string without quotes")
    machine.stack.append(_ESCAPE.sub(_unescape, text[1:-1]).decode("latin-1"))
    return end


def _unescape(found: re.Match[bytes]) -> bytes:
    digits, octal, letter = found.groups()
    if digits is not None:
        return bytes([int(digits, 16)])
    if octal is not None:
        return bytes([int(octal, 8) & 255])
    if letter == b"x":
        raise Unreadable("the pickle has a string with a wrong escape")
    return _LETTER.get(letter, letter if letter in b"\\'\"" else b"\\" + letter)


@_on(0x97)  # NEXT_BUFFER
def _next_buffer(machine: State, i: int) -> int:
    machine.seen.doubt("the pickle needs buffers that are not in the file")
    machine.stack.append(Blob(0, 0))
    return i


@_on(0x98)  # READONLY_BUFFER
def _readonly_buffer(machine: State, i: int) -> int:
    if not isinstance(machine.stack[-1], (Blob, Dropped)):
        machine.seen.doubt("the pickle takes something for a buffer that is none")
    return i


# -- containers


@_on(0x5D)  # EMPTY_LIST
def _empty_list(machine: State, i: int) -> int:
    machine.stack.append(Items("list"))
    return i


@_on(0x7D)  # EMPTY_DICT
def _empty_dict(machine: State, i: int) -> int:
    machine.stack.append(Entries())
    return i


@_on(0x8F)  # EMPTY_SET
def _empty_set(machine: State, i: int) -> int:
    machine.stack.append(Items("set"))
    return i


@_on(0x29)  # EMPTY_TUPLE
def _empty_tuple(machine: State, i: int) -> int:
    machine.stack.append(())
    return i


@_on(0x85)  # TUPLE1
def _tuple1(machine: State, i: int) -> int:
    machine.stack[-1] = (machine.stack[-1],)
    return i


@_on(0x87)  # TUPLE3
def _tuple3(machine: State, i: int) -> int:
    stack = machine.stack
    last, middle = stack.pop(), stack.pop()
    stack[-1] = (stack[-1], middle, last)
    return i


def _gather(kind: str) -> Act:
    def act(machine: State, i: int) -> int:
        mark = machine.marks[-1]
        items = machine.pop_mark()
        if kind == "tuple" and len(items) <= KEPT:
            machine.stack.append(tuple(items))
            return i
        made = Items(kind)
        made.extend(items)
        machine.stack.append(made)
        machine.forget(made, mark)
        return i

    return act


COLD[0x74] = _gather("tuple")  # TUPLE
COLD[0x6C] = _gather("list")  # LIST
COLD[0x91] = _gather("frozenset")  # FROZENSET


@_on(0x64)  # DICT
def _dict(machine: State, i: int) -> int:
    mark = machine.marks[-1]
    made = Entries()
    made.extend(_pairs(machine.pop_mark()))
    machine.stack.append(made)
    machine.forget(made, mark)
    return i


def _pairs(items: list[Value]) -> list[Value]:
    if len(items) & 1:
        raise Unreadable("the pickle sets a key without a value")
    return items


def _add(machine: State, more: list[Value], mark: int) -> None:
    """Append MORE to what is on top."""
    target = machine.stack[-1]
    if isinstance(target, Items) and target.kind != "tuple":
        target.extend(more)
        machine.forget(target, mark)
    elif isinstance(target, Made):
        _check_open(machine, target, target.entries)
        target.items = target.items or Items("list")
        target.items.extend(more)
        machine.forget(target.items, mark)
    else:
        _refuse(machine, target, "appends to")


def _set(machine: State, pairs: list[Value], mark: int) -> None:
    """Set PAIRS in what is on top."""
    target = machine.stack[-1]
    if isinstance(target, Entries):
        if target.closed:
            machine.seen.doubt("the fields of a dtype change behind its state")
        target.extend(pairs)
        machine.forget(target, mark)
    elif isinstance(target, Made):
        _check_open(machine, target, target.items)
        target.entries = target.entries or Entries()
        target.entries.extend(pairs)
        machine.forget(target.entries, mark)
    else:
        _refuse(machine, target, "sets an entry of")


def _check_open(machine: State, target: Made, other: Items | Entries | None) -> None:
    """Find what no pickler writes: it fills an object before it sets its state, and in one way.

    Python looks up `append`, `extend`, `add` and `__setstate__` on the object itself, where a state or an entry may
    have put any name.
    """
    if target.built:
        machine.seen.known_bad(f"adds to an object of {target.name or 'a class that it makes'} behind its state")
    if other is not None:
        machine.seen.known_bad(f"fills an object of {target.name or 'a class that it makes'} as a list and as a dict")


def _refuse(machine: State, target: Value, deed: str) -> None:
    if isinstance(target, Global):
        machine.seen.known_bad(f"{deed} {target.name}, which it did not make")
    elif isinstance(target, Persistent):
        machine.seen.known_bad(f"{deed} an object outside of the pickle")
    else:
        machine.seen.doubt("the pickle changes a value that cannot be changed")


@_on(0x61)  # APPEND
def _append(machine: State, i: int) -> int:
    value = machine.stack.pop()
    _add(machine, [value], len(machine.memo))
    return i


@_on(0x65)  # APPENDS
def _appends(machine: State, i: int) -> int:
    mark = machine.marks[-1]
    _add(machine, machine.pop_mark(), mark)
    return i


COLD[0x90] = _appends  # ADDITEMS


@_on(0x73)  # SETITEM
def _setitem(machine: State, i: int) -> int:
    value, key = machine.stack.pop(), machine.stack.pop()
    _set(machine, [key, value], len(machine.memo))
    return i


@_on(0x75)  # SETITEMS
def _setitems(machine: State, i: int) -> int:
    mark = machine.marks[-1]
    _set(machine, _pairs(machine.pop_mark()), mark)
    return i


# -- the stack and the memo


@_on(0x30)  # POP
def _pop(machine: State, i: int) -> int:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()
    return i


@_on(0x31)  # POP_MARK
def _pop_mark(machine: State, i: int) -> int:
    machine.pop_mark()
    return i


@_on(0x32)  # DUP
def _dup(machine: State, i: int) -> int:
    machine.stack.append(machine.stack[-1])
    return i


def _memo_number(machine: State, i: int) -> tuple[int, int]:
    text, end, _ = _line(machine, i)
    if not _DIGITS.fullmatch(text):
        raise Unreadable("the pickle has a wrong number of a memo")
    return int(text), end


@_on(0x67)  # GET
def _get(machine: State, i: int) -> int:
    number, end = _memo_number(machine, i)
    machine.stack.append(machine.get(number))
    return end


@_on(0x70)  # PUT
def _put(machine: State, i: int) -> int:
    number, end = _memo_number(machine, i)
    machine.put(number, machine.stack[-1])
    return end


@_on(0x80)  # PROTO
def _proto(machine: State, i: int) -> int:
    machine.protocol = machine.take(i, 1)[0]
    if machine.protocol > _NEWEST:
        raise Unreadable(f"the pickle has protocol {machine.protocol}, which is not known")
    return i + 1


@_on(0x95)  # FRAME
def _frame(machine: State, i: int) -> int:
    (size,) = unpack_from("<Q", machine.take(i, 8))
    if machine.base + i - 1 < machine.frame_end:
        machine.seen.doubt("a frame begins inside of another")
    machine.frame_end = machine.base + i + 8 + size
    return i + 8


# -- names and calls


@_on(0x63)  # GLOBAL
def _global(machine: State, i: int) -> int:
    module, end, size = _line(machine, i)
    name, behind, more = _line(machine, end)
    if max(size, more) > LETTERS:
        raise Unreadable("the pickle imports a name that is too long")
    machine.stack.append(imported(machine.seen, machine.protocol, module.decode("utf-8"), name.decode("utf-8")))
    return behind


@_on(0x93)  # STACK_GLOBAL
def _stack_global(machine: State, i: int) -> int:
    name, module = machine.stack.pop(), machine.stack.pop()
    if not isinstance(name, str) or not isinstance(module, str):
        raise Unreadable("the pickle imports a name that is not a short text")
    machine.names.add(name)
    machine.names.add(module)
    machine.stack.append(imported(machine.seen, machine.protocol, module, name))
    return i


def _extension(code: int, form: str, width: int) -> None:
    def act(machine: State, i: int) -> int:
        (number,) = unpack_from(form, machine.take(i, width))
        # The name stands in a registry of the process that loads the file.
        machine.stack.append(machine.seen.referred(f"extension {number} of copyreg"))
        return i + width

    COLD[code] = act


_extension(0x82, "<B", 1)  # EXT1
_extension(0x83, "<H", 2)  # EXT2
_extension(0x84, "<i", 4)  # EXT4


@_on(0x52)  # REDUCE
def _reduce(machine: State, i: int) -> int:
    args = machine.stack.pop()
    machine.stack[-1] = machine.call(machine.stack[-1], args, "REDUCE")
    return i


@_on(0x81)  # NEWOBJ
def _newobj(machine: State, i: int) -> int:
    args = machine.stack.pop()
    machine.stack[-1] = machine.call(machine.stack[-1], args, "NEWOBJ")
    return i


@_on(0x92)  # NEWOBJ_EX
def _newobj_ex(machine: State, i: int) -> int:
    _, args = machine.stack.pop(), machine.stack.pop()
    machine.stack[-1] = machine.call(machine.stack[-1], args, "NEWOBJ_EX")
    return i


@_on(0x69)  # INST
def _inst(machine: State, i: int) -> int:
    end = _global(machine, i)
    function = machine.stack.pop()
    args = tuple(machine.pop_mark()[:KEPT])
    machine.stack.append(machine.call(function, args, "INST"))
    return end


@_on(0x6F)  # OBJ
def _obj(machine: State, i: int) -> int:
    items = machine.pop_mark()
    machine.stack.append(machine.call(items[0], tuple(items[1 : KEPT + 1]), "OBJ"))
    return i


@_on(0x62)  # BUILD
def _build(machine: State, i: int) -> int:
    state, target = machine.stack.pop(), machine.stack[-1]
    if not isinstance(target, Made):
        _refuse(machine, target, "writes a state onto")
        return i
    if target.built:
        machine.seen.known_bad(f"sets the state of an object of {target.name or 'a class that it makes'} twice")
    if target.name in _SHARED:
        machine.seen.known_bad(f"writes a state onto what {target.name} returns, which all share")
    target.state = state
    target.built += 1
    if is_odd_dtype(target):
        machine.seen.doubt("a dtype is not as numpy writes it")
    if machine.on_build is not None:
        changed = machine.on_build(machine, target, machine.base + i)
        if changed is not None:
            machine.stack[-1], at = changed
            return at - machine.base
    return i


@_on(0x50)  # PERSID
def _persid(machine: State, i: int) -> int:
    text, end, size = _line(machine, i)
    _persistent(machine, text.decode("ascii") if size <= LETTERS else DROPPED)
    return end


@_on(0x51)  # BINPERSID
def _binpersid(machine: State, i: int) -> int:
    _persistent(machine, machine.stack.pop())
    return i


def _persistent(machine: State, key: Value) -> None:
    if isinstance(key, tuple) and len(machine.names) < _NAMES:
        machine.names.update(part for part in key[:4:3] if isinstance(part, str))
    if machine.persist is None:
        machine.seen.doubt("the pickle names objects outside of the file")
        machine.stack.append(Persistent(key))
    else:
        machine.stack.append(machine.persist(key))
