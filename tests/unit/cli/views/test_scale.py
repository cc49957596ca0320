from __future__ import annotations

import math

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from modelvc.cli.views.scale import bounds, label, ticks


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.834, 0.92, [0.84, 0.86, 0.88, 0.9, 0.92]),
        (13, 27.5, [15, 20, 25]),
        (-1e-9, 1e-9, [-1e-9, -5e-10, 0, 5e-10, 1e-9]),
        (-3e12, 3e12, [-2e12, 0, 2e12]),
        (5, 5, [5]),
        (0, math.inf, [0]),
    ],
)
def test_ticks(low: float, high: float, found: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(found)


@given(st.floats(-1e300, 1e300), st.floats(0, 1e300))
@example(0.0, 5e-324)
def test_ticks_are_few_and_inside(low: float, span: float) -> None:
    high = low + span
    found = ticks(low, high)
    room = 1e-6 * span
    assert len(found) <= 6
    assert all(low - room <= one <= high + room for one in found)


@pytest.mark.parametrize(
    ("value", "span", "text"),
    [
        (0.84, 0.1, "0.84"),
        (15, 14, "15"),
        (0.5, 1, "0.5"),
        (2e12, 6e12, "2e+12"),
        (0, 1, "0"),
        (-5e-10, 2e-9, "-5e-10"),
    ],
)
def test_label(value: float, span: float, text: str) -> None:
    assert label(value, span) == text


def test_neighbours_are_told_apart() -> None:
    for low, high in ((0.9341, 0.9349), (1000, 1001), (1e-3, 2e-3)):
        texts = [label(one, high - low) for one in ticks(low, high)]
        assert len(set(texts)) == len(texts)


@given(st.lists(st.floats(-1e100, 1e100), min_size=1), st.lists(st.floats(-1e100, 1e100)))
def test_an_axis_shows_every_value(values: list[float], also: list[float]) -> None:
    low, high = bounds(values, also)
    assert low <= min(values) <= max(values) <= high
    assert low < high


def test_a_bound_far_off_does_not_flatten_the_rest() -> None:
    assert bounds([0.9, 0.92], [0.87])[0] < 0.87
    assert bounds([0.9, 0.92], [0.1])[0] > 0.8
