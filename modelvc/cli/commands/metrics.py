"""Commands about metrics."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from modelvc.cli.arguments import (
    MetricsOption,
    OnlyOption,
    ParamsOption,
    PositiveOption,
    PredictionsOption,
    Words,
    given,
)
from modelvc.cli.context import CONTEXT, split
from modelvc.cli.views import render

metrics_app = typer.Typer(help="What was measured on models.", rich_markup_mode=None)


@metrics_app.command("show")
def metrics_show(
    words: Words = None,
    params: Annotated[bool, typer.Option("--params", help="Parameters instead of metrics.")] = False,
) -> None:
    """The metrics of all models.

    Of the worktree's pointers, or of REV's. One row for each metric.
    """
    from modelvc.ops.metrics.metrics import metrics_show as op

    repo = CONTEXT.open()
    revs, paths = split(repo, words, revs=1)
    found = op(repo, revs[0] if revs else "", paths)
    if CONTEXT.json:
        render.dump(found)
        return
    rows = []
    for m in found.models:
        name = CONTEXT.name(m.path)
        values = m.params if params else m.metrics
        rows += [(name, key, render.number(value), "stale" if m.stale else "") for key, value in values.items()]
        if not values:
            rows.append((name, "-", "", ""))
    head = ("model", "parameter" if params else "metric", "value", "")
    render.out(*render.table(head, rows, markdown=CONTEXT.markdown) if rows else ["no models are tracked"])
    if any(m.stale for m in found.models):
        render.say("stale: measured on another version; measure again, then mvc metrics set", quiet=CONTEXT.quiet)


@metrics_app.command("set")
def metrics_set(
    path: Annotated[str, typer.Argument(metavar="PATH")],
    pairs: Annotated[list[str] | None, typer.Argument(metavar="[NAME=VALUE]...", show_default=False)] = None,
    metrics: MetricsOption = "",
    params: ParamsOption = "",
    predictions: PredictionsOption = "",
    only: OnlyOption = None,
    positive: PositiveOption = "",
    remove: Annotated[
        list[str] | None, typer.Option("--remove", metavar="NAME", help="Forget a metric.", show_default=False)
    ] = None,
) -> None:
    """Record metrics with the version that is tracked.

    Amends the pointer and stages it. The model itself is not looked at: to record metrics of a retrained one, add it.
    """
    from modelvc.ops.metrics.metrics import metrics_set as op

    said = replace(given(pairs, metrics, params, predictions), only=tuple(only or ()), positive=positive)
    done = op(CONTEXT.open(), path, said, remove or [])
    if CONTEXT.json:
        render.dump(done)
        return
    render.out(*render.table((), [(key, render.number(value)) for key, value in done.metrics.items()]))
    if done.note:
        render.say(f"note: {done.note}", quiet=CONTEXT.quiet)
    render.say("next: git commit", quiet=CONTEXT.quiet)
