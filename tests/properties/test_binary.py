"""Packs, segments, roots and trees: what is written is read back; what is mutated is refused or reads as itself."""

from __future__ import annotations

from array import array

import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from modelvc.errors import FormatError
from modelvc.formats.binary import pack, root, segment, tree
from modelvc.formats.binary.pack import RAW, ZSTD, Encoding, Stored, Trailer
from modelvc.formats.binary.root import LeafRef, Part, PartPlace, Root, inline
from modelvc.formats.binary.segment import Placement, Recipe, Segment
from modelvc.formats.binary.tree import TreeEntry
from modelvc.formats.paths import SafeRelPath
from modelvc.ids import Oid

ids = st.binary(min_size=32, max_size=32)
lengths = st.integers(1, 1 << 20)
BIG = 1 << 40

stored = st.builds(
    Stored,
    cid=ids,
    offset=st.integers(8, BIG - (1 << 21)),
    stored=lengths,
    raw=lengths,
    xxh3=st.integers(0, (1 << 64) - 1),
    encoding=st.sampled_from([RAW, ZSTD, Encoding(2, b"\x04\x00"), Encoding(130, b"base")]),
)


@given(st.lists(stored, max_size=40, unique_by=lambda s: s.cid), st.binary(min_size=16, max_size=16))
def test_a_trailer_finds_every_chunk_and_no_other(chunks: list[Stored], salt: bytes) -> None:
    data = pack.encode_trailer(chunks, salt)
    found = Trailer(data, BIG, blake3(data).digest())
    assert sorted(found) == sorted(chunks)
    assert found.salt == salt
    for chunk in chunks:
        assert found.find(chunk.cid) == chunk
    missing = blake3(b"another").digest()
    assert found.find(missing) is None
    assert pack.parse_footer(pack.footer(data)) == (len(data), found.count, blake3(data).digest())


@given(st.lists(stored, min_size=1, max_size=5, unique_by=lambda s: s.cid), st.data())
def test_a_damaged_trailer_is_refused(chunks: list[Stored], data: st.DataObject) -> None:
    encoded = bytearray(pack.encode_trailer(chunks))
    digest = blake3(encoded).digest()
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FormatError):
        Trailer(bytes(encoded), BIG, digest)


def test_a_chunk_outside_its_pack_is_refused() -> None:
    chunk = Stored(bytes(32), 8, 100, 100, 0, RAW)
    Trailer(pack.encode_trailer([chunk]), 108)
    with pytest.raises(FormatError, match="outside"):
        Trailer(pack.encode_trailer([chunk]), 107)


@st.composite
def segments(draw: st.DrawFn) -> Segment:
    cids = draw(st.lists(ids, min_size=1, max_size=30))
    auxiliary = draw(st.integers(0, min(3, len(cids) - 1)))
    sizes = array("I", draw(st.lists(lengths, min_size=len(cids), max_size=len(cids))))
    n = len(cids) - auxiliary
    first = draw(st.integers(0, n))
    spans = tuple(span for span in ((first, 1), (n - first, 3)) if span[0])
    recipe = Recipe(b"".join(cids), sizes, spans)
    if not draw(st.booleans()):
        return Segment(recipe, None, auxiliary)
    packs = tuple((name, BIG) for name in draw(st.lists(ids, min_size=1, max_size=4)))
    where = array("I", [draw(st.integers(0, len(packs) - 1)) for _ in cids])
    places = tuple(draw(stored)._replace(cid=cid, raw=size) for cid, size in zip(cids, sizes, strict=True))
    return Segment(recipe, Placement(packs, where, places), auxiliary)


@given(segments())
def test_a_segment_is_read_back(found: Segment) -> None:
    assert segment.parse(found.encode()) == found


@given(segments(), st.data())
def test_a_mutated_segment_is_refused_or_reads_as_itself(found: Segment, data: st.DataObject) -> None:
    encoded = bytearray(found.encode())
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=3))
    try:
        again = segment.parse(bytes(encoded))
    except FormatError:
        return
    assert segment.parse(again.encode()) == again


def test_a_segment_that_asks_for_a_terabyte_is_refused_before_anything_is_allocated() -> None:
    data = bytearray(Segment(Recipe(bytes(32), array("I", [1]), ((1, 0),)), None).encode())
    data[8:12] = (0xFFFFFFFF).to_bytes(4, "little")
    with pytest.raises(FormatError, match="too many records"):
        segment.parse(bytes(data))


