"""Every limit of docs/format.md, for writers: at the limit a reader accepts it, one above is not written."""

from __future__ import annotations

import re
from array import array
from dataclasses import replace
from pathlib import Path

import pytest
from blake3 import blake3

from modelvc.errors import ConfigError, FormatError
from modelvc.formats import limits
from modelvc.formats.binary import root, tree
from modelvc.formats.binary.root import LeafRef, Part, Root
from modelvc.formats.binary.segment import Recipe
from modelvc.formats.paths import MAX_BYTES, SafeRelPath
from modelvc.formats.pointer import pointer
from modelvc.formats.pointer.pointer import Metrics, Pointer
from modelvc.formats.text import config, doom_list, repository_registration, store_config
from modelvc.formats.text.config import CloneConfig, Config, Remote
from modelvc.formats.text.store_config import StoreConfig
from modelvc.ids import Oid
from modelvc.store.objects import manifest
from modelvc.store.objects.manifest import Content

OID = Oid(blake3(b"x").digest())
ENTRY = 3 + 40  # bytes of an entry of a leaf, without its path


def test_the_page_names_every_limit() -> None:
    text = (Path(__file__).parents[3] / "docs/format.md").read_text().partition("\n## Limits\n")[2]
    rows = re.findall(r"^\| (.*?) \| (.*?) \|$", text, re.MULTILINE)[1:]
    named = {what.split(",")[0] for what, _ in rows}
    assert named >= {"pointer", "root", "segment", "chunk", "tree leaf", "pack trailer", "store config", "doom list"}
    assert named >= {"registration", "path", "configuration"}


def test_a_pointer() -> None:
    """64 KiB in all."""
    plain = Pointer("file", OID, 1, extra={"notes": {"text": ""}})
    room = limits.POINTER - len(plain.encode())
    full = replace(plain, extra={"notes": {"text": "x" * room}})
    assert len(full.encode()) == limits.POINTER
    assert pointer.parse(full.encode()) == full
    with pytest.raises(FormatError, match="65,536 bytes"):
        replace(plain, extra={"notes": {"text": "x" * (room + 1)}}).encode()


def test_the_head_of_a_pointer() -> None:
    plain = Pointer("file", OID, 1, extra={"a": ""})
    room = limits.POINTER_HEAD - len(plain.encode())
    full = replace(plain, extra={"a": "x" * room})
    assert pointer.parse(full.encode()) == full
    with pytest.raises(FormatError, match=re.escape("before [metrics]")):
        replace(plain, extra={"a": "x" * (room + 1)}).encode()


def test_metrics() -> None:
    """Their number, the length of a name and of a text."""
    most = Metrics(OID, tuple((f"m{n}", n) for n in range(1_000)))
    long = Metrics(OID, (("n" * 200, "t" * 1_000),))
    for one in (most, long):
        made = Pointer("file", OID, 1, metrics=one)
        assert pointer.parse(made.encode()) == made
    for values in (tuple((f"m{n}", n) for n in range(1_001)), (("n" * 201, 1),), (("n", "t" * 1_001),)):
        with pytest.raises(FormatError):
            Metrics(OID, values)


def test_a_path() -> None:
    longest = "/".join(["d" * 255] * 15 + ["f" * 255, "x"])[:MAX_BYTES]
    assert len(longest) <= MAX_BYTES
    full = longest[: MAX_BYTES - 2] + "/x" if len(longest) == MAX_BYTES else longest
    assert SafeRelPath.parse(full)
    with pytest.raises(FormatError, match="longer than"):
        SafeRelPath.parse(full + "/" + "y" * (MAX_BYTES - len(full)))
    with pytest.raises(FormatError, match="a part longer than"):
        SafeRelPath.parse("p" * 256)


def entries(count: int, length: int) -> list[tree.TreeEntry]:
    """Entries with paths of LENGTH bytes after none of which a leaf ends."""
    found, number = [], 0
    while len(found) < count:
        name = f"{number:0{length}}"
        first, second = blake3(name.encode()).digest(length=2)
        if (first | second << 8) & 0x0FFF:
            found.append(tree.TreeEntry(SafeRelPath(name), False, 0, OID))
        number += 1
    return found


def test_a_leaf(monkeypatch: pytest.MonkeyPatch) -> None:
    most = entries(10, 20)
    monkeypatch.setattr(limits, "LEAF", 10 * (ENTRY + 20))
    (leaf,) = tree.leaves(most)
    assert tree.parse_leaf(leaf.data) == leaf.entries
    tree.check_names([str(one.path) for one in most])
    monkeypatch.setattr(limits, "LEAF", 10 * (ENTRY + 20) - 1)
    with pytest.raises(FormatError, match="the paths of 10 files, from 0"):
        tree.leaves(most)
    with pytest.raises(FormatError, match="in a list"):
        tree.check_names([str(one.path) for one in most])
    assert limits.LEAF <= limits.CHUNK


def test_a_leaf_ends_at_its_number_of_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LEAF_ENTRIES", 10)
    assert [len(leaf.entries) for leaf in tree.leaves(entries(10, 20))] == [10]
    found = tree.leaves(entries(11, 20))
    assert [len(leaf.entries) for leaf in found] == [10, 1]
    assert all(tree.parse_leaf(leaf.data) == leaf.entries for leaf in found)
    monkeypatch.setattr(limits, "LEAF", 10 * (ENTRY + 20))
    assert tree.leaves(entries(25, 20))  # a leaf begins at no bytes again
    tree.check_names([str(one.path) for one in entries(25, 20)])


