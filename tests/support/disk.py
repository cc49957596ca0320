"""A disk that dies: it counts calls of the operating system, and fails at call n or forgets what was not synced.

The command runs in a forked process, in which the functions of `os` that change files are replaced. Calls of Git
processes and of libgit2 are not counted: files in `.git` outside of `.git/mvc` count as written. The disk is stricter
than real ones: a new file that was synced is lost if its folder was not synced.
"""

from __future__ import annotations

import builtins
import errno
import io
import os
import random
import shutil
import signal
import stat
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ERROR, FULL, SHORT = "error", "full", "short write"  # the call fails; all writes from then on fail; it writes half
CUT_NONE, CUT_SOME, CUT_ALL = "cut, nothing kept", "cut, some kept", "cut, all kept"  # of what was not synced
CUTS = (CUT_NONE, CUT_SOME, CUT_ALL)
KINDS = (ERROR, FULL, SHORT, *CUTS)

_CHANGING = (
    "write", "pwrite", "fsync", "fdatasync", "rename", "replace", "link", "unlink", "remove", "rmdir", "mkdir",
    "truncate", "ftruncate", "posix_fallocate", "utime", "fchmod", "chmod", "symlink", "open",
)  # fmt: skip
_CREATES = os.O_CREAT | os.O_TRUNC
CUT_EXIT = 99
_NEVER_FULL = {
    "unlink",
    "remove",
    "rmdir",
    "fsync",
    "rename",
    "rename2",
    "replace",
    "utime",
    "fchmod",
    "chmod",
    "ftruncate",
}


@dataclass(slots=True)
class Died:
    """How a command ended: its exit code (99 if the power was cut), the number of its calls, and its output."""

    code: int
    calls: int
    said: str


