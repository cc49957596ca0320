"""The protocol of a backend, which holds the keys of a store. tests/contracts runs over every backend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from modelvc.errors import RemoteDenied, RemoteError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence


Data = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Entry:
    """One key of a store."""

    key: str
    size: int  # bytes
    etag: str  # opaque; "" where there is none
    mtime: float  # by the clock of the backend, seconds since the epoch; 0.0 for unknown


@dataclass(frozen=True, slots=True)
class Capabilities:
    """The promises of a backend. Without `conditional`, push works and gc of a remote refuses."""

    conditional: bool  # compare-and-swap: create fails on an existing key, replace and delete on another etag
    page: int  # keys per listing request: where few keys are wanted, single look-ups take fewer requests
    checksums: bool = True  # whether the server verifies a checksum header


class KeyDenied(RemoteDenied):
    """The account may not use this key; it may be allowed to use others."""


class NotUnderstood(RemoteError):
    """The server does not support a header of the request. The refusal has nothing to do with account or key."""


class Backend(Protocol):
    """The keys of one store, and their bytes.

    Keys are relative, `/`-separated, and made of `[a-z0-9/]`. Every method may be called from many threads at once.
    Methods raise KeyMissing, RemoteChanged, RemoteDenied, RemoteBusy (after a bounded number of retries) and
    RemoteError; exceptions of libraries never leave a backend. A key that `create` or `replace` writes is there as a
    whole or not at all.
    """

    @property
    def name(self) -> str:
        """The URL for messages, without credentials."""

    @property
    def capabilities(self) -> Capabilities:
        """The promises of this backend."""

    @property
    def requests(self) -> int:
        """The number of requests so far, with retries."""

    def list(self, prefix: str) -> Iterator[Entry]:
        """Yield every key below PREFIX ("" or ending in "/"), in any order; none where PREFIX is missing."""

    def stat(self, keys: Collection[str]) -> dict[str, Entry]:
        """Those of KEYS that exist, each with its entry."""

    def read(self, key: str, *, limit: int) -> tuple[bytes, Entry]:
        """The bytes under a small KEY, and the entry of exactly these bytes. Raises RemoteError above LIMIT bytes."""

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        """The bytes of each (offset, length) in RANGES under KEY. Raises RemoteError if one would be short."""

    def create(self, key: str, data: Data) -> Entry:
        """Write a new KEY. Raises RemoteChanged if it exists. Without `conditional`, this checks first, then writes."""

    def put(self, key: str, data: Data) -> Entry:
        """Write KEY, and replace it if it exists. This is for keys whose name fixes their content."""

    def replace(self, key: str, data: Data, etag: str) -> Entry:
        """Write a KEY that still has ETAG. Raises RemoteChanged if it has another etag or is gone."""

    def delete(self, key: str, etag: str | None) -> None:
        """Delete KEY if it still has ETAG, or any etag for None. A KEY that is gone already is no error."""

    def now(self, *, write: bool = True) -> float:
        """The clock of the backend, in seconds since the epoch.

        Some backends need a write to tell it; without WRITE they return the clock of this computer.
        """

    def abort(self) -> None:
        """Interrupt the requests of other threads, as far as possible. No request follows."""

    def close(self) -> None:
        """Release connections and descriptors."""


@runtime_checkable
class MountedBackend(Backend, Protocol):
    """A backend in a folder of this machine, which may lie on a drive that is not mounted."""

    def is_there(self) -> bool:
        """Return True if the folder exists."""


@runtime_checkable
class MeasurableBackend(Backend, Protocol):
    """A backend whose server may support less than the protocol has; store/backends/probe.py measures what."""

    def server(self) -> str:
        """The endpoint that answers, a space, and the URL of the remote."""

    def rely_on(self, capabilities: Capabilities) -> None:
        """From now on, use CAPABILITIES alone."""
