"""What a backend (the place where the keys of a store lie) must do. tests/contracts runs over every one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from modelvc.errors import RemoteDenied, RemoteError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


Data = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Entry:
    """One key: its size in bytes, its etag (opaque; "" where there is none), and its age by the backend's own clock."""

    key: str
    size: int
    etag: str
    mtime: float  # seconds since the epoch; 0.0 where the backend does not tell


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a backend can promise. Without `conditional`, push works and remote gc refuses."""

    conditional: bool  # create fails on an existing key, replace and delete honour an etag, atomically
    page: int  # keys per listing request, to choose between a listing and single look-ups
    checksums: bool = True  # the server compares what arrives with a checksum header


class KeyDenied(RemoteDenied):
    """One key is refused to this account, which may use others."""


class NotUnderstood(RemoteError):
    """The server refuses a header of a request, whoever sends it and whatever lies there."""


class Backend(Protocol):
    """Keys are relative, `/`-separated, `[a-z0-9/]` only. Safe to call from many threads at once.

    Raises KeyMissing, RemoteChanged, RemoteDenied, RemoteBusy (after bounded retries of its own) and
    RemoteError; foreign exceptions never leave a backend. What `create` and `replace` wrote is whole or not there.
    """

    @property
    def name(self) -> str:
        """The URL for messages, without credentials."""

    @property
    def capabilities(self) -> Capabilities: ...

    @property
    def requests(self) -> int:
        """Requests made so far, retries included."""

    def list(self, prefix: str) -> Iterator[Entry]:
        """Every key below PREFIX (which is "" or ends in "/"), in any order. A missing prefix is empty."""

    def stat(self, keys: Collection[str]) -> dict[str, Entry]:
        """Those of KEYS that are there."""

    def read(self, key: str, *, limit: int) -> tuple[bytes, Entry]:
        """A whole small object with the entry that these very bytes belong to; RemoteError above LIMIT bytes."""

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        """(offset, length) ranges of one object, each exactly as long as asked; a short answer is RemoteError."""

    def create(self, key: str, data: Data) -> Entry:
        """Write a key that is not there yet; RemoteChanged when it is. Without `conditional`: checked, then written."""

    def put(self, key: str, data: Data) -> Entry:
        """Write a key whatever was there: for keys whose name fixes their content."""

    def replace(self, key: str, data: Data, etag: str) -> Entry:
        """Write a key that still has ETAG; RemoteChanged when it has another or is gone."""

    def delete(self, key: str, etag: str | None) -> None:
        """Remove a key, if it still has ETAG (None: whatever it has). Gone already is done."""

    def now(self, *, write: bool = True) -> float:
        """The backend's clock, seconds since the epoch. Without WRITE, where only a write tells it: this computer's."""

    def abort(self) -> None:
        """Break off, as far as it can be done, what other threads wait for; nothing is asked after this."""

    def close(self) -> None: ...


@runtime_checkable
class MeasurableBackend(Backend, Protocol):
    """A backend whose server may honour less than its protocol has: store/backends/probe.py finds out what."""

    def server(self) -> str:
        """The endpoint that answers, and the URL of the remote there."""

    def rely_on(self, capabilities: Capabilities) -> None:
        """From now on, ask the server for these only."""
