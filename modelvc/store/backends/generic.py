"""A store on any file system of fsspec. Without compare-and-swap, push works, and gc of a remote needs `--exclusive`.

One file system object serves one thread at a time, because paramiko would mix up answers. A few stay connected.
"""

from __future__ import annotations

import os
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from modelvc.errors import ConfigError, KeyMissing, RemoteBusy, RemoteDenied, RemoteError, shown
from modelvc.store.backends import refusals, retry
from modelvc.store.backends.api import Capabilities, Entry, KeyDenied
from modelvc.store.backends.azure import Unreachable
from modelvc.store.backends.keys import check_key, check_prefix, is_key, is_part
from modelvc.store.backends.spans import merge, scatter

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from modelvc.store.backends.api import Data
    from modelvc.store.backends.url import StoreLocation

_T = TypeVar("_T")
_CONNECTIONS = 4
_ATTEMPTS = 5  # without a pause
_PIECE = 32 << 10  # bytes of one write: SFTP sends so many in one message


@dataclass(frozen=True, slots=True)
class Habits:
    """The parts of one kind of file system that the protocol of fsspec lacks.

    `explain`: an error of its own as RemoteError, or None. `require`: raise if the container of the store is missing.
    """

    explain: Callable[[BaseException, str, str], RemoteError | None] = lambda *_: None
    require: Callable[[Any], None] = lambda _: None


_PLAIN = Habits()


