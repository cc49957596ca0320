"""Commands that talk to remotes, and that configure them."""

from __future__ import annotations

import os
import shlex
from typing import TYPE_CHECKING, Annotated

import typer

from modelvc.cli.arguments import EXIT_NO
from modelvc.cli.commands.setup import ENDPOINT, REMOTE_URL, location
from modelvc.cli.context import CONTEXT, revs_and_paths
from modelvc.cli.progress import progress
from modelvc.cli.views import render
from modelvc.cli.views.verdicts import say_unaccepted
from modelvc.errors import IntegrityError, NotFoundError, ObjectMissing, UsageError, shown
from modelvc.ops.sharing.transfer_options import TransferOptions, versions_in_words

if TYPE_CHECKING:
    from modelvc.models.remotes.configured import RemoteInfo, Remotes
    from modelvc.models.remotes.fetching import Fetched
    from modelvc.ops.sharing.push import Pushed
    from modelvc.repo import Repo

Words = Annotated[list[str] | None, typer.Argument(metavar="[REV|A..B]... [-- PATH...]", show_default=False)]
Remote = Annotated[
    str,
    typer.Option(
        "-r", "--remote", metavar="REMOTE", help="Use this remote instead of the default one.", show_default=False
    ),
]
Everything = Annotated[bool, typer.Option("--all", help="Include every branch, tag and stash.")]
Jobs = Annotated[
    int,
    typer.Option(
        "-j", "--jobs", metavar="N", min=0, max=64, help="Send at most N requests at once.", show_default=False
    ),
]

RemoteName = Annotated[str, typer.Argument(metavar="REMOTE")]
RemoteUrl = Annotated[str, typer.Argument(metavar="URL", help=REMOTE_URL)]
EndpointUrl = Annotated[str, typer.Option("--endpoint-url", metavar="URL", help=ENDPOINT, show_default=False)]
Region = Annotated[str, typer.Option("--region", metavar="REGION", help="Region of the bucket.", show_default=False)]

_SHOWN = 5  # most versions that are named one by one
OPTIONS = (
    "An option for S3, kept in this clone only: acl, addressing_style, anonymous, ca_bundle, requester_pays, sse, "
    "sse_kms_key_id, storage_class. Repeatable."
)

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show what would change; change nothing, here or on the remote.")
]

GROUP_HELP = """Manage remotes: the places where models are stored.

Examples:
  mvc remote list                      # all remotes
  mvc remote add archive ../archive    # add a folder as a remote
"""
remote_app = typer.Typer(help=GROUP_HELP, rich_markup_mode=None)


def push(
    words: Words = None,
    remote: Remote = "",
    everything: Everything = False,
    jobs: Jobs = 0,
    dry_run: DryRun = False,
    create: Annotated[
        bool, typer.Option("--create", help="Make a new store if the one that this clone has used is lost.")
    ] = False,
) -> None:
    """Upload versions to a remote.

    By default, uploads the versions that the history of HEAD, the index and the worktree need. REV stands for the
    versions of that commit, A..B for those of all commits between. Lists the remote first, and sends only what it
    lacks.

    Examples:
      mvc push                   # everything that HEAD needs
      mvc push --all             # every branch, tag and stash
      mvc push -r backup         # to another remote
      mvc push v1.0 -- models    # the models in a folder, at a tag
    """
    from modelvc.ops.sharing.push import push as op

    revs, paths = _asked(words, everything=everything)
    with progress("pushing", quiet=CONTEXT.quiet) as bar:
        options = TransferOptions(remote, everything, jobs, dry_run=dry_run, create=create)
        done = op(CONTEXT.open(), revs, paths, options, bar)
    if CONTEXT.json:
        render.dump(done)
    elif done.sent or done.predictions:
        verb, most = ("would be sent", "at most ") if dry_run else ("sent", "")
        render.out(
            f"{versions_in_words(len(done.sent), done.predictions)} {verb} to {done.remote} "
            f"({most}{render.size(done.sent_bytes)}), {done.there:,} there already"
        )
    elif done.unsent:
        render.out(f"nothing was sent: {render.count(done.there, 'version')} on {done.remote}")
    else:
        render.out(f"nothing to send: {render.count(done.there, 'version')} on {done.remote}, complete")
    if done.broken and not CONTEXT.json:
        words_of = render.count(done.broken, "published pointer")
        render.say(f"{words_of} cannot be read (see `mvc fsck`)", quiet=CONTEXT.quiet)
    _refuse_unsent(done)