@given(st.integers(0, 20_000), st.integers(0, 1000))
def test_borders_depend_on_the_names_alone(count: int, cut: int) -> None:
    cids = b"".join(blake3(i.to_bytes(4, "little")).digest() for i in range(cut, count))
    total = len(cids) // 32
    ends = list(segment.borders(cids))
    assert ends[-1] == total
    whole = b"".join(blake3(i.to_bytes(4, "little")).digest() for i in range(count))
    if total and cut < count:
        late = {end + cut for end in ends if end + cut >= cut + 1}
        assert late <= {*segment.borders(whole), count}


parts = st.one_of(
    st.builds(lambda data: inline(data, 0), st.binary(max_size=50)),
    st.builds(
        lambda name, content: Part(None, name, 1000, content, PartPlace(0, 8, 1000, 0, 7)), ids, st.integers(0, BIG)
    ),
)


@st.composite
def roots(draw: st.DrawFn) -> Root:
    packs = ((draw(ids), BIG),)
    name, write_id = Oid(draw(ids)), draw(st.binary(min_size=16, max_size=16))
    if draw(st.booleans()):
        found = tuple(draw(st.lists(parts, max_size=4)))
        return Root("file", name, draw(st.integers(0, BIG)), 1, write_id, packs, found, (), placed=True)
    leaves = tuple(
        LeafRef(draw(ids), draw(st.integers(1, 8192)), draw(st.integers(0, BIG)), "a/ü", draw(parts), tuple(found))
        for found in draw(st.lists(st.lists(parts, max_size=3), max_size=3))
    )
    size, files = sum(leaf.size for leaf in leaves), sum(leaf.entries for leaf in leaves)
    return Root("tree", name, size, files, write_id, packs, (), leaves, placed=True)


@given(roots())
def test_a_root_is_read_back(found: Root) -> None:
    assert root.parse(found.encode()) == found


@given(roots(), st.data())
def test_a_damaged_root_is_refused(found: Root, data: st.DataObject) -> None:
    encoded = bytearray(found.encode())
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(FormatError):
        root.parse(bytes(encoded))
    with pytest.raises(FormatError):
        root.parse(bytes(encoded[: data.draw(st.integers(0, len(encoded) - 1))]))


@given(roots(), st.data())
def test_a_root_resealed_by_an_attacker_is_refused_or_reads_as_itself(found: Root, data: st.DataObject) -> None:
    body = bytearray(found.encode()[:-32])
    at = data.draw(st.integers(0, len(body) - 1))
    body[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=5))
    try:
        again = root.parse(bytes(body) + blake3(body).digest())
    except FormatError:
        return
    assert root.parse(again.encode()) == again


names = st.text("abc/", min_size=1, max_size=12).filter(lambda t: "//" not in t and t.strip("/") == t)
entries = st.lists(
    st.builds(
        TreeEntry,
        path=names.map(SafeRelPath),
        executable=st.booleans(),
        size=st.integers(0, BIG),
        oid=ids.map(Oid),
    ),
    max_size=30,
    unique_by=lambda entry: str(entry.path),
)


@given(entries, st.randoms())
def test_a_tree_does_not_depend_on_the_order_it_was_found_in(found: list[TreeEntry], random: object) -> None:
    leaves = tree.leaves(found)
    shuffled = list(found)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert tree.leaves(shuffled) == leaves
    assert [entry for leaf in leaves for entry in tree.parse_leaf(leaf.data)] == sorted(
        found, key=lambda entry: entry.path.encode()
    )


def test_a_changed_file_rewrites_one_leaf() -> None:
    found = [TreeEntry(SafeRelPath(f"d/{i:05d}.bin"), False, 10, Oid(bytes(32))) for i in range(20_000)]
    before = tree.leaves(found)
    assert 2 <= len(before) <= 20
    found[7_000] = found[7_000]._replace(size=11)
    after = tree.leaves(found)
    assert sum(a.digest != b.digest for a, b in zip(before, after, strict=True)) == 1


def test_a_file_that_is_also_a_folder_is_refused() -> None:
    def entry(path: str) -> TreeEntry:
        return TreeEntry(SafeRelPath(path), False, 1, Oid(bytes(32)))

    tree.check_shape([entry("a-b"), entry("a/b"), entry("a.b")])
    with pytest.raises(FormatError, match="is both a file and a folder"):
        tree.check_shape([entry("a"), entry("a-b"), entry("a/b/c")])
