"""Floating-point numbers of one byte, by table. Source: OCP 8-bit Floating Point Specification, and its MX formats."""

from __future__ import annotations

from math import inf, nan
from typing import NamedTuple


class _Form(NamedTuple):
    """How a byte is split. `specials`: `ieee`, `fn` (one NaN and no infinity) or `fnuz` (NaN in the place of -0)."""

    exponent: int  # bits
    mantissa: int  # bits
    bias: int
    specials: str


TABLES = {
    "float8_e4m3fn": _Form(4, 3, 7, "fn"),
    "float8_e4m3fnuz": _Form(4, 3, 8, "fnuz"),
    "float8_e5m2": _Form(5, 2, 15, "ieee"),
    "float8_e5m2fnuz": _Form(5, 2, 16, "fnuz"),
    "float8_e8m0fnu": _Form(8, 0, 127, "unsigned"),
}


def table(dtype: str) -> list[float]:
    """Return the number that each byte is, for a DTYPE of TABLES."""
    form = TABLES[dtype]
    return [_number(byte, form) for byte in range(256)]


def _number(byte: int, form: _Form) -> float:
    if form.specials == "unsigned":  # a power of two alone
        return nan if byte == 255 else 2.0 ** (byte - form.bias)
    sign = -1.0 if byte & 0x80 else 1.0
    exponent = (byte & 0x7F) >> form.mantissa
    mantissa = byte & ((1 << form.mantissa) - 1)
    if form.specials == "fnuz" and byte == 0x80:
        return nan
    if form.specials == "fn" and byte & 0x7F == 0x7F:
        return nan
    if form.specials == "ieee" and exponent == (1 << form.exponent) - 1:
        return nan if mantissa else sign * inf
    if not exponent:
        return sign * mantissa * 2.0 ** (1 - form.bias - form.mantissa)
    return sign * (1 + mantissa / (1 << form.mantissa)) * 2.0 ** (exponent - form.bias)
