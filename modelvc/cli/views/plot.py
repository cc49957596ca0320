"""Show the history of metrics: as a chart in the terminal, or as a file with a page or a picture."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.errors import shown

if TYPE_CHECKING:
    from modelvc.ops.history.plot import Plot

PAGES = (".html", ".htm")
IMAGES = (".png", ".svg")


def write_plot(found: Plot, output: str, kind: str, *, force: bool) -> None:
    """Write the file OUTPUT. KIND is its suffix, one of PAGES or IMAGES."""
    if kind in PAGES:
        from modelvc.cli.views import page

        data = page.page(found).encode("utf-8", "backslashreplace")
    else:
        from modelvc.cli.views import image

        data = image.image(found, kind[1:])
    CONTEXT.write(output, data, force=force)
    render.say(f"wrote {shown(output)} ({render.count(len(found.versions), 'version')})", quiet=CONTEXT.quiet)


def print_plot(found: Plot) -> None:
    """Print a chart for each metric, or a table in Markdown and without metrics."""
    from modelvc.cli.views import chart

    if not found.versions:
        render.out("no version fits")
        return
    names = [metric.name for metric in found.metrics]
    if CONTEXT.markdown or not names:
        rows = [
            (
                version.commit[:8],
                time.strftime("%Y-%m-%d", time.localtime(version.time)),
                render.short(version.oid),
                *(render.brief(version.metrics.get(name)) for name in names),
            )
            for version in found.versions
        ]
        render.out(*render.table(("commit", "date", "version", *names), rows, markdown=CONTEXT.markdown))
        if not names:
            render.say("no version has metrics: mvc add PATH -m NAME=VALUE", quiet=CONTEXT.quiet)
        return
    render.out(*chart.charts(found, render.width() or 80))
