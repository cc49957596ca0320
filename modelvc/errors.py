"""Every failure that modelvc can explain.

    ModelvcError
    ├── UsageError        2   fix the command
    ├── ConfigError       2   fix the file it names
    ├── NoRecord          3   record it, or do not ask for it
    ├── NotFoundError    10   fetch it, or name something else
    ├── ConflictError    11   settle the other work that is in the way
    ├── IntegrityError   12   repair bytes that are not what their name says
    ├── RemoteError      13   see to the remote; `transient` if a retry may help
    └── GitError         14   see to what Git refused; the message has Git's words

The groups follow from what a caller does about an error, not from where it is raised. A `code` never changes and is
never removed: scripts and docs/errors.md key on it. This module imports nothing, because every short path loads it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import ClassVar

    from modelvc.ids import Oid

_MOST_FILES = 10  # that one message names


def shown(text: object, limit: int = 500) -> str:
    """TEXT made safe for a terminal: control characters are escaped, and the text is cut at LIMIT characters."""
    safe = str(text)
    if not safe.isprintable():
        safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in safe)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def near(word: str, known: Iterable[str]) -> str:
    """Return the name in KNOWN that WORD most likely means, or "" if none is near."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), 1)), "")


def shown_url(url: str, limit: int = 200) -> str:
    """URL made safe for a terminal, without its account: that may hold a password, or be a token as a whole."""
    scheme, separator, rest = url.rpartition("://") if "://" in url else ("", "", url)
    account, at, address = rest.rpartition("@")
    secret = ":" in account or scheme in {"http", "https"}
    return shown(f"{scheme}{separator}...@{address}" if at and secret else url, limit)


