"""Commands that set up a repository or a clone."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.cli.views.verdicts import say_unaccepted
from modelvc.errors import UsageError, shown, shown_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.git.setup.drivers import Mode
    from modelvc.git.setup.hooks import Installed
    from modelvc.models.remotes.configured import RemoteInfo

REMOTE_URL = "A folder, s3://BUCKET/PREFIX, sftp://HOST/PATH, az://CONTAINER/PATH or gs://BUCKET/PREFIX (not tested)."
ENDPOINT = "Address of an S3 server other than AWS."
NOTEBOOKS = "When to strip outputs: as Git adds a notebook (filter), at a commit (hook), both, or never (off)."

Notebooks = Annotated[
    str, typer.Option("--notebooks", metavar="filter|hook|both|off", help=NOTEBOOKS, show_default=False)
]


def init(
    remote_url: Annotated[str, typer.Argument(metavar="[REMOTE_URL]", help=REMOTE_URL, show_default=False)] = "",
    endpoint_url: Annotated[str, typer.Option("--endpoint-url", metavar="URL", help=ENDPOINT, show_default=False)] = "",
    notebooks: Notebooks = "",
) -> None:
    """Set up this Git repository for mvc.

    Writes .mvc/config.toml and .gitattributes, and stages them. Installs hooks, the notebook filter, and diff and merge
    drivers. Commits nothing. Running it again changes nothing.

    Examples:
      mvc init                          # set up without a remote
      mvc init ../models                # keep models in a folder
      mvc init s3://my-bucket/models    # keep models in S3
    """
    from modelvc.formats.text.config import Remote
    from modelvc.ops.upkeep.init import init as op

    repo = CONTEXT.open()
    done = op(
        repo,
        sys.executable,
        remote=Remote(remote_url, endpoint_url) if remote_url else None,
        cwd=CONTEXT.folder,
        notebooks=_mode(notebooks),
    )
    if CONTEXT.json:
        render.dump(done)
        return
    if CONTEXT.quiet:
        print_by_hand(done.hooks)
        return
    if done.wrote:
        render.out(f"wrote and staged {' and '.join(done.wrote)}")
    else:
        render.out(f"{shown(done.worktree)} uses mvc already")
    print_hooks(done.hooks)
    _print_notebooks(done.notebooks)
    say_unstripped(done.unstripped)
    if done.remote:
        render.out(f"remote {done.remote.name}: {location(done.remote)}")
    after = 'git commit -m "use mvc", then mvc add PATH for each model' if done.wrote else "mvc add PATH"
    render.say(f"next: {after}", quiet=CONTEXT.quiet)


def say_unstripped(paths: Sequence[str]) -> None:
    """Print how many notebooks in Git the filter would still strip, and the command that does it."""
    if not paths:
        return
    number = render.count(len(paths), "notebook")
    suffixes = {path.rpartition(".")[2] for path in paths}
    patterns = " ".join(f"'*{'note' * (suffix == 'json')}.{suffix}'" for suffix in sorted(suffixes))
    render.say(
        f"{number} in Git still {'hold' if len(paths) > 1 else 'holds'} outputs or traces of a run; to strip them:",
        f"git add --renormalize -- {patterns}",
        quiet=CONTEXT.quiet,
    )


def install(
    trust: Annotated[bool, typer.Option("--trust", help="Accept the remotes that the repository names.")] = False,
    notebooks: Notebooks = "",
) -> None:
    """Set up this clone after `git clone`.

    Installs hooks, the notebook filter, and diff and merge drivers. Shows the remotes that the repository names. On a
    terminal, it asks once whether to accept them. Fetching from a folder or plain s3:// needs no acceptance.

    Examples:
      mvc install            # install hooks and drivers
      mvc install --trust    # accept the remotes too
    """
    from modelvc.models.remotes.pinning import trust as accept
    from modelvc.ops.upkeep.init import install as op

    repo = CONTEXT.open()
    done = op(repo, sys.executable, trust=trust, notebooks=_mode(notebooks))
    if CONTEXT.json:
        render.dump(done)
        return
    if CONTEXT.quiet:
        print_by_hand(done.hooks)
    else:
        print_hooks(done.hooks)
        _print_notebooks(done.notebooks)
        for info in done.remotes:
            note = "" if info.trusted else f"  (not accepted: {done.refused[info.name]})"
            render.out(f"remote {shown(info.name)}: {location(info)}{note}")
        say_unaccepted(repo)
    accepted = not done.untrusted
    if done.untrusted and sys.stdin.isatty() and sys.stderr.isatty():
        sys.stdout.flush()
        reason = "to push models to them" if done.readable else "to fetch models from them and push models to them"
        accepted = typer.confirm(f"Accept these remotes, {reason}?", err=True)
        if accepted:
            accept(repo)
    if not accepted and done.readable:
        pull = "mvc pull; " if done.followed.missing else ""
        render.say(f"next: {pull}before the first push: mvc trust NAME", quiet=CONTEXT.quiet)
    elif not accepted:
        render.say("next: mvc trust NAME for each remote that you trust, then mvc pull", quiet=CONTEXT.quiet)
    elif done.followed.missing:
        render.say("next: mvc pull" if done.remotes else "next: mvc remote add origin URL", quiet=CONTEXT.quiet)


def uninstall() -> None:
    """Remove the hooks and drivers of mvc from this clone.

    Restores the hooks that were there before. Models, pointers and the store stay.

    Examples:
      mvc uninstall    # `mvc install` installs them again
    """
    from modelvc.ops.upkeep.init import uninstall as op

    done = op(CONTEXT.open())
    if CONTEXT.json:
        render.dump(done)
        return
    if CONTEXT.quiet:
        return
    render.out(f"removed {render.count(len(done.hooks), 'hook')}" if done.hooks else "there were no hooks of mvc")
    render.say("models, pointers and the store stay; mvc install brings the hooks back", quiet=CONTEXT.quiet)


def location(info: RemoteInfo) -> str:
    """Return the URL of a remote, and its endpoint if it has one, without credentials."""
    return shown_url(info.url) + (f" (endpoint {shown_url(info.endpoint_url)})" if info.endpoint_url else "")


def _mode(text: str) -> Mode | None:
    from modelvc.git.setup.drivers import MODES

    found = next((mode for mode in MODES if mode == text), None)
    if text and found is None:
        raise UsageError(f"--notebooks takes {', '.join(MODES)}, not {shown(text, 40)}", hint="try --notebooks both")
    return found


_NOTEBOOKS = {
    "filter": "outputs of notebooks stay in the worktree and out of Git",
    "hook": "outputs of notebooks are stripped at a commit; the worktree keeps them",
    "both": "outputs of notebooks stay in the worktree and out of Git; commits are checked",
    "off": "notebooks are not changed",
}


def _print_notebooks(mode: Mode) -> None:
    render.out(_NOTEBOOKS[mode])


def print_by_hand(hooks: Installed) -> None:
    """Print the lines that a person must add to their own hooks. With --quiet too: no hook works without them."""
    if hooks.by_hand:
        render.out(f"core.hooksPath is set to {shown(hooks.hooks_path)}, which mvc does not change.")
        render.out("Add one line to each of these hooks in it:")
        for hook, line in hooks.by_hand:
            render.out(f"  {hook}: {line}")


def print_hooks(hooks: Installed) -> None:
    """Print the result of an installation of hooks."""
    if hooks.by_hand:
        print_by_hand(hooks)
        return
    render.out("hooks are in place: models follow Git, commits and pushes are checked")
    if hooks.chained:
        render.out(f"existing hooks, which run first: {', '.join(hooks.chained)}")
