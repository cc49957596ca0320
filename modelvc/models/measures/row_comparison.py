"""Compare two versions of a model row by row, by their predictions."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

from modelvc.errors import ObjectMissing
from modelvc.formats.pointer.pointer import Pointer
from modelvc.models.measures.verdict import FAIL, INCONCLUSIVE, Judgement, Verdict
from modelvc.models.remotes import configured
from modelvc.models.remotes.fetching import fetch_objects
from modelvc.models.versions.scope import ScopedObject
from modelvc.store.local.content import ContentReader

if TYPE_CHECKING:
    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.text.policy import MetricRule
    from modelvc.gate.pairing import PairedRows, Refused
    from modelvc.gate.predictions import Predictions
    from modelvc.repo import Repo


class RowComparison:
    """The predictions of two versions of a model, read when the first rule needs them.

    POSITIVE: the policy's positive label; "": the label that was recorded with the predictions.
    """

    def __init__(self, repo: Repo, path: SafeRelPath, new: Pointer, old: Pointer | None, positive: str = "") -> None:
        self._repo = repo
        self._path = path
        self._new = new
        self._old = old
        self._pairs: PairedRows | Refused | None = None
        self._positive = positive or (new.predictions.positive if new.predictions else "")

    def judge(self, verdict: Verdict, rule: MetricRule) -> Judgement:
        """Replace VERDICT on the numbers by a verdict on the rows.

        If a version has no predictions, VERDICT stays and says so. Raises ObjectMissing or RemoteError if predictions
        cannot be fetched.
        """
        from modelvc.gate.compare import Question, agrees, compare_metric, disagreement
        from modelvc.gate.measures import NotComputable
        from modelvc.gate.pairing import Refused

        old, new = self._old, self._new
        if old is None or old.predictions is None or new.predictions is None:
            sides = [which for which, one in (("the other", old), ("this", new)) if one is None or not one.predictions]
            lacking = "neither version has" if len(sides) == 2 else f"{sides[0]} version has no"
            return Judgement(replace(verdict, why=f"{verdict.why} (by the numbers alone: {lacking} predictions)"))
        if old.predictions.of != old.oid or new.predictions.of != new.oid:
            why = "its predictions are those of another version: predict again"
            return Judgement(replace(verdict, outcome=FAIL, why=why))
        pairs = self._read(old, new)
        if isinstance(pairs, Refused):
            return Judgement(_unread(verdict, rule, pairs.why, pairs.rows))
        question = Question(
            verdict.allowed or 0.0,
            higher=rule.direction == "higher",
            confidence=rule.confidence,
            positive=self._positive,
            measure=rule.metric,
        )
        found = compare_metric(pairs, verdict.metric, question)
        if isinstance(found, NotComputable):
            return Judgement(_unread(verdict, rule, f"not enough data: {found.why}", pairs.rows))
        if words := disagreement(found, _number(verdict.old), _number(verdict.new)):
            return Judgement(replace(verdict, outcome=FAIL, why=words, rows=found.rows, method=found.method))
        if not found.enough and verdict.outcome == FAIL:
            return Judgement(_unread(verdict, rule, f"not enough data: {found.why}", found.rows))
        if crossed := rule.crossed(found.new) if not agrees(found.new, _number(verdict.new)) else "":
            why = f"not enough data: its rounded predictions give {found.new:.6g}, which {crossed}; write more digits"
            return Judgement(replace(verdict, outcome=INCONCLUSIVE, why=why, rows=found.rows, method=found.method))
        by_rows = replace(
            verdict,
            change=found.difference if math.isfinite(found.difference) else verdict.change,
            interval=(found.interval.low, found.interval.high) if found.interval else None,
            confidence=rule.confidence,
            method=found.method,
            rows=found.rows,
            rows_needed=found.rows_needed,
        )
        return Judgement(by_rows, found, rule)

    def _read(self, old: Pointer, new: Pointer) -> PairedRows | Refused:
        if self._pairs is None:
            from modelvc.gate.pairing import pair_rows

            self._pairs = pair_rows(self._rows(old), self._rows(new))
        return self._pairs

    def _rows(self, version: Pointer) -> Predictions:
        """Return the predictions of VERSION. Fetch them if the local store lacks them."""
        from modelvc.gate.predictions import parse

        said = version.predictions
        assert said is not None  # noqa: S101 - for the type checker: verdict() asked
        repo = self._repo
        if not repo.store.has_root("file", said.oid):
            name = configured.default_name(repo)
            if name is not None:
                fetch_objects(
                    repo,
                    "",
                    [ScopedObject(self._path, Pointer("file", said.oid, said.size), predictions=True)],
                )
            if not repo.store.has_root("file", said.oid):
                where = "the local store nor on a remote" if name else "the local store"
                raise ObjectMissing(said.oid, where, path=f"the file of predictions of {self._path}")
        parts: list[bytes] = []
        with ContentReader(repo.store) as reader:
            reader.write_blob(
                repo.store.read_root("file", said.oid), lambda piece: parts.append(bytes(piece)), self._path
            )
        return parse(b"".join(parts), f"predictions of {self._path}")


def _unread(verdict: Verdict, rule: MetricRule, why: str, rows: int) -> Verdict:
    """Return VERDICT as inconclusive, since the rows decide nothing.

    It is never a mere warning if the numbers got worse: the author of the version chose the rows.
    """
    warn = rule.on_inconclusive == "warn" and verdict.outcome != FAIL
    return replace(verdict, outcome=INCONCLUSIVE, why=why, rows=rows, warn=warn, method="predictions")


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else float("nan")
