"""Write and read what an object is made of: its root, leaves and segments."""

from __future__ import annotations

import os
from array import array
from typing import TYPE_CHECKING, NamedTuple, Protocol

from modelvc.errors import FormatError
from modelvc.formats import limits
from modelvc.formats.binary import segment, tree
from modelvc.formats.binary.root import LeafRef, Part, Root, inline
from modelvc.formats.binary.segment import Recipe, Segment
from modelvc.formats.limits import KIB

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from modelvc.formats.binary.tree import TreeEntry
    from modelvc.ids import Oid

INLINE = 256 * KIB  # bytes; a root is read and rewritten whole, so larger parts go into packs
_RECORD = 62  # bytes of a record with its placement


class PartSink(Protocol):
    """A store that keeps the parts that are too large for a root."""

    def put_part(self, data: bytes, content: int) -> Part:
        """Keep the bytes of a segment or leaf that describes CONTENT bytes of content.

        Return the part that leads to them.
        """

    def segment(self, recipe: Recipe) -> Segment:
        """Return the segment of these records as this store keeps it: with placement or without."""


class PartSource(Protocol):
    """A store from which the parts of a root are read."""

    def read_part(self, root: Root, part: Part) -> bytes:
        """Return the bytes of a segment or leaf, compared with its name."""


class Content(NamedTuple):
    """What a blob or a tree is made of, the same in every store. A tree has leaves, a blob has none."""

    oid: Oid
    size: int
    recipe: Recipe  # of a tree: of all files in the order of their paths
    leaves: tuple[tree.Leaf, ...] = ()

    @property
    def kind(self) -> str:
        """`file` or `tree`."""
        return "tree" if self.leaves else "file"

    @property
    def files(self) -> int:
        """Number of files: 1 for a blob."""
        return sum(len(leaf.entries) for leaf in self.leaves) if self.leaves else 1


def tree_content(entries: Sequence[TreeEntry], recipes: Mapping[Oid, Recipe]) -> Content:
    """Return the tree of ENTRIES, whose contents' RECIPES are known. Raises FormatError for a leaf above the limit."""
    leaves = tree.leaves(entries)
    ordered = [entry for leaf in leaves for entry in leaf.entries]
    size = sum(entry.size for entry in ordered)
    recipe = join([recipes[entry.oid] for entry in ordered if entry.size])
    return Content(tree.tree_oid([leaf.digest for leaf in leaves], len(ordered), size), size, recipe, tuple(leaves))


def join(recipes: Sequence[Recipe]) -> Recipe:
    """Return the recipe of several contents that follow each other."""
    lengths = array("I")
    spans: list[tuple[int, int]] = []
    for recipe in recipes:
        lengths.extend(recipe.lengths)
        for count, chunker in recipe.spans:
            if spans and spans[-1][1] == chunker:
                spans[-1] = (spans[-1][0] + count, chunker)
            else:
                spans.append((count, chunker))
    return Recipe(b"".join(recipe.cids for recipe in recipes), lengths, tuple(spans))


def write_root(content: Content, sink: PartSink, *, placed: bool, unproven: bool = False) -> Root:
    """Return the root of CONTENT.

    Parts that are too large for the root go to SINK, which also makes the table of packs.
    """
    describes = len(content.recipe) * _RECORD + sum(len(leaf.data) for leaf in content.leaves)
    small = describes < INLINE
    put = _Inline() if small else sink
    segments: tuple[Part, ...] = ()
    leaves: list[LeafRef] = []
    if not content.leaves:
        ends = [len(content.recipe)] if small else segment.borders(content.recipe.cids)
        segments = tuple(_segments(content.recipe, 0, ends, sink, put))
    start = 0
    for leaf in content.leaves:
        stop = _advance(content.recipe.lengths, start, leaf.size)
        ends = [*range(start + limits.SEGMENT_RECORDS, stop, limits.SEGMENT_RECORDS), *([stop] if stop > start else [])]
        parts = tuple(_segments(content.recipe, start, ends, sink, put))
        first = str(leaf.entries[0].path)
        leaves.append(LeafRef(leaf.digest, len(leaf.entries), leaf.size, first, put.put_part(leaf.data, 0), parts))
        start = stop
    return Root(
        kind=content.kind,
        oid=content.oid,
        size=content.size,
        files=content.files,
        write_id=os.urandom(16),
        segments=segments,
        leaves=tuple(leaves),
        placed=placed,
        unproven=unproven,
    )


class _Inline:
    def put_part(self, data: bytes, content: int) -> Part:
        return inline(data, content)


def _segments(
    recipe: Recipe, start: int, ends: Sequence[int], sink: PartSink, put: PartSink | _Inline
) -> Iterator[Part]:
    for end in ends:
        if end > start:
            piece = recipe.cut(start, end)
            yield put.put_part(sink.segment(piece).encode(), piece.size)
        start = end


