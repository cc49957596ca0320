"""Draw a model's history as a picture with matplotlib, if it is installed."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from modelvc.cli.views.chart import about, bounds_of
from modelvc.errors import UsageError, shown
from modelvc.ops.history.plot import value

if TYPE_CHECKING:
    from modelvc.ops.history.plot import Plot


def image(found: Plot, form: str) -> bytes:
    """Return the bytes of a picture. FORM is "png" or "svg".

    Raises UsageError if matplotlib is not installed, or if there is nothing to draw.
    """
    if not found.metrics:
        raise UsageError("there is no metric to draw", hint="record some: mvc add PATH -m NAME=VALUE")
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError:
        raise UsageError(
            f"a .{form} needs matplotlib, which is not installed",
            hint="run `pip install 'modelvc[plot]'`, or write a page: -o report.html",
        ) from None
    with rc_context({"svg.hashsalt": "modelvc", "text.parse_math": False}):
        figure = Figure(figsize=(9, 2.6 * len(found.metrics)), layout="constrained")
        axes = figure.subplots(len(found.metrics), 1, sharex=True, squeeze=False)
        for axis, metric in zip(axes[:, 0], found.metrics, strict=True):
            values = [value(version, metric.name) for version in found.versions]
            for start, end in found.links:
                ends = (values[start], values[end])
                if None not in ends:
                    axis.plot((start, end), ends, color="tab:blue", linewidth=1.4)
            positions = [at for at, number in enumerate(values) if number is not None]
            axis.scatter(positions, [values[at] for at in positions], s=14, color="tab:blue", zorder=3)
            if metric.best is not None:
                axis.scatter([metric.best], [values[metric.best]], s=42, color="tab:green", zorder=4)
            for bound in bounds_of(metric):
                axis.axhline(bound, color="tab:red", linestyle="--", linewidth=1)
            said = about(metric)
            axis.set_title(shown(metric.name) + (f"  ({said})" if said else ""), loc="left", fontsize=10)
            axis.grid(alpha=0.3)
        commits = [version.commit[:8] for version in found.versions]
        every = max(1, len(commits) // 12)
        axes[-1, 0].set_xticks(range(0, len(commits), every), commits[::every], rotation=45, ha="right", fontsize=8)
        figure.suptitle(shown(found.path), fontsize=11)
        out = io.BytesIO()
        figure.savefig(out, format=form, dpi=150, metadata={"Date": None} if form == "svg" else None)
    return out.getvalue()
