"""Commands about the environment of a version: which Python and packages it was made in."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli.arguments import EXIT_NO, Force, PythonOption
from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.errors import NoRepository, UsageError, shown

if TYPE_CHECKING:
    from modelvc.ops.parity.environment import EnvironmentCompared, EnvironmentShown
    from modelvc.ops.parity.records import Recorded
    from modelvc.repo import Repo

GROUP_HELP = """Check, show and export the environment of a model.

`mvc add` records it: Python, and the packages that the model needs. MODEL is [REV:]PATH, or a pointer such as
model.pkl.mvc, which needs no repository.

Examples:
  mvc env check model.pkl.mvc                     # in a Dockerfile
  mvc env export model.pkl -o requirements.txt    # what to install for it
"""
env_app = typer.Typer(help=GROUP_HELP, rich_markup_mode=None)

Model = Annotated[str, typer.Argument(metavar="MODEL")]
_NO_PYLOCK = "a pylock.toml has the digests of the packages' files, which an environment does not know"


@env_app.command("show")
def env_show(model: Model) -> None:
    """Show the environment of a version.

    Prints Python, system and packages as `mvc add` recorded them. Exit 3: there is no record.

    Examples:
      mvc env show model.pkl         # of the worktree's version
      mvc env show v1.0:model.pkl    # of a tag
    """
    from modelvc.ops.parity.environment import show_environment

    found = show_environment(_recorded(model)[0])
    if CONTEXT.json:
        render.dump(found)
        return
    lines = _facts(found)
    width = max(len(name) for name, _ in lines)
    render.out(*(f"{name:{width}}  {value}" for name, value in lines))


def _facts(found: EnvironmentShown) -> list[tuple[str, str]]:
    lines = [
        ("model", CONTEXT.name(found.path) + (f"  at {found.commit[:10]}" if found.commit else "")),
        ("Python", shown(f"{found.implementation} {found.python}") + (", holds byte code" if found.bytecode else "")),
        ("system", shown(" ".join(filter(None, (found.platform, found.machine, found.libc))))),
    ]
    for at, (name, version) in enumerate(found.packages.items()):
        words = " (the model imports it)" if name in found.needs else ""
        words += " (from a folder or an address)" if name in found.direct else ""
        lines.append(("packages" if not at else "", f"{name} {version}{words}"))
    if found.lock:
        lines.append(("lock file", f"{shown(found.lock)}  {render.short(found.lock_digest)}"))
    return lines


@env_app.command("diff")
def env_diff(
    model: Model,
    other: Annotated[str, typer.Argument(metavar="[OTHER]", show_default=False)] = "",
    python: PythonOption = "",
) -> None:
    """Show how two environments differ.

    Compares the recorded environment of MODEL with a Python, or with that of another version. Exit 3: there is no
    record.

    Examples:
      mvc env diff model.pkl                   # with the Python here
      mvc env diff v1.0:model.pkl model.pkl    # with another version
    """
    from modelvc.ops.parity.environment import compare_records

    recorded, repo = _recorded(model)
    if other and python:
        raise UsageError("OTHER and --python cannot be combined", hint="name one of them")
    found = compare_records(recorded, _recorded(other)[0]) if other else _compared(recorded, repo, python)
    if CONTEXT.json:
        render.dump(found)
        return
    _print(found)


@env_app.command("check")
def env_check(model: Model, python: PythonOption = "") -> None:
    """Check that a model can be used in the environment here.

    Compares the recorded environment with a Python and grades each difference: patch, minor, major or missing. Reads no
    model and loads no library. Exit 0: no error. Exit 1: an error. Exit 3: there is no record.

    Examples:
      mvc env check model.pkl                              # with the Python here
      mvc env check --python .venv/bin/python model.pkl    # with another one
      mvc env check model.pkl.mvc                          # the pointer is enough
    """
    recorded, repo = _recorded(model)
    found = _compared(recorded, repo, python)
    if CONTEXT.json:
        render.dump(found)
    else:
        _print(found)
        errors = [one for one in found.differences if one.severity == "error"]
        for one in errors:
            if one.why:
                render.say(f"{one.name}: {one.why}", quiet=CONTEXT.quiet)
        if errors:
            names = ", ".join(one.name for one in errors[:5]) + (" ..." if len(errors) > 5 else "")
            render.out(f"{shown(found.path)} does not fit this environment: {shown(names)}")
            render.say(f"next: mvc env export {shown(model)}, and install that", quiet=CONTEXT.quiet)
        else:
            render.out(f"{shown(found.path)} fits this environment")
    if found.outcome == "fail":
        raise typer.Exit(EXIT_NO)


@env_app.command("export")
def env_export(
    model: Model,
    output: Annotated[
        str,
        typer.Option("-o", "--output", metavar="FILE", help="Write to FILE instead of stdout.", show_default=False),
    ] = "",
    force: Force = False,
) -> None:
    """Print what to install for a version.

    --format requirements (the default) is for pip and uv, conda is an environment.yml, lock is the lock file that lay
    beside the model when it was added. Packages from no index are written as comments. Exit 3: there is no record.

    Examples:
      mvc env export model.pkl -o requirements.txt    # for pip install -r
      mvc env export --format conda model.pkl         # for conda env create
      mvc env export --format lock v1.0:model.pkl     # the uv.lock of that time
    """
    from modelvc.ops.parity import export
    from modelvc.ops.parity.environment import show_environment

    if CONTEXT.form == "pylock":
        hint = "mvc env export -o requirements.txt, then pip lock -r requirements.txt; or --format lock"
        raise UsageError(_NO_PYLOCK, hint=hint)
    recorded, repo = _recorded(model)
    if CONTEXT.json:
        render.dump(show_environment(recorded))
        return
    if CONTEXT.form == "lock":
        data = export.export_lock(recorded, repo)
    else:
        form = CONTEXT.form if CONTEXT.form in export.FORMS else "requirements"
        data = export.export_environment(recorded, form).encode("utf-8", "backslashreplace")
    if output:
        CONTEXT.write(output, data, force=force)
    else:
        render.out(data.decode("utf-8", "backslashreplace").removesuffix("\n"))


def _recorded(model: str) -> tuple[Recorded, Repo | None]:
    """Return the version that MODEL names, and the clone, None outside of one."""
    from modelvc.ops.parity import records

    file = os.path.normpath(os.path.join(CONTEXT.folder, model))
    if model.endswith(".mvc") and os.path.lexists(file):
        try:
            return records.of_pointer(file), CONTEXT.open()
        except NoRepository:
            return records.of_pointer(file), None
    repo = CONTEXT.open()
    return records.of_model(repo, model), repo


def _compared(recorded: Recorded, repo: Repo | None, python: str) -> EnvironmentCompared:
    from modelvc.models.environment.choose import Wanted
    from modelvc.ops.parity.environment import compare_with_python

    return compare_with_python(recorded, Wanted(python, CONTEXT.folder, os.environ), repo)


def _print(found: EnvironmentCompared) -> None:
    """Print the differences, the worst first, and how many facts are the same."""
    order = ("error", "warning", "ok")
    rows = [
        (one.name, one.recorded or "-", one.present or "-", one.grade, one.severity)
        for one in sorted(found.differences, key=lambda one: order.index(one.severity))
        if one.severity != "ok"
    ]
    head = ("", "recorded", "here" if found.why else "other", "differs", "")
    if rows:
        render.out(*render.table(head, rows, markdown=CONTEXT.markdown))
    same = sum(one.severity == "ok" for one in found.differences)
    where = f"{found.other} ({found.why})" if found.why else found.other
    render.say(f"compared with {shown(where)}: {render.count(same, 'fact')} the same", quiet=CONTEXT.quiet)
