"""Show the result of `mvc fsck`."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.errors import shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.ops.upkeep.fsck import Depth, Fsck, Problem
    from modelvc.ops.upkeep.fsck_remote import RemoteCheck

_SHOWN = 5  # pointers of one problem
_GIT = "Git"  # the place of problems of pointers


def print_fsck(found: Fsck, depth: Depth, *, everything: bool) -> None:
    """Print problems, counts and advice. EVERYTHING: all of history was checked, not chosen revisions."""
    unneeded = [one for one in found.open if everything and not one.needed_by and one.where != _GIT]
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
    for line in dict.fromkeys((*_pointer_advice(found), *_push_advice(found), *_repair_advice(found, depth))):
        render.say(line, quiet=CONTEXT.quiet)


def _pointer_advice(found: Fsck) -> Iterator[str]:
    """Yield the next commands for pointers that cannot be read or claim a wrong size: --repair changes no pointer."""
    from modelvc.ops.upkeep import fsck as op

    broken = [one for one in found.open if one.kind == op.BROKEN]
    yield from (f"next: {one.fix}" for one in broken if one.fix)
    if broken and not any("(worktree)" in one.what for one in broken):
        yield "history keeps its broken pointers: mvc fsck HEAD looks at what is current"
    wrong = [one for one in found.open if one.kind == op.WRONG]
    here = [user.removesuffix(" (worktree)") for one in wrong for user in one.needed_by if "(worktree)" in user]
    if here:
        yield f"next: mvc add {' '.join(map(shlex.quote, map(CONTEXT.name, here[:_SHOWN])))} (rewrites the pointer)"
    elif wrong:
        words = "the bytes of these versions are correct; history keeps their wrong pointers"
        yield f"{words}: mvc fsck HEAD looks at what is current"


def _push_advice(found: Fsck) -> Iterator[str]:
    """Yield the next command for versions that were not pushed."""
    from modelvc.ops.upkeep import fsck as op

    if found.remote and any(one.kind == op.NOT_PUSHED for one in found.open):
        yield f"next: mvc push --all -r {shown(found.remote.name)}"


def _repair_advice(found: Fsck, depth: Depth) -> Iterator[str]:
    """Yield the next command for corrupt and missing objects."""
    from modelvc.ops.upkeep import fsck as op

    left = [one for one in found.open if one.kind not in {op.BROKEN, op.WRONG, op.NOT_PUSHED}]
    options = ["--remote"] * (depth.remote == "") + (["-r", depth.remote] if depth.remote else [])
    again = " ".join(["mvc fsck", *options, "--repair"])
    if left and not depth.repair:
        yield f"next: {again}"
        if not options and all(one.kind == op.MISSING and one.needed_by for one in left):
            yield f"if that finds no good copy: mvc push --all in a clone that has it, then here {again}"
    elif any(problem.needed_by for problem in left):
        remote = options and any(problem.needed_by and problem.where != "the local store" for problem in left)
        there = (
            f"{again} in a clone that has it"
            if remote
            else "mvc push --all in a clone that has it, then here mvc fsck --repair"
        )
        yield f"next: {there}"
    elif left and found.not_asked:
        yield f"next: {again}, once every remote can be checked"
    yield from (
        f"if no clone has it (its digest may be wrong), take the version before it: {one.fix}"
        for one in left
        if one.fix
    )


def _print_problem(problem: Problem, *, unneeded: bool) -> None:
    from modelvc.ops.upkeep import fsck as op

    state, tint = ("repaired", "green") if problem.repaired else (problem.kind.replace("-", " "), "red")
    if problem.set_aside:
        state = "set aside"
    place = "" if problem.where == _GIT else f" in {shown(problem.where)}"
    if problem.kind == op.NOT_PUSHED:
        place = f" to {shown(problem.where)}"
    render.out(f"{render.colour(state, tint)}: {shown(problem.what)}{place}")
    users = () if problem.kind == op.WRONG else problem.needed_by
    for words, names in (("needed by", users), ("first in", problem.introduced_by)):
        for user in names[:_SHOWN]:
            render.out(f"  {words} {shown(user)}")
        if len(names) > _SHOWN:
            render.out(f"  and {words} {len(names) - _SHOWN} more")
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
