"""Commands for notebooks: the work of filter, hooks and drivers, by hand and in CI."""

from __future__ import annotations

import contextlib
import os
import shlex
import sys
import tempfile
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli.arguments import Force  # noqa: TC001 - typer reads it
from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.errors import UsageError, shown
from modelvc.notebook.rich.diff import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from modelvc.ops.notebooks.diff import Pair

EXIT_NO = 1
EMPTY = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
SEVERAL = "Notebooks or folders; without PATH, all notebooks that Git tracks."

Paths = Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", help=SEVERAL, show_default=False)]

GROUP_HELP = """Strip, compare and merge notebooks.

Examples:
  mvc notebook strip train.ipynb           # remove the outputs of a notebook
  mvc notebook diff train.ipynb            # compare it (needs an extra)
  mvc notebook resolve train.ipynb --ours  # resolve its conflicts
"""
notebook_app = typer.Typer(help=GROUP_HELP, rich_markup_mode=None)


@notebook_app.command("strip")
def strip(paths: Paths = None) -> None:
    """Remove outputs from notebooks.

    Rewrites the files by the rules of .mvc/config.toml. If the only PATH is `-`, reads a notebook from stdin and writes
    it to stdout. A file that is not JSON stays as it is (exit 1).

    Examples:
      mvc notebook strip                                  # all notebooks
      mvc notebook strip train.ipynb                      # one notebook
      mvc notebook strip - < train.ipynb > clean.ipynb    # keep the original
    """
    from modelvc.ops.notebooks.outputs import strip as op

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
            render.out(f"left unchanged  {CONTEXT.name(path)}: {shown(why)}")
        if not done.changed and not done.skipped:
            render.say(f"{render.count(done.unchanged, 'notebook')}, nothing to strip", quiet=CONTEXT.quiet)
    if done.skipped:
        raise typer.Exit(EXIT_NO)


@notebook_app.command("check")
def check(paths: Paths = None) -> None:
    """Find notebooks that hold outputs or conflicts.

    Lists the notebooks of the worktree that should not be committed as they are (exit 1). Changes nothing. Where the
    filter of `mvc install` strips notebooks, only staged outputs count.

    Examples:
      mvc notebook check                # in CI: all notebooks
      mvc notebook check train.ipynb    # one notebook
    """
    from modelvc.ops.notebooks.outputs import check as op

    found = op(CONTEXT.open(), paths or [])
    if CONTEXT.json:
        render.dump(found)
    else:
        for path, why in found.wrong:
            render.out(f"{CONTEXT.name(path)}: {shown(why)}")
        if not found.wrong:
            render.say(f"{render.count(found.good, 'notebook')}, nothing wrong", quiet=CONTEXT.quiet)
        elif any("staged with outputs" in why for _, why in found.wrong):
            render.say("next: git add --renormalize PATH", quiet=CONTEXT.quiet)
        elif any("outputs" in why for _, why in found.wrong):
            render.say("next: mvc notebook strip PATH", quiet=CONTEXT.quiet)
    if found.wrong:
        raise typer.Exit(EXIT_NO)


