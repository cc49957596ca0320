"""Commands about models in the worktree and in history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli import render
from modelvc.cli.context import CONTEXT, split
from modelvc.cli.progress import progress
from modelvc.errors import UsageError, shown

if TYPE_CHECKING:
    from modelvc.ops.checkout import CheckedOut
    from modelvc.ops.diff import Diff, ModelChange

Paths = Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", show_default=False)]
Words = Annotated[list[str] | None, typer.Argument(metavar="[REV]... [--] [PATH]...", show_default=False)]
EXIT_NO = 1


def add(
    paths: Paths = None,
    update: Annotated[bool, typer.Option("-u", "--update", help="Every tracked model that is modified.")] = False,
    metric: Annotated[
        list[str] | None, typer.Option("-m", "--metric", metavar="NAME=VALUE", help="Record a metric.")
    ] = None,
    metrics: Annotated[str, typer.Option("--metrics", metavar="FILE", help="Record the metrics of a JSON file.")] = "",
) -> None:
    """Keep the present content of files and folders, and stage their pointers."""
    from modelvc.ops import add as op

    repo = CONTEXT.open()
    if update == bool(paths) and not (update and paths):
        hint = "name files or folders, or run `mvc add -u` for every model that is modified"
        raise UsageError("nothing to add", hint=hint)
    pairs = _metrics(metrics, metric or [])
    with progress("storing", quiet=CONTEXT.quiet) as bar:
        if update:
            if pairs:
                raise UsageError("metrics belong to one model", hint="name it: `mvc add PATH -m NAME=VALUE`")
            done = op.add_modified(repo, paths or [], progress=bar)
        else:
            done = op.add(repo, paths or [], metrics=pairs, progress=bar)
    if CONTEXT.form == "json":
        render.dump(done)
        return
    for model in done.models:
        words = {"new": "added", "updated": "updated", "unchanged": "unchanged", "metrics": "metrics recorded"}[
            model.change
        ]
        stored = f", {render.size(model.stored)} stored" if model.change in {"new", "updated"} else ""
        render.out(f"{words:9} {shown(model.path)}  {render.short(model.oid)}  {render.size(model.size)}{stored}")
        if model.note:
            render.say(f"          {model.note}", quiet=CONTEXT.quiet)
    if any(model.change != "unchanged" for model in done.models):
        render.say("next: git commit", quiet=CONTEXT.quiet)
    elif update and not done.models:
        render.say("no model is modified", quiet=CONTEXT.quiet)


def _metrics(file: str, given: list[str]) -> tuple[tuple[str, int | float | bool | str], ...]:
    from modelvc.formats import metrics

    pairs: dict[str, int | float | bool | str] = {}
    if file:
        try:
            with open(file, "rb") as opened:
                data = opened.read(metrics.MAX_FILE + 1)
        except FileNotFoundError:
            raise UsageError(f"there is no file of metrics {shown(file)}", hint="check its name") from None
        pairs.update(metrics.flatten(data, file))
    pairs.update(metrics.parse_assignment(text) for text in given)
    return tuple(pairs.items())


def status(
    paths: Paths = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 1 when a model is not clean.")] = False,
) -> None:
    """Which models are as their pointers say, and which are not."""
    from modelvc.ops.status import status as op

    found = op(CONTEXT.open(), paths or [])
    if CONTEXT.form == "json":
        render.dump(found)
    else:
        _print_status(found.models)
    if exit_code and not found.clean:
        raise typer.Exit(EXIT_NO)


_FIXES = {
    "modified": "keep the new content: mvc add PATH · go back: mvc checkout --force PATH",
    "missing": "bring it back: mvc checkout PATH · stop tracking it: mvc rm PATH",
    "new": "stage its pointer: git add PATH.mvc",
    "conflict": "settle it: git checkout --ours|--theirs PATH.mvc, then git add PATH.mvc",
    "broken": "restore its pointer: git checkout -- PATH.mvc",
    "stale": "measure again: mvc add PATH --metrics FILE",
}


def _print_status(models: tuple[object, ...]) -> None:
    from modelvc.cli.words import clean_words

    rows: list[object] = list(models)
    if not rows:
        render.out("no models are tracked")
        render.say("start with: mvc add PATH", quiet=CONTEXT.quiet)
        return
    for state, fix in _FIXES.items():
        group = [row for row in rows if row.state == state]  # type: ignore[attr-defined]
        if group:
            render.out(render.colour(f"{state}:", "yellow" if state in {"modified", "new"} else "red"))
            for row in group:
                detail = f"  ({shown(row.detail)})" if row.detail else ""  # type: ignore[attr-defined]
                render.out(f"  {shown(row.path)}{detail}")  # type: ignore[attr-defined]
            render.say(f"  {render.colour(fix, 'dim')}", quiet=CONTEXT.quiet)
    clean = [row for row in rows if row.state == "clean"]  # type: ignore[attr-defined]
    absent = sum(not row.stored for row in rows)  # type: ignore[attr-defined]
    unpushed = sum(row.pushed is False for row in rows)  # type: ignore[attr-defined]
    render.out(*clean_words(len(clean), len(rows), absent, unpushed))


def checkout(
    words: Words = None,
    force: Annotated[bool, typer.Option("--force", help="Replace unsaved changes; they are stored first.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not fetch what is missing.")] = False,
    remote: Annotated[str, typer.Option("-r", "--remote", metavar="NAME", help="Fetch from this remote.")] = "",
) -> None:
    """Make models what their pointers say; with REV, take the pointers of REV first: this is rollback."""
    from modelvc.ops.checkout import Options
    from modelvc.ops.checkout import checkout as op

    repo = CONTEXT.open()
    revs, paths = _words(repo, words, 1)
    with progress("checking out", quiet=CONTEXT.quiet) as bar:
        done = op(repo, revs[0] if revs else "", paths, Options(force, offline, remote), bar)
    if CONTEXT.form == "json":
        render.dump(done)
    else:
        print_checkout(done)


def print_checkout(done: CheckedOut) -> None:
    """What a checkout did, and how to undo it."""
    written = [model for model in done.models if model.change != "unchanged"]
    for model in written:
        origin = f" (from {done.commit[:10]})" if done.commit else ""
        render.out(f"{shown(model.path)}  {render.short(model.oid)}  {render.size(model.size)}{origin}")
        if model.extra:
            render.say(
                f"  {render.count(len(model.extra), 'file')} in it are in no store and stayed", quiet=CONTEXT.quiet
            )
    same = len(done.models) - len(written)
    if same or not written:
        render.out(f"{render.count(same, 'model')} unchanged" if done.models else "no models are tracked")
    if done.commit and written:
        render.say(
            f"the code is unchanged; these are the models of {done.commit[:10]}",
            "next: git commit · or back again: mvc checkout HEAD",
            quiet=CONTEXT.quiet,
        )


def _words(repo: object, words: list[str] | None, revs: int) -> tuple[list[str], list[str]]:
    """Revisions and paths; words behind `--` are always paths."""
    from modelvc.cli.app import BEHIND

    given = list(words or [])
    behind = BEHIND[0]
    front = given[: len(given) - len(behind)] if behind is not None else given
    found, paths = split(repo, front, revs=revs, paths_follow=behind is not None)  # type: ignore[arg-type]
    return found, [*paths, *(behind or [])]


def ls(words: Words = None) -> None:
    """List tracked models, of the worktree or of REV."""
    from modelvc.ops.ls import ls as op

    repo = CONTEXT.open()
    revs, paths = _words(repo, words, 1)
    found = op(repo, revs[0] if revs else "", paths)
    if CONTEXT.form == "json":
        render.dump(found)
        return
    rows = [
        (
            m.path,
            render.short(m.oid),
            render.size(m.size),
            render.yes(m.worktree),
            render.yes(m.store),
            render.yes(m.pushed),
        )
        if not m.broken
        else (m.path, "broken", "", "", "", "")
        for m in found.models
    ]
    head = ("model", "version", "size", "here", "stored", "pushed")
    render.out(*render.table(head, rows, markdown=CONTEXT.form == "md") if rows else ["no models are tracked"])


def log(
    paths: Paths = None,
    limit: Annotated[int, typer.Option("-n", "--limit", metavar="N", min=0, help="At most N versions of each.")] = 0,
    all_refs: Annotated[bool, typer.Option("--all", help="On every branch and tag.")] = False,
) -> None:
    """Versions of models through Git's history, newest first."""
    import time

    from modelvc.ops.log import log as op

    found = op(CONTEXT.open(), paths or [], limit=limit, all_refs=all_refs)
    if CONTEXT.form == "json":
        render.dump(found)
        return
    several = len({version.path for version in found.versions}) > 1
    names = list(dict.fromkeys(name for version in found.versions for name in version.metrics))[:4]
    rows = []
    for v in found.versions:
        refs = f" ({', '.join(v.refs)})" if v.refs else ""
        day = time.strftime("%Y-%m-%d", time.localtime(v.time))
        metrics = [render.number(v.metrics.get(name)) for name in names]
        model = [v.path] if several else []
        size = "broken" if v.broken else render.size(v.size)
        rows.append((v.commit[:8], day, *model, render.short(v.oid), size, *metrics, v.subject[:60] + refs))
    head = ("commit", "date", *(["model"] if several else []), "version", "size", *names, "subject")
    render.out(*render.table(head, rows, markdown=CONTEXT.form == "md") if rows else ["no versions yet"])


