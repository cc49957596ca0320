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

GROUP_HELP = """Show and record the metrics of models.

Examples:
  mvc metrics show                           # the metrics of all models
  mvc metrics set model.pkl latency_ms=12    # record one more
"""
metrics_app = typer.Typer(help=GROUP_HELP, rich_markup_mode=None)


@metrics_app.command("show")
def metrics_show(
    words: Words = None,
    params: Annotated[bool, typer.Option("--params", help="Show parameters instead of metrics.")] = False,
) -> None:
    """Show the metrics of models.

    Prints one row for each metric in the worktree's pointers, or in those of REV.

    Examples:
      mvc metrics show                   # all models
      mvc metrics show v1.0 model.pkl    # one model, at a tag
      mvc metrics show --params          # parameters
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
        list[str] | None,
        typer.Option("--remove", metavar="METRIC", help="Remove a metric; repeatable.", show_default=False),
    ] = None,
) -> None:
    """Record metrics of the tracked version.

    Changes the pointer and stages it. Does not read the model: to record metrics of a retrained model, use `mvc add`.

    Examples:
      mvc metrics set model.pkl latency_ms=12           # record one more metric
      mvc metrics set model.pkl --metrics metrics.json  # record a file of metrics
      mvc metrics set model.pkl --remove accuracy       # remove a metric
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