class ModelvcError(Exception):
    """Base of all errors. `str(e)` says what is wrong, `e.hint` names the next command."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ModelvcError):
    """The command cannot be run as it was given."""

    code = "usage"
    exit_code = 2


class AmbiguousRev(UsageError):
    """A revision names two refs.

    Nothing is guessed: a tag arrives with a clone, and Git would prefer it to the branch of the same name.
    """

    code = "ambiguous-rev"

    def __init__(self, name: str) -> None:
        safe = shown(name)
        super().__init__(
            f"{safe} is the name of two refs, such as a branch and a tag",
            hint=f"name one of them in full: refs/heads/{safe} or refs/tags/{safe}",
        )


class ConfigError(ModelvcError):
    """A configuration file says something that cannot be used."""

    code = "config"
    exit_code = 2


class UntrustedRemote(ConfigError):
    """The repository names a remote that this clone has not accepted."""

    code = "untrusted-remote"


class NoRecord(ModelvcError):
    """The version has no record of what the command needs, such as its environment."""

    code = "no-record"
    exit_code = 3


class NotFoundError(ModelvcError):
    """Something that the command needs is not here."""

    code = "not-found"
    exit_code = 10


class NoRepository(NotFoundError):
    """There is not a Git repository, or `mvc init` was not run in it."""

    code = "no-repository"


class NoRemote(NotFoundError):
    """No remote is configured, or nothing says which remote has the models."""

    code = "no-remote"


class ObjectMissing(NotFoundError):
    """None of the stores that were asked has the object."""

    code = "object-missing"

    def __init__(self, oid: Oid, where: str, *, path: str = "", hint: str = "") -> None:
        what = f"{shown(path)} ({oid.short})" if path else f"object {oid.short}"
        super().__init__(
            f"{what} is not in {shown(where)}",
            hint=hint or "run `mvc fetch`; if no remote has it, run `mvc push --all` in a clone that has it",
        )
        self.oid = oid
        self.where = where
        self.path = path


class ConflictError(ModelvcError):
    """Other work is in the way."""

    code = "conflict"
    exit_code = 11


class WorktreeDirty(ConflictError):
    """A file with unsaved changes would be overwritten."""

    code = "worktree-dirty"

    def __init__(self, path: str, why: str = "has unsaved changes", *, hint: str = "") -> None:
        keep = f"keep them with `mvc add {shown(path)}`, or repeat with --force (which stores them first)"
        super().__init__(f"{shown(path)} {why}", hint=hint or keep)
        self.path = path


class FileChanged(ConflictError):
    """A file changed while it was read."""

    code = "file-changed"

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{shown(path)} changed while it was being read; nothing was stored for it",
            hint="wait until the program that writes it is done, then run the command again",
        )
        self.path = path


class FileInUse(ConflictError):
    """Files that a command was to replace are in use, or were edited meanwhile. They stay; the command did the rest."""

    code = "file-in-use"

    def __init__(self, kept: Sequence[tuple[str, str]]) -> None:
        """KEPT: (path, why) of at least one file."""
        path, why = kept[0]
        others = [shown(other) for other, _ in kept[1:_MOST_FILES]] + ["..."] * (len(kept) > _MOST_FILES)
        more = f"; so do {', '.join(others)}" if others else ""
        super().__init__(
            f"{shown(path)} {why} and stays{more}",
            hint="close what writes it, keep the edit with `mvc add`, or run the command again",
        )
        self.kept = tuple(kept)


class PointerConflict(ConflictError):
    """A pointer has conflict markers in it: Git merged it as text."""

    code = "pointer-conflict"

    def __init__(self, path: str) -> None:
        safe = shown(path)
        super().__init__(
            f"{safe} has conflict markers in it: two branches changed the model",
            hint=f"take a side: `mvc resolve {safe} --ours` (or `--theirs`); or go back: `git merge --abort`",
        )
        self.path = path


class NoSpace(ConflictError):
    """The disk has no room for an object."""

    code = "no-space"

    def __init__(self, needed: int, free: int, where: str) -> None:
        """NEEDED, FREE: bytes."""
        super().__init__(
            f"{needed / 1e9:.1f} GB may be needed in {shown(where)}, and {free / 1e9:.1f} GB are free",
            hint="free some space (`mvc gc`, `mvc gc --evict`), or set store.path in .git/mvc/config.toml",
        )


class FileError(ConflictError):
    """The operating system refused an operation on a file."""

    code = "file-error"

    def __init__(self, path: str, error: OSError) -> None:
        why = error.strerror or str(error)
        hint = "check its permissions and the space on its disk, then run the command again"
        if isinstance(error, BlockingIOError):
            why, hint = "another program holds a lease on it", "run the command again when that program releases it"
        super().__init__(f"{shown(path)}: {why}", hint=hint)
        self.path = path


class ModelBlocked(ModelvcError):
    """A model is not written, because of what loading it would run."""

    code = "blocked"

    def __init__(self, path: str, verdict: str, why: str, *, hint: str = "") -> None:
        super().__init__(
            f"{shown(path)} is blocked: {shown(verdict)}{f' ({shown(why)})' if why else ''}",
            hint=hint or "`on_checkout` of [scan] in .git/mvc/config.toml decides for this clone: mvc help policy",
        )


class LockHeld(ConflictError):
    """Another process holds the lock and did not release it in time."""

    code = "lock-held"


class IntegrityError(ModelvcError):
    """Bytes are not what their name says."""

    code = "integrity"
    exit_code = 12


class ObjectCorrupt(IntegrityError):
    """A stored object does not hash to its name, so it is not handed out."""

    code = "object-corrupt"

    def __init__(self, what: str, where: str, *, remote: bool = False) -> None:
        here = "run `mvc fsck --repair` to restore it from a good copy"
        there = "run `mvc fsck --remote --repair` in a clone that has it"
        super().__init__(f"{shown(what)} in {shown(where)} is damaged and was not used", hint=there if remote else here)
        self.what = what
        self.where = where


class FormatError(IntegrityError):
    """Bytes are not of the format that they claim to be."""

    code = "bad-format"


class BrokenPointer(FormatError):
    """A pointer is empty, cut off, or says something impossible."""

    code = "broken-pointer"


class RemoteError(ModelvcError):
    """The remote failed."""

    code = "remote"
    exit_code = 13
    transient: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint or "run the command again; if it fails again, run `mvc doctor`")


class RemoteBusy(RemoteError):
    """The remote failed in a way that a later try may cure; mvc's own retries are used up."""

    code = "remote-busy"
    transient = True


class RemoteDenied(RemoteError):
    """Credentials are missing or expired, or do not allow this."""

    code = "remote-denied"


class StoreGone(RemoteError):
    """Nothing is left of a store that this clone has used: its drive is not mounted, or the store was deleted."""

    code = "store-gone"

    def __init__(self, where: str, hint: str, *, missing: bool) -> None:
        """WHERE: the URL. MISSING: it is a folder of this machine, and does not exist."""
        what = f"there is no folder {shown(where)}" if missing else f"there is no store at {shown(where)}"
        super().__init__(f"{what}, and this clone has used the store there", hint=hint)


class RemoteChanged(RemoteError):
    """A compare-and-swap failed: the key exists already, is gone, or holds something else."""

    code = "remote-changed"


class KeyMissing(RemoteError):
    """The remote does not have the key."""

    code = "key-missing"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint or "run `mvc fsck --remote` to list what else is missing")


class GitError(ModelvcError):
    """Git refused a command; the message has Git's words."""

    code = "git"
    exit_code = 14
