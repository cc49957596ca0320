"""Commands that look after the store."""

from __future__ import annotations

from typing import Annotated

import typer

from modelvc.cli import render
from modelvc.cli.context import CONTEXT
from modelvc.cli.progress import progress
from modelvc.errors import UsageError, shown

EXIT_DAMAGED = 12
EXIT_MISSING = 10
EXIT_NO = 1


def fsck(
    revs: Annotated[list[str] | None, typer.Argument(metavar="[REV]...", show_default=False)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Structure and reachability only.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Take good copies from the worktree or a remote.")] = False,
    far: Annotated[bool, typer.Option("--remote", help="Look at the remote too.")] = False,
    name: Annotated[str, typer.Option("-r", metavar="NAME", help="At this remote; implies --remote.")] = "",
    markers: Annotated[bool, typer.Option("--markers", help="Only look for conflict markers in pointers.")] = False,
) -> None:
    """Verify stored bytes and pointers.

    Reads every byte of the local store, every pointer of history (or of REV), and looks whether all that they need is
    there.
    """
    from modelvc.ops import fsck as op

    repo = CONTEXT.open()
    if markers:
        _markers(revs or [])
        return
    depth = op.Depth(quick, repair, name if far or name else None)
    with progress("verifying", quiet=CONTEXT.quiet) as bar:
        found = op.fsck(repo, revs or [], depth, bar)
    if CONTEXT.json:
        render.dump(found)
    else:
        for problem in found.problems:
            state, tint = ("repaired", "green") if problem.repaired else (problem.kind, "red")
            render.out(f"{render.colour(state, tint)}: {shown(problem.what)} in {shown(problem.where)}")
            for user in problem.needed_by[:5]:
                render.out(f"  needed by {shown(user)}")
            if len(problem.needed_by) > 5:
                render.out(f"  and by {len(problem.needed_by) - 5} more")
        read = f", {render.size(found.bytes_read)} read" if found.bytes_read else ""
        verdict = f"{len(found.open)} problems left" if found.open else "all good"
        render.out(
            f"{render.count(found.objects, 'version')} in history, {render.count(found.packs, 'pack')}{read}: {verdict}"
        )
        if found.not_here:
            render.out(f"{render.count(found.not_here, 'version')} of history not in this clone (mvc fetch --all)")
        if found.open and not repair:
            render.say("next: mvc fsck --repair", quiet=CONTEXT.quiet)
    if any(problem.kind != op.MISSING for problem in found.open):
        raise typer.Exit(EXIT_DAMAGED)
    if found.open:
        raise typer.Exit(EXIT_MISSING)


def _markers(revs: list[str]) -> None:
    from modelvc.ops.fsck import markers

    if len(revs) > 1:
        raise UsageError("--markers looks at one revision", hint="mvc fsck --markers REV")
    found = markers(CONTEXT.open(), revs[0] if revs else "")
    if CONTEXT.json:
        render.dump(found)
    else:
        render.out(*[shown(path) for path in found.paths])
    if found.paths:
        raise typer.Exit(EXIT_NO)


def gc(
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without, only show it.")] = False,
    evict: Annotated[bool, typer.Option("--evict", help="Also what the remote has, verified now.")] = False,
    grace: Annotated[float, typer.Option("--grace", metavar="DAYS", min=0, help="Keep what is younger.")] = 14.0,
) -> None:
    """Show what nothing reaches.

    With --apply, remove it from the local store. Never the only copy of a version that history or the reflog reaches.
    """
    from modelvc.ops import gc as op

    repo = CONTEXT.open()
    seconds = grace * 86_400
    found = op.apply_gc(repo, grace=seconds, evict=evict) if apply else op.plan_gc(repo, grace=seconds, evict=evict)
    if CONTEXT.json:
        render.dump(found)
        return
    rows = [
        (item.path or "-", render.short(item.oid), render.size(item.size), f"{item.age / 86_400:.1f}", item.why)
        for item in found.items
    ]
    if rows:
        render.out(*render.table(("model", "version", "size", "days", "why"), rows, markdown=CONTEXT.markdown))
    if isinstance(found, op.GcDone):
        render.out(f"{render.count(len(found.items), 'version')} removed, {render.size(max(0, found.freed))} freed")
        return
    frees = render.size(found.frees)
    render.out(f"{render.count(len(found.items), 'version')} can go, {frees} would be freed; {found.kept:,} stay")
    if found.items or found.frees:
        render.say("next: mvc gc --apply", quiet=CONTEXT.quiet)
