"""`mvc plot`: the history of a model's metrics, to look at."""

from __future__ import annotations

import os
import shutil
import time
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli.arguments import (  # noqa: TC001 - typer reads them
    AllRefs,
    Force,
    Since,
    Where,
)
from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.errors import UsageError, shown

if TYPE_CHECKING:
    from modelvc.ops.history.plot import Plot

_PAGES = (".html", ".htm")
_IMAGES = (".png", ".svg")


def plot(
    path: Annotated[str, typer.Argument(metavar="PATH")],
    names: Annotated[list[str] | None, typer.Argument(metavar="[METRIC]...", show_default=False)] = None,
    output: Annotated[
        str,
        typer.Option("-o", "--output", metavar="FILE", help="Write FILE.html, .png or .svg.", show_default=False),
    ] = "",
    force: Force = False,
    all_refs: AllRefs = False,
    where: Where = "",
    since: Since = "",
) -> None:
    """How a model's metrics went, version by version.

    Draws in the terminal, or with -o a page that needs no network: every version with its metrics and parameters.
    METRIC is a name or a glob; without, all that are numbers. Pictures need `pip install modelvc[plot]`.
    """
    from modelvc.ops.history.log import Filters
    from modelvc.ops.history.plot import plot as op

    kind = os.path.splitext(output)[1].lower()
    if output and kind not in _PAGES + _IMAGES:
        raise UsageError(f"-o cannot write {shown(output)}", hint="name a file .html, .png or .svg")
    found = op(CONTEXT.open(), path, names or [], Filters(all_refs=all_refs, where=where, since=since))
    if output:
        _write(found, output, kind, force=force)
    if CONTEXT.json:
        render.dump(found)
    elif not output:
        _print(found)


def _write(found: Plot, output: str, kind: str, *, force: bool) -> None:
    if kind in _PAGES:
        from modelvc.cli.views import page

        data = page.page(found).encode("utf-8", "backslashreplace")
    else:
        from modelvc.cli.views import image

        data = image.image(found, kind[1:])
    CONTEXT.write(output, data, force=force)
    render.say(f"wrote {shown(output)} ({render.count(len(found.versions), 'version')})", quiet=CONTEXT.quiet)


def _print(found: Plot) -> None:
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
    width = shutil.get_terminal_size((80, 24)).columns
    render.out(*chart.charts(found, min(width, 120)))
