"""Conditions over metrics: what they mean, and where a wrong one goes wrong."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelvc.errors import UsageError
from modelvc.formats.text.expression import parse

VALUES = {"acc": 0.9, "test.auc": 0.8, "n": 3, "slow": False, "kind": "tree", "lost": float("nan"), "odd name": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("acc >= 0.9", True),
        ("acc > 0.9", False),
        ("0.9 <= acc", True),
        ("test.auc < .81 and n == 3", True),
        ("acc > 1 or n >= 3", True),
        ("acc > 1 or n > 3 or kind == 'tree'", True),
        ("acc > 1 and n > 1 or n == 3", True),
        ("acc > 1 and (n > 1 or n == 3)", False),
        ("not acc > 1", True),
        ("not (acc > 1 or n == 3)", False),
        ("slow == false", True),
        ("slow != true", True),
        ('kind != "forest"', True),
        ("`odd name` == 1e0", True),
        ("n == -3", False),
        ("missing > 0", False),
        ("not missing > 0", False),  # unknown, not false
        ("missing > 0 or acc > 0", True),
        ("missing > 0 and acc > 0", False),
        ("not (missing > 0 and acc > 1)", True),
        ("lost < 1", False),
        ("not lost < 1", False),
        ("kind > 1", False),
        ("slow == 0", False),  # a truth value is not a number
        ("NOT acc > 1 AND n == 3", True),
        ('"odd name" == 1', True),
        ("'odd name' >= 1 and n == 3", True),
        ('0.5 < "odd name"', True),
        ('acc < "odd name"', True),  # both are metrics
        ('"odd name" != "acc"', True),  # the right one is a metric too
        ('kind == "n"', False),
        ('kind == "3"', False),
        ('"val/acc" > 0.5', False),  # not there
    ],
)
def test_what_a_condition_says(text: str, expected: object):
    assert parse(text).holds(VALUES) is expected


@pytest.mark.parametrize(
    ("text", "column", "why"),
    [
        ("", 1, "a metric or a number is missing"),
        ("acc", 4, "a comparison is missing"),
        ("acc >= ", 8, "a metric or a number is missing"),
        ("acc >= 0.9 n < 1", 12, "one word too many"),
        ("(acc >= 0.9", 12, 'a ")" is missing'),
        ("acc >= 0.9)", 11, "one word too many"),
        ("acc => 0.9", 5, "=> is not understood; there is != < <= == > >= and not or"),
        ("acc > 1 && n > 1", 9, "&& is not understood; there is != < <= == > >= and not or"),
        ("acc > 0.9 and", 14, "a metric or a number is missing"),
        ("acc > 1.2.3", 7, "is not understood"),
        ("__import__('os') > 1", 11, "a comparison is missing"),
        ("0.5 < 0.9", 7, "two values are compared, and no metric"),
        ("acc > 1 or true == true", 20, "two values are compared, and no metric"),
        ("0.9 == .9", 8, "two values are compared, and no metric"),
        ("acc > ;", 7, "; is not understood (column"),
        ("(" * 60 + "acc > 1", 52, "nested too deeply"),
    ],
)
def test_a_wrong_one_points_at_the_column(text: str, column: int, why: str):
    with pytest.raises(UsageError, match=r".") as caught:
        parse(text)
    assert why in str(caught.value)
    assert f"(column {column})" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("text", ['acc == "0.5"', "kind == 'tree' or acc != '1e3'"])
def test_a_number_in_quotes_is_not_compared_with_a_metric(text: str):
    with pytest.raises(UsageError, match=r"a number is compared with the text .* without quotes \(column \d+\)"):
        parse(text).holds(VALUES | {"kind": "forest"})


def test_the_metrics_in_it():
    assert parse("'val/acc' > 1 and kind == 'x' and 1 < \"n\"").names == ("val/acc", "kind", "n")
    assert parse("a.b > 1 and (c < 2 or a.b == 3)").names == ("a.b", "c")


@given(st.text("()acn<>=!.'\"` 01andortue-", max_size=60))
def test_no_text_is_anything_but_a_condition_or_a_usage_error(text: str):
    try:
        found = parse(text)
    except UsageError:
        return
    with contextlib.suppress(UsageError):  # a number in quotes
        assert found.holds(VALUES) in {True, False}
