"""Diagnose the setup of a clone. Each finding names the command that repairs it. No change remains."""

from __future__ import annotations

import os
import re
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from modelvc.errors import ModelvcError, RemoteDenied, UntrustedRemote, shown, shown_url
from modelvc.formats import limits
from modelvc.formats.sizes import about
from modelvc.formats.text import store_config
from modelvc.git import index
from modelvc.git.run import git
from modelvc.git.setup import drivers, hooks
from modelvc.models.files.seen_by_git import unignored
from modelvc.models.policy import read_policy
from modelvc.models.remotes import configured, opening
from modelvc.store.backends.api import MountedBackend

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelvc.formats.text.store_config import StoreConfig
    from modelvc.models.remotes.configured import RemoteInfo
    from modelvc.repo import Repo
    from modelvc.store.remote.store import RemoteStore

State: TypeAlias = Literal["ok", "warn", "fail"]

OLDEST_GIT = (2, 34)
_LITTLE = 1 << 30  # bytes of free disk; with less, a large model may not fit
_SPACE = "mvc gc --apply, or mvc gc --evict --apply"
_LOCK_AGE = 60.0  # seconds; Git holds its lock for less
_SKEW = 60.0  # seconds of clock skew that deserve a warning
_TOO_MUCH_SKEW = 900.0  # seconds; S3 refuses requests beyond that


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `fix`: the command or other remedy if `state` is not "ok"."""

    check: str
    state: State
    detail: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Doctor:
    """All findings, in the order of the checks."""

    findings: tuple[Finding, ...]

    @property
    def state(self) -> State:
        """The worst state of all findings."""
        states = {finding.state for finding in self.findings}
        return "fail" if "fail" in states else "warn" if "warn" in states else "ok"


def doctor(repo: Repo, env: Mapping[str, str], *, offline: bool = False, write: bool = False) -> Doctor:
    """Check Git, hooks, configuration, store, disk and, unless OFFLINE, remotes. ENV: has the PATH of programs.

    WRITE: test with a scratch key which conditions each trusted remote honours.
    """
    repo.require_init()
    found = [*_git(repo), *_index_lock(repo), *_programs(repo, env), *_hooks(repo), *_drivers(repo)]
    found += [*_attributes(repo), *_config(repo), *_policy(repo), *_ignored(repo)]
    found += [*_store(repo), *_disk(repo), *_library()]
    if not any(one.check == "config" and one.state == "fail" for one in found):
        found += _remotes(repo, offline=offline, write=write)
    return Doctor(tuple(found))


# -- Git


def _git(repo: Repo) -> Iterator[Finding]:
    said = git(repo.layout, "--version").decode("utf-8", "replace").strip()
    numbers = re.search(r"(\d+)\.(\d+)", said)
    version = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    if version < OLDEST_GIT:
        oldest = ".".join(map(str, OLDEST_GIT))
        yield Finding("git", "fail", f"{shown(said)} is older than {oldest}", f"install Git {oldest} or later")
    else:
        yield Finding("git", "ok", shown(said))
    if repo.layout.shallow:
        words = "this clone is shallow: versions before its first commit are not seen"
        yield Finding("history", "warn", words, "git fetch --unshallow")


def _index_lock(repo: Repo) -> Iterator[Finding]:
    """Report an index lock. The next mvc command removes one that a killed mvc left; any other belongs to Git."""
    path = os.path.join(repo.layout.git_dir, "index.lock")
    try:
        age = max(0.0, time.time() - os.stat(path).st_mtime)
    except FileNotFoundError:
        return
    if index.is_noted_lock(repo.layout):
        yield Finding("index lock", "ok", "held by an mvc, or left by one that was killed: the next one removes it")
    elif age < _LOCK_AGE:
        yield Finding("index lock", "ok", f"held for {age:.0f} seconds, by Git or another program")
    else:
        words = f"{shown(path)} has been there for {age:.0f} seconds: nothing can be staged"
        yield Finding("index lock", "warn", words, "wait for what runs; if no Git is running, remove that file")


def _programs(repo: Repo, env: Mapping[str, str]) -> Iterator[Finding]:
    found = shutil.which("mvc", path=env.get("PATH", os.defpath))
    if found:
        yield Finding("mvc", "ok", found)
    else:
        yield Finding("mvc", "warn", "mvc is not on the PATH", "add the folder that holds it to your PATH")
    interpreter = hooks.inspect(repo.layout).interpreter
    if interpreter and os.access(interpreter, os.X_OK):
        yield Finding("interpreter", "ok", f"hooks use {shown(interpreter)}")
    elif interpreter:
        words = f"hooks would use {shown(interpreter)}, which is gone; they look on the PATH instead"
        yield Finding("interpreter", "warn", words, "mvc install")


def _hooks(repo: Repo) -> Iterator[Finding]:
    found = hooks.inspect(repo.layout)
    missing = ", ".join(found.missing)
    if found.hooks_path and found.missing:
        words = f"core.hooksPath is {shown(found.hooks_path)}, where hooks do not call mvc: {missing}"
        yield Finding("hooks", "warn", words, "mvc install shows the line to add to each")
    elif found.missing:
        yield Finding("hooks", "warn", f"not installed: {missing}; models do not follow Git", "mvc install")
    elif found.outdated:
        yield Finding("hooks", "warn", f"of another version of mvc: {', '.join(found.outdated)}", "mvc install")
    else:
        where = f" (in {shown(found.hooks_path)})" if found.hooks_path else ""
        yield Finding("hooks", "ok", f"installed{where}")


def _drivers(repo: Repo) -> Iterator[Finding]:
    found = drivers.inspect(repo.layout)
    if found.missing:
        words = f"not set: {', '.join(found.missing)}; pointers and notebooks merge as text"
        yield Finding("drivers", "warn", words, "mvc install")
    elif found.outdated:
        yield Finding("drivers", "warn", "of another version of mvc", "mvc install")
    else:
        yield Finding("drivers", "ok", f"installed; notebooks: {found.mode}")


def _attributes(repo: Repo) -> Iterator[Finding]:
    """Check the attributes that Git applies, whichever file sets them."""
    wanted = {
        (b"model.mvc", b"text"): b"set",
        (b"model.mvc", b"eol"): b"lf",
        (b"model.mvc", b"merge"): b"mvc-pointer",
        (b"model.mvc", b"diff"): b"mvc-pointer",
        (b".gitignore", b"merge"): b"union",
    }
    if drivers.chosen(repo.layout) not in {None, "off"}:
        wanted |= {(b"n.ipynb", key): b"mvc-notebook" for key in (b"filter", b"diff", b"merge")}
    asked = b"".join(path + b"\0" for path in dict.fromkeys(path for path, _ in wanted))
    names = ("text", "eol", "merge", "filter", "diff")
    out = git(repo.layout, "check-attr", "-z", "--stdin", *names, stdin=asked).split(b"\0")
    have = {(out[i], out[i + 1]): out[i + 2] for i in range(0, len(out) - 2, 3)}
    lines = {
        b"model.mvc": "*.mvc text eol=lf merge=mvc-pointer diff=mvc-pointer",
        b".gitignore": ".gitignore merge=union",
    }
    wrong = {
        lines.get(key[0], "*.ipynb filter=mvc-notebook diff=mvc-notebook merge=mvc-notebook"): None
        for key, value in wanted.items()
        if have.get(key) != value
    }
    if wrong:
        yield Finding("attributes", "warn", f".gitattributes lacks: {'; '.join(wrong)}", "mvc init")
    else:
        yield Finding("attributes", "ok", ".gitattributes is correct")


def _config(repo: Repo) -> Iterator[Finding]:
    try:
        unknown = [*repo.config.unknown, *(f"{key} (this clone)" for key in repo.clone_config.unknown)]
    except ModelvcError as error:
        yield Finding("config", "fail", str(error), error.hint)
        return
    if unknown:
        words = f"unknown keys, which are ignored: {', '.join(shown(k, 80) for k in unknown)}"
        yield Finding("config", "warn", words, "upgrade mvc, or correct their spelling")
    else:
        yield Finding("config", "ok", "readable")


def _policy(repo: Repo) -> Iterator[Finding]:
    try:
        read_policy(repo)
    except ModelvcError as error:
        yield Finding("policy", "fail", str(error), error.hint)


def _ignored(repo: Repo) -> Iterator[Finding]:
    if found := unignored(repo, repo.tracked()):
        words = f"Git does not ignore {len(found)} model{'s' * (len(found) != 1)}, such as {shown(found[0])}"
        yield Finding("models", "warn", words, f"mvc add {shown(found[0])}")


# -- store and disk


def _store(repo: Repo) -> Iterator[Finding]:
    try:
        store = repo.store
        store.require_used()
        path = os.path.join(store.root, "config")
        with open(path, "rb") as file:
            store_config.parse(file.read(limits.STORE_CONFIG + 1), path).check_write(path)
        versions, packs = sum(1 for _ in store.roots()), store.packs()
    except FileNotFoundError:  # gone, or never made
        yield Finding("store", "ok", "empty: nothing was added or fetched yet")
    except OSError as error:
        words = f"the local store cannot be read: {shown(error)}"
        yield Finding("store", "fail", words, "check the permissions of .git/mvc/store, or to its disk")
    except ModelvcError as error:
        yield Finding("store", "fail", str(error), error.hint or "mvc fsck")
    else:
        size = sum(size for _, size in packs)
        much = f"{versions} version{'s' * (versions != 1)}, {len(packs)} pack{'s' * (len(packs) != 1)}, {about(size)}"
        yield Finding("store", "ok", f"{much} in {shown(store.root)}")


def _disk(repo: Repo) -> Iterator[Finding]:
    try:
        folder = repo.store.root
    except ModelvcError:
        return  # _store reports it
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    free = shutil.disk_usage(folder).free
    if free < _LITTLE:
        yield Finding("disk", "warn", f"{about(free)} free for the store", _SPACE)
    else:
        yield Finding("disk", "ok", f"{about(free)} free for the store")
    if not os.access(folder, os.W_OK):
        yield Finding("disk", "fail", f"{shown(folder)} cannot be written", "check its permissions")
        return
    if os.stat(folder).st_dev != os.stat(repo.layout.worktree).st_dev:
        yield Finding("clone blocks", "ok", "no: the store lies on another disk, so checkout copies")
        return
    try:
        can = _can_clone(folder)
    except OSError as error:
        words = f"nothing can be written to {shown(folder)}: {shown(error.strerror or error)}"
        yield Finding("disk", "fail", words, _SPACE)
        return
    if can:
        yield Finding("clone blocks", "ok", "yes: a checked-out file can share its blocks with the store")
    else:
        yield Finding("clone blocks", "ok", "no: this file system cannot, so checkout copies")


def _can_clone(folder: str) -> bool:
    """Return whether FOLDER's file system can share blocks, by a test with two unnamed files."""
    from tempfile import TemporaryFile

    from modelvc.worktree.descriptors import clone_range

    with TemporaryFile(dir=folder) as source, TemporaryFile(dir=folder) as target:
        source.write(bytes(8192))
        source.flush()
        return clone_range(source.fileno(), 0, 8192, target.fileno())


