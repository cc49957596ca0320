"""Every parser against bytes that nearly are what it reads (tests/support/parsers.py; longer: tests/fuzz/run.py)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.parsers import PARSERS

FOUND = Path(__file__).parents[1] / "fuzz" / "found"
EXAMPLES = int(os.environ.get("MVC_FUZZ_EXAMPLES", "400"))


@st.composite
def nearly(draw: st.DrawFn, name: str) -> bytes:
    """A valid example with a few edits: bytes, tokens, numbers, parts of it twice, parts of another."""
    examples, tokens = PARSERS[name].examples, PARSERS[name].tokens
    data = bytearray(draw(st.sampled_from(examples)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        cut = draw(st.sampled_from([0, 0, 1, 2, 4, 8, 32, len(data)]))
        kind = draw(st.integers(0, 5))
        if kind == 0:
            data[at : at + cut] = draw(st.binary(max_size=4))
        elif kind <= 2 and tokens:
            data[at : at + cut] = draw(st.sampled_from(tokens)) * draw(st.sampled_from([1, 1, 1, 2, 40]))
        elif kind == 3:  # a number of the same width
            width = draw(st.sampled_from([1, 2, 4, 8]))
            data[at : at + width] = (
                draw(st.sampled_from([0, 1, -1, 2, 1 << 16, 1 << 31])) % (1 << 8 * width)
            ).to_bytes(width, "little")
        elif kind == 4:
            data[at:at] = data[at : at + draw(st.integers(1, 80))] * draw(st.integers(1, 3))
        else:
            other = draw(st.sampled_from(examples))
            start = draw(st.integers(0, len(other)))
            data[at : at + cut] = other[start : start + draw(st.integers(1, 60))]
    return bytes(data)


@pytest.mark.parametrize("name", PARSERS)
def test_valid_examples_are_taken(name: str) -> None:
    for data in PARSERS[name].examples:
        PARSERS[name].check(data)


@pytest.mark.parametrize("name", PARSERS)
def test_what_fuzzing_found_once(name: str) -> None:
    for path in sorted((FOUND / name).glob("*")):
        PARSERS[name].check(path.read_bytes())


@pytest.mark.parametrize("name", PARSERS)
def test_any_bytes_are_refused_in_words_or_mean_one_thing(name: str) -> None:
    @settings(max_examples=EXAMPLES, database=None)
    @given(nearly(name))
    def fuzz(data: bytes) -> None:
        PARSERS[name].check(data)

    fuzz()
