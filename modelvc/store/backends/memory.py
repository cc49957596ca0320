"""A store that lasts as long as the process: `memory://NAME`, for tests."""

from __future__ import annotations

import hashlib
import threading
import time
from typing import TYPE_CHECKING

from modelvc.errors import KeyMissing
from modelvc.store.backends import refusals
from modelvc.store.backends.api import Capabilities, Entry
from modelvc.store.backends.keys import check_key, check_prefix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from modelvc.store.backends.api import Data

_stores: dict[str, dict[str, tuple[bytes, Entry]]] = {}
_lock = threading.Lock()


class MemoryBackend:
    """The store NAME of this process; the methods are those of `api.Backend`. Backends of one name share their keys."""

    def __init__(self, name: str) -> None:
        self.name = f"memory://{name}"
        self.capabilities = Capabilities(conditional=True, page=1000)
        self.requests = 0
        with _lock:
            self._held = _stores.setdefault(name, {})

    def list(self, prefix: str) -> Iterator[Entry]:
        check_prefix(prefix)
        with self._request():
            found = [entry for key, (_, entry) in self._held.items() if key.startswith(prefix)]
        return iter(found)

    def stat(self, keys: Collection[str]) -> dict[str, Entry]:
        wanted = [check_key(key) for key in keys]
        with self._request(len(wanted)):
            return {key: self._held[key][1] for key in wanted if key in self._held}

    def read(self, key: str, *, limit: int) -> tuple[bytes, Entry]:
        data, entry = self._get(key)
        if len(data) > limit:
            raise refusals.too_large(key, self.name, limit)
        return data, entry

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        data, _ = self._get(key)
        found = [data[offset : offset + length] for offset, length in ranges]
        if any(len(part) != length for part, (_, length) in zip(found, ranges, strict=True)):
            raise refusals.too_short(key, self.name)
        return found

    def create(self, key: str, data: Data) -> Entry:
        check_key(key)
        with self._request():
            if key in self._held:
                raise refusals.exists(key, self.name)
            return self._set(key, data)

    def put(self, key: str, data: Data) -> Entry:
        check_key(key)
        with self._request():
            return self._set(key, data)

    def replace(self, key: str, data: Data, etag: str) -> Entry:
        check_key(key)
        with self._request():
            self._check(key, etag)
            return self._set(key, data)

    def delete(self, key: str, etag: str | None) -> None:
        check_key(key)
        with self._request():
            if key not in self._held:
                return
            if etag is not None:
                self._check(key, etag)
            del self._held[key]

    def now(self, *, write: bool = True) -> float:  # noqa: ARG002
        return time.time()

    def abort(self) -> None:
        pass

    def close(self) -> None:
        pass

    def _request(self, count: int = 1) -> threading.Lock:
        self.requests += count
        return _lock

    def _get(self, key: str) -> tuple[bytes, Entry]:
        check_key(key)
        with self._request():
            if key not in self._held:
                raise KeyMissing(f"{key} is not in {self.name}")
            return self._held[key]

    def _set(self, key: str, data: Data) -> Entry:
        body = bytes(data)
        entry = Entry(key, len(body), hashlib.md5(body, usedforsecurity=False).hexdigest(), time.time())
        self._held[key] = body, entry
        return entry

    def _check(self, key: str, etag: str) -> None:
        held = self._held.get(key)
        if held is None or held[1].etag != etag:
            raise refusals.changed(key, self.name)