def _library() -> Iterator[Finding]:
    from modelvc.chunking import fastcdc

    if fastcdc.is_compiled():
        yield Finding("chunking", "ok", "pyfastcdc is compiled")
    else:
        words = "pyfastcdc runs in Python, a hundred times slower than compiled"
        yield Finding(
            "chunking", "warn", words, "pip install --force-reinstall pyfastcdc, with a wheel or a C compiler"
        )


# -- remotes


def _remotes(repo: Repo, *, offline: bool, write: bool) -> Iterator[Finding]:
    named = configured.remotes(repo).remotes
    if not named:
        words = "none: models are on this disk only"
        yield Finding("remotes", "warn", words, "mvc remote add origin URL")
    for info in named:
        check = f"remote {shown(info.name, 80)}"
        if not info.trusted:
            refused = opening.refusals(configured.find(repo, info.name))
            words = f"{shown_url(info.url)} is not accepted by this clone: {refused}"
            yield Finding(check, "warn", words, f"mvc trust {shown(info.name, 80)}")
        if not offline:
            yield from _reach(repo, info, check, write=write)


def _reach(repo: Repo, info: RemoteInfo, check: str, *, write: bool) -> Iterator[Finding]:
    try:
        store = opening.open_remote(repo, info.name, writing=False)
    except UntrustedRemote:
        return  # _remotes reports it
    except ModelvcError as error:
        yield Finding(check, "fail", str(error), error.hint)
        return
    try:
        config = store.check()
        yield Finding(check, "ok", f"{shown(store.name)}: {_reachable(store, config)}")
        if info.trusted and write:
            yield from _conditions(store, config.id if config else "", check)
            return
        yield from _clock(store, check, write=False)
        if info.trusted:
            yield Finding(check, "ok", "not tried: writing, and conditional writes (mvc doctor --write)")
    except ModelvcError as error:
        yield Finding(check, "fail", str(error), error.hint or "check the network and your credentials")
    finally:
        store.close()


