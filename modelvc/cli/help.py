"""The pages of `--help`: a command with its examples, and `mvc --help` in sections. Also names mistyped commands."""

from __future__ import annotations

import inspect
import textwrap
from typing import Any

from typer.core import TyperCommand, TyperGroup

from modelvc.cli.catalog import ELSEWHERE, SECTIONS
from modelvc.errors import UsageError, near, shown

_EXAMPLES = "\n\nExamples:\n"


def _split(text: str | None) -> dict[str, str]:
    """Split a docstring into a help text and its examples, as typer takes them."""
    words, _, examples = inspect.cleandoc(text or "").partition(_EXAMPLES)
    return {"help": words, "epilog": textwrap.dedent(examples)}


def _write(examples: str | None, formatter: Any) -> None:
    """Write EXAMPLES as they are, in a section of their own."""
    if examples:
        formatter.write(f"{_EXAMPLES[1:]}{textwrap.indent(examples, '  ')}\n")


class Command(TyperCommand):
    """A command whose docstring ends in examples."""

    def __init__(self, *args: Any, help: str | None = None, **kwargs: Any) -> None:  # noqa: A002 - typer's name
        super().__init__(*args, **{**kwargs, **_split(help)})

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples."""
        del ctx
        _write(self.epilog, formatter)


class Group(TyperGroup):
    """A command with sub-commands, whose help ends in examples."""

    def __init__(self, *args: Any, help: str | None = None, **kwargs: Any) -> None:  # noqa: A002 - typer's name
        super().__init__(*args, **{**kwargs, **_split(help)})

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples."""
        del ctx
        _write(self.epilog, formatter)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that ARGS name. Raises UsageError with the nearest name for an unknown command."""
        name, where = args[0], ctx.command_path
        if name not in self.commands and not name.startswith("-"):
            found = near(name, self.commands)
            hint = f"did you mean `{where} {found}`?" if found else f"see `{where} --help`"
            if known := ELSEWHERE.get(where, {}).get(name):
                hint = f"run {known}"
            raise UsageError(f"{where} has no command {shown(name, 80)}", hint=hint)
        return super().resolve_command(ctx, args)


class Root(Group):
    """All of mvc: its commands are listed in sections."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one section after the other, in columns of one width."""
        del ctx
        width = max(map(len, self.commands))
        limit = formatter.width - width - 6
        for title, names in SECTIONS.items():
            rows = [
                (name.ljust(width), self.commands[name].get_short_help_str(limit))
                for name in names
                if name in self.commands
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)
