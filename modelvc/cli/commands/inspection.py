"""The command that judges what loading models would run."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli.arguments import EXIT_NO, Force, Outputs, Words
from modelvc.cli.context import CONTEXT, revs_and_paths, split
from modelvc.cli.progress import doing
from modelvc.cli.views import render
from modelvc.cli.views.verdicts import say_ignored
from modelvc.errors import NoRepository, NotFoundError, UsageError, shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.ops.inspection.scan import Allowed, Scanned
    from modelvc.repo import Repo

_NAMED = 5  # models that an error names


def scan(
    words: Words = None,
    allow: Annotated[bool, typer.Option("--allow", help="Trust the names that the models of PATH import.")] = False,
    list_from: Annotated[
        str,
        typer.Option("--list-from", metavar="REV", help="Take trusted names and policy from REV.", show_default=False),
    ] = "",
    output: Outputs = None,
    force: Force = False,
) -> None:
    """Say what loading models would run.

    Reads models without running anything of them. A path may be any file or folder, also outside of a repository.
    Verdicts, the worst first: known-bad (does what only an attack does), unreadable (not read to its end), code (holds
    a program), unlisted (imports names that are not on the list), unknown (no format that mvc reads), listed, inert
    (data alone). The first four are refused, unless the policy says otherwise. No verdict says that a model is
    harmless. A checkout looks too: it does not write a known-bad model (see `mvc help policy`). With --allow, writes
    the names that are not listed to .mvc/trusted-imports.toml and stages it: review each line as code. With
    --list-from, a change cannot allow its own names. FORMAT is text, json, md, junit, github or sarif, as for --format.
    Exit 1: a verdict is refused. Exit 10: a model is not in this clone.

    Examples:
      mvc scan                               # all models
      mvc scan v1.0 model.pkl                # one model, at a tag
      mvc scan ./model.pkl                   # any file, tracked or not
      mvc scan --allow model.pkl             # trust the classes of the project
      mvc scan --list-from main              # for a pipeline
      mvc scan --output sarif=scan.sarif     # a report for a CI server
    """
    from modelvc.cli.views import scan as views

    outputs = [_output(text) for text in output or ()]
    if allow:
        repo = CONTEXT.open()
        _allow(repo, *split(repo, words, revs=1), list_from)
        return
    found = _scan(words, list_from)
    for form, file in outputs:
        CONTEXT.write(file, views.FORMATS[form](found).encode("utf-8", "backslashreplace"), force=force)
    report = views.text(found, CONTEXT.name) if CONTEXT.form == "text" else views.FORMATS[CONTEXT.form](found)
    (render.commands if CONTEXT.form == "github" else render.out)(*report.removesuffix("\n").split("\n"))
    if CONTEXT.form == "github" and (page := os.environ.get("GITHUB_STEP_SUMMARY")):
        with open(page, "a", encoding="utf-8") as opened:
            opened.write(views.markdown(found))
    _advise(found)
    if found.missing and not found.refused:
        raise _missing(found)
    raise typer.Exit(EXIT_NO if found.refused else 0)


def _scan(words: Sequence[str] | None, list_from: str) -> Scanned:
    from modelvc.ops.inspection.scan import scan as op
    from modelvc.ops.inspection.scan import scan_files

    try:
        repo = CONTEXT.open()
    except NoRepository:
        front, behind = revs_and_paths(words)
        if list_from or not (front or behind):
            raise
        with doing("reading models", quiet=CONTEXT.quiet):
            return scan_files([*front, *behind], CONTEXT.folder)
    revs, paths = split(repo, words, revs=1, here=True)
    with doing("reading models", quiet=CONTEXT.quiet):
        return op(repo, revs[0] if revs else "", paths, list_from=list_from)


def _advise(found: Scanned) -> None:
    say_ignored(found.ignored)
    unlisted = [model.path for model in found.models if model.verdict == "unlisted" and model.tracked]
    if unlisted and not found.commit and not found.ignored:
        name = shlex.quote(CONTEXT.name(unlisted[0])) if len(unlisted) == 1 else "PATH"
        render.say(f"to trust names of this project: mvc scan --allow {name}", quiet=CONTEXT.quiet)
    if found.missing and found.refused:
        render.say(str(_missing(found)), quiet=CONTEXT.quiet)


def _missing(found: Scanned) -> NotFoundError:
    """Return the error for models that could not be read because their bytes are elsewhere."""
    names = ", ".join(CONTEXT.name(path) for path in found.missing[:_NAMED])
    more = f" and {len(found.missing) - _NAMED:,} more" if len(found.missing) > _NAMED else ""
    fetch = f"mvc fetch {found.commit}".rstrip()
    return NotFoundError(f"not in this clone, and not scanned: {names}{more}", hint=f"run `{fetch}`, then scan again")


def _allow(repo: Repo, revs: Sequence[str], paths: Sequence[str], list_from: str) -> None:
    from modelvc.formats.text.trusted_imports import PATH
    from modelvc.ops.inspection.scan import allow as op

    if revs or list_from or not paths:
        raise UsageError("--allow takes paths of models, and nothing else", hint="mvc scan --allow PATH")
    done: Allowed = op(repo, paths)
    if CONTEXT.json:
        render.dump(done)
        return
    for one in done.added:
        render.out(f"{one.use.ljust(11)}  {shown(one.name)}")
    if done.added:
        render.say(f"next: review each line as code (git diff --cached {PATH}), then git commit", quiet=CONTEXT.quiet)
        render.say("other clones accept them with: mvc trust --imports", quiet=CONTEXT.quiet)
    else:
        render.out("every name is listed or trusted already")


def _output(text: str) -> tuple[str, str]:
    from modelvc.cli.views.scan import FORMATS

    form, equals, file = text.partition("=")
    if form not in FORMATS or not equals or not file:
        hint = f"--output FORMAT=FILE, where FORMAT is one of {', '.join(FORMATS)}"
        raise UsageError(f"--output cannot be {shown(text)}", hint=hint)
    return form, file
