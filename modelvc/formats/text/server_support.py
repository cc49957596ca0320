"""Which parts of S3 a server supports: a clone measures that once and keeps it. Spec: docs/format.md#servers."""

from __future__ import annotations

from dataclasses import dataclass

from blake3 import blake3

from modelvc.errors import FormatError
from modelvc.formats import limits, toml
from modelvc.formats.tables import Table

FOLDER = "servers"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class ServerSupport:
    """The parts of S3 that one server supports for one store.

    `conditional`: writes on condition, that is compare-and-swap. `checksums`: the headers x-amz-checksum-*.
    """

    store: str  # the id in the store's config
    server: str  # the endpoint, a space, and the URL of the remote
    conditional: bool
    checksums: bool

    def encode(self) -> bytes:
        """The bytes of the file."""
        table: dict[str, toml.Value] = {
            "format": FORMAT,
            "store": self.store,
            "server": self.server,
            "conditional": self.conditional,
            "checksums": self.checksums,
        }
        return toml.encode(table).encode()


def file_of(store: str, server: str) -> str:
    """The name of the file in `FOLDER` for the store with the id STORE on SERVER."""
    return blake3(f"{store}\n{server}".encode()).hexdigest()[:32]


def parse(data: bytes) -> ServerSupport:
    """Read the bytes of a file. Raises FormatError for a corrupt file or another format."""
    table = Table.read(data, "what a server honours", FormatError, limit=limits.SERVER_SUPPORT)
    if table.number("format") != FORMAT:
        raise table.error("format", f"must be {FORMAT}")
    texts = (table.text("store", None), table.text("server", None))
    return ServerSupport(*texts, conditional=table.flag("conditional"), checksums=table.flag("checksums"))
