"""Commands that check and clean up stores, and check the setup of a clone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli.context import CONTEXT
from modelvc.cli.progress import doing, progress
from modelvc.cli.views import render
from modelvc.errors import UsageError, shown

if TYPE_CHECKING:
    from modelvc.ops.upkeep.stats import ModelStats

EXIT_NO = 1
_EXIT_MISSING, _EXIT_DAMAGED = 10, 12
_GRACE = 14.0  # days


def fsck(
    revs: Annotated[list[str] | None, typer.Argument(metavar="[REV]...", show_default=False)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Check structure and reachability only.")] = False,
    repair: Annotated[
        bool, typer.Option("--repair", help="Replace corrupt and missing objects with good copies.")
    ] = False,
    on_remote: Annotated[bool, typer.Option("--remote", help="Check the remote too.")] = False,
    name: Annotated[
        str, typer.Option("-r", metavar="REMOTE", help="Check this remote; implies --remote.", show_default=False)
    ] = "",
    sample: Annotated[
        str,
        typer.Option(
            "--sample", metavar="SHARE", help="Read only a random part of the remote, such as 5%.", show_default=False
        ),
    ] = "",
    markers: Annotated[
        bool, typer.Option("--markers", help="Only search pointers and notebooks for conflict markers.")
    ] = False,
) -> None:
    """Verify stored objects and pointers.

    Reads every byte of the local store and every pointer of history, or of REV. Reports corrupt and missing objects.
    --repair takes good copies from the worktree and from every remote, chunk by chunk. It sets a corrupt version aside
    if no copy is good and nothing needs it. --sample implies --remote.

    Examples:
      mvc fsck                          # verify the local store
      mvc fsck --repair                 # repair it
      mvc fsck -r origin --sample 5%    # verify a part of a remote
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
    if any(problem.kind not in {op.MISSING, op.NOT_PUSHED} for problem in found.open):
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
        words = f"--sample {shown(sample, 80)} is not a share of the remote"
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
    apply: Annotated[bool, typer.Option("--apply", help="Remove them; without it, only list them.")] = False,
    evict: Annotated[
        bool, typer.Option("--evict", help="Also remove versions that the remote has, verified now.")
    ] = False,
    grace: Annotated[
        float, typer.Option("--grace", metavar="DAYS", min=0, help="Keep versions younger than DAYS.")
    ] = _GRACE,
    on_remote: Annotated[
        bool, typer.Option("--remote", help="Clean up the remote instead of the local store.")
    ] = False,
    name: Annotated[
        str, typer.Option("-r", metavar="REMOTE", help="Clean up this remote; implies --remote.", show_default=False)
    ] = "",
    exclusive: Annotated[
        bool, typer.Option("--exclusive", help="With --remote: assert that nobody else uses it now.")
    ] = False,
    also: Annotated[
        list[str] | None,
        typer.Option(
            "--also",
            metavar="URL",
            help="With --remote: keep what this repository reaches, too; repeatable.",
            show_default=False,
        ),
    ] = None,
    forget: Annotated[
        str,
        typer.Option(
            "--forget", metavar="NAME", help="Forget a repository or clone that no longer exists.", show_default=False
        ),
    ] = "",
) -> None:
    """Show unused versions (--apply removes them).

    gc never removes a version that history or the reflog reaches. It removes a version that no remote has only if you
    name it: VERSION is its digest in the table, or the path of the model. With --remote, gc cleans up the remote for
    everyone who uses it, and removes versions that no branch or tag of any repository reaches. It dooms their packs
    first; a gc after the grace period deletes them.

    Examples:
      mvc gc                    # list unused versions
      mvc gc --apply            # remove them
      mvc gc --evict --apply    # free space: remove what the remote has, too
      mvc gc --remote           # list unused versions of the remote
    """
    from modelvc.cli.views.gc import DAY, print_gc, print_remote_gc
    from modelvc.ops.upkeep import gc as op

    if on_remote or name:
        from modelvc.ops.upkeep import gc_remote

        if evict or names:
            what = "--evict applies" if evict else "names of versions apply"
            raise UsageError(f"{what} to the local store", hint="leave out --remote")
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
        raise UsageError("--exclusive and --also apply to a remote", hint="add --remote")
    repo = CONTEXT.open()
    if forget:
        from modelvc.models.versions import shared_store

        shared_store.forget_clone(repo, forget)
    rules = op.GcOptions(grace * DAY, evict=evict, names=names or ())
    if apply:
        with progress("listing remotes", quiet=CONTEXT.quiet) as bar:
            found: op.GcDone | op.GcPlan = op.apply_gc(repo, rules, bar)
    else:
        with doing("looking for unused versions", quiet=CONTEXT.quiet):
            found = op.plan_gc(repo, rules)
    if CONTEXT.json:
        render.dump(found)
        return
    print_gc(found, names=rules.names, evict=evict, grace=grace)


GROUP_HELP = """Inspect the local store.

Examples:
  mvc store stats    # what each model takes
"""
store_app = typer.Typer(help=GROUP_HELP, rich_markup_mode=None)


@store_app.command("stats")
def store_stats(
    on_remote: Annotated[bool, typer.Option("--remote", help="Check the remote too.")] = False,
    name: Annotated[
        str, typer.Option("-r", metavar="REMOTE", help="Check this remote; implies --remote.", show_default=False)
    ] = "",
) -> None:
    """Show how much space the versions of each model take.

    Also shows what deduplication and compression save.

    Examples:
      mvc store stats             # the local store
      mvc store stats --remote    # the remote too
    """
    from modelvc.ops.upkeep.stats import stats

    repo = CONTEXT.open()
    with doing("measuring the store", quiet=CONTEXT.quiet):
        found = stats(repo, name if on_remote or name else None)
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
        "dedup saves",
        "compression saves",
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
        *(render.size(max(0, size)) for size in saved),
    )


def doctor(
    offline: Annotated[bool, typer.Option("--offline", help="Do not contact remotes.")] = False,
    write: Annotated[
        bool, typer.Option("--write", help="Also write a scratch key to each remote, and delete it.")
    ] = False,
) -> None:
    """Check the setup of this clone.

    Checks Git, hooks, attributes, configuration, disk, remotes and clocks, and names a fix for each problem. Exit 1 if
    something cannot work.

    Examples:
      mvc doctor              # check everything
      mvc doctor --offline    # check without the network
    """
    from modelvc.ops.upkeep.doctor import doctor as op

    repo = CONTEXT.open()
    with doing("looking at this clone" + ("" if offline else " and its remotes"), quiet=CONTEXT.quiet):
        found = op(repo, os.environ, offline=offline, write=write)
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
