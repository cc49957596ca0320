"""The program `mvc`: find the command, run it, and turn every error into a message and an exit code."""

from __future__ import annotations

import os
import re
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelvc.cli import context
from modelvc.cli.catalog import COMMANDS, GROUPS
from modelvc.cli.errors import INTERRUPTED, complain, explain
from modelvc.cli.help import Command, Group, Root
from modelvc.errors import near

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = 2
_GLOBALS = ("--repo", "--json", "--md", "--format", "--quiet", "--verbose", "--help")


def build(name: str = "") -> typer.Typer:
    """Return the program with the command or group NAME alone, so that no other module is imported.

    If NAME is unknown, the program has all commands, for help and for the error about a mistyped one.
    """
    app = typer.Typer(
        name="mvc",
        cls=Root,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_root)
    for command in [name] if name in COMMANDS else COMMANDS:
        module = import_module(f"modelvc.cli.commands.{COMMANDS[command]}")
        if command in GROUPS:
            group: typer.Typer = getattr(module, f"{command}_app")
            for declared in group.registered_commands:
                declared.cls = Command
            app.add_typer(group, name=command, cls=Group)
        else:
            app.command(command, cls=Command)(getattr(module, command))
    return app


def _root(
    repo: Annotated[str, typer.Option("--repo", metavar="DIR", help="Work in this folder.")] = ".",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON: --format json.")] = False,
    as_md: Annotated[bool, typer.Option("--md", help="Print tables in Markdown: --format md.")] = False,
    form: Annotated[str, typer.Option("--format", metavar="text|json|md", help="Format of the output.")] = "text",
    quiet: Annotated[
        bool, typer.Option("-q", "--quiet", help="Print results only: no advice, no progress bars.")
    ] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Print tracebacks of internal errors.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Show the version of mvc and exit.")] = False,
) -> None:
    """Version machine-learning models in Git, without putting them in Git.

    These options work before and after every command.

    Examples:
      mvc init                              # set up a Git repository
      mvc add model.pkl -m accuracy=0.93    # store a model with a metric
      mvc log model.pkl                     # list its versions
      mvc push                              # upload them
      mvc help add                          # explain a command
    """
    # context.take_globals removes these before typer sees them, because they may come anywhere.
    del repo, as_json, as_md, form, quiet, verbose, version


def run(argv: Sequence[str]) -> int:
    """Run one command line. Return its exit code."""
    found = context.Context()
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr] # a terminal may lack a letter
    try:
        words, found = context.take_globals(argv)
        context.CONTEXT.begin(found)
        if words[:1] == ["--version"]:
            words = ["version"]
        if not words or words in [[group] for group in GROUPS]:
            words.append("--help")
        result = build(words[0])(words, standalone_mode=False, prog_name="mvc")
        sys.stdout.flush()
        if result == INTERRUPTED:  # typer's answer to Ctrl-C
            return explain(KeyboardInterrupt(), as_json=found.json, debug=False)
        return result if isinstance(result, int) else 0
    except typer.Exit as error:
        return _flushed(error.exit_code, found)
    except SystemExit:  # typer raises this for a closed pipe
        return explain(BrokenPipeError(), as_json=False, debug=False)
    except typer.Abort:
        return explain(KeyboardInterrupt(), as_json=False, debug=False)
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the last line of defence
        if hasattr(error, "format_message"):  # an error of click, which typer vendors
            return _usage(error, as_json=found.json)
        return explain(error, as_json=found.json, debug=found.verbose or bool(os.environ.get("MVC_DEBUG")))


def _flushed(status: int, found: context.Context) -> int:
    """Return STATUS, or the exit code of the error if the output cannot be written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return explain(error, as_json=found.json, debug=False) or status
    return status


def _usage(error: Any, *, as_json: bool) -> int:
    """Explain an error that typer found in the words. Return the exit status."""
    where = error.ctx.command_path if getattr(error, "ctx", None) else "mvc"
    words = error.format_message()
    hint = f"see `{where} --help`"
    meant = sorted(getattr(error, "possibilities", None) or ())
    if option := getattr(error, "option_name", ""):  # one of typer's own message
        words = error.message
        meant = meant or [found for found in [near(option, _GLOBALS)] if found]
    if meant:
        words, hint = error.message, f"did you mean {' or '.join(meant)}?"
    words = re.sub(r"is not a valid int(eger)?( range)?", "is not a whole number", words)
    words = re.sub(r"is not a valid float( range)?", "is not a number", words)
    return complain(words[:1].lower() + words[1:].rstrip("."), hint, "usage", USAGE, as_json=as_json)
