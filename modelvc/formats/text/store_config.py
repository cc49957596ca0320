"""The config of a store. Spec: docs/format.md#store-config.

A later release that changes stores adds a feature to one of three lists. A release that does not know the feature then
refuses to read, to write or to run gc, and breaks nothing. Other unknown keys have no meaning and are ignored.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from modelvc.errors import ConfigError, FormatError, shown
from modelvc.formats import limits, toml
from modelvc.formats.tables import Table

FORMAT = 1
NAMES = "plain"
CHUNKER = "fastcdc-2020"
SEED = 0
UNCONDITIONAL = "unconditional-writers"  # some client writes without compare-and-swap, so gc has to run alone
_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, slots=True)
class StoreConfig:
    """The settings that every program that opens a store has to share; they are written once."""

    id: str  # 32 random hex digits
    names: str = NAMES
    chunker: str = CHUNKER
    seed: int = SEED
    read_features: tuple[str, ...] = ()
    write_features: tuple[str, ...] = ()
    gc_features: tuple[str, ...] = ()

    @classmethod
    def create(cls) -> StoreConfig:
        """The config of a new store, with a random id."""
        return cls(os.urandom(16).hex())

    def check_read(self, where: str) -> None:
        """Refuse to read the store WHERE if it needs something that this version does not know. Raises ConfigError."""
        if self.names != NAMES:
            raise _newer(where, "read", f'its names are "{shown(self.names, 80)}"')
        _check_features(self.read_features, where, "read")

    def check_write(self, where: str) -> None:
        """Refuse to write as well as to read. Raises ConfigError."""
        self.check_read(where)
        if self.chunker != CHUNKER:
            raise _newer(where, "write", f'its chunker is "{shown(self.chunker, 80)}"')
        if self.seed != SEED:
            raise _newer(where, "write", f"the seed of its chunker is {self.seed}")
        _check_features(self.write_features, where, "write")

    def check_gc(self, where: str) -> None:
        """Refuse gc as well as to write and read: an old gc deletes what it does not know. Raises ConfigError."""
        self.check_write(where)
        unknown = tuple(name for name in self.gc_features if name != UNCONDITIONAL)
        _check_features(unknown, where, "clean up")

    @property
    def unconditional(self) -> bool:
        """Whether some client writes here without compare-and-swap."""
        return UNCONDITIONAL in self.gc_features

    def with_unconditional_writers(self) -> StoreConfig:
        """A copy with the feature `UNCONDITIONAL`."""
        return replace(self, gc_features=(*self.gc_features, UNCONDITIONAL))

    def encode(self) -> bytes:
        """The bytes of the config. Raises FormatError above the limit."""
        table: dict[str, toml.Value] = {
            "format": FORMAT,
            "id": self.id,
            "names": self.names,
            "chunker": self.chunker,
            "seed": self.seed,
            "read_features": self.read_features,
            "write_features": self.write_features,
            "gc_features": self.gc_features,
        }
        data = toml.encode(table).encode()
        parse(data)  # a config that no reader accepts must not be written
        return data


def parse(data: bytes, where: str = "the store") -> StoreConfig:
    """The config in DATA. Raises FormatError for a corrupt one, and ConfigError for one of a later format."""
    table = Table.read(data, f"the config of {where}", _damaged, limit=limits.STORE_CONFIG)
    version = table.number("format")
    if version > FORMAT:
        raise _newer(where, "read", f"its format is {version}")
    if version < FORMAT:
        raise table.error("format", f"must be {FORMAT}")
    name = table.text("id", None)
    if len(name) != 32 or not _HEX.issuperset(name):
        raise table.error("id", "must be 32 hex digits")
    return StoreConfig(
        name,
        table.text("names", None),
        table.text("chunker", None),
        table.number("seed"),
        read_features=table.texts("read_features"),
        write_features=table.texts("write_features"),
        gc_features=table.texts("gc_features"),
    )


def is_torn(data: bytes) -> bool:
    """Whether DATA is the beginning of a config that this version wrote: its writer was interrupted."""
    nobody = "0" * 32  # takes the place of the id
    plain = StoreConfig(nobody)
    wholes = (plain.encode(), plain.with_unconditional_writers().encode())
    at = wholes[0].index(nobody.encode())
    name = data[at : at + 32]
    masked = data[:at] + b"0" * len(name) + data[at + 32 :]
    known = any(len(data) < len(whole) and whole.startswith(masked) for whole in wholes)
    return known and _HEX.issuperset(name.decode("latin-1"))


def _damaged(why: str) -> FormatError:
    return FormatError(why, hint="see what else is damaged with `mvc fsck`")


def _check_features(features: tuple[str, ...], where: str, verb: str) -> None:
    if features:
        raise _newer(where, verb, f"it has the feature {', '.join(shown(name, 80) for name in features[:5])}")


def _newer(where: str, verb: str, why: str) -> ConfigError:
    return ConfigError(f"this mvc cannot {verb} {shown(where)}: {why}, which it does not know", hint="upgrade mvc")
