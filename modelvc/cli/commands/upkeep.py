"""Commands that check and clean up stores, and check the setup of a clone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli.context import CONTEXT
from modelvc.cli.progress import progress
from modelvc.cli.views import render
from modelvc.errors import UsageError, shown

if TYPE_CHECKING:
    from modelvc.ops.upkeep.stats import ModelStats

EXIT_NO = 1
_EXIT_MISSING, _EXIT_DAMAGED = 10, 12
_GRACE = 14.0  # days


def fsck(
    revs: Annotated[list[str] | None, typer.Argument(metavar="[REV]...", show_default=False)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Structure and reachability only.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Take good copies from wherever there are any.")] = False,
    on_remote: Annotated[bool, typer.Option("--remote", help="Look at the remote too.")] = False,
    name: Annotated[
        str, typer.Option("-r", metavar="NAME", help="At this remote; implies --remote.", show_default=False)
    ] = "",
    sample: Annotated[
        str,
        typer.Option("--sample", metavar="SHARE", help="Of the remote, read a random 5% (say).", show_default=False),
    ] = "",
    markers: Annotated[
        bool, typer.Option("--markers", help="Only look for conflicts left in pointers and notebooks.")
    ] = False,
) -> None:
    """Verify stored bytes and pointers.

    Reads every byte of the local store, every pointer of history (or of REV), and looks whether all that they need is
    there. --repair takes good copies from the worktree and every remote, chunk by chunk. --sample implies --remote.
    """
    from modelvc.cli.views.fsck import print_fsck
    from modelvc.ops.upkeep import fsck as op

    if markers:
        _markers(revs or [])
        return
    depth = op.Depth(quick, repair, name if on_remote or name or sample else None, _share(sample, quick=quick))
    repo = CONTEXT.open()
    with progress("verifying", quiet=CONTEXT.quiet) as bar:
        found = op.fsck(repo, revs or [], depth, bar)
    if CONTEXT.json:
        render.dump(found)
    else:
        print_fsck(found, depth, everything=not revs)
    if any(problem.kind != op.MISSING for problem in found.open):
        raise typer.Exit(_EXIT_DAMAGED)
    if found.open:
        raise typer.Exit(_EXIT_MISSING)


def _share(sample: str, *, quick: bool) -> float:
    """Return the share of the remote to read, from a SAMPLE such as "5%"; 1.0 without one. Raises UsageError."""
    if not sample:
        return 1.0
    try:
        share = float(sample.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        words = f"--sample {shown(sample, 80)} is no share of the remote"
        raise UsageError(words, hint="give it in percent, above 0 and at most 100: mvc fsck --sample 5%")
    if quick:
        raise UsageError("--quick reads no chunks, so there is nothing to --sample", hint="leave one of them out")
    return share


def _markers(revs: list[str]) -> None:
    from modelvc.ops.merging.markers import markers

    if len(revs) > 1:
        raise UsageError("--markers looks at one revision", hint="mvc fsck --markers REV")
    found = markers(CONTEXT.open(), revs[0] if revs else "")
    if CONTEXT.json:
        render.dump(found)
    else:
        render.out(*[shown(path) for path in found.paths])
        if found.paths:
            render.say(
                "next: mvc resolve MODEL, or mvc notebook resolve NOTEBOOK, with --ours or --theirs",
                quiet=CONTEXT.quiet,
            )
    if found.paths:
        raise typer.Exit(EXIT_NO)


def gc(
    names: Annotated[list[str] | None, typer.Argument(metavar="[VERSION]...", show_default=False)] = None,
    apply: Annotated[bool, typer.Option("--apply", help="Do it; without, only show it.")] = False,
    evict: Annotated[bool, typer.Option("--evict", help="Also what the remote has, verified now.")] = False,
    grace: Annotated[float, typer.Option("--grace", metavar="DAYS", min=0, help="Keep what is younger.")] = _GRACE,
    on_remote: Annotated[bool, typer.Option("--remote", help="Clean up the remote, not the local store.")] = False,
    name: Annotated[
        str, typer.Option("-r", metavar="NAME", help="This remote; implies --remote.", show_default=False)
    ] = "",
    exclusive: Annotated[
        bool, typer.Option("--exclusive", help="Of a remote: I know that nobody else uses it now.")
    ] = False,
    also: Annotated[
        list[str] | None,
        typer.Option("--also", metavar="URL", help="Keep what this repository reaches, too.", show_default=False),
    ] = None,
    forget: Annotated[
        str,
        typer.Option(
            "--forget", metavar="NAME", help="A repository or clone that is gone for good.", show_default=False
        ),
    ] = "",
) -> None:
    """Show unused versions (--apply removes them).

    A version that history or the reflog reaches is never removed. A version that no remote has is removed only if you
    name it: VERSION is the digest that the table shows, or the model's path. With --remote, clean up the remote for
    all who use it: versions that no branch or tag of any repository reaches are removed. Their packs are doomed first,
    and deleted by a gc after the grace period.
    """
    from modelvc.cli.views.gc import DAY, print_gc, print_remote_gc
    from modelvc.ops.upkeep import gc as op

    if on_remote or name:
        from modelvc.ops.upkeep import gc_remote

        if evict or names:
            what = "--evict is" if evict else "names of versions are"
            raise UsageError(f"{what} about the local store", hint="leave out --remote")
        options = gc_remote.RemoteGcOptions(name, grace * DAY, exclusive=exclusive, also=also or (), forget=forget)
        repo = CONTEXT.open()
        with progress("cleaning up", quiet=CONTEXT.quiet) as bar:
            done = gc_remote.gc_remote(repo, options, apply=apply, progress=bar)
        if CONTEXT.json:
            render.dump(done)
        else:
            print_remote_gc(done, options, apply=apply)
        return
    if exclusive or also:
        raise UsageError("--exclusive and --also are about a remote", hint="add --remote")
    repo = CONTEXT.open()
    if forget:
        from modelvc.models.versions import shared_store

        shared_store.forget_clone(repo, forget)
    rules = op.GcOptions(grace * DAY, evict=evict, names=names or ())
    if apply:
        with progress("reading what remotes have", quiet=CONTEXT.quiet) as bar:
            found: op.GcDone | op.GcPlan = op.apply_gc(repo, rules, bar)
    else:
        found = op.plan_gc(repo, rules)
    if CONTEXT.json:
        render.dump(found)
        return
    print_gc(found, names=rules.names, evict=evict, grace=grace)


store_app = typer.Typer(help="The local store.", rich_markup_mode=None)


@store_app.command("stats")
def store_stats(
    on_remote: Annotated[bool, typer.Option("--remote", help="Look at the remote too.")] = False,
    name: Annotated[
        str, typer.Option("-r", metavar="NAME", help="At this remote; implies --remote.", show_default=False)
    ] = "",
) -> None:
    """What is kept, model by model.

    And what deduplication and compression saved.
    """
    from modelvc.ops.upkeep.stats import stats

    found = stats(CONTEXT.open(), name if on_remote or name else None)
    if CONTEXT.json:
        render.dump(found)
        return
    asked = found.remote is not None
    rows = [_kept(model, CONTEXT.name(model.path) if model.path else "(no pointer)") for model in found.models]
    if len(rows) > 1:
        rows.append(_kept(found.total, "total"))
    head = (
        "model",
        "versions",
        "here",
        *(["pushed"] if asked else []),
        "logical",
        "kept",
        "shared",
        "dedup",
        "compressed",
    )
    if not asked:
        rows = [(*row[:3], *row[4:]) for row in rows]
    render.out(*render.table(head, rows, markdown=CONTEXT.markdown) if rows else ["no models are tracked"])
    lines = [f"{render.count(found.packs, 'pack')}, {render.size(found.size)} on disk"]
    if found.unreadable:
        lines.append(f"{render.count(found.unreadable, 'version')} cannot be read: run mvc fsck")
    if there := found.remote:
        size = render.size(there.size)
        lines.append(f"{shown(there.name)}: {render.count(there.versions, 'version')}, {size} at {shown(there.url)}")
    render.out("", *lines)


def _kept(model: ModelStats, name: str) -> tuple[str, ...]:
    counts = [f"{count:,}" for count in (model.versions, model.here, model.pushed or 0)]
    saved = (model.saved_by_dedup, model.saved_by_compression)
    return (
        name,
        *counts,
        *map(render.size, (model.logical, model.kept, model.shared)),
        *(_less(size) for size in saved),
    )


def _less(size: int) -> str:
    return f"-{render.size(size)}" if size > 0 else render.size(0)


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Do not look at remotes.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Try remotes with a scratch key, removed at once.")] = False,
) -> None:
    """Is this clone set up well.

    Git, hooks, attributes, configuration, disk, remotes, clocks: each finding with its fix. Exit 1 when something
    cannot work.
    """
    from modelvc.ops.upkeep.doctor import doctor as op

    found = op(CONTEXT.open(), os.environ, offline=offline, write=write)
    if CONTEXT.json:
        render.dump(found)
    else:
        tints = {"ok": "green", "warn": "yellow", "fail": "red"}
        width = max(len(one.check) for one in found.findings)
        for one in found.findings:
            render.out(f"{render.colour(f'{one.state:4}', tints[one.state])}  {one.check:{width}}  {one.detail}")
            if one.fix and one.state != "ok":
                render.say(f"      {'':{width}}  fix: {one.fix}", quiet=CONTEXT.quiet)
    if found.state == "fail":
        raise typer.Exit(EXIT_NO)
