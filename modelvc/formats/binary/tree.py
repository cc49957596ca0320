"""Read and write trees: the files of one folder, in leaves with hashes of their own. Spec: docs/format.md#tree."""

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
    """One file of a tree. Its path is relative to the tree."""

    path: SafeRelPath
    executable: bool
    size: int
    oid: Oid


class Leaf(NamedTuple):
    """A run of a tree's entries, the bytes that encode them, and their leaf hash."""

    entries: tuple[TreeEntry, ...]
    data: bytes
    digest: bytes

    @property
    def size(self) -> int:
        """Bytes of content of the files in the leaf."""
        return sum(entry.size for entry in self.entries)


def leaves(entries: Iterable[TreeEntry]) -> list[Leaf]:
    """Cut ENTRIES, in any order, into the leaves that the format prescribes.

    Raises FormatError for a leaf above the limit.
    """
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
    """Raise FormatError if the files NAMES, in any order, need a leaf above the limit."""
    cut = _Cut()
    for name in sorted(name.encode() for name in names):
        cut.after(name)


class _Cut:
    """Finds where leaves end. Paths alone decide it, so a leaf that is too large cannot be cut elsewhere."""

    __slots__ = ("_count", "_first", "_size")

    def __init__(self) -> None:
        self._count = self._size = 0
        self._first = b""

    def after(self, name: bytes) -> bool:
        """Return True if a leaf ends after NAME. Raises FormatError if the bytes of the leaf exceed the limit."""
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
    """Return the leaf of the entries RUN, whose encoded PARTS are at hand."""
    data = b"".join(parts)
    return Leaf(tuple(run), data, leaf_digest(data))


def leaf_digest(data: bytes) -> bytes:
    """Return the leaf hash of the bytes of a leaf."""
    return blake3(data, derive_key_context=_LEAF).digest()


def tree_oid(digests: Sequence[bytes], files: int, size: int) -> Oid:
    """Return the oid of a tree with FILES files of SIZE bytes in all, from the hashes of its leaves in order."""
    return Oid(blake3(struct.pack("<QQ", files, size) + b"".join(digests), derive_key_context=_TREE).digest())


def parse_leaf(data: bytes) -> tuple[TreeEntry, ...]:
    """Return the entries of a leaf.

    Raises FormatError for a path that is unsafe or out of order, and above the limits.
    """
    reader = Reader(data, "tree leaf")
    if len(data) > limits.LEAF:
        raise reader.fail(f"it is larger than {limits.LEAF:,} bytes")
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
    """Raise FormatError if the path of one entry is the folder of another."""
    files = {str(entry.path) for entry in entries}
    folders = set()
    for path in files:
        at = path.rfind("/")
        while at > 0 and path[:at] not in folders:
            folders.add(path[:at])
            at = path.rfind("/", 0, at)
    if both := files & folders:
        raise FormatError(f"not a valid tree: {shown(min(both))} is both a file and a folder")