def _reachable(store: RemoteStore, config: StoreConfig | None) -> str:
    if config is not None:
        return "reachable"
    if isinstance(store.backend, MountedBackend) and not store.backend.is_there():
        return "this folder does not exist; the first push creates it"
    return "reachable, nothing was pushed there yet"


def _clock(store: RemoteStore, check: str, *, write: bool) -> Iterator[Finding]:
    before = time.time()
    remote_time = store.backend.now(write=write)
    skew = remote_time - (before + time.time()) / 2
    if abs(skew) > _SKEW:
        words = f"its clock and this one differ by {abs(skew):.0f} seconds"
        yield Finding(check, "fail" if abs(skew) > _TOO_MUCH_SKEW else "warn", words, "set the clock of this machine")


def _conditions(store: RemoteStore, name: str, check: str) -> Iterator[Finding]:
    """Test again which conditions the server of the store with the id NAME honours, and save the answer."""
    from modelvc.store.backends.probe import probe

    try:
        store.adapt(name, again=True)
        found = probe(store.backend)
    except RemoteDenied:
        yield from _clock(store, check, write=False)
        yield Finding(check, "warn", "it can be read, not written: push would be refused", "ask its owner")
        return
    yield from _clock(store, check, write=True)
    if found.conditional:
        yield Finding(check, "ok", "honours conditional writes")
    else:
        words = "does not honour conditional writes: push works, `mvc gc --remote` needs --exclusive"
        yield Finding(check, "warn", words, "nothing, unless people often push at the same time")
    if not store.backend.capabilities.checksums:
        yield Finding(check, "ok", "does not know x-amz-checksum headers: it gets Content-MD5 instead")
