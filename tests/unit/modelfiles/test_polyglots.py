from __future__ import annotations

import json
import random
import struct

from modelvc.modelfiles.facts import Finding, Import, Severity, Use
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.polyglots import merged
from modelvc.modelfiles.source import of_bytes

PICKLE = b"cos\nsystem\n(S'true'\ntR."


def both(pickled: bytes) -> bytes:
    """A safetensors file that `pickle.load` executes: its length is a text of 32 bytes, and texts lead to the data."""
    length = 0x2058  # X, and 0x20 as the length of the text
    offset = 8 + len('{"__metadata__":{"a":"')
    value = "a" * (5 + 32 - offset)
    size = len(pickled)
    tail = f'"}},"w":{{"dtype":"U8","shape":[{size}],"data_offsets":[0,{size}]}}}}'
    rest = 8 + length - (5 + 32)
    while rest > 129:
        hop = min(126, rest - 2 - (2 + len(tail)))
        value += "U" + chr(hop) + "a" * hop
        rest -= 2 + hop
    value += "U" + chr(rest - 2) + "a" * (rest - 2 - len(tail))
    text = ('{"__metadata__":{"a":"' + value + tail).encode()
    assert len(text) == length
    json.loads(text)
    return struct.pack("<Q", length) + text + pickled


def test_a_safetensors_file_that_is_a_pickle_too():
    facts = inspect(of_bytes(both(PICKLE)))
    assert (facts.format, facts.unreadable) == ("safetensors", "")
    assert Import("os.system", Use.CONSTRUCTED) in facts.imports
    assert Finding(Severity.KNOWN_BAD, "is a pickle too, which imports os.system") in facts.findings


def test_chance_is_no_pickle():
    dice = random.Random(3)
    for _ in range(30):
        facts = inspect(of_bytes(both(dice.randbytes(3000))))
        assert (facts.imports, facts.findings, facts.unreadable) == ((), (), "")
    assert inspect(of_bytes(both(b"c\xff\n1\n" + PICKLE[:0]))).findings == ()


def test_the_most_that_is_done_with_a_name():
    one, other = Import("a", Use.REFERRED), Import("a", Use.CONSTRUCTED)
    assert merged([one], [other]) == merged([other], [one]) == (other,)
    between = Import("a", Use.CREATED)
    assert merged([between], [one]) == merged([one], [between]) == (between,)
    assert merged([Import("b", Use.REFERRED)], [one]) == (one, Import("b", Use.REFERRED))
