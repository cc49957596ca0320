"""Commands that change which models are tracked, and the models in the worktree."""

from __future__ import annotations

import os
import shlex
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli.arguments import (
    EXIT_NO,
    Metric,
    MetricsOption,
    OnlyOption,
    ParamsOption,
    Paths,
    PositiveOption,
    PredictionsOption,
    PythonOption,
    Words,
    given,
)
from modelvc.cli.context import CONTEXT, split
from modelvc.cli.progress import doing, progress
from modelvc.cli.views import render
from modelvc.cli.views.verdicts import say_verdicts
from modelvc.errors import ModelvcError, UsageError, shown
from modelvc.formats.paths import SafeRelPath

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.models.files.model_status import ModelStatus
    from modelvc.ops.tracking.add import Added
    from modelvc.ops.tracking.checkout import CheckedOut
    from modelvc.ops.tracking.status import LostVersion, Status
    from modelvc.repo import Repo

_MOST_NAMED = 5  # most files in one line
_NOTHING_DONE = "nothing was changed (--dry-run)"

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change; change nothing.")]


def add(
    paths: Paths = None,
    update: Annotated[bool, typer.Option("-u", "--update", help="Add every tracked model that changed.")] = False,
    metric: Metric = None,
    metrics: MetricsOption = "",
    params: ParamsOption = "",
    predictions: PredictionsOption = "",
    only: OnlyOption = None,
    positive: PositiveOption = "",
    python: PythonOption = "",
    no_env: Annotated[bool, typer.Option("--no-env", help="Do not record the environment.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Store the current version of models.

    Stores files and folders and writes their pointers. Adds the models to .gitignore, and stages pointers and
    .gitignore. Adding an unchanged file does nothing. Without PATH, adds each new or modified file that a pattern of
    `mvc track` matches. For a new version, records Python and the packages that it needs (see `mvc env`).

    Examples:
      mvc add model.pkl                         # store a model
      mvc add model.pkl -m accuracy=0.93        # store it with a metric
      mvc add model.pkl --metrics metrics.json  # store it with a file of metrics
      mvc add -u                                # store every model that changed
    """
    from modelvc.models.environment.choose import Wanted
    from modelvc.ops.tracking import add as op

    if update and (metrics or metric or params or predictions or only or positive):
        raise UsageError("metrics belong to one model", hint="name it: `mvc add PATH -m NAME=VALUE`")
    said = replace(given(metric, metrics, params, predictions), only=tuple(only or ()), positive=positive)
    if no_env and python:
        raise UsageError("--python and --no-env cannot be combined", hint="choose one")
    repo = CONTEXT.open()
    options = op.AddOptions(dry_run, None if no_env else Wanted(python, CONTEXT.folder, os.environ))
    with progress("storing", quiet=CONTEXT.quiet) as bar:
        if update:
            done = op.add_modified(repo, paths or [], progress=bar, options=options)
        elif paths:
            done = op.add(repo, paths, given=said, progress=bar, options=options)
        else:
            done = op.add_matching(repo, given=said, progress=bar, options=options)
    if CONTEXT.json:
        render.dump(done)
    else:
        _print_added(done, "no model is modified" if update else "no new or modified file matches (see mvc track)")


_CHANGES = {
    "new": "added",
    "updated": "updated",
    "unchanged": "unchanged",
    "metrics": "metrics recorded",
    "environment": "environment recorded",
}
_FORESEEN = {
    "new": "would be added",
    "updated": "would be updated",
    "unchanged": "unchanged",
    "metrics": "metrics would be recorded",
}


def _print_added(done: Added, nothing: str) -> None:
    rows = []
    for m in done.models:
        stored = f"{render.size(m.stored)} stored" if m.change in {"new", "updated"} and not done.dry_run else ""
        rows.append(
            (
                (_FORESEEN if done.dry_run else _CHANGES)[m.change],
                CONTEXT.name(m.path),
                render.short(m.oid),
                render.size(m.size),
                stored,
            )
        )
    if rows:
        render.out(*render.table((), rows))
    for m in done.models:
        if m.note:
            render.say(f"note: {CONTEXT.name(m.path)}: {m.note}", quiet=CONTEXT.quiet)
    if any(m.change != "unchanged" for m in done.models):
        render.say(_NOTHING_DONE if done.dry_run else "next: git commit", quiet=CONTEXT.quiet)
    elif not rows:
        render.out(nothing)


def track(
    patterns: Annotated[list[str] | None, typer.Argument(metavar="[PATTERN]...", show_default=False)] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Remove these patterns.")] = False,
) -> None:
    """Choose models by file name.

    PATTERN is a glob: '*.pt' matches in every folder, 'models/**' matches from the top of the worktree. A folder stands
    for all files in it. The patterns are written to .mvc/config.toml, which is staged. `mvc add` without PATH then adds
    every file that matches. A commit warns of a matching file that was not added. Without PATTERN, lists the patterns.

    Examples:
      mvc track                    # list the patterns
      mvc track '*.pt' '*.onnx'    # PyTorch and ONNX files are models
      mvc track --remove '*.pt'    # remove a pattern
    """
    from modelvc.ops.tracking.track import track as op

    found = op(CONTEXT.open(), patterns or [], remove=remove)
    if CONTEXT.json:
        render.dump(found)
        return
    render.out(*(map(shown, found.patterns) if found.patterns else ["no patterns"]))
    for folder in found.folders:
        said = f"each file in {shown(folder)} is a model of its own; to make the folder one model: mvc add"
        render.say(f"{said} {shlex.quote(shown(folder))}", quiet=CONTEXT.quiet)
    if found.waiting:
        names = ", ".join(CONTEXT.name(name) for name in found.waiting[:_MOST_NAMED])
        more = f" and {len(found.waiting) - _MOST_NAMED:,} more" if len(found.waiting) > _MOST_NAMED else ""
        render.say(f"next: mvc add, which takes {names}{more}", quiet=CONTEXT.quiet)
    elif patterns:
        render.say("next: git commit", quiet=CONTEXT.quiet)
    elif not found.patterns:
        render.say("next: mvc track PATTERN, such as mvc track '*.pt'", quiet=CONTEXT.quiet)


def status(
    paths: Paths = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 1 if a model is not clean.")] = False,
) -> None:
    """Show which models changed.

    Names each model that differs from its pointer, and the command that fixes it.

    Examples:
      mvc status                # all models
      mvc status models         # the models in a folder
      mvc status --exit-code    # in a script: exit 1 if a model changed
    """
    from modelvc.ops.tracking.status import status as op

    repo = CONTEXT.open()
    refresh_notebooks(repo)
    with doing("comparing models", quiet=CONTEXT.quiet):
        found = op(repo, paths or [])
    if CONTEXT.json:
        render.dump(found)
    else:
        _print_status(repo, found)
        _print_notebooks(found.notebooks)
        _print_lost(found.lost)
        if not os.path.exists(os.path.join(repo.layout.mvc_dir, "python")):
            render.say("this clone has no hooks yet, so models do not follow Git: mvc install", quiet=CONTEXT.quiet)
    if exit_code and not found.clean:
        raise typer.Exit(EXIT_NO)


_LOST = 5  # most lost versions that are named


def _print_lost(lost: Sequence[LostVersion]) -> None:
    """Print the versions that a push found in no store."""
    if lost:
        render.out(
            f"{render.count(len(lost), 'version')} of published history missing from every store that was checked:"
        )
        for one in lost[:_LOST]:
            render.out(f"  {shown(one.path)}  {render.short(one.oid)}  (in {one.commit[:10]})")
        if len(lost) > _LOST:
            render.out(f"  and {len(lost) - _LOST:,} more")
        render.say("next: mvc push --all in a clone that has it, then here mvc fetch --all", quiet=CONTEXT.quiet)


def _print_notebooks(paths: Sequence[str]) -> None:
    """Print the notebooks that a merge left in conflict."""
    if paths:
        render.out(render.colour("notebooks in conflict:", "red"), *(f"  {CONTEXT.name(path)}" for path in paths))
        name = shlex.quote(CONTEXT.name(paths[0])) if len(paths) == 1 else "PATH"
        words = (
            f"  resolve it: mvc notebook resolve {name} --ours (or --theirs, --union), or edit it, then git add {name}"
        )
        render.say(words, quiet=CONTEXT.quiet)


def refresh_notebooks(repo: Repo) -> None:
    """Tell Git which notebooks were only run again. Errors are ignored: the command has other work to do.

    After an upgrade, print once which notebooks in Git the filter would now strip further.
    """
    from modelvc.cli.commands.setup import say_unstripped
    from modelvc.ops.notebooks.outputs import newly_stripped, refresh

    with suppress(ModelvcError, OSError):  # such as a full disk, or a clone that another user owns
        refresh(repo)
        if not CONTEXT.quiet:
            say_unstripped(newly_stripped(repo))


# The advice for each state of a model, in the order of the output. {0} is the model, {1} restores its pointer.
_FIXES = {
    "conflict": "resolve it: mvc resolve {0} --ours (or --theirs, --keep-both)",
    "broken": "repair its pointer: {1}",
    "wrong pointer": "rewrite its pointer: mvc add {0}",
    "pointer gone": "restore its pointer: {1} · or stop tracking it: mvc rm {0}",
    "blocked": "see why: mvc scan {0}",
    "missing": "restore it: mvc checkout {0} · or stop tracking it: mvc rm {0}",
    "modified": "store the new content: mvc add {0} · or discard it: mvc checkout --force {0}",
    "new": "stage its pointer: git add {0}.mvc",
    "obstructed": "move the obstruction away, then: mvc checkout {0}",
    "unignored": "let Git ignore it again: mvc add {0}",
    "leftover": "track it again: mvc add {0} · or leave it: the next `git checkout` removes it",
    "stale": "measure again: mvc add {0} --metrics FILE",
}
_MILD = ("modified", "new", "stale")


def _print_status(repo: Repo, found: Status) -> None:
    from modelvc.cli.words import clean_words
    from modelvc.ops.tracking.status import unpushed

    models = found.models
    if not models:
        render.out("no models are tracked")
        render.say("next: mvc add PATH", quiet=CONTEXT.quiet)
        return
    for state, fix in _FIXES.items():
        group = [row for row in models if _group(row) == state]
        if not group:
            continue
        render.out(render.colour(f"{state}:", "yellow" if state in _MILD else "red"))
        for row in group:
            detail = f"  ({shown(row.detail)})" if row.detail and state != "pointer gone" else ""
            render.out(f"  {CONTEXT.name(row.path)}{detail}")
        if "{1}" in fix:  # each pointer has its own command
            for row in group[:_MOST_NAMED]:
                name = shlex.quote(CONTEXT.name(row.path))
                render.say(f"  {fix.format(name, repo.mending(SafeRelPath(row.path)))}", quiet=CONTEXT.quiet)
            continue
        name = shlex.quote(CONTEXT.name(group[0].path)) if len(group) == 1 else "PATH"
        advice = fix.format(name)
        if state == "conflict" and all(row.same_data for row in group):
            advice = advice.replace("--theirs,", "--theirs, --best METRIC,")
        if state in {"modified", "wrong pointer"} and len(group) > 1:
            advice = advice.replace("mvc add PATH", "mvc add -u")
        if all(row.only_new for row in group):  # a checkout leaves those files
            advice = f"{advice.partition(' · ')[0]} · or move the new files out of it"
        elif any(row.only_new for row in group):
            advice += " · a checkout leaves new files: move them out"
        render.say(*render.choices(f"  {advice}"), quiet=CONTEXT.quiet)
    if found.not_committed:
        render.out(render.colour("not committed:", "yellow"))
        render.out(*(f"  {CONTEXT.name(one.path)}  ({' and '.join(one.kinds)})" for one in found.not_committed))
        render.say("  keep them in Git's history: git commit", quiet=CONTEXT.quiet)
    clean = sum(row.clean for row in models)
    absent = sum(not row.stored for row in models)
    render.out(*clean_words(clean, len(models), absent, unpushed(models), CONTEXT.below))


def _group(row: ModelStatus) -> str:
    if row.wrong:
        return "wrong pointer"
    return "pointer gone" if row.state == "missing" and not row.oid else row.state


def checkout(
    words: Words = None,
    force: Annotated[bool, typer.Option("--force", help="Replace unsaved changes; they are stored first.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not fetch missing objects.")] = False,
    remote: Annotated[
        str, typer.Option("-r", "--remote", metavar="REMOTE", help="Fetch from this remote.", show_default=False)
    ] = "",
    dry_run: DryRun = False,
) -> None:
    """Restore models to the versions that their pointers name.

    With REV, first takes the pointers of REV, and nothing else of it, and stages them. REV may also be the digest of a
    version, such as blake3:0123456789. Fetches missing objects. Refuses to replace unsaved changes.

    Examples:
      mvc checkout                      # restore all models
      mvc checkout --force model.pkl    # discard the changes of one model
      mvc checkout v1.0 model.pkl       # take the version of a tag
    """
    from modelvc.models.files.prepare import CheckoutOptions
    from modelvc.ops.tracking.checkout import checkout as op

    repo = CONTEXT.open()
    if not dry_run:
        refresh_notebooks(repo)
    revs, paths = split(repo, words, revs=1)
    with progress("checking out", quiet=CONTEXT.quiet) as bar:
        done = op(repo, revs[0] if revs else "", paths, CheckoutOptions(force, offline, remote, dry_run), bar)
    if CONTEXT.json:
        render.dump(done)
        raise typer.Exit(EXIT_NO if done.blocked else 0)
    print_checkout(done)
    if dry_run:
        return
    _after_checkout(done, repo, revs, paths, force=force)
    if done.blocked:
        raise typer.Exit(EXIT_NO)


def _after_checkout(done: CheckedOut, repo: Repo, revs: Sequence[str], paths: Sequence[str], *, force: bool) -> None:
    """Print how to get a replaced version back, and the next command."""
    from modelvc.git import history

    for model in done.models:
        say_kept(model.path, model.was if force or model.only_here else None, model.pointer_was)
    changed = any(model.change != "unchanged" for model in done.models)
    if changed and done.commit and done.commit != history.resolve(repo.layout, "HEAD"):
        render.say(
            f"these are the models of {done.commit[:10]}; the code is unchanged",
            f"next: git commit · or back again: mvc checkout HEAD {' '.join(map(shlex.quote, paths))}".rstrip(),
            quiet=CONTEXT.quiet,
        )
    elif changed and revs and not done.commit:
        render.say("next: git commit", quiet=CONTEXT.quiet)


def say_kept(path: str, oid: str | None, pointer: str = "") -> None:
    """Print how to get a version back that was replaced or removed by force. POINTER: the Git blob of its pointer."""
    name = shlex.quote(CONTEXT.name(path))
    if oid:
        render.say(f"the old content is stored: mvc checkout {oid[:17]} {name} restores it", quiet=CONTEXT.quiet)
    if pointer:
        file = shlex.quote(f"{CONTEXT.name(path)}.mvc")
        back = f"git cat-file blob {pointer[:12]} > {file}, then mvc checkout {name}"
        render.say(f"its old measurements, which no commit has: {back}", quiet=CONTEXT.quiet)


def print_checkout(done: CheckedOut) -> None:
    """Print the result of a checkout for each model."""
    written = [model for model in done.models if model.change not in {"unchanged", "blocked"}]
    if written:
        rows = [
            (
                *(["would be written"] if done.dry_run else []),
                CONTEXT.name(m.path),
                render.short(m.oid),
                render.size(m.size),
            )
            for m in written
        ]
        render.out(*render.table((), rows))
    for m in written:
        if m.extra:
            words = f"{render.count(len(m.extra), 'file')} that no store has, such as {shown(m.extra[0])}"
            render.say(f"left in {CONTEXT.name(m.path)}: {words}", quiet=CONTEXT.quiet)
    for m in done.models:
        if m.wrong:
            render.say(f"{CONTEXT.name(m.path)}: {m.wrong}", quiet=CONTEXT.quiet)
            advice = f"rewrite its pointer: mvc add {shlex.quote(CONTEXT.name(m.path))}"
            render.say(f"  {advice}", quiet=CONTEXT.quiet)
    say_verdicts([(m.path, m.verdict, m.why, m.change == "blocked") for m in done.models if m.verdict])
    same = len(done.models) - len(written) - len(done.blocked)
    if same:
        render.out(f"{render.count(same, 'model')} unchanged")
    elif not written and not done.blocked:
        render.out("no models are tracked")
    if done.dry_run:
        render.say(_NOTHING_DONE, quiet=CONTEXT.quiet)


def rm(
    paths: Paths = None,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the file in the worktree.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Remove unsaved changes too; they are stored first.")] = False,
    dry_run: DryRun = False,
) -> None:
    """Stop tracking models.

    Removes the model, its pointer and its ignore entry. Earlier versions stay in history and in the store. Refuses to
    remove unsaved changes.

    Examples:
      mvc rm model.pkl           # remove a model
      mvc rm --keep model.pkl    # stop tracking it, keep the file
    """
    from modelvc.ops.tracking.rm import rm as op

    done = op(CONTEXT.open(), paths or [], keep=keep, force=force, dry_run=dry_run)
    if CONTEXT.json:
        render.dump(done)
        return
    verb = "no longer tracked" if keep else "removed"
    if dry_run:
        verb = f"would be {verb}"
    render.out(*(f"{verb}  {CONTEXT.name(path)}" for path in done.paths))
    if dry_run:
        render.say(_NOTHING_DONE, quiet=CONTEXT.quiet)
        return
    for path, oid in done.was:
        if force or path in done.uncommitted:
            say_kept(path, oid)
    for path, blob in done.pointers_were:
        say_kept(path, None, blob)
    if len(done.uncommitted) < len(done.paths):
        render.say("next: git commit · earlier versions stay in history and in the store", quiet=CONTEXT.quiet)


def mv(
    old: Annotated[str, typer.Argument(metavar="PATH")],
    new: Annotated[str, typer.Argument(metavar="NEW_PATH")],
) -> None:
    """Rename a model.

    Moves the model, its pointer and its ignore entry, in the worktree and in Git's index.

    Examples:
      mvc mv model.pkl models/churn.pkl    # move a model to a folder
    """
    from modelvc.ops.tracking.mv import mv as op

    done = op(CONTEXT.open(), old, new)
    if CONTEXT.json:
        render.dump(done)
        return
    render.out(f"{CONTEXT.name(done.old)} -> {CONTEXT.name(done.new)}")
    render.say("next: git commit", quiet=CONTEXT.quiet)
