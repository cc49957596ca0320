"""Commands that judge versions by their metrics, and go back to a good version."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli.arguments import Force, Outputs, Paths  # noqa: TC001 - typer reads them
from modelvc.cli.context import CONTEXT
from modelvc.cli.progress import doing, progress
from modelvc.cli.views import render
from modelvc.errors import ModelvcError, UsageError, shown

if TYPE_CHECKING:
    from modelvc.ops.history.rollback import RolledBack

EXIT = {"pass": 0, "fail": 1, "inconclusive": 3}
_MOST_NAMED = 5  # packages in one line
BISECT_SKIP = 125  # `git bisect run` skips the commit
BISECT_STOP = 128  # `git bisect run` stops; lower numbers other than 0 and 125 mean "bad"


def check(
    paths: Paths = None,
    against: Annotated[
        str,
        typer.Option("--against", metavar="REV|REV...|best", help="Compare with this version.", show_default=False),
    ] = "",
    rev: Annotated[
        str,
        typer.Option("--rev", metavar="REV", help="Check this revision instead of the worktree.", show_default=False),
    ] = "",
    output: Outputs = None,
    force: Force = False,
    bisect: Annotated[
        bool, typer.Option("--bisect", help="For `git bisect run`: exit 0 if good, 1 if bad, 125 to skip, 128 to stop.")
    ] = False,
) -> None:
    """Check models against the policy.

    Judges every metric that .mvc/policy.toml names: pass, fail, or not enough data. Without --against, compares each
    model with the version before it. REV... stands for the merge base of REV and HEAD. FORMAT is text, json, md, junit,
    github or openmetrics, as for --format. Exit 0: pass. Exit 1: fail. Exit 3: not enough data. Exit 2: wrong usage or
    policy.

    Examples:
      mvc check                              # compare with the version before
      mvc check --against main... model.pkl  # against the merge base
      mvc check --output junit=report.xml    # write a report for a CI server
      git bisect run mvc check --bisect      # find the commit that made it worse
    """
    from modelvc.cli.views import reports
    from modelvc.ops.metrics.check import check as op

    if bisect:
        raise typer.Exit(_bisect_status(paths or []))
    outputs = [_output(text) for text in output or ()]
    repo = CONTEXT.open()
    with doing("comparing metrics", quiet=CONTEXT.quiet):
        found = op(repo, paths or [], against=against, rev=rev)
    for form, file in outputs:
        CONTEXT.write(file, reports.FORMATS[form](found).encode("utf-8", "backslashreplace"), force=force)
    report = reports.FORMATS[CONTEXT.form](found).removesuffix("\n")
    (render.commands if CONTEXT.form == "github" else render.out)(*report.split("\n"))
    if CONTEXT.form == "github" and (page := os.environ.get("GITHUB_STEP_SUMMARY")):
        with open(page, "a", encoding="utf-8") as opened:
            opened.write(reports.markdown(found))
    raise typer.Exit(EXIT[found.outcome])


def _bisect_status(paths: list[str]) -> int:
    """Return the exit status of `mvc check --bisect`.

    A commit that cannot be judged is skipped (exit 125). An error that holds for every commit stops the search.
    """
    from modelvc.cli.errors import explain
    from modelvc.cli.views import reports
    from modelvc.ops.metrics.bisect import bisect_check, bisect_ends, check_bad_end

    try:
        repo = CONTEXT.open()
        try:
            ends = bisect_ends(repo)
            check_bad_end(repo, ends, paths)
        except ModelvcError as error:
            explain(error, as_json=CONTEXT.json, debug=False)
            return BISECT_STOP
        found = bisect_check(repo, ends, paths)
    except ModelvcError as error:
        render.say(f"skipped: {error}")
        return BISECT_SKIP
    except Exception as error:  # noqa: BLE001 - Git would take the exit code of a bug or a full disk for "bad"
        explain(error, as_json=CONTEXT.json, debug=CONTEXT.verbose)
        return BISECT_STOP
    for one in found.verdicts:
        if one.outcome not in {"pass", "info"}:
            render.out(f"{shown(one.model)}: {shown(one.metric)} {shown(one.why)}")
    render.out(reports.summary(found))
    return EXIT[found.outcome] if found.outcome != "inconclusive" else BISECT_SKIP


def rollback(
    path: Annotated[str, typer.Argument(metavar="PATH")],
    to: Annotated[
        str, typer.Option("--to", metavar="REV", help="Go back to the version of REV.", show_default=False)
    ] = "",
    where: Annotated[
        str,
        typer.Option(
            "--where",
            metavar="CONDITION",
            help="Go back to the newest version that meets CONDITION.",
            show_default=False,
        ),
    ] = "",
    best: Annotated[
        str, typer.Option("--best", metavar="METRIC", help="Go back to the best version by METRIC.", show_default=False)
    ] = "",
    steps: Annotated[
        int | None, typer.Option("--steps", metavar="N", min=1, help="Go back N versions.", show_default=False)
    ] = None,
    commit: Annotated[bool, typer.Option("--commit", help="Commit the pointer.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List the candidates; change nothing.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace unsaved changes; they are stored first.")] = False,
    offline: Annotated[bool, typer.Option("--offline", help="Do not fetch missing objects.")] = False,
) -> None:
    """Go back to a good version of a model.

    Takes the newest earlier version that passes .mvc/policy.toml; without a policy, the version before. --best and
    --where search all versions that `mvc log` shows, also those after this one. Restores the model and stages its
    pointer. The code stays as it is. CONDITION is such as "test.accuracy >= 0.9 and latency_ms < 50".

    Examples:
      mvc rollback --dry-run model.pkl                 # candidates
      mvc rollback --to v1.0 model.pkl                 # the version of a tag
      mvc rollback --where 'accuracy > 0.9' model.pkl  # the newest one that fits
    """
    from modelvc.cli.commands.tracking import say_kept
    from modelvc.models.files.prepare import CheckoutOptions
    from modelvc.ops.history.rollback import RollbackTarget, plan_rollback
    from modelvc.ops.history.rollback import rollback as op

    if sum(map(bool, (to, where, best, steps))) > 1:
        raise UsageError("--to, --where, --best and --steps cannot be combined", hint="choose one")
    repo = CONTEXT.open()
    with doing("reading history", quiet=CONTEXT.quiet):
        plan = plan_rollback(repo, path, RollbackTarget(to, where, best, steps or 0))
    if dry_run:
        _print_candidates(plan.found)
        return
    with progress("checking out", quiet=CONTEXT.quiet) as bar:
        done = op(repo, plan, CheckoutOptions(force, offline), bar, commit=commit)
    if CONTEXT.json:
        render.dump(done)
        return
    assert done.new is not None  # noqa: S101 - for the type checker: op() raised otherwise
    render.out(
        f"{CONTEXT.name(done.path)}  {render.short(done.old.oid)} -> {render.short(done.new.oid)}  {done.reason}"
    )
    for name, value in done.new.metrics.items():
        before = f"{render.brief(done.old.metrics[name])} -> " if name in done.old.metrics else ""
        render.out(f"  {shown(name)}  {shown(before + render.brief(value))}")
    render.say(
        f"the code is unchanged; {done.new.commit[:10]} had that model: {shown(done.new.subject, 60)}",
        quiet=CONTEXT.quiet,
    )
    _say_environment(done)
    if done.passed and not done.was:
        name = shlex.quote(CONTEXT.name(done.path))
        words = f"the replaced version passes the policy; back to it: mvc checkout {done.old.oid[:17]} {name}"
        render.say(words, quiet=CONTEXT.quiet)
    say_kept(done.path, done.was, done.pointer_was)
    if done.committed:
        render.out(f"committed {done.committed[:10]}")
    elif not done.message:
        render.say("the last commit has that version: nothing to commit", quiet=CONTEXT.quiet)
    else:
        first = shlex.quote(done.message.partition("\n")[0])
        render.say(f"next: git commit -m {first}", quiet=CONTEXT.quiet)


def _say_environment(done: RolledBack) -> None:
    """Print which packages the version was made with in other versions than the one before."""
    found = [one for one in done.environment if one.recorded and one.kind != "system"]
    if found:
        words = ", ".join(f"{one.name} {one.recorded}" + (f" (not {one.present})" if one.present else "")
                          for one in found[:_MOST_NAMED])  # fmt: skip
        more = f" and {len(found) - _MOST_NAMED} more" if len(found) > _MOST_NAMED else ""
        name = shlex.quote(CONTEXT.name(done.path))
        render.say(
            f"it was made in another environment: {shown(words)}{more}",
            f"see whether it fits: mvc env check {name}",
            quiet=CONTEXT.quiet,
        )


def _print_candidates(found: RolledBack) -> None:
    if CONTEXT.json:
        render.dump(found)
        return
    names = list(dict.fromkeys(name for one in found.candidates for name in one.metrics))[:4]
    rows = [
        (
            "->" if found.new is not None and one.oid == found.new.oid else "",
            one.commit[:8],
            render.short(one.oid),
            *(render.brief(one.metrics.get(name)) for name in names),
            one.why or ("" if one.stored else "to be fetched"),
        )
        for one in found.candidates
    ]
    head = ("", "commit", "version", *names, "")
    render.out(*render.table(head, rows, markdown=CONTEXT.markdown) if rows else ["there is no other version"])
    render.say(f"{'takes' if found.new else 'takes none:'} {found.reason}", quiet=CONTEXT.quiet)


def _output(text: str) -> tuple[str, str]:
    from modelvc.cli.views import reports

    form, equals, file = text.partition("=")
    if form not in reports.FORMATS or not equals or not file:
        hint = f"--output FORMAT=FILE, where FORMAT is one of {', '.join(reports.FORMATS)}"
        raise UsageError(f"--output cannot be {shown(text)}", hint=hint)
    return form, file
