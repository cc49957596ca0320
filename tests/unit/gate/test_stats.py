"""The statistics against scipy, and against slower ways of saying the same."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from random import Random

import pytest
from scipy import optimize
from scipy import stats as reference

from modelvc.gate import bootstrap
from modelvc.gate.confusion import OF_CLASS, cells_of, measure_cells
from modelvc.gate.distributions import (
    binomial_pmf,
    half_tail,
    normal_cdf,
    normal_quantile,
    t_cdf,
    t_quantile,
    t_sf,
)
from modelvc.gate.stats import (
    Interval,
    Linear,
    Losses,
    Matched,
    NotEnough,
    Ranked,
    Unmoved,
    decide,
    delong,
    holm,
    losses,
    mcnemar,
    rows_needed,
)

CLOSE = 1e-9


@pytest.mark.parametrize("x", [-38, -8.5, -3, -1.96, -0.1, 0, 0.3, 2, 5, 9])
def test_the_normal_distribution(x: float):
    assert normal_cdf(x) == pytest.approx(reference.norm.cdf(x), rel=CLOSE)


@pytest.mark.parametrize("p", [1e-12, 1e-4, 0.025, 0.3, 0.5, 0.8, 0.975, 0.9999])
def test_normal_quantiles(p: float):
    assert normal_quantile(p) == pytest.approx(reference.norm.ppf(p), rel=CLOSE, abs=CLOSE)


@pytest.mark.parametrize("df", [1, 2, 3, 7.5, 30, 79, 80, 81, 1_000, 99_999, 1_000_000, 20_000_000])
@pytest.mark.parametrize("t", [-40, -5, -1.96, -0.5, -1e-6, 0, 1e-3, 1, 2.5, 8])
def test_students_t(df: float, t: float):
    assert t_cdf(t, df) == pytest.approx(reference.t.cdf(t, df), rel=1e-8, abs=1e-14)
    assert t_cdf(t, df) == pytest.approx(reference.t.cdf(t, df), abs=CLOSE)
    assert t_sf(t, df) == pytest.approx(reference.t.sf(t, df), abs=CLOSE)


@pytest.mark.parametrize("df", [1, 2, 5, 29, 120, 4_999, 1_000_000])
@pytest.mark.parametrize("p", [1e-6, 0.005, 0.025, 0.4, 0.5, 0.9, 0.975, 0.9995])
def test_quantiles_of_t(df: float, p: float):
    assert t_quantile(p, df) == pytest.approx(reference.t.ppf(p, df), rel=CLOSE, abs=CLOSE)


@pytest.mark.parametrize(("k", "n"), [(0, 1), (3, 10), (7, 10), (0, 60), (50, 100), (480, 1_000), (499_000, 1_000_000)])
def test_the_binomial_distribution(k: int, n: int):
    assert half_tail(k, n) == pytest.approx(reference.binom.cdf(k, n, 0.5), rel=CLOSE)
    assert binomial_pmf(k, n, 0.5) == pytest.approx(reference.binom.pmf(k, n, 0.5), rel=CLOSE)
    assert binomial_pmf(k, n, 0.3) == pytest.approx(reference.binom.pmf(k, n, 0.3), rel=CLOSE, abs=1e-200)


@pytest.mark.parametrize("gained", [0, 1, 4, 15, 200, 5_000, 499_123])
@pytest.mark.parametrize("lost", [0, 1, 7, 15, 230, 5_100, 500_000])
def test_mcnemar_is_the_exact_binomial_test(gained: int, lost: int):
    expected = reference.binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
    assert mcnemar(gained, lost) == pytest.approx(expected, abs=CLOSE, rel=1e-8)


def tango_by_likelihood(rows: int, gained: int, lost: int, value: float) -> float:
    """Tango's statistic with the restricted likelihood maximised by search, not by its closed form."""

    def less(share: float) -> float:
        cells = [(gained, share + value), (lost, share), (rows - gained - lost, 1 - 2 * share - value)]
        return -sum(count * math.log(max(p, 1e-300)) for count, p in cells if count)

    low, high = max(0.0, -value), (1 - value) / 2
    share = optimize.minimize_scalar(less, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
    return (gained - lost - rows * value) / math.sqrt(rows * (2 * share + value * (1 - value)))


@pytest.mark.parametrize(
    ("rows", "gained", "lost"), [(100, 9, 4), (40, 1, 6), (1_000, 60, 61), (30, 12, 15), (25, 0, 3)]
)
def test_the_interval_for_accuracy_is_tangos(rows: int, gained: int, lost: int):
    estimate = Matched(rows, gained, lost)
    for value in (-0.3, -0.05, 0.01, 0.2):
        assert estimate.score(value) == pytest.approx(tango_by_likelihood(rows, gained, lost, value), rel=1e-5)
    found = estimate.interval(0.95)
    z = reference.norm.ppf(0.975)
    assert estimate.score(found.low) == pytest.approx(z, abs=1e-6)
    assert estimate.score(found.high) == pytest.approx(-z, abs=1e-6)
    assert found.low < estimate.difference < found.high


def test_tangos_interval_as_another_program_computes_it():
    # R, package PropCIs: scoreci.mp(25, 28, 618, 0.90)
    found = Matched(618, 28, 25).interval(0.90)
    assert (round(found.low, 4), round(found.high, 4)) == (-0.0148, 0.0247)


def test_without_discordant_rows_the_interval_is_not_a_point():
    z2 = reference.norm.ppf(0.975) ** 2
    found = Matched(500, 0, 0).interval(0.95)
    assert (found.low, found.high) == pytest.approx((-z2 / (500 + z2), z2 / (500 + z2)), rel=1e-6)


def test_tangos_interval_keeps_its_confidence():
    rng = Random(7)
    rows, more, less = 120, 0.09, 0.05
    hits = 0
    for _ in range(1_500):
        gained = bootstrap.binomial(rng, rows, more)
        lost = bootstrap.binomial(rng, rows - gained, less / (1 - more))
        found = Matched(rows, gained, lost).interval(0.95)
        hits += found.low <= more - less <= found.high
    assert 0.935 <= hits / 1_500 <= 0.97


def test_a_mean_of_losses_is_the_paired_t_test():
    rng = random.Random(3)
    old = [rng.expovariate(1) for _ in range(300)]
    new = [value + rng.gauss(0.02, 0.3) for value in old]
    expected = reference.ttest_rel(new, old)
    found = losses([b - a for a, b in zip(old, new, strict=True)])
    assert isinstance(found, Losses)
    ends = expected.confidence_interval(0.95)
    got = found.interval(0.95)
    assert found.p_value() == pytest.approx(expected.pvalue, abs=CLOSE)
    assert (got.low, got.high) == pytest.approx((ends.low, ends.high), abs=CLOSE)
    shifted = reference.ttest_1samp([b - a for a, b in zip(old, new, strict=True)], 0.05, alternative="less")
    assert found.tails(0.05)[1] == pytest.approx(shifted.pvalue, abs=CLOSE)


@pytest.mark.parametrize("values", [[], [0.5], [0.0] * 9, [0.1] * 9, [1e9, 1e9], [math.nan, 1.0], [math.inf, 0.0, 1.0]])
def test_losses_that_do_not_vary_are_not_enough(values: list[float]):
    assert isinstance(losses(values), NotEnough)


def naive_delong(flags: list[bool], old: list[float], new: list[float]) -> tuple[float, float, float]:
    """Areas and the variance of their difference from all pairs, as in the paper of 1988."""
    ups = [row for row, flag in enumerate(flags) if flag]
    downs = [row for row, flag in enumerate(flags) if not flag]

    def won(scores: list[float], up: int, down: int) -> float:
        return 1.0 if scores[up] > scores[down] else 0.5 if scores[up] == scores[down] else 0.0

    areas, ten, one = [], [], []
    for scores in (old, new):
        ten.append([sum(won(scores, up, down) for down in downs) / len(downs) for up in ups])
        one.append([sum(won(scores, up, down) for up in ups) / len(ups) for down in downs])
        areas.append(sum(ten[-1]) / len(ups))

    def covariance(a: list[float], b: list[float]) -> float:
        x, y = sum(a) / len(a), sum(b) / len(b)
        return sum((p - x) * (q - y) for p, q in zip(a, b, strict=True)) / (len(a) - 1)

    variance = sum(
        (covariance(part[0], part[0]) + covariance(part[1], part[1]) - 2 * covariance(part[0], part[1])) / len(part[0])
        for part in (ten, one)
    )
    return areas[0], areas[1], variance


def scored(seed: int, rows: int, *, ties: bool, gap: float = 0.0) -> tuple[list[bool], list[float], list[float]]:
    rng = random.Random(seed)
    flags = [rng.random() < 0.4 for _ in range(rows)]
    common = [rng.gauss(flag * 1.0, 1) for flag in flags]
    sides = [[c + rng.gauss(flag * shift, 0.6) for c, flag in zip(common, flags, strict=True)] for shift in (0, gap)]
    if ties:
        sides = [[float(round(value * 2)) for value in side] for side in sides]
    return flags, *sides


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_delong_is_what_all_pairs_say(seed: int, *, ties: bool):
    flags, old, new = scored(seed, 90, ties=ties)
    before, after, variance = naive_delong(flags, old, new)
    found = delong(flags, old, new)
    assert isinstance(found, Ranked)
    assert isinstance(found.estimate, Linear)
    assert (found.old, found.new) == pytest.approx((before, after), abs=1e-12)
    assert found.estimate.spread**2 == pytest.approx(variance, rel=CLOSE)
    z = (after - before) / math.sqrt(variance)
    assert found.estimate.p_value() == pytest.approx(2 * reference.norm.sf(abs(z)), abs=CLOSE)


def test_the_area_is_that_of_the_rank_sum_test():
    flags, old, new = scored(11, 400, ties=True)
    found = delong(flags, old, new)
    assert isinstance(found, Ranked)
    for area, scores in ((found.old, old), (found.new, new)):
        ups = [s for s, flag in zip(scores, flags, strict=True) if flag]
        downs = [s for s, flag in zip(scores, flags, strict=True) if not flag]
        assert area == pytest.approx(reference.mannwhitneyu(ups, downs).statistic / len(ups) / len(downs), abs=1e-12)


def test_delong_against_exchanging_the_versions_at_random():
    flags, old, new = scored(5, 150, ties=False, gap=-0.25)
    found = delong(flags, old, new)
    assert isinstance(found, Ranked)
    assert isinstance(found.estimate, Linear)

    def ranked(values: list[float]) -> list[float]:
        return list(reference.rankdata(values))

    def area(ranks: list[float]) -> float:
        up = [rank for rank, flag in zip(ranks, flags, strict=True) if flag]
        return (sum(up) - len(up) * (len(up) + 1) / 2) / len(up) / (len(ranks) - len(up))

    a, b = ranked(old), ranked(new)
    rng = random.Random(1)
    observed, as_far, times = abs(area(b) - area(a)), 0, 1_000
    for _ in range(times):
        swap = [rng.random() < 0.5 for _ in flags]
        left = [y if s else x for x, y, s in zip(a, b, swap, strict=True)]
        right = [x if s else y for x, y, s in zip(a, b, swap, strict=True)]
        as_far += abs(area(ranked(right)) - area(ranked(left))) >= observed
    assert found.estimate.p_value() == pytest.approx(as_far / times, abs=0.04)


def test_an_area_that_can_not_be_judged_says_why():
    assert delong([True] * 5, [1.0] * 5, [1.0] * 5) == NotEnough("all rows are of one class")
    assert delong([], [], []) == NotEnough("all rows are of one class")
    assert delong([True, False], [math.nan, 1.0], [1.0, 1.0]) == NotEnough("1 row of 2 lacks a value")
    single = delong([True, False, False], [0.5, 0.6, 0.4], [0.7, 0.6, 0.4])
    assert isinstance(single, Ranked)
    assert single.estimate == NotEnough("a class has a single row")


def test_two_perfect_rankings_leave_as_much_doubt_as_an_event_that_was_never_seen():
    flags = [row % 3 == 0 for row in range(600)]
    old = [row / 1_000 + flag for row, flag in enumerate(flags)]
    found = delong(flags, old, [score**3 for score in old])
    assert isinstance(found, Ranked)
    assert found.estimate == Unmoved(200)
    ends = reference.binomtest(0, 200).proportion_ci(0.95)
    assert found.estimate.interval(0.95).high == pytest.approx(ends.high, abs=CLOSE)
    assert decide(found.estimate.interval(0.95), 0.02) == "pass"
    assert decide(found.estimate.interval(0.95), 0.01) == "inconclusive"
    assert found.estimate.tails(-ends.high)[1] == 1.0
    assert found.estimate.tails(-ends.high)[0] == pytest.approx(0.025)


@pytest.mark.parametrize(("n", "p"), [(5, 0.3), (40, 0.02), (1_000, 0.004), (60, 0.5), (1_000, 0.2), (500, 0.93)])
def test_binomial_numbers_are_binomial(n: int, p: float):
    rng = Random(1)
    times = 20_000
    seen = [0] * (n + 1)
    for _ in range(times):
        seen[bootstrap.binomial(rng, n, p)] += 1
    low, high = (int(reference.binom.ppf(q, n, p)) for q in (0.005, 0.995))
    groups = [sum(seen[:low]), *seen[low : high + 1], sum(seen[high + 1 :])]
    cdf = reference.binom.cdf
    expected = [cdf(low - 1, n, p), *reference.binom.pmf(range(low, high + 1), n, p), 1 - cdf(high, n, p)]
    kept = [(g, e * times) for g, e in zip(groups, expected, strict=True) if e * times > 0.5]
    chi2 = sum((g - e) ** 2 / e for g, e in kept)
    assert reference.chi2.sf(chi2, len(kept) - 1) > 1e-3


def test_the_bootstrap_gives_the_same_numbers_everywhere():
    rng = Random(0)
    assert [bootstrap.binomial(rng, 10_000, 0.3) for _ in range(4)] == BINOMIALS
    cells = {(1, 1, 1): 40, (1, 1, 0): 6, (0, 1, 0): 9, (0, 0, 0): 45}
    found = measure_cells(cells, "f1", 1, count=2_000, seed=0).estimate
    assert isinstance(found, bootstrap.Resampled)
    ends = found.interval(0.95)
    assert (ends.low, ends.high) == pytest.approx(F1_ENDS, abs=1e-12)


BINOMIALS = [3053, 2990, 3001, 3041]
F1_ENDS = (-0.06345163027156202, 0.10062123057312795)


def scipy_bca(difference: Callable[..., float], columns: Sequence[Sequence[float]]):
    found = reference.bootstrap(
        columns, difference, paired=True, vectorized=False, method="BCa", n_resamples=4_000, rng=1
    )
    return found.confidence_interval.low, found.confidence_interval.high


def test_the_bootstrap_of_rmse_against_scipy():
    rng = random.Random(4)
    old = [rng.gauss(0, 1) ** 2 for _ in range(200)]
    new = [value * rng.uniform(0.5, 1.6) for value in old]

    def difference(a: Sequence[float], b: Sequence[float]):
        return math.sqrt(sum(b) / len(b)) - math.sqrt(sum(a) / len(a))

    found = bootstrap.resample_sums([old, new], lambda n, s: math.sqrt(s[1] / n) - math.sqrt(s[0] / n), count=4_000)
    assert isinstance(found, bootstrap.Resampled)
    low, high = scipy_bca(difference, (old, new))
    got = found.interval(0.95)
    width = high - low
    assert (got.low, got.high) == pytest.approx((low, high), abs=width * 0.06)


@pytest.mark.parametrize("metric", ["f1", "precision", "recall", "balanced_accuracy"])
def test_the_bootstrap_of_counts_against_scipy(metric: str):
    rng = random.Random(9)
    truth = [int(rng.random() < 0.35) for _ in range(250)]
    old = [t if rng.random() < 0.8 else 1 - t for t in truth]
    new = [o if rng.random() < 0.85 else 1 - o for o in old]

    def value(t: Sequence[int], p: Sequence[int]):
        labels = (0, 1) if metric == "balanced_accuracy" else (1,)
        each = []
        for label in labels:
            right = sum(a == b == label for a, b in zip(t, p, strict=True))
            each.append(OF_CLASS[metric](right, sum(b == label for b in p), sum(a == label for a in t)))
        return sum(each) / len(each)

    def difference(t: Sequence[int], a: Sequence[int], b: Sequence[int]):
        t, a, b = list(t), list(a), list(b)
        return value(t, b) - value(t, a)

    found = measure_cells(cells_of(truth, old, new), metric, 1, count=4_000, seed=0)
    assert (found.old, found.new) == pytest.approx((value(truth, old), value(truth, new)), abs=1e-12)
    assert isinstance(found.estimate, bootstrap.Resampled)
    drawn = reference.bootstrap(
        (truth, old, new), difference, paired=True, vectorized=False, method="BCa", n_resamples=1_500, rng=1
    ).confidence_interval
    got = found.estimate.interval(0.95)
    assert (got.low, got.high) == pytest.approx((drawn.low, drawn.high), abs=(drawn.high - drawn.low) * 0.08)


def test_many_labels_are_judged_by_the_jackknife_which_agrees_with_the_bootstrap(monkeypatch: pytest.MonkeyPatch):
    rng = random.Random(2)
    truth = [rng.randrange(6) for _ in range(900)]
    old, new = ([t if rng.random() < 0.7 else rng.randrange(6) for t in truth] for _ in range(2))
    cells = cells_of(truth, old, new)
    drawn = measure_cells(cells, "f1", None, count=1_000, seed=0).estimate
    monkeypatch.setattr("modelvc.gate.confusion.MOST_CELLS", 0)
    linear = measure_cells(cells, "f1", None, count=1_000, seed=0).estimate
    assert isinstance(drawn, bootstrap.Resampled)
    assert isinstance(linear, Linear)
    assert linear.spread == pytest.approx(drawn.spread, rel=0.08)


def test_groups_of_rows_vary_as_rows_do_even_when_the_file_is_sorted():
    rng = random.Random(8)
    old = sorted(rng.expovariate(1) for _ in range(30_000))
    new = [value * rng.uniform(1.2, 1.3) for value in old]
    found = bootstrap.resample_sums([old, new], lambda n, s: (s[1] - s[0]) / n)
    exact = losses([b - a for a, b in zip(old, new, strict=True)])
    assert isinstance(found, bootstrap.Resampled)
    assert isinstance(exact, Losses)
    assert found.spread == pytest.approx(exact.spread, rel=0.1)


def test_tails_and_interval_of_the_bootstrap_say_the_same():
    rng = random.Random(6)
    old = [rng.expovariate(1) for _ in range(150)]
    new = [value * rng.uniform(0.6, 1.5) for value in old]
    found = bootstrap.resample_sums([old, new], lambda n, s: math.sqrt(s[1] / n) - math.sqrt(s[0] / n))
    assert isinstance(found, bootstrap.Resampled)
    ends = found.interval(0.95)
    assert found.tails(ends.low)[0] == pytest.approx(0.025, abs=0.002)
    assert found.tails(ends.high)[1] == pytest.approx(0.025, abs=0.002)
    assert min(found.tails(-1e9)) > 0


def test_holm():
    assert holm([]) == ()
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([0.5, 0.6]) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("low", "high", "margin", "higher", "outcome"),
    [
        (-0.004, 0.01, 0.005, True, "pass"),
        (-0.005, 0.01, 0.005, True, "pass"),
        (-0.006, 0.01, 0.005, True, "inconclusive"),
        (-0.02, -0.006, 0.005, True, "fail"),
        (-0.02, -0.004, 0.005, True, "inconclusive"),
        (0.001, 0.01, 0.0, True, "pass"),
        (-0.01, 0.01, 0.0, True, "inconclusive"),
        (-0.01, -0.001, 0.0, True, "fail"),
        (-0.01, 0.004, 0.005, False, "pass"),
        (0.006, 0.02, 0.005, False, "fail"),
        (0.004, 0.02, 0.005, False, "inconclusive"),
        (math.nan, 1.0, 0.1, True, "inconclusive"),
        (-1.0, 1.0, math.nan, True, "inconclusive"),
    ],
)
def test_decide(low: float, high: float, margin: float, outcome: str, *, higher: bool):
    assert decide(Interval(low, high, 0.95), margin, higher=higher) == outcome


def test_the_rows_that_are_said_to_be_needed_decide_four_times_of_five():
    rng = Random(3)
    discordant, margin, rows = 0.06, 0.02, 150
    lost = round(rows * discordant / 2)
    needed = rows_needed(Matched(rows, lost, lost), rows, margin, 0.95)
    assert needed is not None
    decided = 0
    for _ in range(500):
        both = bootstrap.binomial(rng, needed, discordant)
        gained = bootstrap.binomial(rng, both, 0.5)
        decided += decide(Matched(needed, gained, both - gained).interval(0.95), margin) == "pass"
    assert 0.7 < decided / 500 < 0.9


def test_no_number_of_rows_decides_whether_there_is_no_difference():
    assert rows_needed(Matched(100, 5, 5), 100, 0.0, 0.95) is None
    assert rows_needed(Matched(100, 5, 6), 100, 0.0, 0.95) > 5_000