@notebook_app.command("merge")
def merge(
    files: Annotated[list[str], typer.Argument(metavar="PATH | BASE OURS THEIRS", show_default=False)],
    out: Annotated[
        str,
        typer.Option(
            "-o", "--out", metavar="OUT", help="Write the result to OUT instead of stdout.", show_default=False
        ),
    ] = "",
    force: Force = False,
) -> None:
    """Merge notebooks.

    With one PATH, merges it again from the three versions in Git's index, after a merge without the driver of mvc. With
    three files, merges them and prints the result. Exit 1 if conflicts are left.

    Examples:
      mvc notebook merge train.ipynb                            # merge it again
      mvc notebook merge -o c.ipynb base.ipynb a.ipynb b.ipynb  # merge three files
    """
    from modelvc.ops.notebooks.conflicts import NotebookMerged, merge_again, merge_data

    if len(files) == 1 and not out:
        done = merge_again(CONTEXT.open(), files[0])
    elif len(files) == 3:
        base, ours, theirs = map(_read, files)
        data, conflicts = merge_data(base, ours, theirs)
        done = NotebookMerged(out, conflicts)
        if out:
            CONTEXT.write(os.path.abspath(out), data, force=force)
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
        str, typer.Option("--cell", metavar="ID", help="Resolve only the conflict in this cell.", show_default=False)
    ] = "",
    key: Annotated[
        str,
        typer.Option("--key", metavar="KEY", help="Resolve only this metadata: metadata.NAME.", show_default=False),
    ] = "",
) -> None:
    """Resolve conflicts in notebooks.

    In a rebase, as in Git, ours is the branch that is rebased onto, and theirs is the branch that is moved. A notebook
    without conflicts is staged. If one version is not a notebook, the chosen version is taken whole. A notebook that
    cannot be resolved does not stop the others. Exit 1 if conflicts are left.

    Examples:
      mvc notebook resolve train.ipynb --ours     # take our lines and cells
      mvc notebook resolve train.ipynb --union    # take both
    """
    from modelvc.ops.notebooks.conflicts import resolve as op

    chosen = [name for name, said in (("ours", ours), ("theirs", theirs), ("union", union)) if said]
    if len(chosen) != 1:
        words = "these options cannot be combined" if chosen else "no side is chosen"
        raise UsageError(words, hint="mvc notebook resolve PATH --ours | --theirs | --union")
    repo = CONTEXT.open()
    found = op(repo, paths, chosen[0], cell=cell, key=key)
    done = found.notebooks
    if CONTEXT.json:
        render.dump(found)
    else:
        for one in done:
            words = "taken whole and staged" if one.whole else "resolved and staged" if one.staged else "settled"
            left = f", {one.left} left" if one.left else ""
            render.out(f"{words}  {CONTEXT.name(one.path)}  {render.count(one.settled, 'conflict')}{left}")
        for path, why in found.failed:
            render.out(f"left unchanged  {shown(path)}: {shown(why)}")
        if any(one.staged for one in done):
            render.say("next: git commit (in a rebase: git rebase --continue)", quiet=CONTEXT.quiet)
    if found.failed or any(one.left for one in done):
        raise typer.Exit(EXIT_NO)


@notebook_app.command("refresh")
def refresh() -> None:
    """Tell Git which notebooks changed only in their outputs.

    After a run, Git may report a notebook as modified, although the filter removes its outputs, and refuse to pull.
    This command updates Git's index. `mvc status`, `checkout` and `pull` do the same.

    Examples:
      mvc notebook refresh    # then: git pull
    """
    from modelvc.ops.notebooks.outputs import refresh as op

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
        data, _ = clean(data, CONTEXT.open().config.notebooks, "-.ipynb")
    except FormatError as error:
        sys.stdout.buffer.write(data)
        render.say(f"left unchanged: {shown(error)}", quiet=False)
        raise typer.Exit(EXIT_NO) from None
    sys.stdout.buffer.write(data)


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise UsageError(f"{shown(path)}: {error.strerror}", hint="name three files") from None


Port = Annotated[
    int, typer.Option("--port", metavar="N", min=0, max=65535, help="Serve on this port; 0 takes any free port.")
]
NoBrowser = Annotated[bool, typer.Option("--no-browser", help="Print the address; do not open a browser.")]


@notebook_app.command("diff")
def diff(
    words: Annotated[list[str], typer.Argument(metavar="[A [B]] PATH", show_default=False)],
    web: Annotated[bool, typer.Option("--web", help="Show the difference in a browser.")] = False,
    port: Port = 0,
    no_browser: NoBrowser = False,
    exit_code: Annotated[bool, typer.Option("--exit-code", help="Exit 1 if the notebook differs.")] = False,
) -> None:
    """Compare a notebook, outputs included.

    Shows the rich diff of nbdime. Without A: the index and the worktree. With A: A and the worktree. With A and B: the
    two revisions. Needs `pip install 'modelvc[notebooks]'`. For sources alone, `git diff` is faster.

    Examples:
      mvc notebook diff train.ipynb              # since the last `git add`
      mvc notebook diff v1.0 HEAD train.ipynb    # between two revisions
    """
    from modelvc.notebook.rich.diff import diff_text
    from modelvc.ops.notebooks.diff import NotebookDiff, pair

    if len(words) > 3:
        raise UsageError("one notebook, and at most two revisions", hint="mvc notebook diff [A [B]] PATH")
    found = pair(CONTEXT.open(), words[:-1], words[-1])
    if web:
        _web_diff(found, port, browser=not no_browser)
        return
    colored = bool(render.colour("", "bold")) and not CONTEXT.json
    text = diff_text(found.before, found.after, found.names, color=colored)
    if CONTEXT.json:
        render.dump(NotebookDiff(found.path, *found.names, text))
    elif text:
        render.out(text.removesuffix("\n"))
    if text and exit_code:
        raise typer.Exit(EXIT_NO)


