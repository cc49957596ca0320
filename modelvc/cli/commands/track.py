"""`mvc track`: files that are models by their names."""

from __future__ import annotations

from typing import Annotated

import typer

from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.errors import shown

_NAMED = 5  # files in one line


def track(
    patterns: Annotated[list[str] | None, typer.Argument(metavar="[PATTERN]...", show_default=False)] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take these patterns away again.")] = False,
) -> None:
    """Choose files that are models by their names.

    PATTERN is a glob such as '*.pt', which matches in every folder, or 'models/**', which begins at the top. Patterns
    stand in the repository's configuration, staged. Without PATTERN, list them. `mvc add` without words takes what
    matches; a commit warns of a file that matches and is no model yet.
    """
    from modelvc.ops.tracking.track import track as op

    found = op(CONTEXT.open(), patterns or [], remove=remove)
    if CONTEXT.json:
        render.dump(found)
        return
    render.out(*(map(shown, found.patterns) if found.patterns else ["no patterns"]))
    if found.waiting:
        names = ", ".join(CONTEXT.name(name) for name in found.waiting[:_NAMED])
        more = f" and {len(found.waiting) - _NAMED:,} more" if len(found.waiting) > _NAMED else ""
        render.say(f"next: mvc add, which takes {names}{more}", quiet=CONTEXT.quiet)
    elif patterns:
        render.say("next: git commit", quiet=CONTEXT.quiet)
    elif not found.patterns:
        render.say("next: mvc track PATTERN, such as mvc track '*.pt'", quiet=CONTEXT.quiet)
