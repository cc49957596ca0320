"""Commands about mvc itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer

from modelvc import __version__
from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render


@dataclass(frozen=True, slots=True)
class Version:
    """The version of mvc."""

    version: str


def version() -> None:
    """Show the version of mvc.

    Examples:
      mvc version           # as `mvc --version`
      mvc version --json    # for scripts
    """
    if CONTEXT.json:
        render.dump(Version(__version__))
        return
    render.out(f"mvc {__version__}")


def help(  # noqa: A001 - the name of the command
    words: Annotated[list[str] | None, typer.Argument(metavar="[COMMAND]...", show_default=False)] = None,
) -> None:
    """Explain a command.

    Without COMMAND, lists all commands.

    Examples:
      mvc help               # list the commands
      mvc help add           # as `mvc add --help`
      mvc help remote add    # explain a sub-command
    """
    from modelvc.cli.app import run

    raise typer.Exit(run([*(words or ()), "--help"]))
