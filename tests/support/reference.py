"""The generated parts of docs/cli.md: the help of each command, and the shape of its JSON.

`python -m tests.support.reference` writes both into the page, and a test compares them.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
import sys
import types
import typing
from pathlib import Path
from typing import Any, Literal

import typer.main

import modelvc.models
import modelvc.ops
from modelvc.cli.app import build
from modelvc.cli.commands import about
from modelvc.git.setup import drivers
from modelvc.models.inside import trusted
from modelvc.models.remotes import configured, fetching
from modelvc.ops.history import diff, log, plot, rollback, show
from modelvc.ops.inspection import scan
from modelvc.ops.merging import markers, resolve
from modelvc.ops.metrics import check, metrics
from modelvc.ops.notebooks import conflicts, outputs
from modelvc.ops.notebooks import diff as notebook_diff
from modelvc.ops.parity import environment
from modelvc.ops.sharing import get, pull, push
from modelvc.ops.tracking import add, checkout, ls, mv, rm, status, track
from modelvc.ops.upkeep import doctor, fsck, gc, gc_remote, init, stats

PAGE = Path(__file__).parents[2] / "docs/cli.md"
WIDTH = 100

RESULTS: dict[str, tuple[type, ...]] = {
    "init": (init.Initialised,),
    "install": (init.InstalledHere,),
    "uninstall": (init.Uninstalled,),
    "add": (add.Added,),
    "status": (status.Status,),
    "checkout": (checkout.CheckedOut,),
    "rm": (rm.Removed,),
    "mv": (mv.Moved,),
    "resolve": (resolve.Resolved,),
    "ls": (ls.ListedModels,),
    "log": (log.Log,),
    "show": (show.Shown,),
    "diff": (diff.Diff,),
    "plot": (plot.Plot,),
    "push": (push.Pushed,),
    "fetch": (fetching.Fetched,),
    "pull": (pull.Pulled,),
    "trust": (configured.Remotes, trusted.AcceptedImports),
    "remote add": (configured.RemoteInfo,),
    "remote list": (configured.Remotes,),
    "remote remove": (configured.Remotes,),
    "track": (track.Tracked,),
    "remote default": (configured.RemoteInfo,),
    "remote set-url": (configured.RemoteInfo,),
    "remote rename": (configured.RemoteInfo,),
    "get": (get.Got,),
    "fsck": (fsck.Fsck, markers.Markers),
    "gc": (gc.GcPlan, gc.GcDone, gc_remote.RemoteGc),
    "store stats": (stats.StoreStats,),
    "doctor": (doctor.Doctor,),
    "metrics show": (metrics.MetricsShown,),
    "metrics set": (metrics.ModelMetrics,),
    "notebook strip": (outputs.StrippedNotebooks,),
    "notebook check": (outputs.CheckedNotebooks,),
    "notebook merge": (conflicts.NotebookMerged,),
    "notebook resolve": (conflicts.NotebooksResolved,),
    "notebook refresh": (outputs.RefreshedNotebooks,),
    "notebook diff": (notebook_diff.NotebookDiff,),
    "notebook mergetool": (),
    "check": (check.Checked,),
    "scan": (scan.Scanned, scan.Allowed),
    "env show": (environment.EnvironmentShown,),
    "env diff": (environment.EnvironmentCompared,),
    "env check": (environment.EnvironmentCompared,),
    "env export": (environment.EnvironmentShown,),
    "rollback": (rollback.RolledBack,),
    "completion": (),
    "help": (),
    "version": (about.Version,),
}


def commands() -> dict[str, Any]:
    """Every command of the program, by the words that call it."""
    return dict(_commands(typer.main.get_command(build()), ""))


def _commands(group: Any, prefix: str) -> typing.Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield prefix + name, command


def help_of(words: str) -> str:
    """The output of `mvc WORDS --help`, without the line about --help."""
    command = commands()[words]
    context = typer.Context(command, info_name=f"mvc {words}", max_content_width=WIDTH, terminal_width=WIDTH)
    lines = command.get_help(context).splitlines()
    kept = [line.rstrip() for line in lines if not line.strip().startswith(("-h, --help", "--help"))]
    while not kept[-1] or kept[-1] == "Options:":
        kept.pop()
    return "\n".join(kept)


# -- JSON


def _namespace() -> dict[str, Any]:
    found: dict[str, Any] = {"MetricValue": int | float | bool | str, "Mode": drivers.Mode}
    walked = [
        *pkgutil.walk_packages(modelvc.ops.__path__, "modelvc.ops."),
        *pkgutil.walk_packages(modelvc.models.__path__, "modelvc.models."),
    ]
    for module in map(importlib.import_module, [*(one.name for one in walked), "modelvc.git.setup.hooks"]):
        found |= {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return found


NAMESPACE = _namespace()


def fields_of(kind: type) -> dict[str, Any]:
    """The fields of a result that its JSON has, with their types."""
    hints = typing.get_type_hints(kind, localns=NAMESPACE | vars(sys.modules[kind.__module__]))  # its own names first
    return {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.metadata.get("json", True)}


def shape(hint: Any, indent: int = 0) -> str:
    """The shape of the JSON of a type."""
    inner = "  " * (indent + 1)
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        parts = [f'"{name}": {shape(one, indent + 1)}' for name, one in fields_of(hint).items()]
        if indent + sum(map(len, parts)) + 2 * len(parts) < WIDTH and not any("\n" in part for part in parts):
            return "{" + ", ".join(parts) + "}"
        return "{\n" + ",\n".join(inner + part for part in parts) + "\n" + "  " * indent + "}"
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in {tuple, list}:
        if args[-1] is Ellipsis or origin is list:
            return f"[{shape(args[0], indent)}, ...]"
        return f"[{', '.join(shape(one, indent) for one in args)}]"
    if origin is dict:
        return f'{{"NAME": {shape(args[1], indent)}, ...}}'
    if origin is Literal:
        return " | ".join(f'"{one}"' for one in args)
    if origin in {types.UnionType, typing.Union}:
        return " | ".join("null" if one is type(None) else shape(one, indent) for one in args)
    return {str: "string", bytes: "hex string", int: "int", float: "float", bool: "bool"}[hint]


def conforms(value: Any, hint: Any) -> bool:
    """Whether a value out of JSON is of the type."""
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        fields = fields_of(hint)
        return (
            isinstance(value, dict)
            and value.keys() == fields.keys()
            and all(conforms(value[name], one) for name, one in fields.items())
        )
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in {tuple, list}:
        if args[-1] is Ellipsis or origin is list:
            return isinstance(value, list) and all(conforms(one, args[0]) for one in value)
        return isinstance(value, list) and len(value) == len(args) and all(map(conforms, value, args))
    if origin is dict:
        return all(conforms(one, args[1]) for one in value.values())
    if origin is Literal:
        return value in args
    if origin in {types.UnionType, typing.Union}:
        return any(value is None if one is type(None) else conforms(value, one) for one in args)
    if hint is float:
        return isinstance(value, int | float)
    return type(value) is (str if hint is bytes else hint)


def json_of(words: str) -> str:
    """The shape of the JSON of a command."""
    return "\n\nor\n\n".join(shape(kind) for kind in RESULTS[words])


def meanings(words: str) -> str:
    """The meanings of the parts of that JSON: the docstrings of its types."""
    seen: dict[type, None] = {}
    for kind in RESULTS[words]:
        _collect(kind, seen)
    return "\n".join(f"- {' '.join((inspect.getdoc(kind) or '').split()).replace('None', 'null')}" for kind in seen)


def _collect(hint: Any, seen: dict[type, None]) -> None:
    if dataclasses.is_dataclass(hint):
        assert isinstance(hint, type)
        seen[hint] = None
        for one in fields_of(hint).values():
            _collect(one, seen)
    for one in typing.get_args(hint):
        _collect(one, seen)


# -- the page


def rewritten(page: str) -> str:
    """The page, with the parts between its markers generated again."""

    def block(found: re.Match[str]) -> str:
        what, words = found[1], found[2]
        if what == "help":
            text = f"```text\n{help_of(words)}\n```"
        else:
            text = f"{meanings(words)}\n\n```text\n{json_of(words)}\n```"
        return f"<!-- {what}: {words} -->\n{text}\n<!-- end -->"

    return re.sub(r"<!-- (help|json): (.*?) -->\n.*?<!-- end -->", block, page, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(rewritten(PAGE.read_text()))
