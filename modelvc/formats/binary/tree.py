"""Trees: the files of one folder, in Merkle leaves. Spec: docs/format.md#tree."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from modelvc.errors import FormatError, shown
from modelvc.formats import limits
from modelvc.formats.binary.reader import Reader
from modelvc.formats.paths import SafeRelPath
from modelvc.ids import Oid

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LEAF = "modelvc v1 tree leaf"
_TREE = "modelvc v1 tree"
_BORDER = 0x0FFF  # twelve zero bits: 4,096 entries on average
_HEAD = struct.Struct("<BH")
_TAIL = struct.Struct("<Q32s")


class TreeEntry(NamedTuple):
    """One file of a tree; its path is relative to the tree."""

    path: SafeRelPath
    executable: bool
    size: int
    oid: Oid


class Leaf(NamedTuple):
    """A run of a tree's entries, its bytes and their hash."""

    entries: tuple[TreeEntry, ...]
    data: bytes
    digest: bytes

    @property
    def size(self) -> int:
        """Bytes of content of the files in it."""
        return sum(entry.size for entry in self.entries)


def leaves(entries: Iterable[TreeEntry]) -> list[Leaf]:
    """Cut ENTRIES, in any order, into the leaves that the format prescribes."""
    found: list[Leaf] = []
    run: list[TreeEntry] = []
    parts: list[bytes] = []
    cut = _Cut()
    for name, entry in sorted((entry.path.encode(), entry) for entry in entries):
        run.append(entry)
        parts += (_HEAD.pack(entry.executable, len(name)), name, _TAIL.pack(entry.size, entry.oid))
        if cut.after(name):
            found.append(_leaf(run, parts))
            run, parts = [], []
    if run:
        found.append(_leaf(run, parts))
    return found


def check_names(names: Iterable[str]) -> None:
    """FormatError when the files NAMES, in any order, need a leaf that no reader accepts."""
    cut = _Cut()
    for name in sorted(name.encode() for name in names):
        cut.after(name)


class _Cut:
    """Where leaves end. Paths alone decide it, so a leaf that is too large cannot be cut elsewhere."""

    __slots__ = ("_count", "_first", "_size")

    def __init__(self) -> None:
        self._count = self._size = 0
        self._first = b""

    def after(self, name: bytes) -> bool:
        """Whether a leaf ends after NAME; FormatError when its bytes are more than a reader accepts."""
        self._first = name if not self._count else self._first
        self._count += 1
        self._size += _HEAD.size + len(name) + _TAIL.size
        if self._size > limits.LEAF:
            which = f"from {shown(self._first.decode(), 80)} to {shown(name.decode(), 80)}"
            raise FormatError(
                f"the paths of {self._count:,} files, {which}, need more than {limits.LEAF:,} bytes in a list"
            )
        first, second = blake3(name).digest(length=2)
        ends = not (first | second << 8) & _BORDER or self._count == limits.LEAF_ENTRIES
        if ends:
            self._count = self._size = 0
        return ends


def _leaf(run: list[TreeEntry], parts: list[bytes]) -> Leaf:
    data = b"".join(parts)
    return Leaf(tuple(run), data, leaf_digest(data))


def leaf_digest(data: bytes) -> bytes:
    return blake3(data, derive_key_context=_LEAF).digest()


def tree_oid(digests: Sequence[bytes], files: int, size: int) -> Oid:
    """The oid of a tree with FILES files of SIZE bytes in all, from the hashes of its leaves in order."""
    return Oid(blake3(struct.pack("<QQ", files, size) + b"".join(digests), derive_key_context=_TREE).digest())


def parse_leaf(data: bytes) -> tuple[TreeEntry, ...]:
    """The entries of a leaf; FormatError when one is unsafe or out of order."""
    reader = Reader(data, "tree leaf")
    if len(data) > limits.LEAF:
        raise reader.fail(f"{len(data)} bytes are too many")
    entries: list[TreeEntry] = []
    last = b""
    while reader.left:
        mode, length = reader.fields("BH")
        name = reader.raw(length)
        if mode > 1:
            raise reader.fail(f"mode {mode} is not known")
        if entries and name <= last:
            raise reader.fail("its entries are not sorted")
        try:
            path = SafeRelPath.parse(name.decode())
        except UnicodeDecodeError:
            raise reader.fail("a path is not UTF-8") from None
        size = reader.number("Q")
        entries.append(TreeEntry(path, bool(mode), size, Oid(reader.raw(32))))
        last = name
        if len(entries) > limits.LEAF_ENTRIES:
            raise reader.fail("it has too many entries")
    return tuple(entries)


def check_shape(entries: Iterable[TreeEntry]) -> None:
    """FormatError when one entry is the folder of another."""
    files = {str(entry.path) for entry in entries}
    folders = set()
    for path in files:
        at = path.rfind("/")
        while at > 0 and path[:at] not in folders:
            folders.add(path[:at])
            at = path.rfind("/", 0, at)
    if both := files & folders:
        raise FormatError(f"not a valid tree: {shown(min(both))} is a file and a folder")