@notebook_app.command("mergetool")
def mergetool(
    path: Annotated[str, typer.Argument(metavar="[PATH]", show_default=False)] = "",
    port: Port = 0,
    no_browser: NoBrowser = False,
) -> None:
    """Resolve notebook conflicts in a browser.

    Opens the merge tool of nbdime with the three versions in Git's index, and writes the saved result to the worktree.
    Without PATH, opens every notebook in conflict in turn. Stages nothing. Exit 1 if a notebook was not saved.
    Needs `pip install 'modelvc[notebooks]'`.

    Examples:
      mvc notebook mergetool                # every notebook in conflict
      mvc notebook mergetool train.ipynb    # one notebook
    """
    from modelvc.ops.notebooks.diff import in_conflict, stages
    from modelvc.ops.notebooks.outputs import write

    repo = CONTEXT.open()
    waiting = [repo.inside(path)] if path else in_conflict(repo)
    if not waiting:
        raise UsageError("no notebook is in conflict between two versions", hint="see `git status`")
    settled = []
    for one in waiting:
        status, data = _merge_in_browser(one, stages(repo, one), port, browser=not no_browser)
        if data:
            write(repo, one, data)
            render.out(f"merged  {CONTEXT.name(one)}")
            settled.append(shlex.quote(CONTEXT.name(one)))
        else:
            render.say(f"nothing was saved: {CONTEXT.name(one)} is unchanged", quiet=CONTEXT.quiet)
        if status == INTERRUPTED:
            break
    if settled:
        render.say(f"next: git add {' '.join(settled)}", quiet=CONTEXT.quiet)
    if len(settled) < len(waiting):
        raise typer.Exit(EXIT_NO)


def _merge_in_browser(path: str, versions: list[bytes], port: int, *, browser: bool) -> tuple[int, bytes]:
    """Run nbdime's merge tool for one notebook. Return its exit status and the saved bytes, b"" if nothing was saved.

    Raises FormatError if the saved file is not a notebook.
    """
    from modelvc.notebook.document import jupyter
    from modelvc.notebook.rich.diff import web_merge

    sides = ("base", "ours", "theirs")
    names = [f"{path} ({side})" for side in sides]
    with _files(sides, versions) as (base, ours, theirs):
        merged = os.path.join(os.path.dirname(base), "merged.ipynb")
        announce = _announce("mergetool", browser=browser)
        status = web_merge((base, ours, theirs), merged, names=names, port=port, on_port=announce)
        data = _read(merged) if os.path.exists(merged) else b""
    if data:
        jupyter(data)
    return status, data


def _web_diff(found: Pair, port: int, *, browser: bool) -> None:
    from modelvc.notebook.rich.diff import web_diff

    with _files(("before", "after"), (found.before, found.after)) as (before, after):
        web_diff((before, after), found.names, port=port, on_port=_announce("difftool", browser=browser))


@contextlib.contextmanager
def _files(names: Sequence[str], versions: Sequence[bytes]) -> Iterator[list[str]]:
    """Yield the paths of temporary files with the notebooks, which exist during the block."""
    with tempfile.TemporaryDirectory(prefix="mvc-notebook-") as folder:
        paths = [os.path.join(folder, f"{name}.ipynb") for name in names]
        for path, data in zip(paths, versions, strict=True):
            with open(path, "wb") as file:
                file.write(data if data.strip() else EMPTY)
        yield paths


def _announce(page: str, *, browser: bool) -> Callable[[int], None]:
    """Return a function that prints the URL of the page at a port, and opens it if BROWSER."""

    def announce(port: int) -> None:
        url = f"http://127.0.0.1:{port}/{page}"
        render.say(f"{url}  (close the page, or press Ctrl-C, to end)", quiet=CONTEXT.quiet)
        if browser:
            import webbrowser

            webbrowser.open(url, new=2)

    return announce
