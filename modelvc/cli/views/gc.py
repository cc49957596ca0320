"""Show the result of `mvc gc`, on the local store and on a remote."""

from __future__ import annotations

import shlex
from collections import Counter
from typing import TYPE_CHECKING

from modelvc.cli.context import CONTEXT
from modelvc.cli.views import render
from modelvc.errors import shown
from modelvc.ops.sharing.transfer_options import versions_in_words
from modelvc.ops.upkeep.gc import GcDone, GcPlan
from modelvc.store.transfer.upload import GRACE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.ops.upkeep.gc import GcItem
    from modelvc.ops.upkeep.gc_remote import RemoteGc, RemoteGcOptions

DAY = 86_400.0  # seconds
_MOST = 5  # most names in a suggested command


def print_gc(found: GcDone | GcPlan, *, names: Sequence[str], evict: bool, grace: float) -> None:
    """Print what was removed from the local store or can be, and the next command. GRACE is in days."""
    rows = [
        (item.path or "-", render.short(item.oid), render.size(item.size), f"{item.age / DAY:.1f}", item.why)
        for item in (*found.items, *found.only_here)
    ]
    if rows:
        render.out(*render.table(("model", "version", "size", "days", "why"), rows, markdown=CONTEXT.markdown))
    if isinstance(found, GcDone):
        render.out(f"{_objects(found.items)} removed, {render.size(max(0, found.freed))} freed")
    else:
        frees = render.size(found.frees)
        render.out(f"{_objects(found.items)} can be removed, {frees} would be freed; {found.kept:,} kept")
    for why in found.unasked:
        render.say(shown(why, 300), quiet=CONTEXT.quiet)
    if found.unpushed:
        words = f"{render.count(found.unpushed, 'version')} of commits that no Git remote has"
        render.say(f"not evicted: {words}; next: git push", quiet=CONTEXT.quiet)
    command = ["mvc gc", *(["--evict"] if evict else []), *([f"--grace {grace:g}"] if grace != GRACE / DAY else [])]
    if isinstance(found, GcPlan) and (found.items or found.frees):
        render.say(f"next: {' '.join([*command, *map(shlex.quote, names), '--apply'])}", quiet=CONTEXT.quiet)
    if found.only_here:
        kept = [render.short(item.oid) for item in found.only_here]
        words = f"no remote has {_objects(found.only_here)}; to delete anyway"
        render.say(f"{words}: {' '.join([*command, *kept[:_MOST], '--apply'])}", quiet=CONTEXT.quiet)


def _objects(items: Sequence[GcItem]) -> str:
    """Return in words how many versions, predictions and objects of unknown kind ITEMS are."""
    count = Counter(item.what for item in items)
    words = (
        [versions_in_words(count["version"], count["predictions"])] if count["version"] or count["predictions"] else []
    )
    if count["object"]:
        words.append(render.count(count["object"], "object"))
    return " and ".join(words) or render.count(0, "version")


def print_remote_gc(found: RemoteGc, options: RemoteGcOptions, *, apply: bool) -> None:
    """Print what was removed from a remote or can be, and the next command."""
    rows = [
        (one.path or "-", render.short(one.oid), render.size(one.size), f"{one.age / DAY:.1f}") for one in found.items
    ]
    if rows:
        render.out(*render.table(("model", "version", "size", "days"), rows, markdown=CONTEXT.markdown))
    render.out(*_lines(found))
    if not apply and (found.items or found.doomed or found.deleted):
        render.say(f"next: {_command(options)}", quiet=CONTEXT.quiet)


def _lines(found: RemoteGc) -> list[str]:
    done = found.applied
    where = shown(found.remote)
    if not (found.items or found.doomed or found.deleted or found.waiting):
        return [f"{where}: every object is needed or younger than {found.grace / DAY:g} days"]
    lines = [f"{where}: {render.count(len(found.items), 'object')} {'removed' if done else 'can be removed'}"]
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
    return f"by the first `mvc gc --remote --apply` after {found.grace / DAY:g} days"


def _packs(count: int, size: int) -> str:
    return f"{render.count(count, 'pack')} ({render.size(size)})"


def _command(options: RemoteGcOptions) -> str:
    words = ["mvc", "gc", "--remote", *(["-r", options.remote] if options.remote else [])]
    words += [word for url in options.also for word in ("--also", url)]
    words += ["--exclusive"] if options.exclusive else []
    words += ["--grace", f"{options.grace / DAY:g}"] if options.grace != GRACE else []
    return shlex.join([*words, "--apply"])
