"""How formats begin: cheap looks at the first bytes of a file, so that no reader is imported in vain."""

from __future__ import annotations

import re

_XGBOOST_JSON = re.compile(rb'\s*\{\s*"(?:learner"\s*:\s*\{\s*"attributes"|Config"\s*:\s*\{\s*"learner")')
_XGBOOST_UBJ = re.compile(rb"\{(?:i.|U.|I..|l.{4}|L.{8})(?:learner\{|Config\{)", re.DOTALL)
_LIGHTGBM = re.compile(rb"tree\nversion=v[0-9]{1,3}\nnum_class=")
_CATBOOST_JSON = re.compile(rb'\s*\{\s*"(?:ctr_data|features_info)"\s*:')
# Formats that are recognised, and not read: how their first bytes look, and what a note calls them.
_OTHERS = (
    (re.compile(rb"\x89HDF\r\n\x1a\n"), "an HDF5 file"),
    (re.compile(rb"CBM1"), "a CatBoost binary"),
    (re.compile(rb"\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)?<PMML[\s>]", re.DOTALL), "a PMML document"),
    (re.compile(rb".{4}TFL3", re.DOTALL), "a TensorFlow Lite model"),
)

SAFETENSORS_HEADER = 100_000_000  # bytes, as the library allows

# The opcodes with which a pickle without a protocol may begin: those that take nothing from the stack, and
# no object from outside of the file.
_FIRST = b"(cVSINLFGKMJXUTBC])}\x82\x83\x84\x88\x89\x8a\x8b\x8c\x8d\x8e\x8f\x95\x96\x97"


def is_safetensors(head: bytes) -> bool:
    """Whether HEAD begins with a plausible length and an object."""
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= SAFETENSORS_HEADER


def is_npy(head: bytes) -> bool:
    return head.startswith(b"\x93NUMPY")


def is_zip(head: bytes) -> bool:
    """Whether HEAD begins with a member of a zip, or is the end of an empty one."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def is_gguf(head: bytes) -> bool:
    return head.startswith(b"GGUF")


def is_compressed_pickle(head: bytes) -> bool:
    """Whether HEAD begins like a compression of joblib. Its reader says whether a pickle is compressed."""
    compressed = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x5d\x00", b"\x04\x22\x4d\x18")
    return head.startswith(compressed) or (head[:1] == b"\x78" and int.from_bytes(head[:2], "big") % 31 == 0)


def is_pickle(head: bytes) -> bool:
    """Whether HEAD may begin a pickle. Without a protocol any first opcode may; its reader says whether it is one."""
    return head[1:2] <= b"\x05" if head[:1] == b"\x80" else head[:1] != b"" and head[0] in _FIRST


# Fields at the start of a model of ONNX, with their wire types: its version, its maker, its notes, its graph, opsets.
_ONNX = {2: 2, 3: 2, 4: 2, 5: 0, 6: 2, 7: 2, 8: 2}
_NOTES, _GRAPH, _OPSET = 6, 7, 8


def is_onnx(head: bytes) -> bool:
    """Whether HEAD begins with the fields of a model of ONNX, up to its graph or a set of operators.

    Other formats are messages of Protocol Buffers too, so that the fields must be in order, and its texts printable.
    """
    if len(head) < 4 or head[0] != 0x08 or not 1 <= head[1] <= 64:
        return False
    at, before = 2, 1
    while at + 1 < len(head):
        number, wire = head[at] >> 3, head[at] & 7
        if number <= before or _ONNX.get(number) != wire:
            return False
        if number in {_GRAPH, _OPSET}:
            return True
        before = number
        length, at = _varint(head, at + 1)
        if wire:
            if any(byte < 0x20 and byte not in b"\t\n\r" for byte in head[at : at + length]):
                return False
            if at + length >= len(head):  # long notes
                return number == _NOTES
            at += length
    return False


def _varint(head: bytes, at: int) -> tuple[int, int]:
    """Return the number AT an offset, and the offset behind it."""
    value = shift = 0
    for place in range(at, min(at + 10, len(head))):
        value |= (head[place] & 0x7F) << shift
        shift += 7
        if head[place] < 0x80:
            return value, place + 1
    return 1 << 64, len(head)


def is_tar(head: bytes) -> bool:
    """Whether HEAD is the header of a member of a tar: its checksum is right."""
    block = head[:512]
    digits = block[148:156].strip(b" \0")
    if len(block) < 512 or not digits.isdigit() or not set(digits) <= set(b"01234567"):
        return False
    return int(digits, 8) == sum(block) - sum(block[148:156]) + 8 * 32


def is_xgboost_json(head: bytes) -> bool:
    return _XGBOOST_JSON.match(head) is not None


def is_xgboost_ubj(head: bytes) -> bool:
    return _XGBOOST_UBJ.match(head) is not None


def is_catboost_json(head: bytes) -> bool:
    return _CATBOOST_JSON.match(head) is not None


def is_lightgbm(head: bytes) -> bool:
    return _LIGHTGBM.match(head) is not None


def other_format(head: bytes) -> str:
    """Return what the file that begins with HEAD is, if it is of a known format that is not read; else ""."""
    return next((name for pattern, name in _OTHERS if pattern.match(head)), "")
