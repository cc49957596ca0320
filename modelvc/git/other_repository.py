"""Read small files of another repository at one revision: a shallow fetch into a temporary repository.

The other repository is untrusted, also as a local folder. The only program that runs inside it is upload-pack, which
Git made safe for that. Its configuration is not read.
"""

from __future__ import annotations

import contextlib
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import GitError, NotFoundError, UsageError, shown, shown_url
from modelvc.git.layout import Layout
from modelvc.git.run import environment, git, run, said

if TYPE_CHECKING:
    from collections.abc import Sequence

_PROTOCOLS = ("file", "git", "http", "https", "ssh")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")  # a name that is sent to a server as it is
_MODES = ("100644", "100755")
_ALGORITHMS = ("sha1", "sha256")
_MISMATCH = b"mismatched algorithms"  # Git's message if the two repositories use different hashes
_DUMB = b"dumb http"  # Git's message about plain files behind a web server, which cannot send a part


class Snapshot(NamedTuple):
    """A commit of another repository: the requested small files, and the names of all `.mvc` files."""

    commit: str
    files: dict[str, bytes]
    names: tuple[str, ...]


def snapshot(source: str, rev: str, wanted: Sequence[str], folder: str, *, limit: int) -> Snapshot:
    """Fetch the files WANTED at REV ("": HEAD) of the repository SOURCE into the empty FOLDER.

    Symbolic links and files of more than LIMIT bytes are left out. Raises NotFoundError if REV does not exist.
    """
    _check(source, "repository")
    _check(rev, "revision")
    with contextlib.suppress(_NoPartialCloneError):
        where, commit = _bring(source, rev, os.path.join(folder, "slim"), slim=True)
        with contextlib.suppress(GitError):
            return _read(where, commit, wanted, limit)
    return _read(*_bring(source, rev, os.path.join(folder, "whole"), slim=False), wanted, limit)


