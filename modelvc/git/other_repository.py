"""Small files of another repository at one revision, without cloning it: a shallow fetch that is thrown away.

The other repository is hostile, even when it is a local folder: nothing is ever run inside of it but upload-pack, which
Git means for that, and no configuration of it is read.
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
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")  # a name that can be asked of a server as it is
_MODES = ("100644", "100755")
_ALGORITHMS = ("sha1", "sha256")
_MISMATCH = b"mismatched algorithms"  # what Git says when both sides name objects by different hashes
_DUMB = b"dumb http"  # plain files behind a web server: Git cannot ask it for a part


class Snapshot(NamedTuple):
    """A commit of another repository: the small files that were asked for, and the names of all files like them."""

    commit: str
    files: dict[str, bytes]
    names: tuple[str, ...]


def snapshot(source: str, rev: str, wanted: Sequence[str], folder: str, *, limit: int) -> Snapshot:
    """Files WANTED (of at most LIMIT bytes) at REV ("": HEAD) of the repository SOURCE, fetched into the empty FOLDER.

    `names` are all that end in `.mvc`. NotFoundError without such a revision; links and larger files are left out.
    """
    _check(source, "repository")
    _check(rev, "revision")
    with contextlib.suppress(_CanNotLeaveOutError):
        place, commit = _bring(source, rev, os.path.join(folder, "slim"), slim=True)
        with contextlib.suppress(GitError):
            return _read(place, commit, wanted, limit)
    return _read(*_bring(source, rev, os.path.join(folder, "whole"), slim=False), wanted, limit)


def whole(source: str, folder: str, lender: Layout) -> Layout:
    """All refs of the repository SOURCE with their history, fetched into the empty FOLDER.

    Objects that LENDER has are not fetched again. GitError when the repository cannot be read, or not whole.
    """
    _check(source, "repository")
    # without --update-shallow Git would leave out the refs of a shallow repository, and report success
    quiet = ("-q", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance", "--update-shallow")
    own = git(lender, "rev-parse", "--show-object-format").decode("ascii").strip()
    place, code, words = folder, 1, _MISMATCH
    for algorithm in sorted(_ALGORITHMS, key=lambda one: one != own):
        if code and _MISMATCH in words:
            place = _begin(folder if algorithm == own else os.path.join(folder, algorithm), source, algorithm)
            if algorithm == own and _is_whole(lender):
                with open(os.path.join(place, "objects", "info", "alternates"), "wb") as file:
                    file.write(os.fsencode(os.path.join(lender.common_dir, "objects")) + b"\n")
            code, _, words = run(place, "fetch", *quiet, "--", "origin", "+refs/*:refs/*", extra=_extra())
    if code:
        raise GitError(said(words), hint="see what `git fetch` says")
    found = Layout(place, place, place)
    if not _is_whole(found):
        raise GitError("that repository is shallow: its history is not whole", hint="run `git fetch --unshallow` there")
    return found


def _is_whole(layout: Layout) -> bool:
    """Whether all objects of a repository are in its folder."""
    if os.path.exists(os.path.join(layout.common_dir, "shallow")):
        return False
    code, _, _ = run(layout.common_dir, "config", "--get-regexp", r"^remote\..*\.promisor$", extra={"GIT_DIR": "."})
    return code != 0


class _CanNotLeaveOutError(Exception):
    """The server cannot leave files out."""


class _OtherAlgorithmError(Exception):
    """The source names objects by another hash."""


def _bring(source: str, rev: str, folder: str, *, slim: bool) -> tuple[str, str]:
    """A new repository in FOLDER, or below it, with the commit, and its id."""
    with contextlib.suppress(_OtherAlgorithmError):
        place = _begin(folder, source, "sha1")
        return place, _fetch(place, rev, slim=slim)
    place = _begin(os.path.join(folder, "sha256"), source, "sha256")
    return place, _fetch(place, rev, slim=slim)


def _begin(folder: str, source: str, algorithm: str) -> str:
    """An empty repository in FOLDER, which names objects as ALGORITHM says."""
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
    """Neither may be an option, nor more than one line."""
    if text.startswith("-") or not text.isprintable() or (what == "revision" and ":" in text):
        raise UsageError(f"{shown_url(text)} is not the name of a {what}", hint="see `mvc get --help`")
    if what == "repository" and re.match(r"[A-Za-z0-9][A-Za-z0-9+.-]*::", text):
        raise UsageError(
            f"{shown_url(text)} would start a program to reach the repository",
            hint=f"name a folder, or a URL of {', '.join(_PROTOCOLS)}",
        )


def _fetch(folder: str, rev: str, *, slim: bool) -> str:
    """Bring one commit here, with its trees and, unless SLIM, with its files."""
    quiet = ["-q", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance"]
    # while the commit is not here yet, a file that is missing must not make Git fetch within its own fetch, without end
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
            raise _CanNotLeaveOutError
    if rev or _DUMB in words:  # an abbreviation, or a way through history such as main~3: that takes the commits
        refs = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+HEAD:refs/mvc/head")
        code, _, words = run(folder, "fetch", *quiet, "--", "origin", *refs, extra=extra)
        if not code:
            start = "refs/mvc/head" + rev.removeprefix("HEAD") if re.match(r"(HEAD\b|$)", rev) else rev
            return _resolved(folder, start) or _none(rev)
        if _MISMATCH in words:
            raise _OtherAlgorithmError
        if slim and not _PLAIN.fullmatch(rev):  # nothing told yet what the server can do
            raise _CanNotLeaveOutError
    raise GitError(f"the repository cannot be read: {said(words)}", hint="check its name, and that you may read it")


def _resolved(folder: str, rev: str) -> str:
    code, out, _ = run(folder, "rev-parse", "-q", "--verify", f"{rev}^{{commit}}", extra=_extra())
    return "" if code else out.decode("ascii").strip()


def _none(rev: str) -> str:
    raise NotFoundError(
        f"the repository has no revision {shown(rev or 'HEAD', 200)}", hint="name a branch, a tag or a commit of it"
    )


def _extra() -> dict[str, str]:
    """Work in the folder alone, ask nothing, allow protocols that only carry bytes, fewer where the user says so."""
    own = environment().get("GIT_ALLOW_PROTOCOL")
    allowed = [one for one in _PROTOCOLS if own is None or one in own.split(":")]
    return {"GIT_TERMINAL_PROMPT": "0", "GIT_DIR": ".", "GIT_ALLOW_PROTOCOL": ":".join(allowed) or "none"}