def test_the_real_leaf() -> None:
    """4,200 files whose paths have 4,000 bytes each."""
    folder = "/".join(["d" * 250] * 15)
    names = [f"{folder}/{number:0230}" for number in range(4_210)]
    names = [name for name in names if int.from_bytes(blake3(name.encode()).digest(length=2), "little") & 0x0FFF]
    with pytest.raises(FormatError, match="need more than 16,777,216 bytes"):
        tree.check_names(names)


def a_root(parts: int, first: str = "a") -> Root:
    """The root of a tree with so many leaves, all of them apart."""
    part = Part(None, bytes(32), 100, 0)
    leaves = tuple(LeafRef(bytes(32), 1, 0, first, part, ()) for _ in range(parts))
    return Root("tree", OID, 0, parts, bytes(16), leaves=leaves)


def test_a_root(monkeypatch: pytest.MonkeyPatch) -> None:
    made = a_root(3)
    size = len(made.encode())
    monkeypatch.setattr(limits, "ROOT", size)
    assert root.parse(made.encode()) == made
    with pytest.raises(FormatError, match=f"is larger than {size:,} bytes"):
        a_root(3, "ab").encode()
    placed = 3 * (25 + 40)  # a place and a row of the table of packs
    monkeypatch.setattr(limits, "ROOT", size + placed)
    made.check_room()
    monkeypatch.setattr(limits, "ROOT", size + placed - 1)
    with pytest.raises(FormatError, match="bytes on a remote"):
        made.check_room()


def test_a_placed_root_is_as_large_as_was_expected(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = a_root(3)
    place = root.PartPlace(0, 8, 10, 0, 0)
    packs = tuple((bytes([n]) * 32, 100) for n in range(3))
    leaves = tuple(replace(leaf, leaf=replace(leaf.leaf, place=place)) for leaf in plain.leaves)
    placed = replace(plain, leaves=leaves, packs=packs, placed=True)
    monkeypatch.setattr(limits, "ROOT", len(placed.encode()))
    plain.check_room()
    assert root.parse(placed.encode()) == placed


def test_a_root_whose_parts_would_not_fit_keeps_them_apart() -> None:
    """Whatever is described in 256 KiB and more is no part of a root."""

    class Sink:
        def put_part(self, data: bytes, content: int) -> Part:
            return Part(None, blake3(data).digest(), len(data), content)

        def segment(self, recipe: Recipe) -> manifest.Segment:
            return manifest.Segment(recipe, None)

    count = 20_000
    recipe = Recipe(bytes(range(1, 33)) * count, array("I", [1]) * count, ((count, 1),))
    made = manifest.write_root(Content(OID, count, recipe), Sink(), placed=False)
    assert all(part.data is None for part in made.parts())
    assert len(made.encode()) < 1_000


def test_a_doom_list(monkeypatch: pytest.MonkeyPatch) -> None:
    packs = [bytes([n]) * 32 for n in range(3)]
    data = doom_list.encode(packs)
    monkeypatch.setattr(limits, "DOOM_LIST", len(data))
    assert doom_list.parse(doom_list.encode(packs)) == tuple(packs)
    with pytest.raises(FormatError, match="a doom list cannot be larger"):
        doom_list.encode([*packs, b"x" * 32])


def test_a_store_config(monkeypatch: pytest.MonkeyPatch) -> None:
    made = replace(StoreConfig.create(), gc_features=("x",))
    size = len(made.encode())
    monkeypatch.setattr(limits, "STORE_CONFIG", size)
    assert store_config.parse(made.encode()) == made
    with pytest.raises(FormatError, match=f"{size:,} bytes"):
        replace(made, gc_features=("xx",)).encode()


def test_a_registration(monkeypatch: pytest.MonkeyPatch) -> None:
    longest = "/" + "p" * 1_999
    assert repository_registration.parse(repository_registration.encode(longest), "here") == longest
    for place in (longest + "p", "", "/a\nb", "/a\udcff"):
        with pytest.raises(FormatError):
            repository_registration.encode(place)
    monkeypatch.setattr(limits, "REGISTRATION", len(repository_registration.encode(longest)))
    assert repository_registration.encode(longest)
    monkeypatch.setattr(limits, "REGISTRATION", len(repository_registration.encode(longest)) - 1)
    with pytest.raises(FormatError):
        repository_registration.encode(longest)


@pytest.mark.parametrize("place", ["/tmp/plain#12", "host/ü/x", "/a\nb", "/a\udcff", "/" + "p" * 3_000, "/a\u202eb"])
def test_every_place_can_be_registered(place: str) -> None:
    line = repository_registration.one_line(place)
    assert repository_registration.parse(repository_registration.encode(line), "here") == line
    assert repository_registration.one_line(line) == line
    assert (line == place) == (place.isprintable() and len(place) <= 2_000)
    assert line != repository_registration.one_line(place + "x")


def test_a_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """The file, and each of its texts."""
    longest = "/" + "p" * 4_095
    made = Config().with_remote("origin", Remote(longest))
    assert config.parse(made.encode()).remotes["origin"].url == longest
    own = CloneConfig(store_path=longest)
    assert config.parse_clone(own.encode()) == own
    with pytest.raises(ConfigError, match="is longer than 4,096 characters"):
        Config().with_remote("origin", Remote(longest + "p")).encode()
    with pytest.raises(ConfigError, match="is longer than 4,096 characters"):
        CloneConfig(store_path=longest + "p").encode()
    monkeypatch.setattr(limits, "CONFIG", len(made.encode()))
    assert config.parse(made.encode()) == config.parse(made.encode())
    with pytest.raises(ConfigError, match="bytes"):
        made.encode("one line more")
