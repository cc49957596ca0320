"""Show the result of `mvc fsck`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.errors import shown

if TYPE_CHECKING:
    from modelvc.ops.upkeep.fsck import Depth, Fsck, Problem
    from modelvc.ops.upkeep.fsck_remote import RemoteCheck

_SHOWN = 5  # pointers of one problem


def print_fsck(found: Fsck, depth: Depth, *, everything: bool) -> None:
    """Print problems, counts and advice. EVERYTHING: all of history was checked, not chosen revisions."""
    unneeded = [one for one in found.open if everything and not one.needed_by]
    versions = [one for one in unneeded if not one.what.startswith("pack ")]  # a version says it for its packs
    for problem in found.problems:
        _print_problem(problem, unneeded=problem in (versions or unneeded))
    read = f", {render.size(found.bytes_read)} read" if found.bytes_read else ""
    verdict = f"{render.count(len(found.open), 'problem')} left" if found.open else "all good"
    if found.remote:
        render.out(_remote_line(found.remote, depth))
    render.out(
        f"{render.count(found.objects, 'version')} in history, {render.count(found.packs, 'pack')}{read}: {verdict}"
    )
    if found.not_here:
        render.out(f"{render.count(found.not_here, 'version')} of history not in this clone (mvc fetch --all)")
    for why in found.not_asked:
        render.out(f"not checked: {shown(why, 300)}")
    _advise(found, depth)


def _advise(found: Fsck, depth: Depth) -> None:
    """Print the next command for the problems that are left."""
    from modelvc.ops.upkeep import fsck as op

    wrong = [one for one in found.open if one.kind == op.WRONG]
    here = [user.removesuffix(" (worktree)") for one in wrong for user in one.needed_by if "(worktree)" in user]
    if here:
        words = f"next: mvc add {' '.join(map(shlex.quote, map(CONTEXT.name, here[:_SHOWN])))}"
        render.say(f"{words} (rewrites the pointer)", quiet=CONTEXT.quiet)
    elif wrong:
        words = "the bytes of these versions are correct; history keeps their wrong pointers"
        render.say(f"{words}: mvc fsck HEAD looks at what is current", quiet=CONTEXT.quiet)
    if len(wrong) == len(found.open):
        return
    options = ["--remote"] * (depth.remote == "") + (["-r", depth.remote] if depth.remote else [])
    again = " ".join(["mvc fsck", *options, "--repair"])
    if found.open and not depth.repair:
        render.say(f"next: {again}", quiet=CONTEXT.quiet)
    elif any(problem.needed_by for problem in found.open):
        remote = options and any(problem.needed_by and problem.where != "the local store" for problem in found.open)
        there = (
            f"{again} in a clone that has it"
            if remote
            else "mvc push --all in a clone that has it, then here mvc fsck --repair"
        )
        render.say(f"next: {there}", quiet=CONTEXT.quiet)


def _print_problem(problem: Problem, *, unneeded: bool) -> None:
    state, tint = ("repaired", "green") if problem.repaired else (problem.kind, "red")
    render.out(f"{render.colour(state, tint)}: {shown(problem.what)} in {shown(problem.where)}")
    for words, users in (("needed by", problem.needed_by), ("first in", problem.introduced_by)):
        for user in users[:_SHOWN]:
            render.out(f"  {words} {shown(user)}")
        if len(users) > _SHOWN:
            render.out(f"  and {words} {len(users) - _SHOWN} more")
    if unneeded:
        render.out("  no branch, tag or stash needs it")


def _remote_line(found: RemoteCheck, depth: Depth) -> str:
    words = [render.count(found.versions, "version"), render.count(found.packs, "pack")]
    if not depth.quick:
        share = found.checked_bytes / found.needed_bytes if found.needed_bytes else 1.0
        words.append(f"{share:.1%} of {render.size(found.needed_bytes)} read")
        words.append(f"{found.proven:,} proven whole")
    words.append(render.count(found.requests, "request"))
    return f"{shown(found.name)}: {', '.join(words)}"
