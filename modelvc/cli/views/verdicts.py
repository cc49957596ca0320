"""Say which models of a command have a verdict that a person should know."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.errors import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.repo import Repo


def say_verdicts(looked: Sequence[tuple[str, str, str, bool]]) -> None:
    """Print each of LOOKED: (path, verdict, why, whether the model is blocked)."""
    for path, verdict, why, blocked in looked:
        name = CONTEXT.name(path)
        words = f"{verdict} ({shown(why)})" if why else verdict
        if blocked:
            render.out(render.colour(f"{name} is blocked: {words}", "red"))
        else:
            render.say(f"{name} is {words}", quiet=CONTEXT.quiet)
    if looked:
        name = shlex.quote(CONTEXT.name(looked[0][0])) if len(looked) == 1 else ""
        render.say(f"  see why: mvc scan {name}".rstrip(), quiet=CONTEXT.quiet)
    if any(blocked for *_, blocked in looked):
        words = "  on_checkout of [scan] in .git/mvc/config.toml decides for this clone: mvc help policy"
        render.say(words, quiet=CONTEXT.quiet)


def say_unaccepted(repo: Repo) -> None:
    """Say that this clone ignores the names that the repository trusts, if it does."""
    from modelvc.models.inside.trusted import why_ignored

    say_ignored(why_ignored(repo))


def say_ignored(why: str) -> None:
    """Say that .mvc/trusted-imports.toml is ignored, and how to accept it. Prints nothing if WHY is empty."""
    from modelvc.formats.text.trusted_imports import PATH

    if why:
        words = f"{PATH} is ignored: {shown(why)}"
        render.say(words, "  read it, then accept it: mvc trust --imports", quiet=CONTEXT.quiet)
