"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from modelvc.models.measures.measurements import Measurements

Paths = Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", show_default=False)]
Words = Annotated[list[str] | None, typer.Argument(metavar="[REV] [--] [PATH]...", show_default=False)]
Force = Annotated[bool, typer.Option("--force", help="Let the output replace a model, which is stored first.")]
Outputs = Annotated[
    list[str] | None,
    typer.Option(
        "--output", metavar="FORMAT=FILE", help="Also write a report to FILE; repeatable.", show_default=False
    ),
]
EXIT_NO = 1
Metric = Annotated[
    list[str] | None,
    typer.Option("-m", "--metric", metavar="NAME=VALUE", help="Record a metric; repeatable.", show_default=False),
]
MetricsOption = Annotated[
    str,
    typer.Option(
        "--metrics", metavar="FILE", help="Record the metrics in FILE: JSON, YAML, TOML or CSV.", show_default=False
    ),
]
ParamsOption = Annotated[
    str,
    typer.Option(
        "--params", metavar="FILE", help="Record the parameters in FILE; auto: those in the model.", show_default=False
    ),
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="GLOB", help="Record only these metrics of FILE; repeatable.", show_default=False),
]
PositiveOption = Annotated[
    str, typer.Option("--positive", metavar="LABEL", help="The positive label in the predictions.", show_default=False)
]
PredictionsOption = Annotated[
    str,
    typer.Option(
        "--predictions",
        metavar="FILE",
        help="Store predictions: a CSV file of id,y_true,y_pred[,y_score...].",
        show_default=False,
    ),
]
PythonOption = Annotated[
    str,
    typer.Option("--python", metavar="PATH", help="The Python with the environment.", show_default=False),
]
AllRefs = Annotated[bool, typer.Option("--all", help="Include every branch and tag.")]
Where = Annotated[
    str,
    typer.Option("--where", metavar="CONDITION", help="Show only versions that meet CONDITION.", show_default=False),
]
Since = Annotated[
    str,
    typer.Option(
        "--since", metavar="DATE", help="Show only versions since DATE, in any form that Git reads.", show_default=False
    ),
]


def given(pairs: list[str] | None, metrics: str, params: str, predictions: str) -> Measurements:
    """Return the measurements that the options name. Raises UsageError for a wrong NAME=VALUE."""
    from modelvc.formats.pointer.metrics import parse_assignment
    from modelvc.models.measures.measurements import Measurements

    found = dict(parse_assignment(text) for text in pairs or ())
    return Measurements(tuple(found.items()), metrics, params, predictions)