def _advance(lengths: array[int], start: int, size: int) -> int:
    """Return the position after the records from START that hold SIZE bytes. Raises FormatError if none ends there."""
    at = start
    while size > 0:
        if at == len(lengths):
            raise FormatError("not a valid root: its segments hold less than its files")
        size -= lengths[at]
        at += 1
    if size:
        raise FormatError("not a valid root: a chunk reaches over the end of a file")
    return at


# -- reading, with every check


class File(NamedTuple):
    """One file of a tree and which records of its leaf are its content: from `start` up to `stop`."""

    entry: TreeEntry
    start: int
    stop: int


class Section(NamedTuple):
    """A checked piece of an object: one segment of a blob, or one leaf of a tree with its segments."""

    segments: tuple[Segment, ...]
    recipe: Recipe  # of the content of all segments
    leaf: tree.Leaf | None = None  # None: of a blob
    files: tuple[File, ...] = ()  # of the leaf


def read(source: PartSource, root: Root) -> Content:
    """Read what an object is made of. Raises what `sections` raises."""
    return content_of(root, sections(source, root))


def content_of(root: Root, found: Iterable[Section]) -> Content:
    """Return the content of the object of ROOT, all of whose sections are FOUND."""
    recipes, leaves = [], []
    for section in found:
        recipes.append(section.recipe)
        if section.leaf is not None:
            leaves.append(section.leaf)
    return Content(root.oid, root.size, join(recipes), tuple(leaves))


def sections(source: PartSource, root: Root) -> Iterator[Section]:
    """Read an object in order, one section in memory at a time.

    Raises FormatError for a damaged leaf or segment, for leaves of another tree, for a chunk that reaches over the end
    of a file, and after the last segment when the segments hold more or less than the root says. Passes on what SOURCE
    raises for a part that is damaged or missing.
    """
    if root.kind == "file":
        for one in read_segments(source, root):
            yield Section((one,), one.content())
        return
    check_tree(root)
    for ref in root.leaves:
        yield read_section(source, root, ref)


def read_section(source: PartSource, root: Root, ref: LeafRef) -> Section:
    """Read one leaf of a tree with its segments.

    Raises FormatError unless the segments hold the leaf's files exactly.
    """
    leaf = read_leaf(source, root, ref)
    found = tuple(_segments_of(source, root, ref.segments, ref.size))
    recipe = join([one.content() for one in found])
    return Section(found, recipe, leaf, tuple(_files_of(leaf, recipe)))


def read_segments(source: PartSource, root: Root) -> Iterator[Segment]:
    """Read the segments of an object in order, one in memory at a time, and no leaf.

    Raises FormatError for a damaged segment, and after the last segment of a blob or leaf when its segments hold more
    or less than the root says.
    """
    if root.kind == "file":
        yield from _segments_of(source, root, root.segments, root.size)
    for ref in root.leaves:
        yield from _segments_of(source, root, ref.segments, ref.size)


def _segments_of(source: PartSource, root: Root, parts: Iterable[Part], size: int) -> Iterator[Segment]:
    found = 0
    for part in parts:
        one = read_segment(source, root, part)
        found += one.size
        yield one
    check_size(found, size)


def check_size(found: int, size: int) -> None:
    """Raise FormatError unless the FOUND bytes that the segments hold are the SIZE in the root."""
    if found != size:
        raise FormatError(f"not a valid root: its segments hold {found:,} bytes instead of {size:,}")


def read_segment(source: PartSource, root: Root, part: Part) -> Segment:
    """Read one segment alone. Raises FormatError unless the segment has a placement exactly if the root says so."""
    found = segment.parse(source.read_part(root, part))
    if root.placed != (found.placement is not None):
        raise FormatError("not a valid root: a segment has no placement")
    return found


def read_leaf(source: PartSource, root: Root, ref: LeafRef) -> tree.Leaf:
    """Read one leaf without its segments.

    Raises FormatError unless its hash, entries and size are those in the root.
    """
    data = source.read_part(root, ref.leaf)
    if tree.leaf_digest(data) != ref.digest:
        raise FormatError("not a valid root: a leaf of its tree is damaged")
    entries = tree.parse_leaf(data)
    found = tree.Leaf(entries, data, ref.digest)
    if len(entries) != ref.entries or found.size != ref.size:
        raise FormatError("not a valid root: a leaf has other entries than the root says")
    return found


def check_tree(root: Root) -> None:
    """Raise FormatError unless the hashes of the leaves add up to the tree's oid."""
    if tree.tree_oid([ref.digest for ref in root.leaves], root.files, root.size) != root.oid:
        raise FormatError("not a valid root: its leaves are not those of its tree")


def _files_of(leaf: tree.Leaf, recipe: Recipe) -> Iterator[File]:
    start = 0
    for entry in leaf.entries:
        stop = _advance(recipe.lengths, start, entry.size)
        yield File(entry, start, stop)
        start = stop
