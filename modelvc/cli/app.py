"""The program `mvc`: find the command, run it, and turn every error into a message and an exit code."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelvc import __version__
from modelvc.cli import context
from modelvc.cli.errors import INTERRUPTED, complain, explain
from modelvc.cli.views import render

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

USAGE = 2
# Commands of Git that people try on mvc, and the command to run instead.
ELSEWHERE = {
    **dict.fromkeys(
        ("branch", "cherry-pick", "commit", "config", "merge", "rebase", "reset", "stash", "tag"), "`git {}`"
    ),
    "clone": "`git clone`, and in the clone `mvc install`, then `mvc pull`",
    "restore": "`mvc checkout [REV] PATH`",
    "revert": "`mvc checkout REV PATH`, then `git commit`",
    "switch": "`git switch`: models follow",
    "untrack": "`mvc rm --keep PATH`, or `mvc track --remove PATTERN`",
}

# The module of each command below modelvc.cli.commands, in the order of `mvc --help`.
_COMMANDS = {
    "init": "setup",
    "install": "setup",
    "uninstall": "setup",
    "add": "tracking",
    "track": "tracking",
    "status": "tracking",
    "checkout": "tracking",
    "rm": "tracking",
    "mv": "tracking",
    "resolve": "merging",
    "check": "gate",
    "rollback": "gate",
    "plot": "reading",
    "ls": "reading",
    "log": "reading",
    "show": "reading",
    "diff": "reading",
    "push": "transfer",
    "fetch": "transfer",
    "pull": "transfer",
    "trust": "transfer",
    "get": "transfer",
    "fsck": "upkeep",
    "gc": "upkeep",
    "doctor": "upkeep",
}
_GROUPS = {"remote": "transfer", "store": "upkeep", "notebook": "notebook", "metrics": "metrics"}


def build(name: str = "") -> typer.Typer:
    """Return the program with the command or group NAME alone, so that no other is imported.

    If NAME is unknown, the program has all commands, for help and for the error about a mistyped one.
    """
    app = typer.Typer(
        name="mvc",
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
    app.callback()(_root)
    known = name in _COMMANDS or name in _GROUPS
    for command, module in _COMMANDS.items():
        if command == name or not known:
            app.command()(getattr(_module(module), command))
    for group, module in _GROUPS.items():
        if group == name or not known:
            app.add_typer(getattr(_module(module), f"{group}_app"), name=group)
    return app


def _module(name: str) -> ModuleType:
    return import_module(f"modelvc.cli.commands.{name}")


def _root(
    repo: Annotated[str, typer.Option("--repo", metavar="DIR", help="Work in this folder.")] = ".",
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON, like --format json.")] = False,
    as_md: Annotated[bool, typer.Option("--md", help="Answer as Markdown, like --format md.")] = False,
    form: Annotated[str, typer.Option("--format", metavar="text|json|md", help="How to answer.")] = "text",
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Results only: no advice, no bars.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tracebacks of internal errors.")] = False,
    version: Annotated[bool, typer.Option("--version", help="Say which version this is.")] = False,
) -> None:
    """Version machine-learning models in Git, without putting them in Git."""
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
            render.out(f"mvc {__version__}") if not found.json else render.dump({"version": __version__})
            return 0
        if not words or words in [[group] for group in _GROUPS]:
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
            return _usage(error, argv, as_json=found.json)
        return explain(error, as_json=found.json, debug=found.verbose or bool(os.environ.get("MVC_DEBUG")))


def _flushed(status: int, found: context.Context) -> int:
    """Return STATUS, or the exit code of the error if the output cannot be written."""
    try:
        sys.stdout.flush()
    except OSError as error:
        return explain(error, as_json=found.json, debug=False) or status
    return status


def _usage(error: Any, argv: Sequence[str], *, as_json: bool) -> int:
    """Print an error of usage, and the command that lists the right usage. Return the exit code."""
    where = error.ctx.command_path if getattr(error, "ctx", None) else "mvc"
    words = error.format_message()
    hint = f"see `{where} --help`"
    unknown = next((word for word in argv if word in ELSEWHERE), "") if words.startswith("No such command") else ""
    if unknown and f"'{unknown}'" in words:
        words, hint = f"mvc has no command {unknown}", f"run {ELSEWHERE[unknown].format(unknown)}"
    return complain(words[:1].lower() + words[1:].rstrip("."), hint, "usage", USAGE, as_json=as_json)
