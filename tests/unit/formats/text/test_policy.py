"""The policy: what it says, and where it is wrong."""

from __future__ import annotations

import math

import pytest

from modelvc.errors import ConfigError
from modelvc.formats.text.policy import Margin, parse

WHOLE = b"""
[[model]]
model = "models/*"
metrics = "out/metrics.json"

[[metric]]
model = "models/*"
name = "test.*"
direction = "higher"
min = 0.5

[[metric]]
name = "test.auc"
direction = "higher"
max_drop = { abs = 0.005, rel = 0.01 }
test = "paired"
confidence = 0.9
on_inconclusive = "warn"

[[metric]]
name = "ms"
direction = "lower"
max = 50

[[metric]]
name = "ratio"
direction = "target"
target = 1
"""


def test_what_it_says():
    policy = parse(WHOLE)
    assert [rule.line for rule in policy.rules] == [6, 12, 20, 25]
    auc = policy.rule("models/a.pkl", "test.auc")
    assert auc is not None
    assert (auc.name, auc.paired, auc.confidence, auc.on_inconclusive) == ("test.auc", True, 0.9, "warn")
    assert auc.margin is not None
    assert auc.margin.allowed(0.9) == pytest.approx(0.009)  # both must be exceeded, so the larger counts
    assert auc.margin.allowed(0.1) == pytest.approx(0.005)
    assert policy.rule("models/a.pkl", "test.f1") is policy.rules[0]
    assert policy.rule("other.pkl", "test.f1") is None
    files = policy.files_for("models/deep/a.pkl")
    assert files is not None
    assert files.metrics == "out/metrics.json"
    assert parse(b"").rules == ()


@pytest.mark.parametrize(
    ("metric", "old", "new", "gain"),
    [
        ("test.auc", 0.8, 0.9, 0.1),
        ("ms", 10, 12, -2),
        ("ratio", 1.5, 0.8, 0.3),
        ("other", 1, 2, None),
        ("ms", "a", 2, None),
    ],
)
def test_which_way_is_better(metric: str, old: object, new: object, gain: float | None):
    found = parse(WHOLE).gain("models/a.pkl", metric, old, new)
    assert found == (None if gain is None else pytest.approx(gain))


METRIC = '[[metric]]\nname = "a"\n'


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (METRIC, 1, "direction is missing"),
        (METRIC + 'direction = "up"', 3, "direction is not known"),
        ('[[metric]]\ndirection = "higher"', 1, "name is missing"),
        (METRIC + 'direction = "higher"\nmni = 3', 4, 'there is no key "mni"'),
        ("# a\n\n[[metrics]]\nname = 1", 3, 'there is no key "metrics"'),
        (METRIC + 'direction = "higher"\nmax_rise = { abs = 1 }', 4, "cannot be combined with direction"),
        (METRIC + 'direction = "higher"\nmax_drop = 0.1', 4, "must be written as { abs = NUMBER"),
        (METRIC + 'direction = "higher"\nmax_drop = { abs = -1 }', 4, "cannot be negative"),
        (METRIC + 'direction = "higher"\nmin = "x"', 4, "min must be a number"),
        (METRIC + 'direction = "higher"\nmin = nan', 4, "min must be a number"),
        (METRIC + 'direction = "target"', 1, "target is needed with"),
        (METRIC + 'direction = "info"\nmin = 1', 3, 'is "info", so the metric has no min, max and test'),
        (METRIC + 'direction = "higher"\ntest = "t"', 4, 'test must be "paired"'),
        (METRIC + 'direction = "higher"\ntest = "paired"', 4, "test needs max_drop"),
        (METRIC + 'direction = "higher"\nconfidence = 95', 4, "confidence must lie between"),
        (METRIC + 'direction = "higher"\n\n' + METRIC + 'direction = "x"', 7, "direction is not known"),
        ('[[model]]\nmetrics = "../x"', 2, "metrics is not a path below the worktree"),
        ('[[model]]\nonly = "test.*"', 2, "only must be a list of at most 100 strings"),
        ("[[model]]\nonly = [1]", 2, "only must be a string of 1 to 1,000 printable characters"),
        ("[[model]]\npositive = 1", 2, "positive must be a string of 1 to 1,000 printable characters"),
        (METRIC + 'direction = "higher"\nmetric = "auc"', 4, 'metric needs test = "paired"'),
        ("metric = 3", 1, "must be written as [[metric]]"),
        ("a = [", 0, "is not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_its_line(text: str, line: int, words: str):
    with pytest.raises(ConfigError) as caught:
        parse(text.encode())
    assert words in str(caught.value)
    assert not line or f"line {line}:" in str(caught.value)
    assert caught.value.hint == "edit .mvc/policy.toml"


def test_a_share_of_infinity_allows_nothing() -> None:
    assert Margin(absolute=0.5, relative=0.1).allowed(math.inf) == 0.5
    assert Margin(absolute=0.5, relative=0.1).allowed(-20.0) == 2.0


def test_a_target_is_not_compared_row_by_row() -> None:
    text = b'[[metric]]\nname = "a"\ndirection = "target"\ntarget = 1\nmax_drop = { abs = 0.1 }\ntest = "paired"\n'
    with pytest.raises(ConfigError, match='test cannot be combined with direction = "target"'):
        parse(text)


def test_what_a_model_says_of_its_metrics_and_predictions() -> None:
    found = parse(b"""
[[model]]
model = "models/*"
metrics = "m.json"
only = ["test.*", "acc"]
[[model]]
positive = "cancer"
[[metric]]
name = "quality"
direction = "higher"
max_drop = { abs = 0.1 }
test = "paired"
metric = "accuracy"
""")
    files = found.files_for("models/a.pkl")
    assert files
    assert (files.only, files.positive) == (("test.*", "acc"), "")
    assert found.positive_for("models/a.pkl") == "cancer"
    assert found.rules[0].metric == "accuracy"
