from __future__ import annotations

import math
import struct
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from modelvc.errors import UsageError
from modelvc.modelfiles.source import Source, Unreadable, of_bytes
from modelvc.modelfiles.tensors import small_floats
from modelvc.modelfiles.tensors.compare import Change, compare
from modelvc.modelfiles.tensors.cursor import forward

if TYPE_CHECKING:
    from numpy.typing import NDArray

DICE = np.random.default_rng(5)
MANY = 700_001  # numbers: several blocks, and a rest


def change(old: NDArray, new: NDArray, dtype: str = "") -> Change:
    return compare(of_bytes(old.tobytes()), of_bytes(new.tobytes()), dtype or old.dtype.name, old.size)


def expected(old: NDArray, new: NDArray) -> tuple[int, float, float, float]:
    a, b = (side.astype(np.complex128 if side.dtype.kind == "c" else np.float64) for side in (old, new))
    dot = float(np.vdot(a, b).real / np.linalg.norm(a) / np.linalg.norm(b))
    return (
        int((old != new).sum()),
        float(np.abs(b - a).max()),
        float(np.linalg.norm(b - a) / np.linalg.norm(a)),
        dot,
    )


def sample(dtype: str, count: int = MANY) -> NDArray:
    if dtype == "bool":
        return DICE.integers(0, 2, count).astype(bool)
    if np.dtype(dtype).kind in "iu":
        most = min(np.iinfo(dtype).max, 1 << 40)
        return DICE.integers(1, most, count).astype(dtype)
    if np.dtype(dtype).kind == "c":
        return (DICE.standard_normal(count) + 1j * DICE.standard_normal(count)).astype(dtype)
    return DICE.standard_normal(count).astype(dtype)


@pytest.mark.parametrize(
    "dtype",
    ["float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint64", "bool", "complex64",
     "complex128"],
)  # fmt: skip
def test_as_numpy_computes_it(dtype: str):
    old, new = sample(dtype), sample(dtype)
    keep = DICE.random(MANY) < 0.4
    new[keep] = old[keep]
    new[:300_000] = old[:300_000]
    found = change(old, new)
    changed, largest, norm, cosine = expected(old, new)
    assert (found.changed, found.total) == (changed, MANY)
    assert found.largest == pytest.approx(largest, rel=1e-12)
    assert found.relative_norm == pytest.approx(norm, rel=1e-9)
    assert found.cosine == pytest.approx(cosine, rel=1e-9)
    assert found.remarks == ()


def test_bfloat16_by_bits():
    old = sample("float32")
    new = old * np.float32(1.01)
    top = [side.view(np.uint32) >> 16 for side in (old, new)]
    halves = [(side << 16).astype(np.uint32).view(np.float32) for side in top]
    found = change(top[0].astype(np.uint16), top[1].astype(np.uint16), "bfloat16")
    changed, largest, norm, cosine = expected(*halves)
    assert found.changed == changed
    assert (found.largest, found.relative_norm, found.cosine) == pytest.approx((largest, norm, cosine))


def test_big_endian():
    old, new = np.array([1.0, 2.0], ">f4"), np.array([1.0, 4.0], ">f4")
    assert change(old, new, ">f4").largest == 2.0


def test_nothing_changed():
    old = sample("float32")
    assert change(old, old) == Change(0, MANY, 0.0, 0.0, 1.0)
    assert change(old[:0], old[:0]) == Change(0, 0, 0.0, 0.0, 1.0)
    assert change(np.zeros(3), np.zeros(3)) == Change(0, 3, 0.0, 0.0, 1.0)


def test_zeros_have_no_angle():
    found = change(np.zeros(3), np.ones(3))
    assert (found.changed, found.relative_norm, found.cosine) == (3, math.inf, 0.0)
    assert change(np.ones(3), np.zeros(3)).cosine == 0.0
    assert change(np.ones(3), -np.ones(3)).cosine == -1.0


def test_zero_has_two_signs_and_one_value():
    assert change(np.array([0.0, 1.0]), np.array([-0.0, 1.0])).changed == 0


def test_nan_and_infinity_in_words():
    old = np.array([1.0, math.nan, math.nan, math.inf, 3.0, 4.0], "f4")
    new = np.array([math.nan, math.nan, 2.0, 1.0, -math.inf, 5.0], "f4")
    found = change(old, new)
    assert found.changed == 5
    assert found.largest == 1.0
    assert (found.relative_norm, found.cosine) == (0.25, 1.0)
    assert found.remarks == ("1 became NaN", "1 were NaN before", "1 became infinite", "1 were infinite before")