def show(what: Annotated[str, typer.Argument(metavar="[REV:]PATH")]) -> None:
    """One version of one model: digest, size, metrics, lineage."""
    from modelvc.ops.show import show as op

    found = op(CONTEXT.open(), what)
    if CONTEXT.form == "json":
        render.dump(found)
        return
    files = f" in {render.count(found.files, 'file')}" if found.files is not None else ""
    places = [word for word, there in (("local store", found.stored), ("remote", found.pushed)) if there]
    lines = [
        ("model", shown(found.path) + (f"  at {found.commit[:10]}" if found.commit else "")),
        ("kind", found.kind + (", executable" if found.executable else "")),
        ("size", f"{found.size:,} bytes{files}"),
        ("digest", found.oid),
        ("kept in", ", ".join(places) or "neither the local store nor, as far as known, a remote"),
    ]
    lines += [("before", oid) for oid in found.lineage]
    for place, (name, value) in enumerate(found.metrics.items()):
        title = "metrics" + (" (stale)" if found.stale_metrics else "") if not place else ""
        lines.append((title, f"{shown(name)} = {render.number(value)}"))
    width = max(len(name) for name, _ in lines)
    render.out(*(f"{name:{width}}  {value}" for name, value in lines))


def diff(
    words: Words = None,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 1 when something differs.")] = False,
) -> None:
    """What changed between two versions: bytes, files, metrics. Without REV: HEAD and the worktree."""
    from modelvc.ops.diff import diff as op

    repo = CONTEXT.open()
    revs, paths = _words(repo, words, 2)
    if len(revs) == 1 and ".." in revs[0]:
        start, _, end = revs[0].partition("..")
        revs = [start or "HEAD", end.lstrip(".") or "HEAD"]
    old, new = (revs[0] if revs else "HEAD"), (revs[1] if len(revs) > 1 else "")
    found = op(repo, old, new, paths)
    if CONTEXT.form == "json":
        render.dump(found)
    else:
        _print_diff(found)
    if exit_code and found.models:
        raise typer.Exit(EXIT_NO)


