"""The readers of model files, for tests/support/parsers.py: a check of what inspect() promises for any bytes."""

from __future__ import annotations

import bz2
import io
import lzma
import pickle
import pickletools
import re
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING, NamedTuple

from modelvc.modelfiles.facts import NAME
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import Budget, of_bytes
from tests.fixtures.attacks import building
from tests.support.onnx_bytes import external, floats, graph, held, model, node, packed, tensor, value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelvc.modelfiles.facts import ModelFacts


class Inside(NamedTuple):
    """As Parser of tests/support/parsers.py."""

    check: Callable[[bytes], None]
    examples: tuple[bytes, ...]
    tokens: tuple[bytes, ...]


def check(data: bytes) -> None:
    """Inspect DATA: no exception, and facts that keep their promises."""
    check_facts(inspect(of_bytes(data), Budget(seconds=10, memory=16 << 20)), len(data))


def check_facts(facts: ModelFacts, size: int) -> None:
    """Assert that the texts of FACTS are safe for a terminal, and that places lie inside of a file of SIZE bytes."""
    for text in _texts(facts):
        assert text.isprintable(), ascii(text)
        assert len(text) <= NAME, len(text)
    for one in facts.tensors:
        assert all(type(length) is int and length >= 0 for length in one.shape)
        assert one.start == -1 or 0 <= one.start <= one.end <= size
    names = [one.name for one in facts.imports]
    assert names == sorted(set(names))
    assert re.fullmatch("(?:[0-9a-f]{64})?", facts.content)


def _texts(facts: ModelFacts) -> Iterator[str]:
    yield from (facts.format, facts.framework, facts.version, facts.class_name, facts.unreadable, *facts.notes)
    for key, word in (*facts.hyper_parameters, *facts.figures):
        yield key
        if isinstance(word, str):
            yield word
    for field in (*facts.inputs, *facts.outputs):
        yield from (field.name, field.dtype)
    for one in facts.tensors:
        yield from (one.name, one.dtype, one.member)
    yield from (one.name for one in facts.imports)
    yield from (one.what for one in facts.findings)


def _safetensors() -> tuple[bytes, ...]:
    header = (
        b'{"__metadata__":{"format":"pt","a":"\\u00e9"},'
        b'"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[],"data_offsets":[16,18]}}'
    )
    return tuple(struct.pack("<Q", len(one)) + one + bytes(size) for one, size in ((header, 18), (b"{}  ", 0)))


def _gguf() -> tuple[bytes, ...]:
    def text(word: bytes) -> bytes:
        return struct.pack("<Q", len(word)) + word

    pairs = [
        text(b"general.architecture") + struct.pack("<I", 8) + text(b"llama"),
        text(b"general.alignment") + struct.pack("<II", 4, 32),
        text(b"t") + struct.pack("<IIQ", 9, 8, 2) + text(b"a") + text(b"b"),
        text(b"f") + struct.pack("<If", 6, 0.5),
        text(b"tokenizer.chat_template") + struct.pack("<I", 8) + text(b"{{ messages }}"),
    ]
    tensors = [text(b"w") + struct.pack("<IQQIQ", 2, 32, 2, 2, 0), text(b"b") + struct.pack("<IQIQ", 1, 3, 0, 64)]
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs + tensors)
    return (head + bytes(-len(head) % 32) + bytes(64 + 12),)


def _onnx() -> tuple[bytes, ...]:
    weights = held(5, tensor("w", (2, 2))) + held(5, tensor("f", (2,), 1, floats(4, 1, 2)))
    branch = graph(node("Add"), held(5, external("e", (1,), location="a.bin", offset="0", length="4")))
    tree = node("Tree", held(1, "nodes_nodeids") + b"\x40\x05" * 5, held(1, "v") + b"\x3dabcd" * 3, domain="ai.onnx.ml")
    shapes = held(11, value("x", 1, "n", 3)) + held(12, held(1, "y") + held(2, held(4, held(1, held(1, b"\x08\x07")))))
    whole = graph(node("If", held(1, "then") + held(6, branch)), tree, weights, shapes, node("X", domain="mine"))
    function = held(25, held(1, "F") + held(7, node("Add")[2:]) + held(10, "mine"))
    return (model(whole, function, held(14, held(1, "k") + held(2, "v"))), model(graph(), packed(99, 1, 2)))


def _npy(header: bytes, size: int) -> bytes:
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(size)


_ARRAY = b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n"
_RECORD = b"{'descr': [('a', '<i8'), ('b', '|S3', (2,))], 'fortran_order': True, 'shape': (1,), }\n"
_OBJECTS = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"


