"""Tell whether the metrics of two versions can be compared: both must name the data on which they were measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelvc.formats.pointer.pointer import Pointer

DATA = "data"  # the metric that names the data on which the others were measured


def on_same_data(ours: Pointer, theirs: Pointer) -> bool:
    """Return whether both versions name the same data, as `mvc resolve --best` requires."""
    data = [one.current_metrics.get(DATA) for one in (ours, theirs)]
    return isinstance(data[0], str) and bool(data[0]) and data[0] == data[1]