def _print_diff(found: Diff) -> None:
    markdown = CONTEXT.form == "md"
    if not found.models:
        render.out("no model differs")
        return
    rows = []
    for m in found.models:
        new = "" if m.shared is None or m.new_size is None else f"{render.size(m.new_size - m.shared)} new"
        sizes = f"{render.size(m.old_size)} -> {render.size(m.new_size)}" if m.change == "changed" else ""
        sizes = sizes or render.size(m.new_size if m.change == "added" else m.old_size)
        rows.append((m.path, m.change, f"{render.short(m.old_oid)}..{render.short(m.new_oid)}", sizes, new))
    render.out(*render.table(("model", "change", "versions", "size", "content"), rows, markdown=markdown))
    metrics = [
        (m.path, x.name, render.number(x.old), render.number(x.new), "" if x.change is None else f"{x.change:+g}")
        for m in found.models
        for x in m.metrics
    ]
    if metrics:
        render.out("", *render.table(("model", "metric", "old", "new", "change"), metrics, markdown=markdown))
    for m in found.models:
        _print_files(m, markdown=markdown)


def _print_files(change: ModelChange, *, markdown: bool) -> None:
    if change.files is None:
        render.out("", f"{shown(change.path)}: its files are not in this clone; run `mvc fetch` to compare them")
        return
    most = 50
    rows = [
        (f"{change.path}/{f.path}", f.change, render.size(f.old_size), render.size(f.new_size)) for f in change.files
    ]
    if rows:
        render.out("", *render.table(("file", "change", "old", "new"), rows[:most], markdown=markdown))
    if len(rows) > most:
        render.out(f"... and {len(rows) - most:,} more (--json lists all)")


def rm(
    paths: Paths = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave the file where it is.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Remove unsaved changes too; they are stored first.")] = False,
) -> None:
    """Stop tracking models: file, pointer and ignore entry go."""
    from modelvc.ops.rm import rm as op

    done = op(CONTEXT.open(), paths or [], keep=keep, force=force)
    if CONTEXT.form == "json":
        render.dump(done)
        return
    render.out(*(f"{'no longer tracked' if keep else 'removed'}  {shown(path)}" for path in done.paths))
    render.say("next: git commit · earlier versions stay in the store and in history", quiet=CONTEXT.quiet)


def mv(old: Annotated[str, typer.Argument()], new: Annotated[str, typer.Argument()]) -> None:
    """Rename a model, with its pointer and ignore entry."""
    from modelvc.ops.rm import mv as op

    done = op(CONTEXT.open(), old, new)
    if CONTEXT.form == "json":
        render.dump(done)
        return
    render.out(f"{shown(done.old)} -> {shown(done.new)}")
    render.say("next: git commit", quiet=CONTEXT.quiet)