def _asked(words: list[str] | None, *, everything: bool) -> tuple[list[str], list[str]]:
    """Return the revisions and paths in WORDS. Raises UsageError for a revision beside --all, which covers all."""
    revs, paths = revs_and_paths(words)
    if everything and revs:
        raise UsageError(
            f"--all covers every revision, so {shown(revs[0])} changes nothing", hint="leave one of them out"
        )
    return revs, paths


def _refuse_unsent(done: Pushed) -> None:
    """Raise IntegrityError or NotFoundError for versions that could not be sent, after all others were."""
    if not done.unsent:
        return
    for one in done.unsent[1:_SHOWN]:
        render.say(f"not sent: {one.why}", f"  {one.hint}")
    count = len(done.unsent)
    left = count - _SHOWN
    more = f" ({left:,} more {'is' if left == 1 else 'are'} not shown)" if left > 0 else ""
    damaged = any(one.code != ObjectMissing.code for one in done.unsent)
    raise (IntegrityError if damaged else NotFoundError)(
        f"{render.count(count, 'version')} could not be sent{more}: {done.unsent[0].why}", hint=done.unsent[0].hint
    )


def fetch(
    words: Words = None, remote: Remote = "", everything: Everything = False, jobs: Jobs = 0, dry_run: DryRun = False
) -> None:
    """Download versions from a remote.

    By default, downloads the versions of HEAD, the index and the worktree. The worktree stays as it is.

    Examples:
      mvc fetch          # the current versions
      mvc fetch --all    # every version of every branch and tag
      mvc fetch v1.0     # the versions of a tag
    """
    from modelvc.ops.sharing.fetch import fetch as op

    revs, paths = _asked(words, everything=everything)
    with progress("fetching", quiet=CONTEXT.quiet) as bar:
        done = op(CONTEXT.open(), revs, paths, TransferOptions(remote, everything, jobs, dry_run=dry_run), bar)
    _print_fetched(done)
    _refuse_missing(done)


def pull(
    words: Words = None, remote: Remote = "", everything: Everything = False, jobs: Jobs = 0, dry_run: DryRun = False
) -> None:
    """Download versions and check them out.

    Fetches versions, then restores the models of the worktree to the versions that their pointers name.

    Examples:
      mvc pull              # all models
      mvc pull -- models    # the models in a folder
    """
    from modelvc.cli.commands.tracking import print_checkout, refresh_notebooks
    from modelvc.ops.sharing.pull import pull as op

    revs, paths = _asked(words, everything=everything)
    repo = CONTEXT.open()
    if not dry_run:
        refresh_notebooks(repo)
    with progress("pulling", quiet=CONTEXT.quiet) as bar:
        done = op(repo, revs, paths, TransferOptions(remote, everything, jobs, dry_run=dry_run), bar)
    if CONTEXT.json:
        render.dump(done)
    else:
        _print_fetched(done.fetched)
        print_checkout(done.checked_out)
        if any(model.verdict == "unlisted" for model in done.checked_out.models):
            say_unaccepted(repo)
    _refuse_missing(done.fetched)
    if done.checked_out.blocked:
        raise typer.Exit(EXIT_NO)


def get(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A Git repository: a URL or a folder.")],
    path: Annotated[str, typer.Argument(metavar="PATH", help="The model's path in it.")],
    rev: Annotated[
        str,
        typer.Option(
            "--rev", metavar="REV", help="Take the model of this revision instead of HEAD.", show_default=False
        ),
    ] = "",
    out: Annotated[
        str, typer.Option("-o", "--out", metavar="OUT", help="Write the model to OUT.", show_default=False)
    ] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace an existing file.")] = False,
    trust_it: Annotated[bool, typer.Option("--trust", help="Use an S3 endpoint that the repository names.")] = False,
) -> None:
    """Download one model from another repository.

    Works anywhere, also outside a repository, and does not clone SOURCE. A remote of SOURCE that is a relative folder
    begins at the top of SOURCE, so SOURCE must then be the folder of a clone on this machine.

    Examples:
      mvc get ../vision resnet.pt                         # from a folder
      mvc get https://example.org/vision.git resnet.pt    # from a server
      mvc get --rev v2.0 -o old.pt ../vision resnet.pt    # at a tag
    """
    from modelvc.ops.sharing.get import GetOptions
    from modelvc.ops.sharing.get import get as op

    with progress("getting", quiet=CONTEXT.quiet) as bar:
        done = op(source, path, CONTEXT.folder, GetOptions(rev, out, force, trust_it), bar)
    if CONTEXT.json:
        render.dump(done)
        return
    where = done.out if os.path.isabs(out) else os.path.relpath(done.out, CONTEXT.folder)
    render.out(
        f"{shown(where)}  {render.short(done.oid)}  {render.size(done.size)}  "
        f"(from {done.commit[:10]}, {shown(done.came_from)})"
    )
    if done.verdict:
        words = f"{done.verdict} ({shown(done.why)})" if done.why else done.verdict
        render.say(f"{shown(where)} is {words}", quiet=CONTEXT.quiet)
    if done.wrong:
        render.say(f"{shown(where)}: {done.wrong}; its bytes are correct", quiet=CONTEXT.quiet)
    if done.was:
        words = f"the old content is stored: mvc checkout {done.was[:17]} {shlex.quote(shown(where))} restores it"
        render.say(words, quiet=CONTEXT.quiet)


