from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelvc.errors import RemoteError
from modelvc.store.backends.spans import GAP, Span, merge, scatter

RANGES = st.lists(st.tuples(st.integers(0, 500), st.integers(0, 100)), max_size=20)


def test_close_ranges_travel_together():
    assert merge([(0, 10), (10 + GAP, 5)]) == [Span(0, GAP + 15, (0, 1))]
    assert merge([(0, 10), (11 + GAP, 5)]) == [Span(0, 10, (0,)), Span(GAP + 11, GAP + 16, (1,))]


def test_merging_has_an_end():
    mib = 1 << 20
    spans = merge([(at * mib, mib) for at in range(100)])
    assert [span.stop - span.start for span in spans] == [32 * mib] * 3 + [4 * mib]


def test_one_large_range_is_one_request():
    assert merge([(0, 1 << 30)]) == [Span(0, 1 << 30, (0,))]


def test_a_body_that_serves_one_range_is_not_copied():
    body = bytes(100)
    (found,) = scatter([(7, 100)], merge([(7, 100)]), [body])
    assert found is body


@pytest.mark.parametrize("bad", [(-1, 5), (5, -1)])
def test_negative_ranges_are_refused(bad: tuple[int, int]):
    with pytest.raises(RemoteError):
        merge([bad])


@given(ranges=RANGES, gap=st.integers(0, 50), most=st.integers(1, 300))
def test_every_range_is_answered(ranges: list[tuple[int, int]], gap: int, most: int):
    data = bytes(i % 251 for i in range(600))
    spans = merge(ranges, gap=gap, most=most)
    found = scatter(ranges, spans, [data[span.start : span.stop] for span in spans])
    assert found == [data[offset : offset + length] for offset, length in ranges]
    assert sorted(place for span in spans for place in span.members) == [i for i, (_, n) in enumerate(ranges) if n]
