"""The gate, rule by rule: what cannot be judged fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from modelvc.errors import FormatError, ModelvcError, UsageError
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.pointer.pointer import Conflict, Metrics, Pointer, PredictionsBlob
from modelvc.formats.text import policy as policies
from modelvc.gate import predictions
from modelvc.gate.pairing import pair_rows
from modelvc.ids import Oid
from modelvc.models.measures import row_comparison
from modelvc.ops.metrics import check as gate
from modelvc.worktree.files import Worktree

PATH = SafeRelPath("model.bin")
POLICY = """
[[metric]]
name = "acc"
direction = "higher"
min = 0.5
max_drop = { abs = 0.1 }

[[metric]]
name = "loss"
direction = "lower"
max = 2.0

[[metric]]
name = "extra.*"
direction = "higher"
"""


def version(letter: str, **metrics: Any) -> Pointer:
    oid = Oid(letter.encode() * 32)
    said = {"acc": 0.9, "loss": 1.0, "extra.x": 1.0} | {name.replace("__", "."): v for name, v in metrics.items()}
    pairs = tuple((name, value) for name, value in said.items() if value is not None)
    return Pointer("file", oid, 1, metrics=Metrics(oid, pairs))


class Other:
    """In the place of what finds the version to compare with."""

    def __init__(self, old: Pointer) -> None:
        self._old = old

    def version(self, *_: object) -> Pointer:
        return self._old


def judged(
    monkeypatch: pytest.MonkeyPatch, new: Pointer | ModelvcError, old: Pointer, policy: str = POLICY
) -> tuple[str, list[str]]:
    """The outcome, and why."""

    class Repo:
        worktree = Worktree(str(Path(__file__).parent), "")  # where there is no policy

        def require_init(self) -> None: ...

    sides = ({}, {PATH: new}) if isinstance(new, ModelvcError) else ({PATH: new}, {})
    monkeypatch.setattr(gate, "pointers_of", lambda *_: sides)
    monkeypatch.setattr(gate, "Baseline", lambda *_: Other(old))
    found = gate.check(Repo(), policy=policies.parse(policy.encode()))  # type: ignore[arg-type]
    return found.outcome, [f"{one.metric} {one.why}" for one in found.verdicts if one.outcome != "pass"]


GOOD = version("a")
CONFLICT = replace(version("b"), conflict=Conflict("ours", "theirs", version("c")))
STALE = replace(version("b"), metrics=Metrics(Oid(bytes(32)), GOOD.metrics.values if GOOD.metrics else ()))
BAD: dict[str, tuple[Pointer | ModelvcError, str]] = {
    "nan": (version("b", acc=float("nan")), "acc is nan"),
    "gone": (version("b", acc=None), "acc is no longer recorded"),
    "names nothing": (version("b", extra__x=None), "extra.x is no longer recorded"),
    "stale": (STALE, "acc was measured on another version"),
    "a word": (version("b", acc="good"), "acc is good, which is not a number"),
    "a flag": (version("b", acc=True), "acc is True, which is not a number"),
    "a conflict": (CONFLICT, "acc its pointer is in conflict"),
    "a floor": (version("b", acc=0.4), "acc is below its floor 0.5"),
    "a ceiling": (version("b", loss=2.5), "loss is above its ceiling 2"),
    "a drop": (version("b", acc=0.7), "acc got worse by 0.2, of which 0.1 is allowed"),
    "a pointer that is none": (FormatError("torn"), "its pointer cannot be read: torn"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    new, words = BAD[name]
    outcome, why = judged(monkeypatch, new, GOOD)
    assert outcome == "fail"
    assert any(words in one for one in why), why


def test_what_passes_and_what_is_no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    assert judged(monkeypatch, version("b", acc=0.85), GOOD) == ("pass", ["extra.x is the same, no limit is set"])
    never = POLICY.replace("extra.*", "other.*")
    assert judged(monkeypatch, version("b"), GOOD, never) == ("fail", ["other.* names no metric that is recorded"])
    with pytest.raises(UsageError, match=r"there is no .mvc/policy.toml"):
        judged(monkeypatch, GOOD, GOOD, "")


def test_predictions_that_are_not_those_of_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of another version, or of the same one but with another result."""
    rows = predictions.parse(b"id,y_true,y_pred\n" + b"".join(b"%d,1,1\n" % n for n in range(50)), "p.csv")
    monkeypatch.setattr(row_comparison.RowComparison, "_read", lambda *_: pair_rows(rows, rows))
    policy = '[[metric]]\nname = "accuracy"\ndirection = "higher"\nmax_drop = { abs = 0.1 }\ntest = "paired"\n'

    def said(letter: str, of: str, accuracy: float) -> Pointer:
        found = version(letter, accuracy=accuracy)
        return replace(found, predictions=PredictionsBlob(Oid(of.encode() * 32), Oid(bytes(32)), 1, 50))

    old = said("a", "a", 1.0)
    assert judged(monkeypatch, said("b", "b", 1.0), old, policy)[0] == "pass"
    outcome, why = judged(monkeypatch, said("b", "a", 1.0), old, policy)
    assert (outcome, "another version" in why[0]) == ("fail", True)
    outcome, why = judged(monkeypatch, said("b", "b", 0.95), old, policy)
    assert (outcome, "predictions give 1" in why[0]) == ("fail", True)