def test_nan_that_stayed():
    old = np.array([math.nan, 1.0, math.inf], "f8")
    assert change(old, old) == Change(0, 3, 0.0, 0.0, 1.0)


def test_complex_nan():
    old = np.array([1 + 1j, 2 + 2j], "c8")
    new = np.array([complex(math.nan, math.nan), 2 + 3j], "c8")
    found = change(old, new)
    assert (found.changed, found.largest) == (2, 1.0)


def test_numbers_too_large_to_be_squared():
    found = change(np.array([1e200, 1.0]), np.array([2e200, 1.0]))
    assert found.changed == 1
    assert found.largest == 1e200
    assert found.relative_norm == pytest.approx(1.0) or math.isnan(found.relative_norm)
    assert math.isnan(found.cosine) or found.cosine == pytest.approx(1.0)
    most = sys.float_info.max
    assert change(np.array([most]), np.array([-most])).changed == 1


def test_a_tiny_step_is_no_right_angle():
    old = sample("float64")
    found = change(old, old * (1 + 1e-12))
    assert 0.999999999 < found.cosine <= 1.0
    assert found.relative_norm == pytest.approx(1e-12, rel=1e-3)


def test_types_that_pack_numbers_are_compared_by_bytes():
    found = compare(of_bytes(b"\x12\x34\x56"), of_bytes(b"\x12\x35\x57"), "Q4_0", 6)
    assert (found.changed, found.total, found.by_bytes) == (2, 3, True)
    assert math.isnan(found.largest)


@pytest.mark.parametrize("dtype", ["float32", "float64", "int8", "bfloat16", "float8_e5m2"])
def test_lengths_must_be_as_the_shape_says(dtype: str):
    with pytest.raises(Unreadable):
        compare(of_bytes(bytes(17)), of_bytes(bytes(17)), dtype, 4)
    with pytest.raises(Unreadable):
        compare(of_bytes(bytes(16)), of_bytes(bytes(20)), dtype, 4)


def test_a_source_that_ends_early():
    with pytest.raises(Unreadable):
        compare(Source(8, lambda _offset, _length: b""), of_bytes(bytes(8)), "float32", 2)


def test_compressed_bytes_are_read_forward():
    data = sample("float32").tobytes()
    blocks = (data[at : at + 99_991] for at in range(0, len(data), 99_991))
    source = forward(blocks, len(data))
    assert compare(source, of_bytes(data), "float32", MANY).changed == 0
    with pytest.raises(Unreadable, match="forward"):
        source.exactly(0, 1)
    with pytest.raises(Unreadable):
        forward(iter([b"abc"]), 5).exactly(0, 5)


def test_without_numpy(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(UsageError) as caught:
        compare(of_bytes(b""), of_bytes(b""), "float32", 0)
    assert "modelvc[arrays]" in caught.value.hint


def test_small_floats():
    """A few numbers of the specification: the largest, the smallest, and the specials."""
    e4, e5 = small_floats.table("float8_e4m3fn"), small_floats.table("float8_e5m2")
    assert (e4[0x7E], e4[0x01], e4[0x38], e4[0xB8]) == (448.0, 2**-9, 1.0, -1.0)
    assert math.isnan(e4[0x7F])
    assert math.isnan(e4[0xFF])
    assert (e5[0x7B], e5[0x01], e5[0x3C], e5[0x7C], e5[0xFC]) == (57344.0, 2**-16, 1.0, math.inf, -math.inf)
    assert math.isnan(e5[0x7D])
    fnuz = small_floats.table("float8_e4m3fnuz")
    assert (fnuz[0x7F], fnuz[0x40]) == (240.0, 1.0)
    assert math.isnan(fnuz[0x80])
    scale = small_floats.table("float8_e8m0fnu")
    assert (scale[127], scale[0]) == (1.0, 2.0**-127)
    assert math.isnan(scale[255])
    half = struct.unpack("<256e", b"".join(bytes([0, byte]) for byte in range(256)))
    assert [one for one in e5 if not math.isnan(one)] == [one for one in half if not math.isnan(one)]
