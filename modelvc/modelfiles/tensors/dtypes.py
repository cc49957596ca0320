"""Names of the types of numbers, as facts have them, and how wide each is."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# Bits of one number. Types of formats alone, such as the quantised ones of GGUF, are in their readers.
BITS: dict[str, int] = {
    "bool": 8,
    "int4": 4, "int8": 8, "int16": 16, "int32": 32, "int64": 64,
    "uint4": 4, "uint8": 8, "uint16": 16, "uint32": 32, "uint64": 64,
    "float16": 16, "float32": 32, "float64": 64, "bfloat16": 16,
    "complex64": 64, "complex128": 128,
    "float8_e4m3fn": 8, "float8_e4m3fnuz": 8, "float8_e5m2": 8, "float8_e5m2fnuz": 8, "float8_e8m0fnu": 8,
    "float6_e2m3": 6, "float6_e3m2": 6, "float4_e2m1": 4,
}  # fmt: skip


def size_of(dtype: str, shape: Sequence[int]) -> int | None:
    """Return how many bytes an array of a DTYPE of BITS takes, the last byte filled up; None for any other DTYPE."""
    bits = BITS.get(dtype)
    return None if bits is None else -(-bits * prod(shape) // 8)
