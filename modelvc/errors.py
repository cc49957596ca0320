"""Every failure modelvc can explain.

    ModelvcError
    ├── UsageError        2   fix the command
    ├── ConfigError       2   fix the file it names
    ├── NotFoundError    10   it is not here
    ├── ConflictError    11   other work is in the way
    ├── IntegrityError   12   bytes are not what their name says
    ├── RemoteError      13   the remote failed; `transient` if a retry may help
    └── GitError         14   Git refused; carries its command and its words

Grouped by what a caller would do about them, not by where they are raised. `code` is stable and
append-only: scripts and docs/errors.md key on it. No imports here: every short path loads this.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import ClassVar

    from modelvc.ids import Oid

_NAMED = 10  # files that one error names


def shown(text: object, limit: int = 500) -> str:
    """TEXT made safe for a terminal: control characters escaped, cut at LIMIT characters."""
    safe = str(text)
    if not safe.isprintable():
        safe = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in safe)
    return safe if len(safe) <= limit else safe[: limit - 1] + "…"


def shown_url(url: str, limit: int = 200) -> str:
    """URL made safe for a terminal, without the account in it: a password may be part of that, or a token be all."""
    scheme, separator, rest = url.rpartition("://") if "://" in url else ("", "", url)
    account, at, place = rest.rpartition("@")
    secret = ":" in account or scheme in {"http", "https"}
    return shown(f"{scheme}{separator}...@{place}" if at and secret else url, limit)


class ModelvcError(Exception):
    """Base of all. `str(e)` says what is wrong, `e.hint` names the next command."""

    code: ClassVar[str] = "error"
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UsageError(ModelvcError):
    """The command asks for something that makes no sense."""

    code = "usage"
    exit_code = 2


class AmbiguousRev(UsageError):
    """A name of two refs: a tag arrives with a clone, and Git would prefer it to a branch of the same name."""

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


class NotFoundError(ModelvcError):
    """Something that was asked for is not here."""

    code = "not-found"
    exit_code = 10


class NoRepository(NotFoundError):
    """No Git repository, or one without `mvc init`."""

    code = "no-repository"


class NoRemote(NotFoundError):
    """Nothing says where models are to be kept."""

    code = "no-remote"


class ObjectMissing(NotFoundError):
    """No store at hand has the object."""

    code = "object-missing"

    def __init__(self, oid: Oid, where: str, *, path: str = "", hint: str = "") -> None:
        what = f"{shown(path)} ({oid.short})" if path else f"object {oid.short}"
        super().__init__(
            f"{what} is not in {shown(where)}",
            hint=hint or "run `mvc fetch`; if it is nowhere, run `mvc push --all` in a clone that has it",
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

    def __init__(self, path: str, why: str = "has changes that are in no store") -> None:
        super().__init__(
            f"{shown(path)} {why}",
            hint=f"keep them with `mvc add {shown(path)}`, or repeat with --force (which stores them first)",
        )
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
    """Files that a command was to replace are in use, or were edited meanwhile. They stay; all else is done."""

    code = "file-in-use"

    def __init__(self, kept: Sequence[tuple[str, str]]) -> None:
        """KEPT: (path, why) of at least one file."""
        path, why = kept[0]
        others = [shown(other) for other, _ in kept[1:_NAMED]] + ["..."] * (len(kept) > _NAMED)
        more = f"; so do {', '.join(others)}" if others else ""
        super().__init__(
            f"{shown(path)} {why} and stays{more}",
            hint="close what writes it, keep the edit with `mvc add`, or run the command again",
        )
        self.kept = tuple(kept)


class PointerConflict(ConflictError):
    """A pointer holds the conflict markers of a text merge."""

    code = "pointer-conflict"

    def __init__(self, path: str) -> None:
        safe = shown(path)
        super().__init__(
            f"{safe} has conflict markers in it: two branches changed the model",
            hint=f"take a side: `mvc resolve {safe} --ours` (or `--theirs`); or go back: `git merge --abort`",
        )
        self.path = path


class NoSpace(ConflictError):
    """The disk has no room for what is to be stored."""

    code = "no-space"

    def __init__(self, needed: int, free: int, where: str) -> None:
        super().__init__(
            f"{needed / 1e9:.1f} GB may be needed in {shown(where)}, and {free / 1e9:.1f} GB are free",
            hint="free some space (`mvc gc`, `mvc gc --evict`), or set store.path in .git/mvc/config.toml",
        )


class FileError(ConflictError):
    """The operating system refuses something about a file."""

    code = "file-error"

    def __init__(self, path: str, error: OSError) -> None:
        why = error.strerror or str(error)
        hint = "see to its permissions and the space on its disk, then run the command again"
        if isinstance(error, BlockingIOError):
            why, hint = "another program holds a lease on it", "run the command again when that program lets it go"
        super().__init__(f"{shown(path)}: {why}", hint=hint)
        self.path = path


class LockHeld(ConflictError):
    """Another process works here and did not finish in time."""

    code = "lock-held"


class IntegrityError(ModelvcError):
    """Bytes are not what their name says."""

    code = "integrity"
    exit_code = 12


class ObjectCorrupt(IntegrityError):
    """A stored object does not hash to its name."""

    code = "object-corrupt"

    def __init__(self, what: str, where: str, *, far: bool = False) -> None:
        here = "run `mvc fsck --repair` to take it from a copy that is good"
        there = "run `mvc fsck --remote --repair` in a clone that has it"
        super().__init__(
            f"{shown(what)} in {shown(where)} is damaged; it was not handed out", hint=there if far else here
        )
        self.what = what
        self.where = where


class FormatError(IntegrityError):
    """Bytes that are not the format they claim to be."""

    code = "bad-format"


class BrokenPointer(FormatError):
    """A pointer that is empty, torn, or says something impossible."""

    code = "broken-pointer"


class RemoteError(ModelvcError):
    """The remote failed."""

    code = "remote"
    exit_code = 13
    transient: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint or "run the command again; if it stays so, run `mvc doctor`")


class RemoteBusy(RemoteError):
    """The remote failed in a way that a retry may cure; retries are used up."""

    code = "remote-busy"
    transient = True


class RemoteDenied(RemoteError):
    """Credentials are missing, expired or not allowed to do this."""

    code = "remote-denied"


class RemoteChanged(RemoteError):
    """A compare-and-swap lost: the key exists, is gone, or holds something else."""

    code = "remote-changed"


class KeyMissing(RemoteError):
    """A remote has no such key."""

    code = "key-missing"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint or "run `mvc fsck --remote`: it tells what else is missing")


class GitError(ModelvcError):
    """Git refused."""

    code = "git"
    exit_code = 14
