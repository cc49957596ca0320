"""Commands that reach a remote."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli import render
from modelvc.cli.context import CONTEXT
from modelvc.cli.progress import progress
from modelvc.errors import NotFoundError, shown
from modelvc.ops.how import Transfer

if TYPE_CHECKING:
    from modelvc.ops.fetch import Fetched
    from modelvc.ops.remotes import RemoteInfo

Words = Annotated[list[str] | None, typer.Argument(metavar="[REV|A..B]... [-- PATH...]", show_default=False)]
Remote = Annotated[str, typer.Option("-r", "--remote", metavar="NAME", help="This remote instead of the default one.")]
Everything = Annotated[bool, typer.Option("--all", help="Of every branch, tag and stash.")]
Jobs = Annotated[int, typer.Option("-j", "--jobs", metavar="N", min=0, max=64, help="Requests at once.")]

remote_app = typer.Typer(no_args_is_help=True, help="Where models are kept.", rich_markup_mode=None)


def _split(words: list[str] | None) -> tuple[list[str], list[str]]:
    """Revisions before `--`, paths behind it."""
    from modelvc.cli.app import BEHIND

    given, behind = list(words or []), BEHIND[0]
    return (given, []) if behind is None else (given[: len(given) - len(behind)], behind)


def push(words: Words = None, remote: Remote = "", everything: Everything = False, jobs: Jobs = 0) -> None:
    """Upload objects to a remote; by default those of HEAD, the index and the worktree."""
    from modelvc.ops.push import push as op

    revs, paths = _split(words)
    with progress("pushing", quiet=CONTEXT.quiet) as bar:
        done = op(CONTEXT.open(), revs, paths, Transfer(remote, everything, jobs), bar)
    if CONTEXT.form == "json":
        render.dump(done)
    elif done.sent:
        render.out(
            f"{render.count(len(done.sent), 'version')} sent to {done.remote} "
            f"({render.size(done.sent_bytes)}), {done.there:,} there already"
        )
    else:
        render.out(f"nothing to send: {render.count(done.there, 'version')} on {done.remote}, complete")


def fetch(words: Words = None, remote: Remote = "", everything: Everything = False, jobs: Jobs = 0) -> None:
    """Download objects from a remote; by default those of HEAD, the index and the worktree."""
    from modelvc.ops.fetch import fetch as op

    revs, paths = _split(words)
    with progress("fetching", quiet=CONTEXT.quiet) as bar:
        done = op(CONTEXT.open(), revs, paths, Transfer(remote, everything, jobs), bar)
    _print_fetched(done)
    _refuse_missing(done)


def pull(words: Words = None, remote: Remote = "", everything: Everything = False, jobs: Jobs = 0) -> None:
    """Fetch, then check out."""
    from modelvc.cli.tracking import print_checkout
    from modelvc.ops.pull import pull as op

    revs, paths = _split(words)
    with progress("pulling", quiet=CONTEXT.quiet) as bar:
        done = op(CONTEXT.open(), revs, paths, Transfer(remote, everything, jobs), bar)
    if CONTEXT.form == "json":
        render.dump(done)
    else:
        _print_fetched(done.fetched)
        print_checkout(done.checked_out)
    _refuse_missing(done.fetched)


def _print_fetched(done: Fetched) -> None:
    if CONTEXT.form == "json":
        render.dump(done)
        return
    came = f"{render.count(len(done.came), 'version')} fetched from {done.remote} ({render.size(done.received_bytes)})"
    render.out(came if done.came else f"nothing to fetch: {render.count(done.here, 'version')} here")


def _refuse_missing(done: Fetched) -> None:
    """Saying "done" when something is nowhere would be a lie."""
    if done.missing:
        names = ", ".join(f"{shown(path)} ({render.short(oid)})" for path, oid in done.missing[:5])
        raise NotFoundError(
            f"{render.count(len(done.missing), 'version')} not on {done.remote}: {names}",
            hint="run `mvc push` in a clone that has them",
        )


def _remote_line(info: RemoteInfo) -> tuple[str, ...]:
    place = info.url + (f" ({info.endpoint_url})" if info.endpoint_url else "")
    notes = [word for word, there in (("default", info.default), ("not trusted", not info.trusted)) if there]
    return info.name, place, ", ".join(notes)


@remote_app.command("add")
def remote_add(
    name: Annotated[str, typer.Argument()],
    url: Annotated[str, typer.Argument(help="A folder, s3://BUCKET/PREFIX, sftp://HOST/PATH, or another fsspec URL.")],
    endpoint_url: Annotated[
        str, typer.Option("--endpoint-url", metavar="URL", help="An S3 server that is not AWS.")
    ] = "",
    profile: Annotated[
        str, typer.Option("--profile", help="Credentials of this profile; kept in this clone only.")
    ] = "",
    region: Annotated[str, typer.Option("--region")] = "",
) -> None:
    """Name a place for models; it is committed with the repository and trusted in this clone."""
    from modelvc.formats.config import Remote as Place
    from modelvc.ops.remotes import add_remote

    place = Place(url, endpoint_url, region, profile)
    info = add_remote(CONTEXT.open(), name, place, cwd=os.path.join(os.getcwd(), CONTEXT.repo))
    if CONTEXT.form == "json":
        render.dump(info)
        return
    render.out(f"{info.name}  {shown(info.url)}")
    render.say("next: git commit (it is staged), then mvc push or git push", quiet=CONTEXT.quiet)


@remote_app.command("list")
def remote_list() -> None:
    """All remotes, which is the default, and whether this clone trusts them."""
    from modelvc.ops.remotes import remotes

    found = remotes(CONTEXT.open())
    if CONTEXT.form == "json":
        render.dump(found)
    elif found.remotes:
        render.out(*render.table(("name", "place", ""), [_remote_line(info) for info in found.remotes]))
    else:
        render.out("no remotes")
        render.say("add one with: mvc remote add origin URL", quiet=CONTEXT.quiet)


@remote_app.command("remove")
def remote_remove(name: Annotated[str, typer.Argument()]) -> None:
    """Forget a remote. What lies there stays."""
    from modelvc.ops.remotes import remove_remote

    remove_remote(CONTEXT.open(), name)
    render.say(f"removed {shown(name)}; what lies there stays", quiet=CONTEXT.quiet)


@remote_app.command("default")
def remote_default(name: Annotated[str, typer.Argument()]) -> None:
    """The remote that is meant when none is named."""
    from modelvc.ops.remotes import set_default

    info = set_default(CONTEXT.open(), name)
    render.say(f"{shown(info.name)} is the default remote", quiet=CONTEXT.quiet)


def trust(names: Annotated[list[str] | None, typer.Argument(metavar="[NAME]...", show_default=False)] = None) -> None:
    """Show the remotes that the repository names, and accept NAME as it is now."""
    from modelvc.ops.remotes import remotes
    from modelvc.ops.remotes import trust as op

    repo = CONTEXT.open()
    found = op(repo, tuple(names)) if names else remotes(repo)
    if CONTEXT.form == "json":
        render.dump(found)
        return
    render.out(*render.table(("name", "place", ""), [_remote_line(info) for info in found.remotes]))
    if not names and any(not info.trusted for info in found.remotes):
        render.say("accept one with: mvc trust NAME", quiet=CONTEXT.quiet)
