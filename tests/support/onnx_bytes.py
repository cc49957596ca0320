"""Write models of ONNX, field by field, so that each field can lie."""

from __future__ import annotations

import struct


def varint(value: int) -> bytes:
    value %= 1 << 64
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def held(number: int, data: bytes | str) -> bytes:
    data = data.encode() if isinstance(data, str) else data
    return varint(number << 3 | 2) + varint(len(data)) + data


def packed(number: int, *values: int) -> bytes:
    return held(number, b"".join(map(varint, values)))


def floats(number: int, *values: float) -> bytes:
    return held(number, struct.pack(f"<{len(values)}f", *values))


def model(graph: bytes, *more: bytes, opset: dict[str, int] | None = None, producer: str = "by hand") -> bytes:
    sets = {"": 20} if opset is None else opset
    opsets = b"".join(held(8, held(1, domain) + integer(2, version)) for domain, version in sets.items())
    return integer(1, 9) + held(2, producer) + held(3, "1.0") + held(7, graph) + opsets + b"".join(more)


def graph(*parts: bytes, name: str = "main") -> bytes:
    return b"".join(parts) + held(2, name)


def node(kind: str, *attributes: bytes, domain: str = "", name: str = "") -> bytes:
    """A node as a field of a graph."""
    body = held(1, "x") + held(2, "y") + (held(3, name) if name else b"") + held(4, kind)
    return held(1, body + b"".join(held(5, one) for one in attributes) + (held(7, domain) if domain else b""))


def tensor(name: str, dims: tuple[int, ...], kind: int = 1, *data: bytes) -> bytes:
    """The body of a tensor; raw zeros of 4 bytes without DATA."""
    count = 1
    for length in dims:
        count *= length
    return b"".join([*(integer(1, length) for length in dims), integer(2, kind), held(8, name)]) + (
        b"".join(data) if data else held(9, bytes(4 * count))
    )


def external(name: str, dims: tuple[int, ...], **entries: str) -> bytes:
    pairs = (held(13, held(1, key) + held(2, value)) for key, value in entries.items())
    return tensor(name, dims, 1, *pairs, integer(14, 1))


def value(name: str, kind: int, *dims: int | str | None) -> bytes:
    """The body of an input or output."""
    parts = [held(1, b"" if one is None else integer(1, one) if isinstance(one, int) else held(2, one)) for one in dims]
    return held(1, name) + held(2, held(1, integer(1, kind) + held(2, b"".join(parts))))