@dataclass
class _Disk:
    """Counts calls, and fails at number `fatal`. It keeps what is durable: entries of folders, content of files."""

    roots: tuple[Path, ...]
    kind: str
    fatal: int
    calls: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock)
    names: dict[int, dict[str, int]] = field(default_factory=dict)  # entries by the folder's inode
    content: dict[int, bytes] = field(default_factory=dict)  # by inode
    modes: dict[int, int] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)  # descriptors by inode, so that none is used again
    real: dict[str, Callable[..., Any]] = field(default_factory=dict)

    def begin(self) -> None:
        """Take the present state as durable."""
        for root in self.roots:
            for folder, _, files in os.walk(root):
                self._folder(os.stat(folder).st_ino, folder)
                for name in files:
                    self._file(os.path.join(folder, name))

    def _folder(self, inode: int, path: str | int) -> None:
        self._hold(self.real["open"](path, os.O_RDONLY) if isinstance(path, str) else self._again(path))
        self.names[inode] = {}
        with os.scandir(path) as entries:
            for entry in entries:
                self.names[inode][entry.name] = entry.inode()

    def _file(self, path: str) -> None:
        found = os.lstat(path)
        if stat.S_ISREG(found.st_mode):
            fd = self._hold(self.real["open"](path, os.O_RDONLY))
            self.content[found.st_ino] = _all(fd)
            self.modes[found.st_ino] = found.st_mode

    def called(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        with self.lock:
            self.calls += 1
            dies = self.calls == self.fatal
            if dies and self.kind in CUTS:
                self._cut()
            if dies and self.kind == ERROR:
                raise OSError(errno.EIO, "Input/output error")
            if self.fatal and self.calls >= self.fatal and self.kind == FULL and name not in _NEVER_FULL:
                raise OSError(errno.ENOSPC, "No space left on device")
            if dies and self.kind == SHORT and name in {"write", "pwrite"} and len(args[1]) > 1:
                data = memoryview(args[1])
                return self.real[name](args[0], data[: len(data) // 2], *args[2:], **kwargs)
            result = self.real[name](*args, **kwargs)
            if self.kind in CUTS:
                self._note(name, args, result)
            return result

    def synced(self) -> None:
        """Take the present state as durable, as syncfs(2) promises."""
        with self.lock:
            self.calls += 1
            if self.calls == self.fatal and self.kind in CUTS:
                self._cut()
            if self.calls == self.fatal and self.kind == ERROR:
                raise OSError(errno.EIO, "Input/output error")
            if self.kind in CUTS:
                self.begin()

    def _note(self, name: str, args: tuple[Any, ...], result: Any) -> None:
        if name in {"fsync", "fdatasync"}:
            found = os.fstat(args[0])
            if stat.S_ISDIR(found.st_mode):
                self._folder(found.st_ino, args[0])
            else:
                fd = self._again(args[0])
                self.content[found.st_ino] = _all(fd)
                self.modes[found.st_ino] = found.st_mode
                os.close(fd)
        elif name == "open":
            self._hold(self._again(result))

    def _hold(self, fd: int) -> int:
        inode = os.fstat(fd).st_ino
        if inode in self.held:
            os.close(fd)
        return self.held.setdefault(inode, fd)

    def _again(self, fd: int) -> int:
        """Open the same file again: a copy of the descriptor would keep its locks."""
        return int(self.real["open"](f"/proc/self/fd/{fd}", os.O_RDONLY))

    def _cut(self) -> None:
        """Leave the folders as the machine would find them after a power cut at this call."""
        chance = random.Random(self.fatal)
        for root in self.roots:
            after = f"{root}.after"
            os.mkdir(after)
            self._rebuild(str(root), os.stat(root).st_ino, after, chance, kept=False)
        os._exit(CUT_EXIT)

    def _rebuild(self, path: str, inode: int, target: str, chance: random.Random, *, kept: bool) -> None:
        """Make TARGET the durable part of the folder at PATH. KEPT: whether Git wrote it, so that all is durable."""
        now = {entry.name: entry.inode() for entry in os.scandir(path)} if os.path.isdir(path) else {}
        durable = now if kept or self.kind == CUT_ALL else self.names.get(inode, {})
        places = self._places()
        if self.kind == CUT_SOME and not kept and chance.random() < 0.5:
            durable = now  # all of a folder or nothing: a rename in it is one step
        for name, child in durable.items():
            where = os.path.join(path, name) if now.get(name) == child else places.get(child, "")
            out = os.path.join(target, name)
            git = kept or (name == ".git" and os.path.isdir(where))
            if child in self.names or os.path.isdir(where):
                self.real["mkdir"](out)
                mine = git and not (os.path.basename(path) == ".git" and name == "mvc")
                self._rebuild(where, child, out, chance, kept=mine)
            elif os.path.islink(where) and not where.startswith("/proc/"):
                self.real["symlink"](os.readlink(where), out)
            else:
                self._restore(child, where, out, whole=kept or self.kind == CUT_ALL or self._luck(chance))

    def _luck(self, chance: random.Random) -> bool:
        return self.kind == CUT_SOME and chance.random() < 0.5

    def _restore(self, inode: int, where: str, out: str, *, whole: bool) -> None:
        if whole and where:
            shutil.copy2(where, out)
            return
        fd = self.real["open"](out, os.O_WRONLY | os.O_CREAT, 0o666)
        self.real["write"](fd, self.content.get(inode, b""))
        os.close(fd)
        if where:  # its size and time may be what was promised, without the bytes
            found = os.stat(where)
            if not self.content.get(inode):
                self.real["truncate"](out, found.st_size)
            self.real["utime"](out, ns=(found.st_atime_ns, found.st_mtime_ns))
            self.real["chmod"](out, stat.S_IMODE(found.st_mode))
        elif inode in self.modes:
            self.real["chmod"](out, stat.S_IMODE(self.modes[inode]))

    def _places(self) -> dict[int, str]:
        """The present path of each inode; inodes that were unlinked are held open."""
        found = {inode: f"/proc/self/fd/{fd}" for inode, fd in self.held.items()}
        for root in self.roots:
            for folder, folders, files in os.walk(root):
                for name in (*folders, *files):
                    path = os.path.join(folder, name)
                    found[os.lstat(path).st_ino] = path
        return found


def _all(fd: int) -> bytes:
    parts = []
    at = 0
    while part := os.pread(fd, 1 << 20, at):
        parts.append(part)
        at += len(part)
    return b"".join(parts)


def on_dying_disk(roots: tuple[Path, ...], kind: str, fatal: int, command: Callable[[], int]) -> Died:
    """Run COMMAND in its own process, whose disk below ROOTS fails at call FATAL (0: never) in the way of KIND.

    After a power cut, each of ROOTS is as the next start of the machine would find it.
    """
    died = forked(lambda: _child(roots, kind, fatal, command))
    if died.code == CUT_EXIT:
        for root in roots:
            shutil.rmtree(root)
            os.rename(f"{root}.after", root)
        return Died(died.code, fatal, died.said)
    calls, _, words = died.said.partition("\n")
    return Died(died.code, int(calls) if calls.isdigit() else 0, words if calls.isdigit() else died.said)


def forked(command: Callable[[], int], seconds: float | None = None) -> Died:
    """Run COMMAND in its own process; return its exit code, or 70 if it raised.

    After SECONDS it is killed, with the processes that it started; the code is then -9.
    """
    reader, writer = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the runner has threads; the child does not care for them
        pid = os.fork()
    if not pid:
        code = 70
        os.close(reader)
        try:
            os.setsid()
            code, said = _quietly(command)
            os.write(writer, said.encode()[-60_000:])  # a pipe takes that at once
        except BaseException:  # noqa: BLE001 - told to the parent
            os.write(writer, f"\n{traceback.format_exc()}".encode()[-60_000:])
        finally:
            os._exit(code)
    os.close(writer)
    if seconds is not None:
        _kill_after(pid, seconds)
    said = _drain(reader)
    _, status = os.waitpid(pid, 0)
    return Died(os.waitstatus_to_exitcode(status), 0, said)


def _kill_after(pid: int, seconds: float) -> None:
    end = time.monotonic() + seconds
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() >= end:
            os.killpg(pid, signal.SIGKILL)
            return
        time.sleep(0.0005)


def _quietly(command: Callable[[], int]) -> tuple[int, str]:
    said = io.StringIO()
    sys.stdout = sys.stderr = said
    said.reconfigure = lambda **_: None  # type: ignore[attr-defined]
    try:
        code = command()
    except SystemExit as error:
        code = int(error.code or 0)
    return code, said.getvalue()


def _drain(fd: int) -> str:
    with os.fdopen(fd, "rb") as stream:
        return stream.read().decode("utf-8", "replace")


def _child(roots: tuple[Path, ...], kind: str, fatal: int, command: Callable[[], int]) -> int:
    disk = _Disk(roots, kind, fatal)
    disk.real = {name: getattr(os, name) for name in _CHANGING}
    if kind in CUTS:
        disk.begin()
    _replace(disk)
    try:
        code = command()
    except SystemExit as error:
        code = int(error.code or 0)
    finally:
        for name in _CHANGING:
            setattr(os, name, disk.real[name])
    words = sys.stdout.getvalue()  # type: ignore[attr-defined]
    sys.stdout.seek(0)
    sys.stdout.write(f"{disk.calls}\n{words}")
    return code


def _replace(disk: _Disk) -> None:
    """Send the calls of this process to DISK from now on."""

    def replaced(name: str) -> Callable[..., Any]:
        real = disk.real[name]

        def call(*args: Any, **kwargs: Any) -> Any:
            if name == "open" and not (args[1] if len(args) > 1 else kwargs.get("flags", 0)) & _CREATES:
                return real(*args, **kwargs)
            if name in {"write", "fsync"} and stat.S_IFMT(os.fstat(args[0]).st_mode) not in {
                stat.S_IFREG,
                stat.S_IFDIR,
            }:
                return real(*args, **kwargs)  # a pipe to a process
            return disk.called(name, args, kwargs)

        return call

    plain_open = builtins.open

    def opened(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
        if isinstance(mode, str) and set("wax+") & set(mode) and not isinstance(file, int):
            flags = os.O_CREAT | (os.O_TRUNC if "w" in mode else 0) | (os.O_EXCL if "x" in mode else 0)
            flags |= os.O_APPEND if "a" in mode else 0
            kwargs.pop("opener", None)
            fd = disk.called("open", (file, flags | os.O_RDWR | os.O_CLOEXEC, 0o666), {})
            return plain_open(fd, mode.replace("x", "w"), *args, **kwargs)
        return plain_open(file, mode, *args, **kwargs)

    from modelvc.worktree import descriptors, swap

    descriptors.sync_file_system = lambda _: disk.synced()
    disk.real["rename2"] = swap._rename2
    swap._rename2 = lambda *args: disk.called("rename2", args, {})
    for name in _CHANGING:
        setattr(os, name, replaced(name))
    builtins.open = opened  # type: ignore[assignment]
