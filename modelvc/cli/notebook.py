"""Commands for notebooks: what the filter, the hooks and the drivers do, by hand and in CI."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from modelvc.cli import render
from modelvc.cli.context import CONTEXT
from modelvc.errors import UsageError, shown

EXIT_NO = 1
SEVERAL = "Notebooks, or folders with some; without any, all that Git tracks."

Paths = Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help=SEVERAL, show_default=False)]

notebook_app = typer.Typer(help="Notebooks: strip, compare, merge.", rich_markup_mode=None)


@notebook_app.command("strip")
def strip(paths: Paths = None) -> None:
    """Take outputs out of notebooks.

    Rewrites the files, by the rules of .mvc/config.toml. With `-` as the only PATH it reads a notebook from stdin and
    writes it to stdout. A file that is no JSON is left as it is, which is exit 1.
    """
    from modelvc.ops.notebooks import strip as op

    if paths == ["-"]:
        _strip_stdin()
        return
    done = op(CONTEXT.open(), paths or [])
    if CONTEXT.json:
        render.dump(done)
    else:
        for path in done.changed:
            render.out(f"stripped  {CONTEXT.name(path)}")
        for path, why in done.skipped:
            render.out(f"left as it is  {CONTEXT.name(path)}: {shown(why)}")
        if not done.changed and not done.skipped:
            render.say(f"{render.count(done.unchanged, 'notebook')}, nothing to strip", quiet=CONTEXT.quiet)
    if done.skipped:
        raise typer.Exit(EXIT_NO)


@notebook_app.command("check")
def check(paths: Paths = None) -> None:
    """Refuse notebooks that hold outputs or conflicts.

    Looks at files of the worktree, and lists those that should not be committed as they are (exit 1). Changes nothing.
    """
    from modelvc.ops.notebooks import check as op

    found = op(CONTEXT.open(), paths or [])
    if CONTEXT.json:
        render.dump(found)
    else:
        for path, why in found.wrong:
            render.out(f"{CONTEXT.name(path)}: {shown(why)}")
        if not found.wrong:
            render.say(f"{render.count(found.good, 'notebook')}, nothing wrong", quiet=CONTEXT.quiet)
        elif any("outputs" in why for _, why in found.wrong):
            render.say("next: mvc notebook strip PATH", quiet=CONTEXT.quiet)
    if found.wrong:
        raise typer.Exit(EXIT_NO)


@notebook_app.command("merge")
def merge(
    files: Annotated[list[str], typer.Argument(metavar="PATH | BASE OURS THEIRS", show_default=False)],
    out: Annotated[
        str, typer.Option("-o", "--out", metavar="OUT", help="Write it there, not to stdout.", show_default=False)
    ] = "",
) -> None:
    """Merge notebooks.

    With one PATH: merge it again from the three versions that Git's index holds, when a merge without mvc's driver left
    it in conflict. With three files: merge these, and print the result. Exit 1 when conflicts are left in it.
    """
    from modelvc.ops.notebook_conflicts import NotebookMerged, merge_again, merge_data

    if len(files) == 1 and not out:
        done = merge_again(CONTEXT.open(), files[0])
    elif len(files) == 3:
        base, ours, theirs = map(_read, files)
        data, conflicts = merge_data(base, ours, theirs)
        done = NotebookMerged(out, conflicts)
        if out:
            with open(out, "wb") as file:
                file.write(data)
        elif not CONTEXT.json:
            sys.stdout.buffer.write(data)
    else:
        raise UsageError(
            "one notebook of the worktree, or base, ours and theirs", hint="see `mvc notebook merge --help`"
        )
    if CONTEXT.json:
        render.dump(done)
    elif done.conflicts:
        where = f"{CONTEXT.name(done.path)}: " if len(files) == 1 else ""
        render.say(f"{where}{render.count(done.conflicts, 'conflict')} left", quiet=CONTEXT.quiet)
    elif len(files) == 1:
        render.out(f"merged and staged  {CONTEXT.name(done.path)}")
    if done.conflicts:
        raise typer.Exit(EXIT_NO)


@notebook_app.command("resolve")
def resolve(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", show_default=False)],
    ours: Annotated[bool, typer.Option("--ours", help="Take our lines and cells.")] = False,
    theirs: Annotated[bool, typer.Option("--theirs", help="Take their lines and cells.")] = False,
    union: Annotated[bool, typer.Option("--union", help="Take both, ours first.")] = False,
    cell: Annotated[
        str, typer.Option("--cell", metavar="ID", help="Only the conflict that this cell is in.", show_default=False)
    ] = "",
) -> None:
    """Settle conflicts in notebooks.

    In a rebase, ours is what is rebased onto, and theirs the branch that is moved, as in Git. A notebook without
    conflicts left is staged. Exit 1 while any are left.
    """
    from modelvc.ops.notebook_conflicts import resolve as op

    chosen = [name for name, said in (("ours", ours), ("theirs", theirs), ("union", union)) if said]
    if len(chosen) != 1:
        words = "these choices exclude each other" if chosen else "which side is to be taken?"
        raise UsageError(words, hint="mvc notebook resolve PATH --ours | --theirs | --union")
    repo = CONTEXT.open()
    found = op(repo, paths, chosen[0], cell=cell)
    done = found.notebooks
    if CONTEXT.json:
        render.dump(found)
    else:
        for one in done:
            words = "settled and staged" if one.staged else "settled"
            left = f", {one.left} left" if one.left else ""
            render.out(f"{words}  {CONTEXT.name(one.path)}  {render.count(one.settled, 'conflict')}{left}")
        if any(one.staged for one in done):
            render.say("next: git commit (in a rebase: git rebase --continue)", quiet=CONTEXT.quiet)
    if any(one.left for one in done):
        raise typer.Exit(EXIT_NO)


@notebook_app.command("refresh")
def refresh() -> None:
    """Tell Git which notebooks were only run again.

    Git takes a notebook for modified when its size changed, although the filter leaves the outputs out, and then
    refuses to pull. This brings its index up to date. `mvc status`, `checkout` and `pull` do it on the way.
    """
    from modelvc.ops.notebooks import refresh as op

    done = op(CONTEXT.open())
    if CONTEXT.json:
        render.dump(done)
        return
    for path in done.paths:
        render.out(f"unchanged but for its outputs  {CONTEXT.name(path)}")


def _strip_stdin() -> None:
    from modelvc.errors import FormatError
    from modelvc.notebook.strip import clean

    data = sys.stdin.buffer.read()
    try:
        data, _ = clean(data, CONTEXT.open().config.notebooks, "-")
    except FormatError as error:
        sys.stdout.buffer.write(data)
        render.say(f"left as it is: {shown(error)}", quiet=False)
        raise typer.Exit(EXIT_NO) from None
    sys.stdout.buffer.write(data)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"{shown(path)}: {error.strerror}", hint="name three files") from None
