"""Metrics from predictions, and what a gate makes of them."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from modelvc.gate.compare import Comparison, Decided, Question, agrees, compare_metric, decide_together, disagreement
from modelvc.gate.measures import MEASURES, NotComputable
from modelvc.gate.pairing import PairedRows, Side, pair_rows
from modelvc.gate.predictions import parse
from modelvc.gate.stats import Interval

LOWER = {"error_rate", "log_loss", "brier", "mse", "rmse", "mae"}


def paired(  # noqa: PLR0917
    truth: Sequence[object],
    old: Sequence[object],
    new: Sequence[object],
    old_score: list[float] | None = None,
    new_score: list[float] | None = None,
    column: str = "y_score",
) -> PairedRows:
    sides = []
    for said, score in ((old, old_score), (new, new_score)):
        head = "id,y_true,y_pred" + (f",{column}" if score is not None else "")
        rows = [
            f"{n},{t},{p}" + (f",{score[n]!r}" if score is not None else "")
            for n, (t, p) in enumerate(zip(truth, said, strict=True))
        ]
        sides.append(parse("\n".join([head, *rows]).encode(), "p.csv"))
    found = pair_rows(*sides)
    assert isinstance(found, PairedRows)
    return found


def asked(rows: PairedRows, metric: str, **question: Any) -> Comparison:
    found = compare_metric(rows, metric, Question(higher=metric not in LOWER, **question))
    assert isinstance(found, Comparison), found
    return found


@pytest.fixture(scope="module")
def binary() -> PairedRows:
    rng = random.Random(1)
    truth = [int(rng.random() < 0.4) for _ in range(600)]
    common = [rng.gauss(t * 1.5, 1) for t in truth]
    scores = [[1 / (1 + math.exp(0.7 - c - rng.gauss(0, 0.5))) for c in common] for _ in range(2)]
    return paired(truth, *([int(s > 0.5) for s in side] for side in scores), *scores)


def by_numpy(metric: str, rows: PairedRows, side: Side) -> float:
    y = np.array([int(rows.labels[c]) for c in rows.truth])
    p = np.array([int(rows.labels[c]) for c in side.predicted])
    s = np.array(side.scores["y_score"])
    tp, fp, fn = ((p == 1) & (y == 1)).sum(), ((p == 1) & (y == 0)).sum(), ((p == 0) & (y == 1)).sum()
    wins = (s[y == 1][:, None] > s[y == 0]).mean() + (s[y == 1][:, None] == s[y == 0]).mean() / 2
    return float(
        {
            "accuracy": (y == p).mean(),
            "error_rate": (y != p).mean(),
            "auc": wins,
            "roc_auc": wins,
            "log_loss": -(y * np.log(s) + (1 - y) * np.log(1 - s)).mean(),
            "brier": ((s - y) ** 2).mean(),
            "mse": ((y - p) ** 2).mean(),
            "rmse": math.sqrt(((y - p) ** 2).mean()),
            "mae": abs(y - p).mean(),
            "r2": 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum(),
            "f1": 2 * tp / (2 * tp + fp + fn),
            "precision": tp / (tp + fp),
            "recall": tp / (tp + fn),
            "balanced_accuracy": (tp / (tp + fn) + ((p == 0) & (y == 0)).sum() / (y == 0).sum()) / 2,
        }[metric]
    )


@pytest.mark.parametrize("metric", sorted(MEASURES))
def test_every_metric_is_what_it_says_and_has_an_interval(metric: str, binary: PairedRows):
    found = asked(binary, f"test.{metric}", margin=0.02) if metric not in LOWER else asked(binary, metric, margin=0.02)
    assert found.old == pytest.approx(by_numpy(metric, binary, binary.old), abs=1e-12)
    assert found.new == pytest.approx(by_numpy(metric, binary, binary.new), abs=1e-12)
    assert found.difference == found.new - found.old
    assert found.enough
    assert found.interval is not None
    assert found.interval.low < found.difference < found.interval.high
    assert 0 < found.interval.high - found.interval.low < 0.3
    assert found.p_value is not None
    assert found.p_worse is not None
    assert 0 < found.p_value <= 1
    assert found == compare_metric(binary, found.metric, found.question)  # seeded


def test_metrics_over_many_labels_are_means_over_them():
    rng = random.Random(5)
    truth = [rng.choice("abcd") for _ in range(400)]
    old, new = ([t if rng.random() < 0.7 else rng.choice("abcd") for t in truth] for _ in range(2))
    rows = paired(truth, old, new)

    def each(said: Sequence[object], label: str):
        right = sum(a == b == label for a, b in zip(truth, said, strict=True))
        return right / sum(b == label for b in said), right / sum(a == label for a in truth)

    precision = sum(each(old, label)[0] for label in "abcd") / 4
    recall = sum(each(old, label)[1] for label in "abcd") / 4
    f1 = sum(2 * p * r / (p + r) for p, r in (each(old, label) for label in "abcd")) / 4
    assert asked(rows, "precision").old == pytest.approx(precision)
    assert asked(rows, "recall").old == pytest.approx(recall)
    assert asked(rows, "balanced_accuracy").old == pytest.approx(recall)
    assert asked(rows, "f1").old == pytest.approx(f1)
    assert asked(rows, "recall", positive="c").old == pytest.approx(each(old, "c")[1])
    assert isinstance(compare_metric(rows, "auc", Question()), NotComputable)


def test_log_loss_of_many_labels_needs_a_column_for_each():
    rng = random.Random(2)
    lines = [["id,y_true,y_pred,y_score_a,y_score_b,y_score_c"], ["id,y_true,y_pred,y_score_a,y_score_b,y_score_c"]]
    losses = [0.0, 0.0]
    for row in range(50):
        label = rng.choice("abc")
        for side in (0, 1):
            weights = [rng.random() + (label == name) for name in "abc"]
            shares = [weight / sum(weights) for weight in weights]
            losses[side] -= math.log(shares["abc".index(label)]) / 50
            lines[side].append(f"{row},{label},a,{','.join(map(repr, shares))}")
    rows = pair_rows(*(parse("\n".join(side).encode(), "p") for side in lines))
    assert isinstance(rows, PairedRows)
    found = asked(rows, "log_loss")
    assert (found.old, found.new) == pytest.approx(tuple(losses))


def test_the_larger_of_two_labels_is_positive():
    rows = paired([2, 10, 10, 2] * 20, [2, 10, 2, 2] * 20, [2, 10, 10, 10] * 20)
    assert asked(rows, "recall").old == 0.5
    assert asked(rows, "recall", positive="2").old == 1.0
    only_negative = paired(["no"] * 40, ["no", "yes"] * 20, ["no"] * 40, [0.25] * 40, [0.125] * 40)
    assert asked(only_negative, "brier", positive="yes").old == 0.0625
    flags = paired(["True", "False"] * 20, ["True"] * 40, ["False", "True"] * 20)
    assert asked(flags, "recall").old == 1.0


@pytest.mark.parametrize("metric", ["f1", "precision", "recall", "auc", "brier", "log_loss"])
def test_of_two_texts_nobody_guesses_the_positive_one(metric: str):
    scores = [0.9, 0.2] * 20
    rows = paired(["cancer", "healthy"] * 20, ["cancer", "healthy"] * 20, ["cancer"] * 40, scores, scores)
    found = compare_metric(rows, metric, Question())
    assert isinstance(found, NotComputable)
    assert "nothing says which label is the positive one, cancer or healthy" in found.why
    assert "--positive LABEL" in found.why
    assert asked(rows, metric, positive="cancer").rows == 40
    assert asked(rows, "accuracy").old == 1.0
    assert asked(rows, "balanced_accuracy").old == 1.0
    assert asked(rows, "f1_macro").old == 1.0


def test_a_score_may_be_that_of_a_label():
    truth = ["cancer", "healthy"] * 20
    scores = [0.9, 0.2] * 20
    rows = paired(truth, truth, truth, scores, scores, column="y_score_cancer")
    assert asked(rows, "auc", positive="cancer").old == 1.0
    found = compare_metric(rows, "auc", Question(positive="healthy"))
    assert isinstance(found, NotComputable)
    assert "no column y_score or y_score_healthy" in found.why


@pytest.mark.parametrize(
    ("name", "measure"),
    [
        ("val/accuracy", "accuracy"),
        ("val_accuracy", "accuracy"),
        ("test.Accuracy-Score", "accuracy"),
        ("roc_auc_score", "auc"),
        ("f1_macro", "f1"),
        ("macro_f1", "f1"),
        ("macro avg.f1-score", "f1"),
        ("report.macro avg.recall", "recall"),
        ("mean_squared_error", "mse"),
    ],
)
def test_names_that_libraries_give(name: str, measure: str):
    truth = [1, 2, 3, 1] * 20
    rows = paired(truth, [1, 2, 2, 1] * 20, [1, 2, 3, 2] * 20, [0.5] * 80, [0.5] * 80)
    if measure == "auc":
        rows = paired([0, 1] * 40, [0, 1] * 40, [1, 0] * 40, [0.2, 0.7] * 40, [0.7, 0.2] * 40)
    found = compare_metric(rows, name, Question(higher=measure != "mse"))
    assert found == replace(asked(rows, measure), metric=name, question=found.question)  # type: ignore[union-attr]


def test_a_mean_over_labels_is_not_the_metric_of_one():
    rows = paired([0, 1, 1, 1] * 20, [0, 1, 0, 1] * 20, [0, 1, 1, 1] * 20)
    one, mean = asked(rows, "recall"), asked(rows, "macro avg.recall")
    assert (one.old, mean.old) == (pytest.approx(2 / 3), pytest.approx(5 / 6))
    assert asked(rows, "0.recall").old == 1.0  # a row of scikit-learn's report
    for name in ("weighted avg.f1-score", "f1_micro", "precision_weighted"):
        found = compare_metric(rows, name, Question())
        assert isinstance(found, NotComputable)
        assert "mean over labels of" in found.why


def test_what_is_computed_can_be_said():
    rows = paired([0, 1] * 20, [0, 1] * 20, [1, 1] * 20)
    assert asked(rows, "quality", measure="accuracy").old == 1.0
    assert isinstance(compare_metric(rows, "quality", Question()), NotComputable)


@pytest.mark.parametrize("metric", ["accuracy", "f1", "auc", "log_loss"])
def test_a_label_that_is_missing_is_not_enough_data(metric: str):
    truth = [*([0, 1] * 149), "nan", 0]
    rows = paired(truth, truth, truth, [0.5] * 300, [0.25] * 300)
    found = asked(rows, metric)
    assert (found.enough, found.why) == (False, "1 row of 300 lacks a value")


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        ("test.map", "not one of those that predictions can give: accuracy, auc, balanced_accuracy"),
        ("auc", "the predictions of the old version have no column y_score or y_score_1"),
        ("log_loss", "the predictions of the old version have no column y_score or y_score_1"),
        ("f1", 'no row has the positive label "x"'),
    ],
)
def test_what_can_not_be_computed_says_why(metric: str, why: str):
    rows = paired([0, 1] * 20, [0, 1] * 20, [1, 1] * 20)
    found = compare_metric(rows, metric, Question(positive="x" if metric == "f1" else ""))
    assert isinstance(found, NotComputable)
    assert why in found.why


def test_scores_that_are_no_probabilities_and_labels_that_are_no_numbers():
    rows = paired(["a", "b"] * 20, ["a", "a"] * 20, ["b", "a"] * 20, [0.5] * 40, [1.5] * 40)
    loss = compare_metric(rows, "log_loss", Question(positive="b"))
    assert isinstance(loss, NotComputable)
    assert "some lie outside 0 to 1" in loss.why
    error = compare_metric(rows, "rmse", Question())
    assert isinstance(error, NotComputable)
    assert "not numbers in every row" in error.why


nan = math.nan


@pytest.mark.parametrize(
    ("metric", "rows", "why"),
    [
        ("accuracy", ([1], [1], [0]), "1 of at least 2 rows"),
        ("mae", ([1], [1], [0]), "1 of at least 2 rows"),
        ("rmse", ([1], [1], [0]), "1 of at least 2 rows"),
        ("mae", ([1] * 40, [1] * 40, [2] * 40), "every row changed by the same amount"),
        ("rmse", ([1] * 40, [1] * 40, [2] * 40), "no resample differs"),
        ("mse", ([1, 2], [nan, 1], [1, 1]), "1 row of 2 lacks a value"),
        ("mse", ([1, 2], [1e300, 1], [1, 1]), "1 of 2 rows have a value that is not finite"),
        ("rmse", ([1, 2], [1, math.inf], [1, 1]), "1 of 2 rows have a value that is not finite"),
        ("r2", ([1, nan, 2], [1, 2, 3], [1, 2, 2]), "1 row of 3 lacks a value"),
        ("r2", ([3] * 40, [3, 2] * 20, [3] * 40), "y_true is the same in all rows"),
        ("auc", ([1] * 40, [1] * 40, [1] * 40, [0.5] * 40, [0.25] * 40), "all rows are of one class"),
        ("auc", ([0, 1], [1, 1], [1, 1], [0.5, nan], [0.25, 0.5]), "1 row of 2 lacks a value"),
        ("log_loss", ([0, 1], [1, 1], [1, 1], [0.5, nan], [0.25, 0.5]), "1 row of 2 lacks a value"),
        ("f1", ([1] * 40, [1] * 40, [1] * 40), "all rows are of one class"),
        ("f1", ([0] * 40, [1, 0] * 20, [0] * 40), "no row is of the positive class"),
        ("recall", ([0, 1] * 20, [0, 1] * 20, [1, 1] * 20), "no resample differs"),
    ],
)
def test_too_little_is_said_and_never_passes(metric: str, rows: tuple[Any, ...], why: str):
    found = asked(paired(*rows), metric, margin=0.5)
    assert not found.enough
    assert why in found.why
    assert found.interval is None
    (settled,) = decide_together([found])
    assert settled.outcome == "inconclusive"
    assert settled.why == f"not enough data: {found.why}"


def test_the_same_predictions_pass_when_there_are_enough_of_them():
    for rows, outcome in ((40, "pass"), (20, "inconclusive")):
        found = asked(paired([0, 1] * (rows // 2), [1, 1] * (rows // 2), [1, 1] * (rows // 2)), "accuracy")
        assert found.same
        assert decide_together([found])[0].outcome == outcome


def test_the_words_of_all_outcomes():
    truth = [0, 1] * 500
    right, flipped = truth, [1 - t if n % 10 == 0 else t for n, t in enumerate(truth)]
    few = [1 - t if n % 250 == 0 else t for n, t in enumerate(truth)]
    question = Question(margin=0.02)
    found = [compare_metric(paired(truth, right, other), "accuracy", question) for other in (flipped, few, right)]
    barely = compare_metric(paired(truth[:200], right[:200], few[:200]), "accuracy", Question(margin=0.001))
    words = decide_together([one for one in [*found, barely] if isinstance(one, Comparison)])
    assert [one.outcome for one in words] == ["fail", "pass", "pass", "inconclusive"]
    assert [one.why for one in words] == [
        "a loss of more than 0.02 is shown (95 % interval of the change -0.1202 to -0.08291)",
        "a loss of more than 0.02 is ruled out (95 % interval of the change -0.01024 to -0.0001579)",
        "every prediction is the same in 1,000 rows",
        (
            "not enough data: 200 rows do not decide whether more than 0.001 is lost (95 % interval of the change"
            " -0.02777 to +0.01394); about 39,245 would"
        ),
    ]


def test_an_interval_that_the_exact_test_does_not_confirm_is_no_failure():
    truth = [0, 1] * 500
    few = [1 - t if n % 250 == 0 else t for n, t in enumerate(truth)]
    rows = paired(truth, truth, few)
    found, wrong = asked(rows, "accuracy"), asked(rows, "error_rate")
    assert found.interval is not None
    assert found.interval.high < 0
    assert found.p_value == 0.125
    assert found.p_worse == wrong.p_worse == 0.0625
    (settled,) = decide_together([found])
    assert settled.outcome == "inconclusive"
    assert settled.why.startswith("not enough data: 1,000 rows do not decide whether more than 0 is lost")


def test_a_loss_that_only_one_of_many_shows_is_not_a_failure():
    def made(p_worse: float) -> Comparison:
        interval = Interval(-0.09, -0.01, 0.95) if p_worse < 0.025 else Interval(-0.01, 0.02, 0.95)
        return Comparison(
            "m", Question(margin=0.005), 0.9, 0.85, -0.05, interval, 0.02, p_worse, 500, None, "", enough=True, why=""
        )

    assert decide_together([made(0.01)])[0].outcome == "fail"
    many = decide_together([made(0.01), *[made(0.7)] * 4])
    assert many[0] == Decided(
        "inconclusive",
        "a loss is shown for it alone, but among 5 metrics that may be chance "
        "(95 % interval of the change -0.09 to -0.01)",
        0.05,
    )
    assert decide_together([made(0.004), *[made(0.7)] * 4])[0].outcome == "fail"


def test_equal_models_fail_no_more_often_than_promised():
    rng = random.Random(11)
    times, rows = 300, 150
    ran = dict.fromkeys(("accuracy", "auc", "brier", "f1"), 0)
    failed = dict.fromkeys(("accuracy", "auc", "brier", "f1"), 0)
    any_drop = 0
    for time in range(times):
        truth = [int(rng.random() < 0.45) for _ in range(rows)]
        common = [rng.gauss(t * 1.6 - 0.8, 1) for t in truth]
        scores = [[1 / (1 + math.exp(-c - rng.gauss(0, 0.7))) for c in common] for _ in range(2)]
        one = paired(truth, *([int(s > 0.5) for s in side] for side in scores), *scores)
        for metric in failed if time < 100 else ("accuracy", "auc", "brier"):
            ran[metric] += 1
            found = asked(one, metric)
            failed[metric] += decide_together([found])[0].outcome == "fail"
            any_drop += metric == "accuracy" and found.difference < 0
    assert any_drop > 0.4 * times
    # at most (1 - 0.95) / 2, and three standard errors of this simulation
    assert all(failed[one] / ran[one] <= 0.025 + 3 * math.sqrt(0.025 * 0.975 / ran[one]) for one in ran), failed


def test_a_model_that_is_much_worse_fails():
    rng = random.Random(4)
    truth = [int(rng.random() < 0.5) for _ in range(800)]
    old, new = ([t if rng.random() < share else 1 - t for t in truth] for share in (0.9, 0.8))
    rows = paired(truth, old, new)
    for metric in ("accuracy", "error_rate", "mae", "f1", "balanced_accuracy", "rmse"):
        assert decide_together([asked(rows, metric, margin=0.02)])[0].outcome == "fail", metric
        back = paired(truth, new, old)
        assert decide_together([asked(back, metric, margin=0.02)])[0].outcome == "pass", metric


@pytest.mark.parametrize(
    ("computed", "recorded", "agree"),
    [
        (0.9341, 0.9341, True),
        (0.93412, 0.934, True),
        (0.93412, 0.93, True),
        (0.93412, 0.94, False),
        (0.93412, 0.9, False),
        (0.93412, 0.9342, False),
        (0.93412, 93.412, False),
        (1.0, 1, True),
        (0.98, 1, False),
        (1234567.8, 1234567.0, True),
        (1.5e-7, 1.5e-7, True),
        (1.5e-7, 2.5e-7, False),
        (nan, nan, True),
        (nan, 0.5, False),
        (0.5, math.inf, False),
    ],
)
def test_a_recorded_metric_agrees_with_the_predictions(computed: float, recorded: float, agree: object):
    assert agrees(computed, recorded) is agree


def test_metrics_that_are_not_those_of_the_predictions_are_named():
    found = asked(paired([0, 1] * 20, [0, 1] * 20, [1, 1] * 20), "accuracy")
    assert disagreement(found, 1.0, 0.5) == ""
    assert disagreement(found, 1.0, 0.75) == "the new version's predictions give 0.5, and 0.75 is recorded"


def test_a_row_that_lacks_a_value_contradicts_no_recorded_metric():
    scores = [0.2, 0.7] * 150
    rows = paired([0, 1] * 150, [0, 1] * 150, [0, 1] * 150, scores, [nan, *scores[1:]])
    found = asked(rows, "auc")
    assert disagreement(found, 1.0, 1.0) == ""
    assert decide_together([found])[0] == Decided("inconclusive", "not enough data: 1 row of 300 lacks a value")


@pytest.mark.parametrize("metric", ["auc", "brier", "log_loss", "mse", "rmse", "r2", "mae"])
@pytest.mark.parametrize("decimals", [1, 2, 3])
def test_rounded_predictions_are_compared_with_what_their_digits_allow(metric: str, decimals: int):
    """The metric of the exact numbers agrees with the rounded ones, and one beyond the rounding does not."""
    rng = random.Random(decimals)
    truth = [rng.random() < 0.5 for _ in range(400)]
    exact = [min(0.99, max(0.01, 0.5 + (t - 0.5) * 0.4 + rng.gauss(0, 0.2))) for t in truth]
    rounded = [round(value, decimals) for value in exact]
    if metric in {"mse", "rmse", "r2", "mae"}:
        targets = [value + rng.gauss(0, 0.1) for value in exact]
        whole, cut = paired(targets, exact, exact), paired(targets, rounded, rounded)
    else:
        labels = [int(t) for t in truth]
        whole, cut = paired(labels, labels, labels, exact, exact), paired(labels, labels, labels, rounded, rounded)
    recorded = asked(whole, metric).old
    found = asked(cut, metric)
    assert disagreement(found, recorded, recorded) == ""
    assert 0 < found.slack[0] < 0.5 * 10.0 ** (1 - decimals) * 10
    assert disagreement(found, recorded, recorded + 2.5 * found.slack[1] + 0.01)
    assert asked(whole, metric).slack == (0.0, 0.0)


def test_whole_numbers_are_not_rounded_ones():
    targets = list(range(40))
    found = asked(paired(targets, [n + 1 for n in targets], targets), "mse")
    assert found.slack == (0.0, 0.0)
    assert disagreement(found, 1.0, 0.01)


def test_what_could_not_be_read_counts_as_one_comparison_more():
    rng = random.Random(3)
    truth = [rng.random() < 0.5 for _ in range(400)]
    worse = [t if rng.random() < 0.93 else not t for t in truth]
    found = asked(paired(list(map(int, truth)), list(map(int, truth)), list(map(int, worse))), "accuracy", margin=0.03)
    assert decide_together([found])[0].outcome == "fail"
    alone = decide_together([found])[0].p_adjusted
    assert decide_together([found], unread=9)[0].p_adjusted == pytest.approx(10 * (alone or 0))


@pytest.mark.parametrize("name", ["1.5.recall", "test.1.5.recall", "report/1.5/recall"])
def test_a_label_in_a_name_may_have_a_dot(name: str):
    rows = paired(["1.5", "5.0"] * 20, ["1.5", "1.5"] * 20, ["1.5", "5.0"] * 20)
    assert (asked(rows, name).old, asked(rows, name.replace("1.5", "5.0")).old) == (1.0, 0.0)


def test_a_label_in_a_name_may_have_a_slash():
    rows = paired(["n/a", "x"] * 20, ["n/a", "n/a"] * 20, ["n/a", "x"] * 20)
    assert (asked(rows, "n/a.recall").old, asked(rows, "x.recall").old) == (1.0, 0.0)


@pytest.mark.parametrize("name", ["macro_accuracy", "accuracy_weighted", "weighted avg.mse", "macro avg.log_loss"])
def test_a_mean_that_is_not_computed_is_not_taken_for_another(name: str):
    rows = paired([0, 1, 1, 1] * 20, [0, 1, 0, 1] * 20, [0, 1, 1, 1] * 20, [0.5] * 80, [0.5] * 80)
    found = compare_metric(rows, name, Question())
    assert isinstance(found, NotComputable)
    assert "mean over labels of" in found.why
    assert asked(rows, "accuracy_micro").old == asked(rows, "accuracy").old == 0.75


def test_only_scores_that_are_used_can_be_rounded():
    head, exact = "id,y_true,y_pred,y_score,y_score_other", "0.123456789012"
    rows = "".join(f"{n},{n % 2},{n % 2},{exact},0.5\n" for n in range(40))
    one = parse(f"{head}\n{rows}".encode(), "p.csv")
    found = pair_rows(one, one)
    assert isinstance(found, PairedRows)
    assert asked(found, "log_loss").slack == (0.0, 0.0)
    assert asked(found, "brier").slack == (0.0, 0.0)
