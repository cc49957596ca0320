"""List the metrics that a commit or a merge changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import ModelvcError, shown
from modelvc.formats.paths import model_of
from modelvc.formats.pointer.pointer import parse
from modelvc.formats.pointer.view import brief, value
from modelvc.models.versions.pointers import readable
from modelvc.models.versions.renames import FormerNames

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.formats.text.policy import Policy


@dataclass(frozen=True, slots=True)
class MetricMoved:
    """A changed metric of a model. `better`: None if the policy declares no direction."""

    model: str
    name: str
    old: MetricValue | None
    new: MetricValue | None
    better: bool | None

    def __str__(self) -> str:
        verdict = "" if self.better is None else " (better)" if self.better else " (worse)"
        return f"{shown(self.name)} {self._words(exact=brief(self.old) == brief(self.new))}{verdict}"

    @property
    def change(self) -> str:
        """The exact values in words: `0.8 -> 0.9`, `0.9 (new)`, `0.9 (gone)`."""
        return self._words(exact=True)

    def _words(self, *, exact: bool) -> str:
        old, new = (value(one) if exact else brief(one) for one in (self.old, self.new))
        if self.old is None or self.new is None:
            return f"{old} (gone)" if self.new is None else f"{new} (new)"
        return f"{old} -> {new}"


def metric_changes(old: Mapping[str, bytes], new: Mapping[str, bytes], policy: Policy) -> list[MetricMoved]:
    """Return the metrics that differ between two sets of pointers, by model and in the order of their pointers."""
    found = []
    old_pointers = readable(old)
    names = FormerNames(old_pointers, {model_of(path) for path in new})
    for path in sorted(new):
        before, after = _pointer(old.get(path)), _pointer(new[path])
        if path not in old and after and (former := names.name(after)):
            before = old_pointers[former]
        if after is None or (before and before.encode() == after.encode()):
            continue
        was, values = before.current_metrics if before else {}, after.current_metrics
        for name in dict.fromkeys((*values, *was)):
            if was.get(name) != values.get(name):
                gain = policy.gain(model_of(path), name, was.get(name), values.get(name))
                better = None if not gain else gain > 0
                found.append(MetricMoved(model_of(path), name, was.get(name), values.get(name), better))
    return found


def by_model(found: list[MetricMoved]) -> dict[str, list[MetricMoved]]:
    """Group the changes by model, in order."""
    rows: dict[str, list[MetricMoved]] = {}
    for one in found:
        rows.setdefault(one.model, []).append(one)
    return rows


def _pointer(data: bytes | None) -> Pointer | None:
    try:
        return parse(data) if data is not None else None
    except ModelvcError:
        return None
