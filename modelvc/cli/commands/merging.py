"""The command that settles conflicts of a merge."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli.arguments import EXIT_NO
from modelvc.cli.context import CONTEXT
from modelvc.cli.progress import progress
from modelvc.cli.views import render
from modelvc.cli.views.verdicts import say_verdicts
from modelvc.errors import UsageError, shown

if TYPE_CHECKING:
    from modelvc.ops.merging.resolve import Resolved

Paths = Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", show_default=False)]
_NEXT = {
    "merge": "git commit",
    "rebase": "git rebase --continue",
    "cherry-pick": "git cherry-pick --continue",
    "revert": "git revert --continue",
}


def resolve(
    paths: Paths = None,
    ours: Annotated[bool, typer.Option("--ours", help="Take our version.")] = False,
    theirs: Annotated[bool, typer.Option("--theirs", help="Take their version.")] = False,
    best: Annotated[
        str,
        typer.Option(
            "--best",
            metavar="METRIC",
            help="Take the version with the better METRIC by the policy. Both need the same -m data=NAME.",
            show_default=False,
        ),
    ] = "",
    lower: Annotated[bool, typer.Option("--lower", help="With --best: lower is better (without a policy).")] = False,
    keep_both: Annotated[bool, typer.Option("--keep-both", help="Keep ours, and write theirs beside it.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace unsaved changes; they are stored first.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not fetch missing objects.")] = False,
) -> None:
    """Resolve models that a merge left in conflict.

    Takes one version, or both, writes it to the worktree, and stages the pointer. In a rebase, as in Git, ours is the
    branch that is rebased onto, and theirs is the branch that is moved. --best compares versions that were measured on
    the same data: record its name with each version, such as `mvc add PATH -m accuracy=0.93 -m data=test-2024`. The
    policy says which direction is better; see `mvc help policy`.

    Examples:
      mvc resolve model.pkl --theirs         # take the version of the other branch
      mvc resolve model.pkl --best accuracy  # the better one by the policy
      mvc resolve model.pkl --keep-both      # keep both, under two names
    """
    from modelvc.models.files.prepare import CheckoutOptions
    from modelvc.ops.merging.resolve import Choice
    from modelvc.ops.merging.resolve import resolve as op

    given = {"ours": ours, "theirs": theirs, "best": bool(best), "both": keep_both}
    chosen = [how for how, said in given.items() if said]
    if len(chosen) != 1:
        hint = "mvc resolve PATH --ours | --theirs | --best METRIC | --keep-both"
        raise UsageError("no side is chosen" if not chosen else "these options cannot be combined", hint=hint)
    if lower and not best:
        raise UsageError("--lower goes with --best", hint="mvc resolve PATH --best METRIC --lower")
    choice = Choice(chosen[0], best, lower)  # type: ignore[arg-type] # the keys above are its words
    repo = CONTEXT.open()
    with progress("checking out", quiet=CONTEXT.quiet) as bar:
        done = op(repo, paths or [], choice, CheckoutOptions(force, offline), bar)
    if CONTEXT.json:
        render.dump(done)
    else:
        _print(done)
    if any(m.change == "blocked" for m in done.models):
        raise typer.Exit(EXIT_NO)


def _print(done: Resolved) -> None:
    rows = [
        (
            CONTEXT.name(m.path),
            f"{m.side} ({m.label})" if m.label != m.side else m.side,
            render.short(m.oid),
            render.size(m.size),
            shown(m.compared),
        )
        for m in done.models
    ]
    render.out(*render.table((), rows))
    for m in done.models:
        if m.was and m.change == "written":
            name = shlex.quote(CONTEXT.name(m.path))
            render.say(f"the old content is stored: mvc checkout {m.was[:17]} {name} restores it", quiet=CONTEXT.quiet)
    say_verdicts([(m.path, m.verdict, m.why, m.change == "blocked") for m in done.models if m.verdict])
    if done.left:
        left = ", ".join(CONTEXT.name(path) for path in done.left[:5])
        render.say(f"still in conflict: {left}", quiet=CONTEXT.quiet)
    elif done.unmerged:
        words = ", ".join(CONTEXT.name(path) for path in done.unmerged[:5])
        render.say(f"still in conflict for Git: {words} (edit, then git add)", quiet=CONTEXT.quiet)
    else:
        render.say(f"next: {_NEXT.get(done.operation, 'git commit')}", quiet=CONTEXT.quiet)
