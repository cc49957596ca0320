"""From content to root and back: which records lie in which segment, and what is kept inline."""

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
    from collections.abc import Iterator, Mapping, Sequence

    from modelvc.formats.binary.tree import TreeEntry
    from modelvc.ids import Oid

INLINE = 256 * KIB  # a root is read and rewritten whole, so what is larger goes into packs
_RECORD = 62  # bytes of a record with its placement


class PartSink(Protocol):
    """Where the parts of a root go that are too large for it."""

    def put_part(self, data: bytes, content: int) -> Part: ...

    def segment(self, recipe: Recipe) -> Segment:
        """The segment of these records as this store keeps it: with placement or without."""


class PartSource(Protocol):
    """Where the parts of a root come from."""

    def read_part(self, root: Root, part: Part) -> bytes: ...


class Content(NamedTuple):
    """What a blob or a tree is made of, independent of any store. A tree has leaves, a blob has none."""

    oid: Oid
    size: int
    recipe: Recipe  # of a blob; of a tree: of all files in the order of their paths
    leaves: tuple[tree.Leaf, ...] = ()

    @property
    def kind(self) -> str:
        return "tree" if self.leaves else "file"

    @property
    def files(self) -> int:
        return sum(len(leaf.entries) for leaf in self.leaves) if self.leaves else 1


def tree_content(entries: Sequence[TreeEntry], recipes: Mapping[Oid, Recipe]) -> Content:
    """The tree of ENTRIES, whose contents' RECIPES are known."""
    leaves = tree.leaves(entries)
    ordered = [entry for leaf in leaves for entry in leaf.entries]
    size = sum(entry.size for entry in ordered)
    recipe = join([recipes[entry.oid] for entry in ordered if entry.size])
    return Content(tree.tree_oid([leaf.digest for leaf in leaves], len(ordered), size), size, recipe, tuple(leaves))


def join(recipes: Sequence[Recipe]) -> Recipe:
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
    """The root of CONTENT, whose larger parts went to SINK. Its pack table is the sink's business."""
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
    """The position after the records from START that hold SIZE bytes."""
    at = start
    while size > 0:
        if at == len(lengths):
            raise FormatError("not a valid root: its segments hold less than its files")
        size -= lengths[at]
        at += 1
    if size:
        raise FormatError("not a valid root: a chunk reaches over the end of a file")
    return at


def read_segments(source: PartSource, root: Root) -> Iterator[Segment]:
    """The segments of a blob in order, one in memory at a time."""
    for part in root.segments:
        yield read_segment(source, root, part)


def read_segment(source: PartSource, root: Root, part: Part) -> Segment:
    found = segment.parse(source.read_part(root, part))
    if root.placed != (found.placement is not None):
        raise FormatError("not a valid root: a segment does not say where its chunks are")
    return found


def read_leaf(source: PartSource, root: Root, ref: LeafRef) -> tree.Leaf:
    """A leaf, compared with its hash in the root."""
    data = source.read_part(root, ref.leaf)
    if tree.leaf_digest(data) != ref.digest:
        raise FormatError("not a valid root: a leaf of its tree is damaged")
    entries = tree.parse_leaf(data)
    found = tree.Leaf(entries, data, ref.digest)
    if len(entries) != ref.entries or found.size != ref.size:
        raise FormatError("not a valid root: a leaf has other entries than the root says")
    return found


def check_tree(root: Root) -> None:
    """The leaves' hashes must add up to the tree's oid."""
    if tree.tree_oid([ref.digest for ref in root.leaves], root.files, root.size) != root.oid:
        raise FormatError("not a valid root: its leaves are not those of its tree")


class File(NamedTuple):
    """One file of a tree and the positions of its records among those of its leaf."""

    entry: TreeEntry
    start: int
    stop: int


def files_of(leaf: tree.Leaf, recipe: Recipe) -> Iterator[File]:
    """Which records of a leaf's RECIPE belong to which of its files."""
    start = 0
    for entry in leaf.entries:
        stop = _advance(recipe.lengths, start, entry.size)
        yield File(entry, start, stop)
        start = stop
    if start != len(recipe):
        raise FormatError("not a valid root: its segments hold more than its files")
