"""Roots whose parts do not belong together: each part may be good by itself."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import replace

import pytest
from blake3 import blake3

from modelvc.errors import FormatError
from modelvc.formats.binary import tree
from modelvc.formats.binary.root import Part, Root, inline
from modelvc.formats.binary.segment import Recipe, Segment
from modelvc.formats.binary.tree import TreeEntry
from modelvc.formats.paths import SafeRelPath
from modelvc.ids import Oid
from modelvc.store.objects import manifest
from modelvc.store.objects.manifest import Content


class Inline:
    """As small roots are kept: every part in the root itself."""

    def put_part(self, data: bytes, content: int) -> Part:
        raise AssertionError("nothing is that large here")

    def segment(self, recipe: Recipe) -> Segment:
        return Segment(recipe, None)

    def read_part(self, root: Root, part: Part) -> bytes:
        assert part.data is not None
        return part.data


PIECES = [b"one", b"three"]
ENTRIES = [
    TreeEntry(SafeRelPath(f"{at}.bin"), False, len(data), Oid(blake3(data).digest())) for at, data in enumerate(PIECES)
]
RECIPE = Recipe(b"".join(one.oid for one in ENTRIES), array("I", [3, 5]), ((2, 0),))
(LEAF,) = tree.leaves(ENTRIES)
ROOT = manifest.write_root(Content(tree.tree_oid([LEAF.digest], 2, 8), 8, RECIPE, (LEAF,)), Inline(), placed=False)


def leaf(**changes: object) -> Callable[[], object]:
    (ref,) = ROOT.leaves
    return lambda: manifest.read_leaf(Inline(), ROOT, replace(ref, **changes))  # type: ignore[arg-type]


def with_segment(*lengths: int) -> Root:
    """ROOT, whose one segment has chunks of these LENGTHS."""
    recipe = Recipe(bytes(32 * len(lengths)), array("I", lengths), ((len(lengths), 0),))
    (ref,) = ROOT.leaves
    return replace(ROOT, leaves=(replace(ref, segments=(inline(Segment(recipe, None).encode(), sum(lengths)),)),))


def files(*lengths: int) -> Callable[[], object]:
    return lambda: manifest.read(Inline(), with_segment(*lengths))


def written(*lengths: int) -> Callable[[], object]:
    """Write a root for the tree, in place of reading one."""
    recipe = Recipe(bytes(32 * len(lengths)), array("I", lengths), ((len(lengths), 0),))
    return lambda: manifest.write_root(Content(ROOT.oid, 8, recipe, (LEAF,)), Inline(), placed=False)


WRONG: dict[str, tuple[Callable[[], object], str]] = {
    "another leaf": (leaf(digest=bytes(32)), "a leaf of its tree is damaged"),
    "a leaf of other entries": (leaf(entries=3), "other entries than the root says"),
    "a leaf of another size": (leaf(size=9), "other entries than the root says"),
    "leaves of another tree": (lambda: manifest.check_tree(replace(ROOT, size=9)), "not those of its tree"),
    "too little": (files(3), "hold 3 bytes instead of 8"),
    "too much": (files(3, 5, 1), "hold 9 bytes instead of 8"),
    "nothing": (
        lambda: manifest.read(Inline(), replace(ROOT, leaves=(replace(ROOT.leaves[0], segments=()),))),
        "hold 0",
    ),
    "over the end of a file": (files(4, 4), "reaches over the end of a file"),
    "too little to write": (written(3), "hold less than its files"),
    "over the end of a file to write": (written(3, 6), "reaches over the end of a file"),
    "a segment without places": (
        lambda: manifest.read_segment(Inline(), replace(ROOT, placed=True), ROOT.leaves[0].segments[0]),
        "a segment has no placement",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_refused(name: str) -> None:
    read, words = WRONG[name]
    with pytest.raises(FormatError, match=words):
        read()


def test_what_they_were_made_of_is_taken() -> None:
    content = manifest.read(Inline(), ROOT)
    assert content == Content(ROOT.oid, 8, RECIPE, (LEAF,))
    (section,) = manifest.sections(Inline(), ROOT)
    assert [(file.entry, file.start, file.stop) for file in section.files] == [(ENTRIES[0], 0, 1), (ENTRIES[1], 1, 2)]
    assert [one.recipe for one in manifest.read_segments(Inline(), ROOT)] == [RECIPE]
