"""Commands that set a repository or a clone up."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli import render
from modelvc.cli.context import CONTEXT
from modelvc.errors import shown

if TYPE_CHECKING:
    from modelvc.git.hooks import Installed


def init(
    remote_url: Annotated[str, typer.Argument(metavar="[REMOTE_URL]", show_default=False)] = "",
    endpoint_url: Annotated[
        str, typer.Option("--endpoint-url", metavar="URL", help="An S3 server that is not AWS.")
    ] = "",
) -> None:
    """Set this Git repository up for mvc: configuration, attributes, hooks. Stages, never commits."""
    from modelvc.ops.init import init as op

    done = op(CONTEXT.open(), sys.executable, remote_url=remote_url, endpoint_url=endpoint_url, cwd=os.getcwd())
    if CONTEXT.form == "json":
        render.dump(done)
        return
    for name in done.wrote:
        render.out(f"wrote and staged {name}")
    _print_hooks(done.hooks)
    if done.remote:
        render.out(f"remote {done.remote.name}: {shown(done.remote.url)}")
    if not done.wrote:
        render.out("this repository uses mvc already")
    render.say(
        "next: git commit, then mvc add PATH for each model" if done.wrote else "next: mvc add PATH",
        quiet=CONTEXT.quiet,
    )


def install(
    trust: Annotated[bool, typer.Option("--trust", help="Accept the remotes that the repository names.")] = False,
) -> None:
    """Set up the hooks of this clone, after git clone; show the remotes that the repository names."""
    from modelvc.ops.init import install as op
    from modelvc.ops.remotes import trust as accept

    repo = CONTEXT.open()
    done = op(repo, sys.executable, trust=trust)
    if CONTEXT.form == "json":
        render.dump(done)
        return
    _print_hooks(done.hooks)
    for info in done.remotes:
        place = info.url + (f" (endpoint {info.endpoint_url})" if info.endpoint_url else "")
        render.out(f"remote {shown(info.name)}: {shown(place)}{'' if info.trusted else '  (not trusted yet)'}")
    asked = bool(done.untrusted) and sys.stdin.isatty() and sys.stderr.isatty()
    if asked and typer.confirm("Use these remotes from this clone?", err=True):
        accept(repo)
        render.say("next: mvc pull", quiet=CONTEXT.quiet)
    elif done.untrusted:
        render.say("accept them with: mvc trust NAME, or mvc install --trust", quiet=CONTEXT.quiet)
    elif done.followed.missing:
        render.say("next: mvc pull", quiet=CONTEXT.quiet)


def uninstall() -> None:
    """Take the hooks of this clone away, and put back what was there."""
    from modelvc.ops.init import uninstall as op

    removed = op(CONTEXT.open())
    render.out(f"removed {render.count(len(removed), 'hook')}" if removed else "there were no hooks of mvc")
    render.say("models, pointers and the store stay; mvc install brings the hooks back", quiet=CONTEXT.quiet)


def _print_hooks(hooks: Installed) -> None:
    if hooks.by_hand:
        render.out(f"core.hooksPath is set ({shown(hooks.hooks_path)}), so nothing was written there.")
        render.out("Add one line to each of these hooks in it:")
        for hook, line in hooks.by_hand:
            render.out(f"  {hook}: {line}")
        return
    render.out(f"hooks: {', '.join(hooks.hooks)}")
    if hooks.chained:
        render.out(f"kept and run first: {', '.join(hooks.chained)}")