class GenericBackend:
    """The store below the path ROOT of a file system; the methods are those of `api.Backend`.

    CONNECT opens a file system. ATOMIC: whether a file that it writes is there as a whole or not at all.
    """

    def __init__(
        self, name: str, root: str, connect: Callable[[], Any], *, atomic: bool, habits: Habits = _PLAIN
    ) -> None:
        self.name = name
        self.capabilities = Capabilities(conditional=False, page=1000 if atomic else 1)
        self._root = root
        self._connect = connect
        self._atomic = atomic
        self._habits = habits
        self.waits = retry.Waits()  # who opens the backend may set one that is heard
        self._required = self._reached = False
        self._requests = 0
        self._lock = threading.Lock()
        self._gate = threading.BoundedSemaphore(_CONNECTIONS)
        self._idle: list[Any] = []
        self._made: set[str] = set()
        self._used: dict[int, Any] = {}  # connections that a thread uses now
        self._stopped = threading.Event()

    @property
    def requests(self) -> int:
        return self._requests

    # -- the protocol

    def list(self, prefix: str) -> Iterator[Entry]:
        check_prefix(prefix)
        find = self._find if self._atomic else self._walk
        return iter(self._persist(lambda fs: find(fs, prefix), prefix))

    def stat(self, keys: Collection[str]) -> dict[str, Entry]:
        wanted = [check_key(key) for key in keys]
        found = [self._persist(partial(self._look, key=key), key) for key in wanted]
        return {entry.key: entry for entry in found if entry is not None}

    def read(self, key: str, *, limit: int) -> tuple[bytes, Entry]:
        check_key(key)
        return self._persist(lambda fs: self._read(fs, key, limit), key)

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        check_key(key)
        spans = merge(ranges)
        asks = [partial(self._read_part, key=key, start=span.start, stop=span.stop) for span in spans]
        bodies = [self._persist(ask, key) for ask in asks]
        return scatter(ranges, spans, bodies)

    def create(self, key: str, data: Data) -> Entry:
        if self.stat([key]):
            raise refusals.exists(key, self.name)
        return self.put(key, data)

    def put(self, key: str, data: Data) -> Entry:
        check_key(key)
        return self._persist(lambda fs: self._write(fs, key, data), key)

    def replace(self, key: str, data: Data, etag: str) -> Entry:
        self._check(check_key(key), etag)
        return self.put(key, data)

    def delete(self, key: str, etag: str | None) -> None:
        check_key(key)
        if etag is not None and self.stat([key]):
            self._check(key, etag)
        try:
            self._persist(lambda fs: fs.rm_file(self._path(key)), key)
        except KeyMissing:
            return

    def now(self, *, write: bool = True) -> float:
        """The clock that stamps files on the remote. Without WRITE, the clock of this computer."""
        if not write:
            return time.time()

        def ask(fs: Any) -> float:
            path = self._path(f".new-{os.urandom(8).hex()}")
            self._write_file(fs, path, b"-")
            found = _entry("", fs.info(path)).mtime
            fs.rm_file(path)
            return found

        return self._persist(ask, "") or time.time()

    def abort(self) -> None:
        self._stopped.set()
        with self._lock:
            used = tuple(self._used.values())
        for fs in used:
            _disconnect(fs)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for fs in idle:
            _disconnect(fs)

    # -- with one connection

    def _walk(self, fs: Any, prefix: str) -> Sequence[Entry]:
        found: list[Entry] = []
        todo = [prefix]
        while todo:
            folder = todo.pop()
            try:
                infos = fs.ls(self._path(folder[:-1]), detail=True)
            except FileNotFoundError:
                continue
            for info in infos:
                name = info["name"].rstrip("/").rpartition("/")[2]
                if is_part(name) and info["type"] == "directory":
                    todo.append(f"{folder}{name}/")
                elif is_part(name) and info["type"] == "file":
                    found.append(_entry(folder + name, info))
        return found

    def _find(self, fs: Any, prefix: str) -> Sequence[Entry]:
        try:
            infos = fs.find(self._path(prefix[:-1]), detail=True)
        except FileNotFoundError:
            infos = {}
        if not infos:
            self._require(fs)
        start = len(self._root.strip("/")) + 1
        named = [(name.lstrip("/")[start:], info) for name, info in infos.items()]
        return [_entry(key, info) for key, info in named if is_key(key) and key.startswith(prefix)]

    def _look(self, fs: Any, key: str) -> Entry | None:
        try:
            info = fs.info(self._path(key))
        except FileNotFoundError:
            self._require(fs)
            return None
        return _entry(key, info) if info["type"] == "file" else None

    def _require(self, fs: Any) -> None:
        """Check once that the container of the store exists."""
        if not self._required:
            self._habits.require(fs)
            self._required = True

    def _read(self, fs: Any, key: str, limit: int) -> tuple[bytes, Entry]:
        for wait in (
            *[0.0] * _ATTEMPTS,
            *retry.delays(),
        ):  # another writer needs a moment: first at once, then with pauses
            self._stopped.wait(wait)
            entry = self._look(fs, key)
            if entry is None:
                raise FileNotFoundError(key)
            if entry.size > limit:
                raise refusals.too_large(key, self.name, limit)
            more = (
                0 if self._atomic else 1
            )  # whole seconds of mtime hide a replacement; one byte more shows a longer file
            data = bytes(fs.cat_file(self._path(key), 0, entry.size + more)) if entry.size else b""
            if len(data) == entry.size and self._look(fs, key) == entry:
                return data, entry
        raise RemoteBusy(f"{key} in {shown(self.name)} keeps changing", hint="run the command again")

    def _read_part(self, fs: Any, key: str, start: int, stop: int) -> bytes:
        data = bytes(fs.cat_file(self._path(key), start, stop))
        if len(data) != stop - start:
            raise refusals.too_short(key, self.name)
        return data

    def _write(self, fs: Any, key: str, data: Data) -> Entry:
        path = self._path(key)
        if self._atomic:
            fs.pipe_file(path, bytes(data))
            return _entry(key, fs.info(path))
        self._make_folder(fs, path.rpartition("/")[0])
        temporary = self._path(f".new-{os.urandom(8).hex()}")
        self._write_file(fs, temporary, data)
        if fs.info(temporary)["size"] != len(data):
            raise OSError("the transfer is incomplete; is the disk full?")
        fs.mv(temporary, path)
        return _entry(key, fs.info(path))

    def _write_file(self, fs: Any, path: str, data: Data) -> None:
        self._make_folder(fs, self._root)
        view = memoryview(data)
        with fs.open(path, "wb") as file:
            for at in range(0, len(view), _PIECE):
                file.write(bytes(view[at : at + _PIECE]))

    def _make_folder(self, fs: Any, path: str) -> None:
        if path in self._made:
            return
        for left in reversed(range(_ATTEMPTS)):
            try:
                fs.makedirs(path, exist_ok=True)
            except OSError:  # SFTP says "failure" when another writer created this folder, or one above, first
                if not left and not fs.isdir(path):
                    raise
            else:
                break
        self._made.add(path)

    def _check(self, key: str, etag: str) -> None:
        found = self.stat([key]).get(key)
        if found is None or found.etag != etag:
            raise refusals.changed(key, self.name)

    def _path(self, key: str) -> str:
        return f"{self._root}/{key}" if key else self._root

    # -- connections

    def _persist(self, ask: Callable[[Any], _T], key: str) -> _T:
        """The answer of ASK, which gets a connection; a transient failure is retried. Raises RemoteError about KEY."""
        waits = retry.delays()
        while True:
            try:
                with self._lent() as fs:
                    answer = ask(fs)
                    self._reached = True
                    return answer
            except (RemoteError, ConfigError):
                raise
            except Exception as error:  # noqa: BLE001 - foreign exceptions end here
                failure = self._habits.explain(error, self.name, key) or explain(error, self.name, key)
            if isinstance(failure, Unreachable) and not self._reached:  # a host that never answered is a wrong name
                raise RemoteError(str(failure), hint=failure.hint)
            if not failure.transient or not waits or self._stopped.is_set():
                raise failure
            wait = waits.pop(0)
            self.waits.announce(failure, wait)
            self._stopped.wait(wait)

    def _go_on(self) -> None:
        """Raise RemoteError after `abort`."""
        if self._stopped.is_set():
            raise RemoteError(f"{shown(self.name)}: interrupted")

    @contextmanager
    def _lent(self) -> Iterator[Any]:
        """Lend a connection for one call. A connection that broke is closed."""
        with self._gate:
            with self._lock:
                self._requests += 1
                fs = self._idle.pop() if self._idle else None
            self._go_on()
            if fs is None:
                fs = self._connect()
            with self._lock:
                self._used[id(fs)] = fs
            pass_on = False
            try:
                self._go_on()  # connecting may have taken long
                yield fs
                pass_on = True
            except FileNotFoundError as error:
                pass_on = self._habits.explain(error, self.name, "") is None
                raise
            except RemoteError:
                pass_on = True
                raise
            finally:
                with self._lock:
                    del self._used[id(fs)]
                if pass_on:
                    with self._lock:
                        self._idle.append(fs)
                else:
                    _disconnect(fs)