def whole(source: str, folder: str, lender: Layout) -> Layout:
    """Fetch all refs of the repository SOURCE with their history into the empty FOLDER. Return its layout.

    Objects that LENDER has are not fetched again. Raises GitError if the repository is unreachable or shallow.
    """
    _check(source, "repository")
    # Without --update-shallow, Git would skip the refs of a shallow repository and report success.
    quiet = ("-q", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance", "--update-shallow")
    own = git(lender, "rev-parse", "--show-object-format").decode("ascii").strip()
    where, code, words = folder, 1, _MISMATCH
    for algorithm in sorted(_ALGORITHMS, key=lambda one: one != own):
        if code and _MISMATCH in words:
            where = _begin(folder if algorithm == own else os.path.join(folder, algorithm), source, algorithm)
            if algorithm == own and _is_whole(lender):
                with open(os.path.join(where, "objects", "info", "alternates"), "wb") as file:
                    file.write(os.fsencode(os.path.join(lender.common_dir, "objects")) + b"\n")
            code, _, words = run(where, "fetch", *quiet, "--", "origin", "+refs/*:refs/*", extra=_extra())
    if code:
        raise GitError(said(words), hint="see what `git fetch` says")
    found = Layout(where, where, where)
    if not _is_whole(found):
        raise GitError("that repository is shallow: its history is not whole", hint="run `git fetch --unshallow` there")
    return found


def _is_whole(layout: Layout) -> bool:
    """Return True if all objects of a repository are in its folder: it is neither shallow nor a partial clone."""
    if os.path.exists(os.path.join(layout.common_dir, "shallow")):
        return False
    code, _, _ = run(layout.common_dir, "config", "--get-regexp", r"^remote\..*\.promisor$", extra={"GIT_DIR": "."})
    return code != 0


class _NoPartialCloneError(Exception):
    """The server cannot leave files out of a fetch."""


class _OtherAlgorithmError(Exception):
    """The source repository uses another hash."""


def _bring(source: str, rev: str, folder: str, *, slim: bool) -> tuple[str, str]:
    """Make a repository in FOLDER, or below it, that holds the commit. Return its folder and the commit's id."""
    with contextlib.suppress(_OtherAlgorithmError):
        where = _begin(folder, source, "sha1")
        return where, _fetch(where, rev, slim=slim)
    where = _begin(os.path.join(folder, "sha256"), source, "sha256")
    return where, _fetch(where, rev, slim=slim)


def _begin(folder: str, source: str, algorithm: str) -> str:
    """Make an empty repository in FOLDER that uses the hash ALGORITHM. Return FOLDER."""
    os.makedirs(folder, exist_ok=True)
    git(folder, "init", "-q", "--bare", f"--object-format={algorithm}", ".", extra=_extra())
    git(folder, "config", "remote.origin.url", source, extra=_extra())
    return folder


def _read(folder: str, commit: str, wanted: Sequence[str], limit: int) -> Snapshot:
    files: dict[str, bytes] = {}
    names: list[str] = []
    asked = set(wanted)
    for line in git(folder, "ls-tree", "-r", "-z", "--full-tree", commit, extra=_extra()).split(b"\0"):
        head, _, raw = line.partition(b"\t")
        name = os.fsdecode(raw)
        if not head or head.split()[0].decode("ascii") not in _MODES:
            continue
        if name.endswith(".mvc"):
            names.append(name)
        if name in asked:
            blob = head.split()[2].decode("ascii")
            if int(git(folder, "cat-file", "-s", blob, extra=_extra())) <= limit:
                files[name] = git(folder, "cat-file", "blob", blob, extra=_extra())
    return Snapshot(commit, files, tuple(names))


def _check(text: str, what: str) -> None:
    """Refuse a TEXT that Git would read as an option or a program, and control characters. Raises UsageError."""
    if text.startswith("-") or not text.isprintable() or (what == "revision" and ":" in text):
        raise UsageError(f"{shown_url(text)} is not the name of a {what}", hint="see `mvc get --help`")
    if what == "repository" and re.match(r"[A-Za-z0-9][A-Za-z0-9+.-]*::", text):
        raise UsageError(
            f"{shown_url(text)} would start a program to reach the repository",
            hint=f"name a folder, or a URL of {', '.join(_PROTOCOLS)}",
        )


def _fetch(folder: str, rev: str, *, slim: bool) -> str:
    """Fetch one commit with its trees and, unless SLIM, with its files. Return the commit's id."""
    quiet = ["-q", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance"]
    # Without GIT_NO_LAZY_FETCH, a missing file would make Git fetch inside its own fetch, again and again.
    extra = {**_extra(), "GIT_NO_LAZY_FETCH": "1"}
    if slim:
        quiet.append("--filter=blob:none")
    code, words = 1, b""
    if not rev or _PLAIN.fullmatch(rev):
        code, _, words = run(folder, "fetch", *quiet, "--depth=1", "--", "origin", rev or "HEAD", extra=extra)
        if not code:
            return _resolved(folder, "FETCH_HEAD") or _none(rev)
        if _MISMATCH in words:
            raise _OtherAlgorithmError
        if slim and _DUMB in words:
            raise _NoPartialCloneError
    if rev or _DUMB in words:  # an abbreviated id, or a path through history such as main~3: both need all commits
        refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+HEAD:refs/mvc/head")
        code, _, words = run(folder, "fetch", *quiet, "--", "origin", *refs, extra=extra)
        if not code:
            start = "refs/mvc/head" + rev.removeprefix("HEAD") if re.match(r"(HEAD\b|$)", rev) else rev
            return _resolved(folder, start) or _none(rev)
        if _MISMATCH in words:
            raise _OtherAlgorithmError
        if slim and not _PLAIN.fullmatch(rev):  # no request has shown yet what the server can do
            raise _NoPartialCloneError
    raise GitError(f"the repository cannot be read: {_reason(words)}", hint="check its name, and that you may read it")


def _reason(words: bytes) -> str:
    """Return the one line of Git's message WORDS that says why, safe for a terminal.

    Git's next lines repeat it, or are advice about access rights.
    """
    lines = [line.strip() for line in words.split(b"\n")]
    for start in (b"fatal: ", b"ERROR: ", b"error: "):
        for line in lines:
            if line.startswith(start) and line != b"fatal: Could not read from remote repository.":
                return said(line.removeprefix(start))
    return said(next((line for line in lines if line), b"Git gave no reason"))


def _resolved(folder: str, rev: str) -> str:
    code, out, _ = run(folder, "rev-parse", "-q", "--verify", f"{rev}^{{commit}}", extra=_extra())
    return "" if code else out.decode("ascii").strip()


def _none(rev: str) -> str:
    raise NotFoundError(
        f"the repository has no revision {shown(rev or 'HEAD', 200)}", hint="name a branch, a tag or a commit of it"
    )


def _extra() -> dict[str, str]:
    """Return the environment: work in the folder alone, never prompt, allow protocols that only carry bytes.

    If the user's GIT_ALLOW_PROTOCOL allows fewer protocols, it holds.
    """
    own = environment().get("GIT_ALLOW_PROTOCOL")
    allowed = [one for one in _PROTOCOLS if own is None or one in own.split(":")]
    return {"GIT_TERMINAL_PROMPT": "0", "GIT_DIR": ".", "GIT_ALLOW_PROTOCOL": ":".join(allowed) or "none"}
