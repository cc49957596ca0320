from __future__ import annotations

from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from modelvc.chunking.fastcdc import COARSE, FINE, MAX_CHUNK, TENSORS, Cutter

LENGTH = 3 << 20
NOISE = blake3(b"noise").digest(length=LENGTH)
CONTENTS = [NOISE, bytes(LENGTH), NOISE[:1_500_000] + bytes(LENGTH - 1_500_000), (NOISE[:999] * 4_000)[:LENGTH]]


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([COARSE, FINE, TENSORS]),
    st.sampled_from(CONTENTS),
    st.integers(0, LENGTH),
    st.lists(st.integers(1, LENGTH - 1), max_size=12, unique=True).map(sorted),
    st.lists(st.integers(1, 2 << 20), min_size=1, max_size=8),
)
def test_the_blocks_do_not_matter(chunker: int, content: bytes, size: int, hints: list[int], blocks: list[int]):
    data = memoryview(content)[:size]
    cutter = Cutter(chunker, tuple(h for h in hints if h < size) if chunker == TENSORS else ())
    wanted = cutter.ends(data, 0, last=True)

    ends: list[int] = []
    base = filled = turn = 0
    while base < size:
        filled = min(filled + max(blocks[turn % len(blocks)], 5_000), size)
        turn += 1
        ends += [base + end for end in cutter.ends(data[base:filled], base, last=filled == size)]
        base = ends[-1] if ends else 0
        assert filled - base < MAX_CHUNK
    assert ends == wanted
    assert set(cutter._hints) <= set(ends)
    assert ends == sorted(set(ends))
    assert (ends[-1] if ends else 0) == size


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 3_000), st.lists(st.integers(-3, 3), max_size=4))
def test_cuts_at_the_edges_of_what_was_read(start: int, around: list[int]):
    """Blocks that end exactly at a cut, or a byte or two beside it, where a mistake would show."""
    data = memoryview(NOISE)[start:]
    cutter = Cutter(FINE)
    wanted = cutter.ends(data, 0, last=True)
    stops = sorted({min(max(end + shift, 1), len(data)) for end in wanted for shift in [0, *around]} | {len(data)})
    ends: list[int] = []
    for stop in stops:
        base = ends[-1] if ends else 0
        if stop >= base:
            ends += [base + end for end in cutter.ends(data[base:stop], base, last=stop == len(data))]
    assert ends == wanted