def open_generic(location: StoreLocation) -> GenericBackend:
    """The backend for a LOCATION on sftp, az or gs. Raises ConfigError where a package is missing."""
    if location.scheme == "sftp":
        from modelvc.store.backends.sftp import connect

        root = location.path.removeprefix("~/")
        return GenericBackend(location.url, root, lambda: connect(location.host), atomic=False)
    container = location.host.partition("@")[0]
    root = f"{container}/{location.path}".rstrip("/")
    if location.scheme == "az":
        from modelvc.store.backends import azure

        _require("adlfs", "pip install 'modelvc[azure]'", location.scheme)
        habits = Habits(azure.explain, partial(azure.require_container, container=container))
        return GenericBackend(location.url, root, partial(azure.connect, location), atomic=True, habits=habits)
    _require("gcsfs", "pip install gcsfs", location.scheme)

    def connect_google() -> Any:
        import fsspec

        return fsspec.filesystem("gs", skip_instance_cache=True, use_listings_cache=False)

    return GenericBackend(location.url, root, connect_google, atomic=True)


def explain(error: Exception, name: str, key: str) -> RemoteError:
    """The RemoteError for an ERROR of fsspec, paramiko or the operating system about KEY ("" for none) in NAME."""
    what = f"{key} in {shown(name)}" if key else shown(name)
    names = {kind.__name__ for kind in type(error).__mro__}
    why = shown(error, 200) or type(error).__name__
    if isinstance(error, FileNotFoundError):
        return KeyMissing(f"{what} does not exist")
    if names & {"BadHostKeyException"} or "not found in known_hosts" in str(error):
        return RemoteDenied(
            f"{shown(name)}: its host key is not the one in known_hosts",
            hint="connect once with `ssh` and compare the key it shows with one you trust",
        )
    if names & {"AuthenticationException", "PasswordRequiredException"}:
        return RemoteDenied(f"{shown(name)}: the server refused the login", hint="load your key with `ssh-add`")
    if isinstance(error, PermissionError) or names & {"Forbidden", "ClientAuthenticationError", "RefreshError"}:
        denied = KeyDenied if key else RemoteDenied
        return denied(f"{what}: not allowed ({why})", hint="check who may read and write there")
    if names & {"gaierror", "NoValidConnectionsError"}:
        return RemoteError(f"cannot reach {shown(name)} ({why})", hint="check the host name and the network")
    if isinstance(error, (EOFError, ConnectionError, TimeoutError)) or names & {"SSHException", "HttpError"}:
        return RemoteBusy(
            f"{what}: the connection broke ({why})", hint="run the command again: what was transferred is kept"
        )
    return RemoteError(f"{what}: {why} ({type(error).__name__})", hint="run `mvc doctor`")


def _require(module: str, command: str, scheme: str) -> None:
    from importlib.util import find_spec

    if find_spec(module) is None:
        raise ConfigError(f"{scheme}:// needs a package that is not installed", hint=f"run `{command}`")


def _entry(key: str, info: dict[str, Any]) -> Entry:
    """The entry of KEY from INFO, whose names differ between file systems."""
    stamp = next((info[name] for name in ("mtime", "LastModified", "last_modified", "updated") if info.get(name)), 0.0)
    if isinstance(stamp, str):
        from datetime import datetime

        stamp = datetime.fromisoformat(stamp)
    mtime = float(stamp if isinstance(stamp, (int, float)) else stamp.timestamp())
    etag = info.get("etag") or info.get("ETag") or f"{info['size']:x}-{mtime}"
    return Entry(key, info["size"], str(etag).strip('"'), mtime)


def _disconnect(fs: Any) -> None:
    client = getattr(fs, "client", None)  # of paramiko; other file systems close with their session
    if client is not None and hasattr(client, "close"):
        client.close()
