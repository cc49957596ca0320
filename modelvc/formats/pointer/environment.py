"""The environment of a version: the table `[env]` of its pointer. Spec: docs/format.md#pointer.

A table that this release cannot read, or that describes another version, is no error: a later release may have
written it. The standard library alone: this module is copied into clones.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import FormatError, shown
from modelvc.formats import limits
from modelvc.formats.paths import SafeRelPath
from modelvc.ids import Oid

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.formats import toml

NAME = "env"
_PACKAGES = re.compile(r"(?:[a-z0-9]+(?:-[a-z0-9]+)*+==[A-Za-z0-9][A-Za-z0-9.!+_-]*+\n)*+")
_TEXTS = ("python", "implementation", "platform", "machine", "libc")
_KEYS = frozenset({"of", *_TEXTS, "bytecode", "needs", "packages", "direct", "lock", "lock_digest"})


class Package(NamedTuple):
    """A distribution by its normalised name, in one version."""

    name: str
    version: str


class LockFile(NamedTuple):
    """A file that pins packages: its path below the top of the worktree, and the BLAKE3 of its bytes."""

    path: SafeRelPath
    digest: Oid


@dataclass(frozen=True, slots=True)
class Environment:
    """The Python and the packages of the version `of`. Raises FormatError if it could not be written.

    `bytecode`: True if the version holds byte code of Python, which another minor version cannot run. `needs`: names
    of the packages that the version itself imports; `packages` has these, and all that they need. `direct`: names of
    packages that came from a folder or an address, not from an index.
    """

    of: Oid
    python: str
    implementation: str
    platform: str  # as sys.platform
    machine: str
    libc: str = ""  # such as "glibc 2.36"; "" if unknown
    bytecode: bool = False
    needs: tuple[str, ...] = ()
    packages: tuple[Package, ...] = ()
    direct: tuple[str, ...] = ()
    lock: LockFile | None = None

    def __post_init__(self) -> None:
        for key in _TEXTS:
            text = getattr(self, key)
            if len(text) > limits.ENVIRONMENT_TEXT or not text.isprintable() or not (text or key == "libc"):
                raise FormatError(f'the "{key}" of its environment cannot be "{shown(text, 40)}"')
        names = [one.name for one in self.packages]
        text = "".join(f"{name}=={version}\n" for name, version in self.packages)
        good = _PACKAGES.match(text)
        if good is None or good.end() != len(text) or text.count("\n") != len(self.packages):
            raise FormatError(
                f'"{shown(text[good.end() if good else 0 :].partition(chr(10))[0], 80)}" is not a package'
            )
        for listed in (names, self.needs, self.direct):
            if any(one >= other for one, other in pairwise(listed)):
                raise FormatError("the packages of its environment are not sorted, each once")
        if not {*self.needs, *self.direct} <= set(names):
            raise FormatError("its environment names a package without a version")
        if len(text) - 3 * len(names) > limits.ENVIRONMENT_PACKAGES:
            raise FormatError(f"the packages of its environment are larger than {limits.ENVIRONMENT_PACKAGES:,} bytes")

    @property
    def versions(self) -> dict[str, str]:
        """The version of each package by its name."""
        return dict(self.packages)

    def encode(self) -> dict[str, toml.Value]:
        """The table, its keys in their order."""
        found: dict[str, toml.Value] = {"of": str(self.of)}
        found |= {key: text for key in _TEXTS if (text := getattr(self, key))}
        if self.bytecode:
            found["bytecode"] = True
        if self.needs:
            found["needs"] = list(self.needs)
        if self.packages:
            found["packages"] = [f"{one.name}=={one.version}" for one in self.packages]
        if self.direct:
            found["direct"] = list(self.direct)
        if self.lock:
            found |= {"lock": str(self.lock.path), "lock_digest": str(self.lock.digest)}
        return found


def read(table: object, oid: Oid) -> Environment | None:
    """The environment that TABLE says, if it is that of the version OID.

    None for another version, an unknown key, or a value that `Environment.encode` would not write.
    """
    if not isinstance(table, dict) or table.get("of") != str(oid) or not _KEYS.issuperset(table):
        return None
    if table.get("bytecode", True) is not True:  # 1 is equal to it
        return None
    try:
        return Environment(
            oid,
            **{key: _text(table, key) for key in _TEXTS if key in table or key != "libc"},
            bytecode="bytecode" in table,
            needs=_texts(table, "needs"),
            packages=tuple(map(_package, _texts(table, "packages"))),
            direct=_texts(table, "direct"),
            lock=_lock(table) if "lock" in table or "lock_digest" in table else None,
        )
    except (FormatError, ValueError):
        return None


def _text(table: Mapping[str, object], key: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise FormatError(f'"{key}" is not a text')
    return value


def _texts(table: Mapping[str, object], key: str) -> tuple[str, ...]:
    if key not in table:
        return ()
    value = table[key]
    if not isinstance(value, list) or not value or not all(isinstance(one, str) for one in value):
        raise FormatError(f'"{key}" is not a list of texts')
    return tuple(value)


def _package(text: str) -> Package:
    name, _, version = text.partition("==")
    return Package(name, version)


def _lock(table: Mapping[str, object]) -> LockFile:
    return LockFile(SafeRelPath.parse(_text(table, "lock")), Oid.parse(_text(table, "lock_digest")))
