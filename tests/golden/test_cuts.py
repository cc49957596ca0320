"""The cuts are for ever: another one, and no new version shares a chunk with what was stored before.

`python tests/golden/test_cuts.py` prints what cuts.json holds. To change it is to change the format: give the
chunker a new id (docs/format.md, Chunkers) instead.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array

import pytest
from blake3 import blake3

from modelvc.chunking.fastcdc import COARSE, FINE, TENSORS, Cutter

GOLDEN = os.path.join(os.path.dirname(__file__), "cuts.json")
CHUNKERS = {"coarse": COARSE, "fine": FINE, "tensors": TENSORS}
HINTS = (1, 70_000, 1_000_000, 1_000_001, 5_000_000)


def _contents() -> dict[str, bytes]:
    noise = blake3(b"modelvc golden cuts").digest(length=8 << 20)
    return {
        "noise": noise,
        "noise from byte 1": noise[1:],
        "zeros": bytes(3_000_001),
        "a pattern": noise[:1_000] * 4_000,
        "short": noise[:65_537],
    }


def _cuts(name: str, data: bytes) -> dict[str, object]:
    hints = tuple(h for h in HINTS if h < len(data)) if name == "tensors" else ()
    ends = Cutter(CHUNKERS[name], hints).ends(memoryview(data), 0, last=True)
    places = hashlib.sha256(b"".join(end.to_bytes(8, "little") for end in ends)).hexdigest()
    lengths = array("I", [end - start for start, end in zip([0, *ends], ends, strict=False)])
    return {"count": len(ends), "first": list(lengths[:5]), "sha256 of the ends as u64": places}


def _all() -> dict[str, dict[str, object]]:
    contents = _contents()
    return {name: {content: _cuts(name, data) for content, data in contents.items()} for name in CHUNKERS}


@pytest.mark.parametrize("name", CHUNKERS)
def test_cuts_are_for_ever(name: str):
    with open(GOLDEN) as file:
        golden = json.load(file)
    assert {content: _cuts(name, data) for content, data in _contents().items()} == golden[name]


if __name__ == "__main__":
    print(json.dumps(_all(), indent=1))
