"""Stores for tests: a local one in a folder, and a remote in a dictionary that counts its requests."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from blake3 import blake3

from modelvc.errors import KeyMissing, RemoteChanged, RemoteError
from modelvc.store.backends.api import Capabilities, Entry
from modelvc.store.local import compact
from modelvc.store.local.content import ContentReader
from modelvc.store.local.ingest import Ingest
from modelvc.store.local.store import LocalStore
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects.manifest import Content

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from modelvc.ids import Oid
    from modelvc.store.backends.api import Data


class DictBackend:
    """A backend in a dictionary. It is stricter than real ones, and a test can make it fail."""

    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, str]] = {}
        self.times: dict[str, float] = {}
        self.clock = time.time
        self.log: list[tuple[str, str]] = []
        self._lock = threading.Lock()
        self._count = 0

    name = "dict://"
    capabilities = Capabilities(conditional=True, page=1000)

    @property
    def requests(self) -> int:
        return len(self.log)

    def _note(self, verb: str, key: str) -> None:
        with self._lock:
            self.log.append((verb, key))

    def _entry(self, key: str) -> Entry:
        data, etag = self.objects[key]
        return Entry(key, len(data), etag, self.times[key])

    def _set(self, key: str, data: Data) -> Entry:
        self._count += 1
        self.objects[key] = (bytes(data), f"e{self._count}")
        self.times[key] = self.clock()
        return self._entry(key)

    def list(self, prefix: str) -> Iterator[Entry]:
        self._note("list", prefix)
        yield from [self._entry(key) for key in sorted(self.objects) if key.startswith(prefix)]

    def stat(self, keys: Collection[str]) -> dict[str, Entry]:
        for key in keys:
            self._note("stat", key)
        return {key: self._entry(key) for key in keys if key in self.objects}

    def read(self, key: str, *, limit: int) -> tuple[bytes, Entry]:
        self._note("read", key)
        if key not in self.objects:
            raise KeyMissing(f"{key} is not there")
        if len(self.objects[key][0]) > limit:
            raise RemoteError(f"{key} is too large")
        return self.objects[key][0], self._entry(key)

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        self._note("read_ranges", key)
        if key not in self.objects:
            raise KeyMissing(f"{key} is not there")
        data = self.objects[key][0]
        found = [data[start : start + length] for start, length in ranges]
        if any(len(part) != length for part, (_, length) in zip(found, ranges, strict=True)):
            raise RemoteError(f"{key} ends too early")
        return found

    def create(self, key: str, data: Data) -> Entry:
        self._note("create", key)
        with self._lock:
            if key in self.objects:
                raise RemoteChanged(f"{key} is there")
            return self._set(key, data)

    def put(self, key: str, data: Data) -> Entry:
        self._note("put", key)
        with self._lock:
            return self._set(key, data)

    def replace(self, key: str, data: Data, etag: str) -> Entry:
        self._note("replace", key)
        with self._lock:
            if key not in self.objects or self.objects[key][1] != etag:
                raise RemoteChanged(f"{key} has changed")
            return self._set(key, data)

    def delete(self, key: str, etag: str | None) -> None:
        self._note("delete", key)
        with self._lock:
            if key in self.objects and etag not in {None, self.objects[key][1]}:
                raise RemoteChanged(f"{key} has changed")
            self.objects.pop(key, None)

    def now(self, *, write: bool = True) -> float:
        return self.clock()

    def abort(self) -> None:
        pass

    def close(self) -> None:
        pass


def add_bytes(store: LocalStore, tmp: Path, data: bytes) -> Content:
    """Store DATA as a blob."""
    path = tmp / f"in-{os.urandom(4).hex()}"
    path.write_bytes(data)
    return add_file(store, path)


def add_file(store: LocalStore, path: Path) -> Content:
    with StoreWriter(store) as writer, Ingest(writer) as ingest:
        fd = os.open(path, os.O_RDONLY)
        try:
            done = ingest.file(fd, str(path))
        finally:
            os.close(fd)
        content = Content(done.oid, done.stat.size, done.recipe)
        writer.add(content)
        writer.commit()
        compact.tidy(store, writer)
    return content


def read_bytes(store: LocalStore, oid: Oid) -> bytes:
    """The verified bytes of a blob in STORE."""
    found = bytearray()
    with ContentReader(store) as reader:
        reader.write_blob(store.read_root("file", oid), found.extend, "the blob")
    assert blake3(found).digest() == oid
    return bytes(found)


def folders(top: Path) -> Callable[[str], int]:
    """A function that opens folders below TOP."""
    return lambda inside: os.open(top / inside, os.O_RDONLY | os.O_DIRECTORY)
