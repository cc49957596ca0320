"""A remote that lies: at request n, or from then on, it answers wrongly or does not do what it answers."""

from __future__ import annotations

import importlib
import random
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING

from modelvc.errors import KeyMissing, RemoteBusy, RemoteChanged, RemoteDenied, RemoteError
from modelvc.store.backends.api import Entry
from tests.support.disk import Died, forked

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence

    from modelvc.store.backends.api import Backend, Capabilities, Data

YEAR = 365 * 86_400.0
KINDS = (
    "busy",  # no answer, nothing done
    "lost",  # done, but no answer
    "denied",
    "changed",  # a condition is said to have failed
    "missing",  # what is there is said not to be there
    "dropped",  # said to be done, and not done
    "torn",  # said to be kept, and half of it is (a pack: a root that the server tears is lost with its old one)
    "late",  # kept, but not shown for the next few requests
    "flipped",  # one bit of an answer
    "short",  # half of an answer
    "other",  # another key's bytes
    "few",  # a listing without half of its keys
    "none",  # a listing of nothing
    "old",  # a listing from before this process began
    "ahead",  # a clock that is a year off
    "behind",
)
_LATE = 6  # requests


class LyingBackend:
    """A backend that lies in the way of KIND at request number AT (0: never). STAYS: also at all later requests."""

    def __init__(self, inner: Backend, kind: str, at: int, *, stays: bool = False, seed: str = "") -> None:
        self._inner = inner
        self._kind = kind
        self._at = at
        self._stays = stays
        self._random = random.Random(f"{kind} {at} {seed}")
        self._lock = threading.Lock()
        self._hidden: dict[str, int] = {}  # key -> the request from which it is shown
        self.count = 0
        self.name = inner.name
        self._before = {entry.key: entry for entry in inner.list("")} if kind == "old" and at else {}

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    @property
    def requests(self) -> int:
        return self.count

    def _lies(self, *kinds: str) -> str:
        """Count a request. Return the lie to tell if it is one of KINDS; else ""."""
        with self._lock:
            self.count += 1
            now = self.count == self._at or (self._stays and 0 < self._at <= self.count)
        kind = self._kind if now else ""
        if kind == "busy":
            raise RemoteBusy(
                f"{self.name}: no answer in time", hint="run the command again: what was transferred is kept"
            )
        if kind == "denied":
            raise RemoteDenied(f"{self.name}: not allowed", hint="check who may read and write there")
        return kind if kind in kinds else ""

    def _is_hidden(self, key: str) -> bool:
        return self.count < self._hidden.get(key, 0)

    # -- reading

    def list(self, prefix: str) -> Iterator[Entry]:
        lie = self._lies("few", "none", "old")
        found = [entry for entry in self._inner.list(prefix) if not self._is_hidden(entry.key)]
        if lie == "few":
            found = [entry for entry in found if self._random.random() < 0.5]
        elif lie == "none":
            found = []
        elif lie == "old":
            found = [entry for entry in self._before.values() if entry.key.startswith(prefix)]
        return iter(found)

    def stat(self, keys: Collection[str]) -> dict[str, Entry]:
        lie = self._lies("missing")
        return {} if lie else {k: e for k, e in self._inner.stat(keys).items() if not self._is_hidden(k)}

    def read(self, key: str, *, limit: int) -> tuple[bytes, Entry]:
        lie = self._lies("missing", "flipped", "short", "other")
        if lie == "missing" or self._is_hidden(key):
            raise KeyMissing(f"{key} is not in {self.name}")
        if lie == "other":
            key = self._another(key)
        data, entry = self._inner.read(key, limit=limit)
        data = self._flip(data) if lie == "flipped" else data[: len(data) // 2] if lie == "short" else data
        return data, replace(entry, size=len(data))

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        lie = self._lies("missing", "flipped", "short", "other")
        if lie == "missing" or self._is_hidden(key):
            raise KeyMissing(f"{key} is not in {self.name}")
        if lie == "short":
            raise RemoteError(f"{key} in {self.name} is shorter than expected", hint="run `mvc fsck --remote`")
        if lie == "other":
            return [self._random.randbytes(length) for _, length in ranges]
        found = self._inner.read_ranges(key, ranges)
        return [self._flip(part) for part in found] if lie == "flipped" else found

    def _another(self, key: str) -> str:
        folder = key.partition("/")[0]
        others = [entry.key for entry in self._inner.list("") if entry.key.startswith(folder)]
        return self._random.choice(others) if others else key

    def _flip(self, data: bytes) -> bytes:
        if not data:
            return data
        at = self._random.randrange(len(data))
        return data[:at] + bytes([data[at] ^ (1 << self._random.randrange(8))]) + data[at + 1 :]

    # -- writing

    def create(self, key: str, data: Data) -> Entry:
        return self._write(key, data, lambda data: self._inner.create(key, data), conditional=True)

    def put(self, key: str, data: Data) -> Entry:
        return self._write(key, data, lambda data: self._inner.put(key, data))

    def replace(self, key: str, data: Data, etag: str) -> Entry:
        return self._write(key, data, lambda data: self._inner.replace(key, data, etag), conditional=True)

    def _write(self, key: str, data: Data, write: Callable[[Data], Entry], *, conditional: bool = False) -> Entry:
        lie = self._lies("dropped", "lost", "late", "changed" if conditional else "torn")
        if lie == "changed":
            raise RemoteChanged(f"{key} in {self.name} was changed by another client")
        if lie == "dropped":
            return Entry(key, len(data), "said", self._inner.now())
        entry = write(bytes(data)[: len(data) // 2] if lie == "torn" else data)
        if lie == "late":
            with self._lock:
                self._hidden[key] = self.count + _LATE
        if lie == "lost":
            if conditional:  # the backend asked again, and met what it had written itself
                raise RemoteChanged(f"{key} in {self.name} already exists")
            raise RemoteBusy(f"{key} in {self.name}: no answer in time", hint="run the command again")
        return replace(entry, size=len(data))

    def delete(self, key: str, etag: str | None) -> None:
        lie = self._lies("dropped", "lost", "changed")
        if lie == "changed" and etag is not None:
            raise RemoteChanged(f"{key} in {self.name} was changed by another client")
        if lie != "dropped":
            self._inner.delete(key, etag)
        if lie == "lost":
            raise RemoteBusy(f"{key} in {self.name}: no answer in time", hint="run the command again")

    def now(self, *, write: bool = True) -> float:
        lie = self._lies("ahead", "behind")
        return self._inner.now(write=write) + {"ahead": YEAR, "behind": -YEAR}.get(lie, 0.0)

    def abort(self) -> None:
        self._inner.abort()

    def close(self) -> None:
        self._inner.close()


def lied_to(command: Callable[[], int], kind: str, at: int, *, stays: bool = False) -> Died:
    """Run COMMAND in its own process, whose remotes lie. `calls` of the result: the number of requests."""
    from modelvc.store.backends import retry  # before the fork: the child only changes them

    backends = importlib.import_module("modelvc.store.backends")

    def child() -> int:
        made: list[LyingBackend] = []
        real = backends.open_backend

        def opened(*args: object) -> LyingBackend:
            made.append(LyingBackend(real(*args), kind, at, stays=stays))
            return made[-1]

        backends.open_backend = opened
        retry.DELAYS = (0.001,) * 4
        code = command()
        said = sys.stdout.getvalue()  # type: ignore[attr-defined]
        sys.stdout.seek(0)
        sys.stdout.write(f"{sum(one.count for one in made)}\n{said}")
        return code

    died = forked(child)
    calls, _, words = died.said.partition("\n")
    return Died(died.code, int(calls), words) if calls.isdigit() else died
