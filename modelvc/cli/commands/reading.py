"""Commands that only read: models, their versions, and how versions differ."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli.arguments import EXIT_NO, AllRefs, Force, Since, Where, Words
from modelvc.cli.context import CONTEXT, sides, split
from modelvc.cli.progress import doing
from modelvc.cli.views import render
from modelvc.errors import UsageError, shown

if TYPE_CHECKING:
    from modelvc.ops.history.log import Log
    from modelvc.ops.history.show import Shown

_MOST_NAMED = 5  # most models in one line


def ls(words: Words = None) -> None:
    """List tracked models.

    Shows version, size, and where the bytes are, for the models of the worktree or of REV.

    Examples:
      mvc ls           # the models of the worktree
      mvc ls v1.0      # the models of a tag
      mvc ls models    # the models in a folder
    """
    from modelvc.ops.tracking.ls import ls as op

    repo = CONTEXT.open()
    revs, paths = split(repo, words, revs=1)
    found = op(repo, revs[0] if revs else "", paths)
    if CONTEXT.json:
        render.dump(found)
        return
    rows = []
    for m in found.models:
        where = [render.yes(there) for there in (m.worktree, m.store, m.pushed)]
        said = [render.short(m.oid), render.size(m.size), *where]
        if m.broken:
            said = ["in conflict" if m.conflict else "broken pointer", "", "", "", ""]
        elif m.conflict:
            said[0] += " (in conflict)"
        rows.append((CONTEXT.name(m.path), *said))
    head = ("model", "version", "size", "here", "stored", "pushed")
    render.out(*render.table(head, rows, markdown=CONTEXT.markdown) if rows else ["no models are tracked"])


def log(
    words: Words = None,
    limit: Annotated[
        int,
        typer.Option(
            "-n", "--limit", metavar="N", min=0, help="Show at most N versions of each model.", show_default=False
        ),
    ] = 0,
    all_refs: AllRefs = False,
    where: Where = "",
    best: Annotated[
        str, typer.Option("--best", metavar="METRIC", help="Show only the best version by METRIC.", show_default=False)
    ] = "",
    since: Since = "",
    metric: Annotated[
        list[str] | None,
        typer.Option("--metric", metavar="METRIC", help="Show this metric; a glob; repeatable.", show_default=False),
    ] = None,
) -> None:
    """List the versions of models, newest first.

    Follows the history of HEAD, or of REV, across renames. Shows a few metrics of each version; those that --best,
    --where and the policy name come first. CONDITION is such as "acc >= 0.9 and ms < 50".

    Examples:
      mvc log model.pkl                         # the versions of a model
      mvc log --all --where 'accuracy > 0.9'    # good versions on every branch
      mvc log --best accuracy model.pkl         # the best version
    """
    from modelvc.cli.views.log import print_log
    from modelvc.formats.text import expression
    from modelvc.git.history import DEEPEN
    from modelvc.ops.history.log import Filters, columns, here
    from modelvc.ops.history.log import log as op

    repo = CONTEXT.open()
    revs, paths = split(repo, words, revs=1, gone=True)
    if revs and ".." in revs[0]:
        raise UsageError(f"{shown(revs[0])} is a range, which mvc log does not support", hint="mvc log REV [PATH]")
    rev = revs[0] if revs else ""
    with doing("reading history", quiet=CONTEXT.quiet):
        found = op(repo, paths, Filters(limit, all_refs, where, best, since, rev))
    if CONTEXT.json:
        render.dump(found)
        return
    named = [*([best] if best else []), *(expression.parse(where).names if where else ())]
    names = columns(repo, found, metric or [], named)
    if found.versions:
        asked = {*(names if metric else ()), *named}
        print_log(found, names, asked=asked, here=here(repo, found))
    else:
        render.out(_none(where or best or since))
    if where and not found.versions:
        _say_unknown(where, op(repo, paths, Filters(all_refs=all_refs, rev=rev)))
    if found.cut_off:
        models = ", ".join(CONTEXT.name(path) for path in found.cut_off[:_MOST_NAMED])
        more = f" and {len(found.cut_off) - _MOST_NAMED} more" if len(found.cut_off) > _MOST_NAMED else ""
        render.say(f"earlier versions of {models}{more} are not in this shallow clone: {DEEPEN}", quiet=CONTEXT.quiet)


def _none(filtered: str) -> str:
    return "no version fits" if filtered else "no versions of a model that is tracked"


def _say_unknown(where: str, everything: Log) -> None:
    """Print the names in a condition that no version has: they are probably mistyped."""
    from modelvc.formats.text.expression import parse

    known = dict.fromkeys(name for version in everything.versions for name in version.metrics)
    unknown = [name for name in parse(where).names if name not in known]
    if unknown:
        there = ", ".join(shown(name) for name in list(known)[:10]) or "no metric"
        render.say(f"no version has {shown(unknown[0])}; known metrics: {there}", quiet=CONTEXT.quiet)


def plot(
    path: Annotated[str, typer.Argument(metavar="PATH")],
    names: Annotated[list[str] | None, typer.Argument(metavar="[METRIC]...", show_default=False)] = None,
    output: Annotated[
        str,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Write a page (.html) or a picture (.png, .svg) to FILE.",
            show_default=False,
        ),
    ] = "",
    force: Force = False,
    all_refs: AllRefs = False,
    where: Where = "",
    since: Since = "",
) -> None:
    """Plot the metrics of a model, version by version.

    Draws in the terminal. With -o, writes a page that needs no network: every version with its metrics and parameters.
    METRIC is a name or a glob; without it, plots every metric that is a number. Pictures need `pip install
    'modelvc[plot]'`.

    Examples:
      mvc plot model.pkl                   # all metrics, in the terminal
      mvc plot model.pkl accuracy          # one metric
      mvc plot model.pkl -o report.html    # a page to share
    """
    from modelvc.cli.views.plot import IMAGES, PAGES, print_plot, write_plot
    from modelvc.ops.history.log import Filters
    from modelvc.ops.history.plot import plot as op

    kind = os.path.splitext(output)[1].lower()
    if output and kind not in PAGES + IMAGES:
        raise UsageError(f"-o cannot write {shown(output)}", hint="name a file .html, .png or .svg")
    repo = CONTEXT.open()
    with doing("reading history", quiet=CONTEXT.quiet):
        found = op(repo, path, names or [], Filters(all_refs=all_refs, where=where, since=since))
    if output:
        write_plot(found, output, kind, force=force)
    if CONTEXT.json:
        render.dump(found)
    elif not output:
        print_plot(found)


def show(
    words: Annotated[list[str], typer.Argument(metavar="[REV:]PATH")],
    everything: Annotated[bool, typer.Option("--all", help="Show every tensor, import and hyper-parameter.")] = False,
    inspect: Annotated[bool, typer.Option("--inspect", help="Look inside, even if that takes long.")] = False,
) -> None:
    """Show one version of a model.

    Prints digest, size, metrics, parameters, where the bytes are, and the versions before it. Then what is inside:
    framework, class, hyper-parameters, tensors, and the names that loading the model imports. Nothing of the model is
    run. REV PATH means REV:PATH.

    Examples:
      mvc show model.pkl         # the version of the worktree's pointer
      mvc show v1.0:model.pkl    # the version of a tag
    """
    from modelvc.cli.views.show_inside import Line, fitted
    from modelvc.cli.views.show_inside import lines as inside_lines
    from modelvc.ops.history.show import show as op

    if len(words) > 2:
        raise UsageError("one model at a time", hint="mvc show [REV:]PATH")
    with doing("looking inside", quiet=CONTEXT.quiet):
        found = op(CONTEXT.open(), ":".join(words), inspect=inspect)
    if CONTEXT.json:
        render.dump(found)
        return
    width = render.width()
    facts = [Line(name, value) for name, value in _facts(found)]
    render.out(*fitted([*facts, *inside_lines(found.inside, everything=everything, width=width)], width))


def _facts(found: Shown) -> list[tuple[str, str]]:
    files = f" in {render.count(found.files, 'file')}" if found.files is not None else ""
    stores = [word for word, there in (("local store", found.stored), ("remote", found.pushed)) if there]
    lines = [
        ("model", CONTEXT.name(found.path) + (f"  at {found.commit[:10]}" if found.commit else "")),
        ("kind", ("folder" if found.kind == "tree" else "file") + (", executable" if found.executable else "")),
        ("size", f"{found.size:,} bytes{files}"),
        ("digest", found.oid),
        ("kept in", " and ".join(stores) or "neither the local store nor, as far as known, a remote"),
    ]
    if found.lineage:
        more = f" and {len(found.lineage) - 5} more" if len(found.lineage) > 5 else ""
        lines.append(("before", ", ".join(render.short(oid) for oid in found.lineage[:5]) + more))
    for at, (name, value) in enumerate(found.metrics.items()):
        title = "metrics" if not at else ""
        lines.append((title, f"{shown(name)} = {shown(render.number(value))}"))
    if found.stale_metrics:
        lines.append(("", "(measured on another version)"))
    for at, (name, value) in enumerate(found.params.items()):
        lines.append(("params" if not at else "", f"{shown(name)} = {shown(render.number(value))}"))
    if found.predictions is not None:
        lines.append(("predictions", f"of {render.count(found.predictions, 'row')}"))
    if found.environment:
        versions = ", ".join(f"{name} {version}" for name, version in found.environment.items())
        lines.append(("environment", f"{shown(versions)}  (mvc env show)"))
    for at, side in enumerate(found.conflict):
        values = "".join(f"  {shown(name)} = {shown(render.number(value))}" for name, value in side.metrics.items())
        title = "conflict" if not at else ""
        lines.append((title, f"{shown(side.label)}: {render.short(side.oid)}  {render.size(side.size)}{values}"))
    return lines


def diff(
    words: Words = None,
    deep: Annotated[
        bool, typer.Option("--deep", help="Compare the numbers of all tensors that changed, however long it takes.")
    ] = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 1 if a model differs.")] = False,
) -> None:
    """Compare two versions of models.

    Compares bytes, the files of a folder, metrics and parameters, and what is inside: the version of the framework,
    hyper-parameters, imports and tensors. No model is loaded. Without REV: HEAD and the worktree. With one REV: REV and
    the worktree, including changes that were not added. A..B means A B.

    Examples:
      mvc diff                          # what changed since the last commit
      mvc diff v1.0 model.pkl           # one model since a tag
      mvc diff --md main..experiment    # two branches, for a pull request
      mvc diff --deep v1.0              # the numbers of every tensor that changed
    """
    from modelvc.cli.views.diff import print_diff
    from modelvc.ops.history.diff import diff as op

    repo = CONTEXT.open()
    revs, paths = split(repo, words, revs=2)
    ends = [side for rev in revs for side in sides(rev)]
    if len(ends) > 2:
        raise UsageError("a range and another revision cannot be combined", hint="mvc diff A..B [PATH]")
    with doing("comparing", quiet=CONTEXT.quiet):
        found = op(repo, ends[0] if ends else "HEAD", ends[1] if len(ends) > 1 else "", paths, deep=deep)
    if CONTEXT.json:
        render.dump(found)
    else:
        print_diff(found, deep=deep)
    if exit_code and found.models:
        raise typer.Exit(EXIT_NO)
