"""How often gates fail models that are equal, how often they see one that is worse, and how long they take.

    python tests/benchmarks/gate.py [--times 1000] [--rows 1000] [--large 100000 1000000]

The models: a label, a score that both versions share, and noise of each of their own; the worse one has more of it.
Printed are shares of simulated test sets, by metric: what "any drop fails" and "a drop above 0.005 fails" do with
plain numbers, and what `modelvc.gate` says at 95 % with no margin and with one of 0.005 and 0.02 ("open" is
inconclusive). Last the seconds from a file to each answer.
"""

from __future__ import annotations

import argparse
import io
import math
import random
import time
from array import array

from modelvc.gate.compare import Comparison, Question, compare_metric, decide_together
from modelvc.gate.pairing import PairedRows, Side, pair_rows
from modelvc.gate.predictions import read

METRICS = ("accuracy", "auc", "brier", "f1")
TIMED = (*METRICS, "log_loss", "balanced_accuracy", "mse", "rmse", "r2")
LOWER = {"brier", "log_loss", "mse", "rmse"}
MARGINS = (0.0, 0.005, 0.02)


def sides(rng: random.Random, rows: int, worse: float) -> tuple[list[int], list[list[float]]]:
    truth = [int(rng.random() < 0.5) for _ in range(rows)]
    common = [rng.gauss(t * 2.4 - 1.2, 1) for t in truth]
    return truth, [[1 / (1 + math.exp(-c - rng.gauss(0, noise))) for c in common] for noise in (0.5, 0.5 + worse)]


def simulated(rng: random.Random, rows: int, worse: float) -> PairedRows:
    truth, scores = sides(rng, rows, worse)
    made = [Side(array("i", (s > 0.5 for s in one)), array("d"), {"y_score": array("d", one)}) for one in scores]
    return PairedRows(rows, ("0", "1"), array("i", truth), array("d"), *made, same=False)


def shares(times: int, rows: int, worse: float) -> None:
    rng = random.Random(1)
    counts: dict[tuple[str, str], int] = {}
    lost = dict.fromkeys(METRICS, 0.0)
    for _ in range(times):
        one = simulated(rng, rows, worse)
        for metric in METRICS:
            higher = metric not in LOWER
            for margin in MARGINS:
                found = compare_metric(one, metric, Question(margin=margin, higher=higher))
                assert isinstance(found, Comparison)
                outcome = decide_together([found])[0].outcome
                counts[metric, f"{margin:g} {outcome}"] = counts.get((metric, f"{margin:g} {outcome}"), 0) + 1
                drop = -found.difference if higher else found.difference
                if not margin:
                    lost[metric] += drop / times
                    for name, most in (("any drop", 0.0), ("drop > 0.005", 0.005)):
                        counts[metric, name] = counts.get((metric, name), 0) + (drop > most)
    columns = ["any drop", "drop > 0.005", *(f"{m:g} {o}" for m in MARGINS for o in ("fail", "inconclusive", "pass"))]
    print(
        f"\n{'metric':10}{'mean loss':>11}" + "".join(f"{name.replace('inconclusive', 'open'):>14}" for name in columns)
    )
    for metric in METRICS:
        said = "".join(f"{100 * counts.get((metric, name), 0) / times:13.1f}%" for name in columns)
        print(f"{metric:10}{lost[metric]:11.4f}{said}")


def timed(rows: int) -> None:
    rng = random.Random(2)
    truth, scores = sides(rng, rows, 0.05)
    files = []
    for side in scores:
        lines = (f"{n},{t},{int(s > 0.5)},{s:.6f}\n" for n, (t, s) in enumerate(zip(truth, side, strict=True)))
        files.append(("id,y_true,y_pred,y_score\n" + "".join(lines)).encode())
    start = time.perf_counter()
    old, new = (read(io.BytesIO(data), "p.csv") for data in files)
    took = [("read both", time.perf_counter() - start)]
    start = time.perf_counter()
    paired = pair_rows(old, new)
    took.append(("pair", time.perf_counter() - start))
    assert isinstance(paired, PairedRows)
    for metric in TIMED:
        start = time.perf_counter()
        compare_metric(paired, metric, Question(margin=0.005, higher=metric not in LOWER))
        took.append((metric, time.perf_counter() - start))
    print(f"\n{rows:,} rows: " + ", ".join(f"{name} {seconds:.2f} s" for name, seconds in took))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=1_000)
    parser.add_argument("--rows", type=int, default=1_000)
    parser.add_argument("--large", type=int, nargs="*", default=[100_000, 1_000_000])
    args = parser.parse_args()
    for worse in (0.0, 0.3, 0.8):
        print(f"\n{args.rows:,} rows, {args.times:,} times, more noise in the new version: {worse}", end="")
        shares(args.times, args.rows, worse)
    for rows in args.large:
        timed(rows)


if __name__ == "__main__":
    main()
