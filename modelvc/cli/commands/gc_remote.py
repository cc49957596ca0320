"""`mvc gc --remote`: what a clean-up of a remote tells."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from modelvc.cli.context import CONTEXT
from modelvc.cli.progress import progress
from modelvc.cli.views import render
from modelvc.errors import shown
from modelvc.store.transfer.upload import GRACE

if TYPE_CHECKING:
    from modelvc.ops.upkeep.gc_remote import RemoteGc, RemoteGcOptions

_DAY = 86_400.0  # seconds


def collect(asked: RemoteGcOptions, *, apply: bool) -> None:
    """Clean up a remote, or show what that would do."""
    from modelvc.ops.upkeep import gc_remote as op

    repo = CONTEXT.open()
    with progress("cleaning up", quiet=CONTEXT.quiet) as bar:
        found = op.gc_remote(repo, asked, apply=apply, progress=bar)
    if CONTEXT.json:
        render.dump(found)
        return
    rows = [
        (one.path or "-", render.short(one.oid), render.size(one.size), f"{one.age / _DAY:.1f}") for one in found.items
    ]
    if rows:
        render.out(*render.table(("model", "version", "size", "days"), rows, markdown=CONTEXT.markdown))
    render.out(*_lines(found))
    if not apply and (found.items or found.doomed or found.deleted):
        render.say(f"next: {_command(asked)}", quiet=CONTEXT.quiet)


def _lines(found: RemoteGc) -> list[str]:
    done = found.applied
    where = shown(found.remote)
    if not (found.items or found.doomed or found.deleted or found.waiting):
        return [f"{where}: everything there is needed, or younger than {found.grace / _DAY:g} days"]
    lines = [f"{where}: {render.count(len(found.items), 'object')} {'removed' if done else 'can go'}"]
    if found.deleted:
        copied = f", what is needed of them copied ({render.size(found.copied_bytes)})" if found.copied_bytes else ""
        verb = "deleted" if done else "can be deleted now"
        lines.append(f"{_packs(found.deleted, found.deleted_bytes)} {verb}{copied}")
    waiting, size = found.waiting, found.waiting_bytes
    if found.doomed:
        verb = "doomed" if done else "would be doomed"
        lines.append(f"{_packs(found.doomed, found.doomed_bytes)} {verb}: deleted {_when(found)}")
    if waiting:
        lines.append(f"{_packs(waiting, size)} doomed before: deleted {_when(found)}")
    return lines


def _when(found: RemoteGc) -> str:
    return f"by the first `mvc gc --remote --apply` after {found.grace / _DAY:g} days"


def _packs(count: int, size: int) -> str:
    return f"{render.count(count, 'pack')} ({render.size(size)})"


def _command(asked: RemoteGcOptions) -> str:
    words = ["mvc", "gc", "--remote", *(["-r", asked.remote] if asked.remote else [])]
    words += [word for url in asked.also for word in ("--also", url)]
    words += ["--exclusive"] if asked.exclusive else []
    words += ["--grace", f"{asked.grace / _DAY:g}"] if asked.grace != GRACE else []
    return shlex.join([*words, "--apply"])
