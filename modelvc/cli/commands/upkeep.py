"""Commands that look after the store."""

from __future__ import annotations

import os
import shlex
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli.context import CONTEXT
from modelvc.cli.progress import progress
from modelvc.cli.views import render
from modelvc.errors import UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.ops.upkeep.gc import GcItem
    from modelvc.ops.upkeep.stats import ModelStats

EXIT_NO = 1
_GRACE = 14.0  # days
_DAY = 86_400.0  # seconds
_MOST = 5  # names in a command that is proposed


def fsck(
    revs: Annotated[list[str] | None, typer.Argument(metavar="[REV]...", show_default=False)] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Structure and reachability only.")] = False,
    repair: Annotated[bool, typer.Option("--repair", help="Take good copies from wherever there are any.")] = False,
    far: Annotated[bool, typer.Option("--remote", help="Look at the remote too.")] = False,
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
    from modelvc.cli.commands.fsck import Asked, show

    if markers:
        _markers(revs or [])
        return
    show(Asked(revs or [], quick=quick, repair=repair, remote=name if far or name or sample else None, sample=sample))


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
    far: Annotated[bool, typer.Option("--remote", help="Clean up the remote, not the local store.")] = False,
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
    from modelvc.ops.upkeep import gc as op

    if far or name:
        from modelvc.cli.commands.gc_remote import collect
        from modelvc.ops.upkeep.gc_remote import RemoteGcOptions

        if evict or names:
            what = "--evict is" if evict else "names of versions are"
            raise UsageError(f"{what} about the local store", hint="leave out --remote")
        collect(RemoteGcOptions(name, grace * _DAY, exclusive=exclusive, also=also or (), forget=forget), apply=apply)
        return
    if exclusive or also:
        raise UsageError("--exclusive and --also are about a remote", hint="add --remote")
    repo = CONTEXT.open()
    if forget:
        from modelvc.models.versions import shared_store

        shared_store.forget_clone(repo, forget)
    rules = op.GcOptions(grace * _DAY, evict=evict, names=names or ())
    if apply:
        with progress("reading what remotes have", quiet=CONTEXT.quiet) as bar:
            found: op.GcDone | op.GcPlan = op.apply_gc(repo, rules, bar)
    else:
        found = op.plan_gc(repo, rules)
    if CONTEXT.json:
        render.dump(found)
        return
    rows = [
        (item.path or "-", render.short(item.oid), render.size(item.size), f"{item.age / _DAY:.1f}", item.why)
        for item in (*found.items, *found.only_here)
    ]
    if rows:
        render.out(*render.table(("model", "version", "size", "days", "why"), rows, markdown=CONTEXT.markdown))
    if isinstance(found, op.GcDone):
        render.out(f"{_objects(found.items)} removed, {render.size(max(0, found.freed))} freed")
    else:
        frees = render.size(found.frees)
        stay = render.count(found.kept, "object")
        render.out(f"{_objects(found.items)} can go, {frees} would be freed; {stay} stay")
    for why in found.unasked:
        render.say(shown(why, 300), quiet=CONTEXT.quiet)
    if found.unpushed:
        words = f"{render.count(found.unpushed, 'version')} of commits that no Git remote has"
        render.say(f"not evicted: {words}; next: git push", quiet=CONTEXT.quiet)
    command = ["mvc gc", *(["--evict"] if evict else []), *([f"--grace {grace:g}"] if grace != _GRACE else [])]
    if isinstance(found, op.GcPlan) and (found.items or found.frees):
        render.say(f"next: {' '.join([*command, *map(shlex.quote, rules.names), '--apply'])}", quiet=CONTEXT.quiet)
    if found.only_here:
        kept = [render.short(item.oid) for item in found.only_here]
        words = f"no remote has {_objects(found.only_here)}; to delete anyway"
        render.say(f"{words}: {' '.join([*command, *kept[:_MOST], '--apply'])}", quiet=CONTEXT.quiet)


def _objects(items: Sequence[GcItem]) -> str:
    """How many versions and predictions, and how many objects of which that is not known."""
    from modelvc.ops.sharing.transfer import versions_in_words

    count = Counter(item.what for item in items)
    words = (
        [versions_in_words(count["version"], count["predictions"])] if count["version"] or count["predictions"] else []
    )
    if count["object"] or not items:
        words.append(render.count(count["object"], "object"))
    return " and ".join(words)


store_app = typer.Typer(help="The local store.", rich_markup_mode=None)


@store_app.command("stats")
def store_stats(
    far: Annotated[bool, typer.Option("--remote", help="Look at the remote too.")] = False,
    name: Annotated[
        str, typer.Option("-r", metavar="NAME", help="At this remote; implies --remote.", show_default=False)
    ] = "",
) -> None:
    """What is kept, model by model.

    And what deduplication and compression saved.
    """
    from modelvc.ops.upkeep.stats import stats

    found = stats(CONTEXT.open(), name if far or name else None)
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
