"""The terminal: take the words apart, call one operation, say what it did. No rules live here."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from modelvc.cli import context, setup, tracking, transfer, upkeep
from modelvc.cli.errors import explain

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = 2
# Words behind `--`, which typer would hand on without saying that they stood there; None without `--`.
BEHIND: list[list[str] | None] = [None]

app = typer.Typer(
    name="mvc",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root(
    repo: Annotated[str, typer.Option("--repo", metavar="DIR", help="Work in this folder.")] = ".",
    as_json: Annotated[bool, typer.Option("--json", help="Answer as JSON, before or after the command.")] = False,
    form: Annotated[str, typer.Option("--format", metavar="text|json|md", help="How to answer.")] = "text",
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Results only, no words or bars.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tracebacks of internal errors.")] = False,
) -> None:
    """Version machine-learning models in Git, without putting them in Git."""
    del repo, as_json, form, quiet, verbose  # taken out of the words before typer sees them: context.take_globals


for _command in (
    setup.init,
    setup.install,
    setup.uninstall,
    transfer.trust,
    tracking.add,
    tracking.status,
    tracking.checkout,
    transfer.push,
    transfer.fetch,
    transfer.pull,
    tracking.ls,
    tracking.log,
    tracking.show,
    tracking.diff,
    tracking.rm,
    tracking.mv,
    upkeep.fsck,
    upkeep.gc,
):
    app.command()(_command)
app.add_typer(transfer.remote_app, name="remote")


def run(argv: Sequence[str]) -> int:
    """Run one command line; its exit code."""
    found = context.Context()
    try:
        words, found = context.take_globals(argv)
        if words in ([], ["remote"], ["store"]):
            words.append("--help")
        for name in ("form", "quiet", "verbose", "repo"):
            setattr(context.CONTEXT, name, getattr(found, name))
        BEHIND[0] = words[words.index("--") + 1 :] if "--" in words else None
        result = app(words, standalone_mode=False, prog_name="mvc")
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except typer.Exit as error:
        return error.exit_code
    except typer.Abort:
        return explain(KeyboardInterrupt(), as_json=False, debug=False)
    except (KeyboardInterrupt, Exception) as error:  # noqa: BLE001 - the last line of defence
        if hasattr(error, "format_message"):  # click's, which typer brings under a name of its own
            return _usage(error)
        debug = found.verbose or bool(os.environ.get("MVC_DEBUG"))
        return explain(error, as_json=found.form == "json", debug=debug)


def _usage(error: Any) -> int:
    """What typer finds wrong with the words, and where the right ones are listed."""
    where = error.ctx.command_path if getattr(error, "ctx", None) else "mvc"
    print(f"error: {error.format_message()}", file=sys.stderr)
    print(f"hint: see `{where} --help`", file=sys.stderr)
    return USAGE
