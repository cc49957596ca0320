"""Commands about mvc itself."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Annotated

import typer

from modelvc import __version__
from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.errors import UsageError, shown


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


SCRIPTS = {
    "bash": "completion.bash",
    "zsh": "completion.zsh",
    "fish": "completion.fish",
    "powershell": "completion.ps1",
}


def completion(shell: Annotated[str, typer.Argument(metavar="|".join(SCRIPTS))]) -> None:
    """Print a script that completes mvc in a shell.

    TAB then completes commands, options, models, revisions, metrics and remotes. The first lines of the script say how
    a shell loads it.

    Examples:
      eval "$(mvc completion bash)"      # in ~/.bashrc
      mvc completion zsh > ~/.mvc.zsh    # then: source ~/.mvc.zsh in ~/.zshrc
      mvc completion fish | head -1      # how fish loads it
    """
    if shell not in SCRIPTS:
        raise UsageError(f"mvc does not know the shell {shown(shell, 80)}", hint=f"name {', '.join(SCRIPTS)}")
    with open(os.path.join(os.path.dirname(render.__file__), SCRIPTS[shell]), encoding="utf-8") as file:
        render.out(file.read().rstrip("\n"))


def help(  # noqa: A001 - the name of the command
    words: Annotated[list[str] | None, typer.Argument(metavar="[COMMAND]...", show_default=False)] = None,
) -> None:
    """Explain a command, or the policy.

    Without COMMAND, lists all commands.

    Examples:
      mvc help               # list the commands
      mvc help add           # as `mvc add --help`
      mvc help remote add    # explain a sub-command
      mvc help policy        # explain .mvc/policy.toml
    """
    from modelvc.cli.app import run
    from modelvc.cli.topics import TOPICS

    if len(words or ()) == 1 and (page := TOPICS.get((words or [""])[0])):
        render.out(page.rstrip("\n"))
        return
    raise typer.Exit(run([*(words or ()), "--help"]))