def _print_fetched(done: Fetched) -> None:
    if CONTEXT.json:
        render.dump(done)
        return
    what = versions_in_words(len(done.came), done.predictions)
    verb, most = ("would be fetched", "at most ") if done.dry_run else ("fetched", "")
    came = f"{what} {verb} from {', '.join(done.came_from)} ({most}{render.size(done.received_bytes)})"
    render.out(
        came if done.came or done.predictions else f"nothing to fetch: {render.count(done.here, 'version')} here"
    )
    for why in done.unasked:
        render.say(f"not checked: {why}")


def _refuse_missing(done: Fetched) -> None:
    """Raise NotFoundError for versions that no remote has, so that an incomplete fetch fails."""
    if done.missing:
        names = ", ".join(f"{shown(path)} ({render.short(oid)})" for path, oid in done.missing[:5])
        raise NotFoundError(
            f"{render.count(len(done.missing), 'version')} not on {shown(done.remote)} or another remote: {names}",
            hint=done.advice,
        )


def _print_change(info: RemoteInfo, line: str, following: str) -> None:
    """Print a changed remote as LINE, and the command that comes next."""
    if CONTEXT.json:
        render.dump(info)
        return
    render.out(line)
    render.say(f"next: {following}", quiet=CONTEXT.quiet)


def _remote_line(info: RemoteInfo) -> tuple[str, ...]:
    notes = [word for word, there in (("default", info.default), ("not accepted", not info.trusted)) if there]
    return info.name, location(info), ", ".join(notes)


@remote_app.command("add")
def remote_add(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    url: RemoteUrl,
    endpoint_url: EndpointUrl = "",
    profile: Annotated[
        str,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="Use the credentials of this profile; kept in this clone only.",
            show_default=False,
        ),
    ] = "",
    region: Region = "",
    options: Annotated[
        list[str] | None,
        typer.Option("-o", "--option", metavar="KEY=VALUE", help=OPTIONS, show_default=False),
    ] = None,
) -> None:
    """Add a remote.

    Writes the remote to .mvc/config.toml and stages that file. This clone accepts the remote.

    Examples:
      mvc remote add archive ../archive                                # a folder
      mvc remote add cloud s3://bucket/models --region eu-west-1       # S3
      mvc remote add lab s3://models --endpoint-url http://lab:9000    # MinIO
    """
    from modelvc.formats.text.config import Remote as ConfiguredRemote
    from modelvc.formats.text.remote_options import parse
    from modelvc.models.remotes.pinning import add_remote

    remote = ConfiguredRemote(url, endpoint_url, region, profile, options=parse(options or []))
    info = add_remote(CONTEXT.open(), name, remote, cwd=CONTEXT.folder)
    _print_change(info, f"{info.name}  {location(info)}", "git commit (it is staged), then mvc push or git push")


@remote_app.command("set-url")
def remote_set_url(
    name: RemoteName,
    url: RemoteUrl,
    endpoint_url: EndpointUrl = "",
    region: Region = "",
) -> None:
    """Change the address of a remote.

    Writes the address to .mvc/config.toml and stages that file. This clone accepts the new address. Stored models are
    not moved: `mvc push --all` uploads them to the new address.

    Examples:
      mvc remote set-url origin ../other-folder    # then: mvc push --all
    """
    from modelvc.formats.text.config import Remote as ConfiguredRemote
    from modelvc.ops.sharing.remotes import set_url

    info = set_url(CONTEXT.open(), name, ConfiguredRemote(url, endpoint_url, region), cwd=CONTEXT.folder)
    _print_change(info, f"{info.name}  {location(info)}", "git commit, then mvc push --all")


