"""Repo: a clone with its worktree, state file, configuration, history and local store."""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import time
from functools import cached_property
from typing import TYPE_CHECKING

from modelvc.atomic import FileLock, delete_left, write_all
from modelvc.errors import (
    BrokenPointer,
    FormatError,
    LockHeld,
    ModelvcError,
    NoRepository,
    NotFoundError,
    UsageError,
    near,
    shown,
)
from modelvc.formats import limits
from modelvc.formats.paths import POINTER_SUFFIX, SafeRelPath, is_pointer, model_of, pointer_of
from modelvc.formats.pointer import pointer as pointers
from modelvc.git import index, restore
from modelvc.git.layout import Layout, discover
from modelvc.ids import Oid
from modelvc.worktree.files import Worktree
from modelvc.worktree.state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.formats.text.config import CloneConfig, Config
    from modelvc.git.history_cache import HistoryCache
    from modelvc.store.local.store import LocalStore

CONFIG = ".mvc/config.toml"
_LOCK_WAIT = 60.0  # seconds


class Repo:
    """A clone as mvc uses it. Each part is opened when it is first used.

    START is the folder where the user stands: relative paths of the user begin there.
    """

    def __init__(self, layout: Layout, start: str) -> None:
        self.layout = layout
        self._start = start
        self._config: Config | None = None
        self._clone_config: CloneConfig | None = None

    # -- parts

    @cached_property
    def worktree(self) -> Worktree:
        """The files of the worktree."""
        return Worktree(self.layout.worktree, os.path.join(self.layout.state_dir, "tmp"))

    @cached_property
    def state(self) -> State:
        """The state file. `updating` reads it again after a wait, and writes it."""
        return State(self.layout.state_dir)

    @cached_property
    def strips_notebooks(self) -> bool:
        """True if Git strips notebooks when they are added. Git is asked once."""
        from modelvc.git.setup import drivers

        return drivers.filters(self.layout)

    @cached_property
    def history(self) -> HistoryCache:
        """The pointers of commits and the versions of paths, each read once."""
        from modelvc.git.history_cache import HistoryCache

        return HistoryCache(self.layout)

    @cached_property
    def store(self) -> LocalStore:
        """The local store: the folder `store.path` of the clone's configuration, or `.git/mvc/store`."""
        from modelvc.store.local.store import LocalStore

        where = self.clone_config.store_path
        if not where:
            return LocalStore(os.path.join(self.layout.mvc_dir, "store"))
        note = os.path.join(self.layout.mvc_dir, "store-path")
        return LocalStore(where, owner=self.layout.common_dir, note=note)  # other clones may use it too

    @property
    def config(self) -> Config:
        """The repository's configuration, read once from the worktree; empty if the file is missing.

        Raises FormatError if the file cannot be parsed.
        """
        if self._config is None:
            from modelvc.formats.text import config

            try:
                self._config = config.parse(self.worktree.read(CONFIG, limits.CONFIG))
            except (FileNotFoundError, NotADirectoryError):
                self._config = config.Config()
        return self._config

    def config_changed(self, now: Config) -> None:
        """Use NOW as the repository's configuration: the caller wrote it to the worktree."""
        self._config = now

    @property
    def clone_config(self) -> CloneConfig:
        """The configuration of this clone alone, read once; empty if the file is missing.

        Raises FormatError if the file cannot be parsed.
        """
        if self._clone_config is None:
            from modelvc.formats.text import config

            try:
                with open(self.clone_config_path, "rb") as file:
                    data = file.read(limits.CONFIG + 1)
            except FileNotFoundError:
                data = b""
            self._clone_config = config.parse_clone(data)
        return self._clone_config

    def clone_config_changed(self, now: CloneConfig) -> None:
        """Use NOW as the configuration of this clone: the caller wrote it to `clone_config_path`."""
        self._clone_config = now

    @property
    def clone_config_path(self) -> str:
        """The path of the configuration of this clone."""
        return os.path.join(self.layout.mvc_dir, "config.toml")

    def require_init(self) -> None:
        """Raise NoRepository unless `mvc init` or `mvc install` ran here."""
        if not os.path.exists(os.path.join(self.layout.worktree, CONFIG)) and not os.path.isdir(self.layout.mvc_dir):
            raise NoRepository("this Git repository does not use mvc yet", hint="run `mvc init`")

    def folder_opener(self, path: str) -> Callable[[str], int]:
        """Return a function that opens the folder at a path inside PATH, "" for PATH itself: for `Ingest.many`."""
        return lambda inside: self.worktree.open_folder(f"{path}/{inside}" if inside else path)

    # -- paths

    def path(self, text: str) -> SafeRelPath:
        """Return the model that the user's argument TEXT names: by its own path or by that of its pointer.

        Raises UsageError if TEXT is the top of the worktree, lies outside of it, or is no path of a model.
        """
        inside = self.inside(text)
        if not inside:
            raise UsageError(
                f"{shown(text)} is the whole worktree",
                hint="name the files and folders that are models (`mvc add -u`: all that changed)",
            )
        try:
            path = SafeRelPath.parse(inside)
        except FormatError as error:  # the text is an argument of the user, not a file's
            raise UsageError(str(error), hint=error.hint) from None
        return model_of(path) if is_pointer(path) else path

    def absolute(self, text: str) -> str:
        """Return the absolute path of the file TEXT that the user named, in the worktree or not."""
        return os.path.normpath(os.path.join(self._start, text))

    def named(self, path: str) -> str:
        """Return PATH, which is below the worktree, as the user would name it, safe for a terminal."""
        return shown(os.path.relpath(os.path.join(self.layout.worktree, path), self._start))

    def inside(self, text: str) -> str:
        """Return TEXT as a path below the worktree; "" for its top. Raises UsageError if TEXT lies outside of it."""
        top = self.layout.worktree
        absolute = os.path.normpath(os.path.join(self._start, text))
        folder, name = os.path.split(absolute)
        if absolute != top and not absolute.startswith(top.rstrip("/") + "/"):
            absolute = os.path.join(os.path.realpath(folder), name)
        if absolute == top:
            return ""
        if not absolute.startswith(top.rstrip("/") + "/"):
            raise UsageError(f"{shown(text)} is outside of this repository", hint=f"the repository is {shown(top)}")
        return absolute[len(top.rstrip("/")) + 1 :]

    def selected(self, paths: Iterable[str], tracked: Iterable[str]) -> list[SafeRelPath]:
        """Return the models in TRACKED that PATHS name: a model, its pointer, or a folder above. Without PATHS, all.

        Raises NotFoundError if a path names no model, UsageError if it lies outside of the worktree.
        """
        known = sorted(tracked)
        if not (wanted := list(paths)):
            return [SafeRelPath(path) for path in known]
        found: dict[str, None] = {}
        for text in wanted:
            inside = self.inside(text)
            model = inside[: -len(POINTER_SUFFIX)] if is_pointer(inside) else inside
            hits = [p for p in known if p == model or not inside or p.startswith(inside + "/")]
            if not hits:
                meant = self.nearest(text, known)
                hint = f"did you mean {meant}?" if meant else "run `mvc ls` to see what is, or `mvc add` to track it"
                raise NotFoundError(f"{shown(text)} is not tracked by mvc", hint=hint)
            found.update(dict.fromkeys(hits))
        return [SafeRelPath(path) for path in found]

    def nearest(self, text: str, tracked: Iterable[str]) -> str:
        """Return the model in TRACKED that TEXT most likely means, from where the user stands; "" if none is near."""
        known = list(tracked)
        model = self.inside(text).removesuffix(POINTER_SUFFIX)
        named = [path for path in known if path.rpartition("/")[2] == model.rpartition("/")[2]]
        found = named[0] if len(named) == 1 else near(model, known)
        return self.named(found) if found else ""

    # -- pointers

    def tracked(self) -> list[str]:
        """Return the sorted paths of all models with a pointer in the index, or with one that is not staged yet.

        Pointers that a sparse checkout leaves out do not count.
        """
        known = {model_of(entry.path) for entry in self.index_pointers() if not entry.sparse}
        for path in self.state.pointers:
            if path not in known and self.worktree.stat(pointer_of(path)):
                known.add(SafeRelPath(path))
        return sorted(known)

    def index_pointers(self) -> list[index.IndexEntry]:
        """Return every pointer in the index."""
        return index.pointers(self.layout)

    def pointer(self, path: SafeRelPath) -> Pointer:
        """Return the pointer in the worktree. Raises NotFoundError without one; other errors as `pointer_or_none`."""
        if found := self.pointer_or_none(path):
            return found
        hint = "run `mvc ls` to see the models"
        if os.path.lexists(os.path.join(self.layout.worktree, path)):
            hint = f"track it with `mvc add {shown(path)}`"
        elif meant := self.nearest(os.path.join(self.layout.worktree, path), self.tracked()):
            hint = f"did you mean {meant}?"
        raise NotFoundError(f"{shown(path)} has no pointer", hint=hint)

    def pointer_or_none(self, path: SafeRelPath) -> Pointer | None:
        """Return the pointer in the worktree, or None.

        Raises PointerConflict for the markers of a text merge, BrokenPointer for other bytes that are no pointer, and
        ConflictError for a pointer behind a link. The hint of a BrokenPointer has the command that restores it.
        """
        try:
            return self.read_pointer(path)
        except pointers.LaterPointer:
            raise
        except BrokenPointer as error:
            error.hint = f"run `{self.mending(path)}`"
            raise

    def read_pointer(self, path: SafeRelPath) -> Pointer | None:
        """Return the pointer in the worktree, or None. Raises as `pointer_or_none`, and asks Git for no command."""
        try:
            data = self.worktree.read(pointer_of(path), limits.POINTER)
        except (FileNotFoundError, NotADirectoryError):
            return None
        return pointers.parse(data, pointer_of(path))

    def restoring(self, path: SafeRelPath, is_good: Callable[[bytes], bool] = pointers.is_readable) -> str:
        """Return the command that brings back a pointer of the model PATH whose content IS_GOOD.

        If the worktree has one, the command stages it. Return "" if the index and history have none either.
        """
        pointer = pointer_of(path)
        with contextlib.suppress(OSError, ModelvcError):
            if is_good(self.worktree.read(pointer, limits.POINTER)):
                return f"git add {shlex.quote(self.named(pointer))}"
        return restore.restoring(self.layout, pointer, self.named(pointer), is_good)

    def mending(self, path: SafeRelPath) -> str:
        """Return the command that gives the model PATH a pointer that can be read, or stops tracking it."""
        model = shlex.quote(self.named(path))
        again = f" && mvc add {model}" if self.worktree.stat(path) else ""
        return self.restoring(path) or f"mvc rm --keep {model}{again}"

    def worktree_pointers(
        self,
    ) -> tuple[dict[SafeRelPath, Pointer], dict[SafeRelPath, ModelvcError]]:
        """Return the pointers of the worktree, and by path the errors of pointers that cannot be read.

        Such pointers are torn, in conflict, or behind a link.
        """
        good: dict[SafeRelPath, Pointer] = {}
        broken: dict[SafeRelPath, ModelvcError] = {}
        for path in map(SafeRelPath, self.tracked()):
            try:
                found = self.read_pointer(path)
            except ModelvcError as error:
                broken[path] = error
            else:
                if found:
                    good[path] = found
        return good, broken

    def write_pointer(self, path: SafeRelPath, pointer: Pointer) -> None:
        """Write POINTER for the model PATH, durably, and note its stat data in the state file."""
        stat = self.worktree.write_bytes(pointer_of(path), pointer.encode())
        self.state.remember_pointer(path, stat, pointer.kind, pointer.oid, pointer.size)

    # -- the reflog

    def log_replaced(self, path: str, kind: str, oid: bytes, why: str) -> None:
        """Write to the reflog that PATH had the object OID of KIND, so that gc keeps it. WHY: the reason."""
        self.log_all_replaced([(path, kind, oid)], why)

    def log_all_replaced(self, found: Iterable[tuple[str, str, bytes]], why: str) -> None:
        """Write path, kind and oid of each of FOUND to the reflog, with one sync of the disk. WHY: the reason."""
        when = round(time.time(), 3)
        rows = (
            {"time": when, "path": path, "kind": kind, "oid": str(Oid(oid)), "why": why} for path, kind, oid in found
        )
        data = "".join(json.dumps(row, ensure_ascii=True) + "\n" for row in rows).encode()
        if not data:
            return
        os.makedirs(self.layout.mvc_dir, exist_ok=True)
        fd = os.open(self.reflog_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            write_all(fd, data)
            os.fsync(fd)
        finally:
            os.close(fd)

    @property
    def reflog_path(self) -> str:
        """The path of the reflog."""
        return os.path.join(self.layout.mvc_dir, "reflog")

    def replaced(self) -> Iterator[tuple[float, str, str, Oid]]:
        """Yield time (seconds since the epoch), path, kind and oid of each line of the reflog, oldest first.

        Torn lines are skipped.
        """
        try:
            file = open(self.reflog_path, encoding="utf-8", errors="replace")  # noqa: SIM115 - with follows
        except FileNotFoundError:
            return
        with file:
            for line in file:
                with contextlib.suppress(ValueError, KeyError, TypeError, RecursionError):
                    found = json.loads(line)
                    yield float(found["time"]), str(found["path"]), str(found["kind"]), Oid.parse(found["oid"])

    # -- one at a time

    @contextlib.contextmanager
    def updating(self, *, every_model: bool = False) -> Iterator[None]:
        """Hold the lock of the worktree while the block changes pointers, ignore entries, the index and files together.

        At the end the state file is written. The note of `index.write_seen` is written too, if it held before: without
        it the next hook checks all models. EVERY_MODEL: it is written in any case, because the block checks all models.
        Raises LockHeld if another process keeps the lock for a minute.
        """
        folder = self.layout.state_dir
        os.makedirs(folder, exist_ok=True)
        busy = LockHeld(
            f"waited {_LOCK_WAIT:g} s to change this worktree, and another mvc still changes it",
            hint="wait for it to end, or stop it; its lock ends with it",
        )
        with FileLock(os.path.join(folder, "lock"), _LOCK_WAIT, busy):
            if not self.state.changed:
                del self.state  # another process may have written the file while this one waited
            self.worktree.clean_tmp()
            for used in {self.layout.mvc_dir, folder}:
                delete_left(used)
            index.drop_dead_lock(self.layout)
            agreed = index.take_seen(self.layout)
            yield
            self.state.save()
            if agreed or every_model:
                index.write_seen(self.layout)


def open_repo(start: str, env: Mapping[str, str]) -> Repo:
    """Return the repository whose worktree contains the folder START. Raises NoRepository without one."""
    return Repo(discover(start, env), os.path.realpath(start))
