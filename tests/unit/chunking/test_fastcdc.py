from __future__ import annotations

import sys
import threading

import pytest
from blake3 import blake3

from modelvc.chunking.fastcdc import COARSE, FINE, MAX_CHUNK, SIZES, TENSORS, WHOLE, Cutter
from modelvc.errors import ConfigError

NOISE = blake3(b"noise").digest(length=6 << 20)


def lengths(chunker: int, data: bytes, hints: tuple[int, ...] = ()) -> list[int]:
    ends = Cutter(chunker, hints).ends(memoryview(data), 0, last=True)
    return [end - start for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize("chunker", [COARSE, FINE])
def test_chunks_keep_to_their_sizes_and_cover_all(chunker: int):
    sizes = SIZES[chunker]
    found = lengths(chunker, NOISE)
    assert sum(found) == len(NOISE)
    assert all(sizes.least <= length <= sizes.most for length in found[:-1])
    assert 0.8 * sizes.average < sum(found) / len(found) < 1.6 * sizes.average


@pytest.mark.parametrize("chunker", [COARSE, FINE])
def test_no_chunk_of_even_content_is_too_large(chunker: int):
    assert max(lengths(chunker, bytes(3 << 20))) == SIZES[chunker].most <= MAX_CHUNK


@pytest.mark.parametrize("chunker", [COARSE, FINE, TENSORS])
def test_nothing_has_no_chunk_and_a_little_has_one(chunker: int):
    least = SIZES[chunker].least
    assert lengths(chunker, b"") == []
    assert lengths(chunker, NOISE[:1]) == [1]
    assert lengths(chunker, NOISE[:least]) == [least]


def test_forced_cuts_restart_the_chunker():
    middle = NOISE[:3_000_000]
    alone = lengths(TENSORS, middle)
    hints = (777, 3_000_777)
    assert lengths(TENSORS, NOISE[:777] + middle + NOISE[-5000:], hints) == [777, *alone, 5000]


def test_forced_cuts_of_earlier_blocks_are_past():
    hints = (70_000, 300_000, 2_000_000, 4_000_000)
    cutter = Cutter(TENSORS, hints)
    data = memoryview(NOISE)
    wanted = cutter.ends(data, 0, last=True)
    for at in wanted[:-1]:
        rest = [at + end for end in cutter.ends(data[at:], at, last=True)]
        assert rest == wanted[wanted.index(at) + 1 :]


def test_an_insertion_moves_no_cut_far_away():
    plain = set(_pieces(NOISE))
    shifted = _pieces(NOISE[:1000] + b"seven b" + NOISE[1000:])
    assert sum(piece not in plain for piece in shifted) <= 2


def _pieces(data: bytes) -> list[bytes]:
    ends = Cutter(COARSE).ends(memoryview(data), 0, last=True)
    return [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]


@pytest.mark.parametrize("chunker", [WHOLE, COARSE, FINE, TENSORS])
def test_what_is_carried_over_is_less_than_a_chunk(chunker: int):
    buf = memoryview(bytes(MAX_CHUNK))
    ends = Cutter(chunker).ends(buf, 0, last=chunker == WHOLE)
    assert ends[-1] == MAX_CHUNK
    assert Cutter(chunker).ends(buf[:-1], 0, last=False) in ([], ends[:-1])


def test_one_piece_is_one_piece():
    cutter = Cutter(WHOLE)
    assert cutter.ends(memoryview(b"abc"), 0, last=False) == []
    assert cutter.ends(memoryview(b"abcdef"), 0, last=True) == [6]
    with pytest.raises(ValueError, match="at most"):
        cutter.ends(memoryview(bytes(MAX_CHUNK + 1)), 0, last=False)


def test_the_buffer_is_free_again():
    buf = bytearray(NOISE)
    Cutter(FINE).ends(memoryview(buf), 0, last=True)
    buf.append(0)  # BufferError if a view were still held


@pytest.mark.parametrize(("chunker", "hints"), [(4, ()), (-1, ()), (COARSE, (5,)), (FINE, (5,)), (WHOLE, (5,))])
def test_what_no_chunker_is(chunker: int, hints: tuple[int, ...]):
    with pytest.raises(ValueError, match="chunker"):
        Cutter(chunker, hints)


def test_threads_find_the_same_cuts():
    alone = lengths(FINE, NOISE)
    found: list[list[int]] = []
    threads = [threading.Thread(target=lambda: found.append(lengths(FINE, NOISE))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [alone] * 4


def test_the_slow_library_is_refused(monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyfastcdc"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyfastcdc.cy", None)  # how a wheel without its compiled part looks
    with pytest.raises(ConfigError, match="without its compiled part") as caught:
        Cutter(COARSE)
    assert "pip install" in caught.value.hint
    assert Cutter(WHOLE)  # a store without large files needs no library
    for name in [name for name in sys.modules if name.partition(".")[0] == "pyfastcdc"]:
        monkeypatch.delitem(sys.modules, name)