@remote_app.command("rename")
def remote_rename(
    old: RemoteName,
    new: Annotated[str, typer.Argument(metavar="NEW_NAME")],
) -> None:
    """Rename a remote.

    This clone accepts the new name. Other clones accept it with `mvc trust`.

    Examples:
      mvc remote rename origin team    # rename a remote
    """
    from modelvc.ops.sharing.remotes import rename_remote

    info = rename_remote(CONTEXT.open(), old, new)
    _print_change(info, f"{shown(old)} -> {info.name}", "git commit")


@remote_app.command("list")
def remote_list() -> None:
    """List all remotes.

    Marks the default remote, and the remotes that this clone has not accepted.

    Examples:
      mvc remote list           # names and addresses
      mvc remote list --json    # for scripts
    """
    from modelvc.models.remotes.configured import remotes

    _print_remotes(remotes(CONTEXT.open()))


@remote_app.command("remove")
def remote_remove(name: RemoteName) -> None:
    """Remove a remote.

    The models that are stored there stay.

    Examples:
      mvc remote remove backup    # remove a remote
    """
    from modelvc.models.remotes.configured import remotes
    from modelvc.ops.sharing.remotes import remove_remote

    repo = CONTEXT.open()
    remove_remote(repo, name)
    if CONTEXT.json:
        render.dump(remotes(repo))
        return
    render.say(f"removed {shown(name)}; what lies there stays", "next: git commit", quiet=CONTEXT.quiet)


@remote_app.command("default")
def remote_default(name: RemoteName) -> None:
    """Set the default remote.

    Commands use it unless -r names another.

    Examples:
      mvc remote default backup    # use this remote from now on
    """
    from modelvc.ops.sharing.remotes import set_default

    info = set_default(CONTEXT.open(), name)
    if CONTEXT.json:
        render.dump(info)
        return
    render.say(f"{shown(info.name)} is the default remote", "next: git commit", quiet=CONTEXT.quiet)


def trust(
    names: Annotated[list[str] | None, typer.Argument(metavar="[REMOTE]...", show_default=False)] = None,
    imports: Annotated[bool, typer.Option("--imports", help="Accept the names in .mvc/trusted-imports.toml.")] = False,
) -> None:
    """Accept remotes that the repository names.

    Without REMOTE, lists the remotes. A remote is accepted as it is now; after its address changes, accept it again.
    --imports accepts the names that models may import (see `mvc scan`), also as they are now: read the file first.

    Examples:
      mvc trust              # list the remotes
      mvc trust origin       # accept one
      mvc trust --imports    # accept .mvc/trusted-imports.toml
    """
    from modelvc.models.remotes.configured import remotes
    from modelvc.models.remotes.pinning import trust as op

    repo = CONTEXT.open()
    if imports:
        _trust_imports(repo)
        if not names:
            return
    found = op(repo, tuple(names)) if names else remotes(repo)
    _print_remotes(found)
    if not CONTEXT.json and not names:
        say_unaccepted(repo)
    if not CONTEXT.json and any(not info.trusted for info in found.remotes):
        render.say("next: mvc trust NAME for each remote that you trust", quiet=CONTEXT.quiet)


def _trust_imports(repo: Repo) -> None:
    """Accept the file of trusted imports, and print its names: they are accepted as code."""
    from modelvc.models.inside.trusted import accept

    found = accept(repo)
    if CONTEXT.json:
        render.dump(found)
        return
    render.out(*(f"{one.use.ljust(11)}  {shown(one.name)}" for one in found.names))
    render.say(f"accepted: {render.count(len(found.names), 'name')}", quiet=CONTEXT.quiet)


def _print_remotes(found: Remotes) -> None:
    if CONTEXT.json:
        render.dump(found)
    elif found.remotes:
        head = ("name", "place", "note")
        render.out(*render.table(head, [_remote_line(info) for info in found.remotes], markdown=CONTEXT.markdown))
    else:
        render.out("no remotes")
        render.say("next: mvc remote add origin URL", quiet=CONTEXT.quiet)