def _arrays() -> tuple[bytes, ...]:
    return (_npy(_ARRAY, 24), _npy(_RECORD, 14), _npy(_OBJECTS, 0) + b"(cos\nsystem\nl.", _npy(_ARRAY, 24) * 2)


def _npz(method: int) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as file:
        for number, data in enumerate(_arrays()):
            file.writestr(zipfile.ZipInfo(f"{number}.npy"), data, method)
    return out.getvalue()


_NUMBERS = (
    *(struct.pack("<" + form, number) for form in "BHIQ" for number in (0, 1, 255)),
    *(b"\xff" * width for width in (2, 4, 8)),
    *(b"\xff\xff\xff\x7f", b"\0\0\0\x80", bytes(16)),
)
_JSON = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'""', b'"dtype":"F64"', b'"shape":[', b'"data_offsets":[0,0]', b"\\ud800"),
    *(b"\\u001b", b" " * 40, b"9" * 30, b'"__metadata__":{"k":"v"},', b'"F4"', b'"BOOL"'),
)
_OPCODES = (
    *(opcode.code.encode("latin-1") for opcode in pickletools.opcodes),
    *(b"\x80\x02", b"\x80\x05", b"h\x00", b"q\x00", b"r\xff\xff\xff\x7f", b"cos\nsystem\n", b"(tR", b")\x81", b"}b"),
    *(b"\x95\xff\0\0\0\0\0\0\0", b"p1\n", b"g1\n", b"I01\n", b"S'\\x41'\n", b"\x8c\x01a", b"2\x86" * 30),
)


def _pickles() -> tuple[bytes, ...]:
    thing = {"a": [1, 2.5, None, True, (1, 2, 3, 4)], "b": {"k": b"bytes" * 20, "long": 1 << 90}, 3: {1, "x" * 300}}
    state = building.d(n_estimators=b"K\x05", _sklearn_version=building.u("1.9"), x=building.dtype())
    model = building.pickled(building.new("sklearn.tree.Tree"), state, b"b")
    return (*(pickle.dumps(thing, protocol) for protocol in (0, 1, 2, 5)), model)


def _joblibs() -> tuple[bytes, ...]:
    objects = building.dtype("O8", order="|", flags=63)
    inner = building.pickled(building.wrapper(dtype=objects))[:-1] + pickle.dumps([1], 4) + b"."
    return (building.joblib(before=building.u("a"), after=b"K\x01"), inner)


def _compressed() -> tuple[bytes, ...]:
    data = _joblibs()[0]
    alone = lzma.compress(data, lzma.FORMAT_ALONE)
    return (zlib.compress(data), building.gzip(data), bz2.compress(data), lzma.compress(data), alone)


def _torch_legacy() -> bytes:
    parts = (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    tensor = building.call(
        "torch._utils._rebuild_tensor_v2",
        building.storage()[:-2] + b"NtQ",
        *(b"K\x00", b"K\x02K\x03\x86", b"K\x03K\x01\x86", b"\x89", b"}"),
    )
    head = b"".join(pickle.dumps(one, 2) for one in parts)
    return head + building.pickled(tensor) + pickle.dumps(["0"], 2) + struct.pack("<q", 6) + bytes(24)


def _torch_zip() -> bytes:
    arguments = (b"K\x00", b"K\x02K\x03\x86", b"K\x03K\x01\x86", b"\x89", b"}")
    return building.torch_zip(
        building.pickled(building.call("torch._utils._rebuild_tensor_v2", building.storage(), *arguments))
    )


PARSERS: dict[str, Inside] = {
    "inside-pickle": Inside(check, _pickles(), _OPCODES),
    "inside-joblib": Inside(check, _joblibs(), (*_OPCODES, *_NUMBERS)),
    "inside-compressed": Inside(check, _compressed(), _NUMBERS),
    "inside-torch": Inside(check, (_torch_zip(), _torch_legacy()), (*_OPCODES, *_NUMBERS, b"PK\x01\x02")),
    "inside-safetensors": Inside(check, _safetensors(), (*_JSON, *_NUMBERS)),
    "inside-gguf": Inside(check, _gguf(), (b"__class__", *_NUMBERS)),
    "inside-onnx": Inside(
        check, _onnx(), (b"../", b"/etc", b"\x80" * 10, b"\x3a\x00", b"\x0a\x00", b"\x70\x01", b"\x6a\x04", *_NUMBERS)
    ),
    "inside-npy": Inside(
        check, _arrays(), (b"'|O'", b"[(", b")]", b"'", b"(", b")", b",", b"'>f8'", b"'<U9'", b"True", *_NUMBERS)
    ),
    "inside-npz": Inside(
        check,
        (_npz(zipfile.ZIP_STORED), _npz(zipfile.ZIP_DEFLATED)),
        (b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07", b"PK\x07\x08", *_NUMBERS),
    ),
}
