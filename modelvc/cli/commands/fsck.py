"""What `mvc fsck` prints."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from modelvc.cli.context import CONTEXT
from modelvc.cli.progress import progress
from modelvc.cli.views import render
from modelvc.errors import UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.ops.upkeep.fsck import Fsck, Problem
    from modelvc.ops.upkeep.fsck_remote import RemoteCheck

_DAMAGED, _MISSING = 12, 10  # exit codes
_SHOWN = 5  # pointers of one problem


@dataclass(frozen=True, slots=True)
class Asked:
    """What was given on the command line."""

    revs: Sequence[str]
    quick: bool
    repair: bool
    remote: str | None
    sample: str


def show(asked: Asked) -> None:
    """Look, tell, and exit with what was found."""
    from modelvc.ops.upkeep import fsck as op

    depth = op.Depth(asked.quick, asked.repair, asked.remote, _share(asked))
    repo = CONTEXT.open()
    with progress("verifying", quiet=CONTEXT.quiet) as bar:
        found = op.fsck(repo, asked.revs, depth, bar)
    if CONTEXT.json:
        render.dump(found)
    else:
        _tell(found, asked)
    if any(problem.kind != op.MISSING for problem in found.open):
        raise typer.Exit(_DAMAGED)
    if found.open:
        raise typer.Exit(_MISSING)


def _share(asked: Asked) -> float:
    """The part of the remote to read, from "5%"."""
    if not asked.sample:
        return 1.0
    try:
        share = float(asked.sample.removesuffix("%")) / 100
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        words = f"--sample {shown(asked.sample, 80)} is no share of the remote"
        raise UsageError(words, hint="give it in percent, above 0 and at most 100: mvc fsck --sample 5%")
    if asked.quick:
        raise UsageError("--quick reads no chunks, so there is nothing to --sample", hint="leave one of them out")
    return share


def _tell(found: Fsck, asked: Asked) -> None:
    unneeded = [] if asked.revs else [one for one in found.open if not one.needed_by]
    versions = [one for one in unneeded if not one.what.startswith("pack ")]  # who has them says it for their packs
    for problem in found.problems:
        _tell_problem(problem, nobodys=problem in (versions or unneeded))
    read = f", {render.size(found.bytes_read)} read" if found.bytes_read else ""
    verdict = f"{render.count(len(found.open), 'problem')} left" if found.open else "all good"
    if found.remote:
        render.out(_far(found.remote, asked))
    render.out(
        f"{render.count(found.objects, 'version')} in history, {render.count(found.packs, 'pack')}{read}: {verdict}"
    )
    if found.not_here:
        render.out(f"{render.count(found.not_here, 'version')} of history not in this clone (mvc fetch --all)")
    for why in found.not_asked:
        render.out(f"not asked: {shown(why, 300)}")
    _advise(found, asked)


def _advise(found: Fsck, asked: Asked) -> None:
    """What to do about the problems that are left."""
    from modelvc.ops.upkeep import fsck as op

    wrong = [one for one in found.open if one.kind == op.WRONG]
    here = [place.removesuffix(" (worktree)") for one in wrong for place in one.needed_by if "(worktree)" in place]
    if here:
        words = f"next: mvc add {' '.join(map(shlex.quote, map(CONTEXT.name, here[:_SHOWN])))}"
        render.say(f"{words} (writes the pointer anew)", quiet=CONTEXT.quiet)
    elif wrong:
        words = "the bytes of these versions are right; history keeps what their pointers say"
        render.say(f"{words}: mvc fsck HEAD looks at what is current", quiet=CONTEXT.quiet)
    if len(wrong) == len(found.open):
        return
    options = ["--remote"] * (asked.remote == "") + (["-r", asked.remote] if asked.remote else [])
    again = " ".join(["mvc fsck", *options, "--repair"])
    if found.open and not asked.repair:
        render.say(f"next: {again}", quiet=CONTEXT.quiet)
    elif any(problem.needed_by for problem in found.open):
        far = options and any(problem.needed_by and problem.where != "the local store" for problem in found.open)
        there = (
            f"{again} in a clone that has it"
            if far
            else "mvc push --all in a clone that has it, then here mvc fsck --repair"
        )
        render.say(f"next: {there}", quiet=CONTEXT.quiet)


def _tell_problem(problem: Problem, *, nobodys: bool) -> None:
    state, tint = ("repaired", "green") if problem.repaired else (problem.kind, "red")
    render.out(f"{render.colour(state, tint)}: {shown(problem.what)} in {shown(problem.where)}")
    for words, users in (("needed by", problem.needed_by), ("first in", problem.introduced_by)):
        for user in users[:_SHOWN]:
            render.out(f"  {words} {shown(user)}")
        if len(users) > _SHOWN:
            render.out(f"  and {words} {len(users) - _SHOWN} more")
    if nobodys:
        render.out("  no branch, tag or stash needs it")


def _far(found: RemoteCheck, asked: Asked) -> str:
    words = [render.count(found.versions, "version"), render.count(found.packs, "pack")]
    if not asked.quick:
        share = found.checked_bytes / found.needed_bytes if found.needed_bytes else 1.0
        words.append(f"{share:.1%} of {render.size(found.needed_bytes)} read")
        words.append(f"{found.proven:,} proven whole")
    words.append(render.count(found.requests, "request"))
    return f"{shown(found.name)}: {', '.join(words)}"
