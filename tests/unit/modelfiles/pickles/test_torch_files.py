"""Files of torch, made here by the standard library as torch writes them."""

from __future__ import annotations

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import pytest

from modelvc.modelfiles.pickles import torch_files
from tests.support.inert import facts, imports, known_bad

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.modelfiles.facts import ModelFacts

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


class Tensor:
    """A tensor of float32, pickled as torch does it."""

    def __init__(self, key: str, *shape: int, offset: int = 0, storage: int = 6, strides: Any = None) -> None:
        self.key, self.shape, self.offset, self.storage = key, shape, offset, storage
        steps, step = [], 1
        for length in reversed(shape):
            steps.insert(0, step)
            step *= length
        self.strides = tuple(steps) if strides is None else strides


class Name:
    def __init__(self, module: str, name: str) -> None:
        self.module, self.name = module, name


class Pickler(pickle._Pickler):
    """Writes tensors as torch does; LEGACY: with the None of the old format."""

    legacy = False

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:  # noqa: FBT001, FBT002
        if isinstance(obj, Name):
            self.write(f"c{obj.module}\n{obj.name}\n".encode())
        elif isinstance(obj, Tensor):
            more = (None,) if self.legacy else ()
            self.save(Name("torch._utils", "_rebuild_tensor_v2"))
            self.write(b"(")
            self.save(("storage", Name("torch", "FloatStorage"), obj.key, "cpu", obj.storage, *more))
            self.write(b"Q")
            for one in (obj.offset, obj.shape, obj.strides, False, OrderedDict()):
                self.save(one)
            self.write(b"tR")
        else:
            super().save(obj, save_persistent_id)


def dumped(value: Any, *, legacy: bool = False) -> bytes:
    sink = io.BytesIO()
    pickler = Pickler(sink, 2)
    pickler.legacy = legacy
    pickler.dump(value)
    return sink.getvalue()


def zipped(members: Mapping[str, bytes], folder: str = "archive") -> bytes:
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}" if folder else name), data)
    return sink.getvalue()


STATE = {"a.weight": Tensor("0", 2, 3), "a.bias": Tensor("1", 2, storage=2), "part": Tensor("0", 3, offset=3)}
MEMBERS = {
    "data.pkl": dumped(STATE), "byteorder": b"little", "data/0": bytes(range(24)), "data/1": bytes(8),
    "version": b"3\n", ".data/serialization_id": b"1" * 40,
}  # fmt: skip


def rows(found: ModelFacts) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(one.name, one.dtype, one.shape) for one in found.tensors]


def test_a_state_dict() -> None:
    data = zipped(MEMBERS)
    found = facts(data)
    assert (found.format, found.framework, found.unreadable) == ("torch", "torch", "")
    assert rows(found) == [("a.weight", "float32", (2, 3)), ("a.bias", "float32", (2,)), ("part", "float32", (3,))]
    assert found.parameters == 11
    assert data[found.tensors[0].start : found.tensors[0].end] == bytes(range(24))
    assert data[found.tensors[2].start : found.tensors[2].end] == bytes(range(12, 24))
    assert imports(found)["torch._utils._rebuild_tensor_v2"]
    assert imports(found)["torch.FloatStorage"] is False


def test_the_content_is_the_same_in_every_save() -> None:
    again = MEMBERS | {".data/serialization_id": b"2" * 40}
    assert facts(zipped(MEMBERS)).content == facts(zipped(again, "epoch-9")).content != ""
    for name in MEMBERS.keys() - {".data/serialization_id"}:
        if name != "data.pkl":
            assert facts(zipped(again | {name: again[name][:-1] + b"x"})).content != facts(zipped(MEMBERS)).content
    assert facts(zipped(MEMBERS | {"extra/note": b""})).content != facts(zipped(MEMBERS)).content


def test_a_view_that_is_not_in_order_has_no_place() -> None:
    turned = {"t": Tensor("0", 3, 2, strides=(1, 3))}
    found = facts(zipped(MEMBERS | {"data.pkl": dumped(turned)}))
    assert found.unreadable == ""
    assert found.tensors[0].start == -1


@pytest.mark.parametrize(
    "tensor",
    [
        Tensor("2", 2, storage=2), Tensor("0", 7), Tensor("0", 3, offset=4), Tensor("0", 3, offset=-1),
        Tensor("0", 1 << 40, strides=(1 << 40,)), Tensor("0", 2, strides=(1, 1)), Tensor("0", 2, strides=(-4,)),
    ],
)  # fmt: skip
def test_a_tensor_lies_in_its_storage(tensor: Tensor) -> None:
    assert facts(zipped(MEMBERS | {"data.pkl": dumped({"t": tensor})})).unreadable


def test_a_member_that_torch_does_not_write() -> None:
    found = facts(zipped(MEMBERS | {"more.pkl": b""}))
    assert found.unreadable == "torch: the zip has a member that torch does not write: more.pkl"


def test_two_folders() -> None:
    both = {f"a/{name}": data for name, data in MEMBERS.items()} | {"b/data.pkl": b"N."}
    assert facts(zipped(both, "")).unreadable == "torch: the zip has more than one folder"


def test_a_name_in_another_case() -> None:
    """The library looks members up in any case."""
    other = {("Data.PKL" if name == "data.pkl" else name): data for name, data in MEMBERS.items()}
    assert facts(zipped(other)).unreadable
    assert facts(zipped(MEMBERS | {"DATA.pkl": b"N."})).unreadable


def test_bytes_behind_the_pickle() -> None:
    assert facts(zipped(MEMBERS | {"data.pkl": MEMBERS["data.pkl"] + b"N."})).unreadable == (
        "torch: bytes follow the pickle"
    )


def test_a_call_in_a_zip() -> None:
    found = facts(zipped(MEMBERS | {"data.pkl": b"cos\nsystem\n(S'true'\ntR."}))
    assert known_bad(found) == ["calls os.system"]


@pytest.mark.parametrize("name", ["code/__torch__.py", "constants.pkl"])
def test_torchscript_is_a_program(name: str) -> None:
    found = facts(zipped(MEMBERS | {name: b"\x80\x02)."}))
    assert [(one.severity.value, one.what) for one in found.findings] == [("code", "holds a program in TorchScript")]


def test_constants_are_read() -> None:
    found = facts(zipped(MEMBERS | {"constants.pkl": b"cos\nsystem\n(S'true'\ntR."}))
    assert known_bad(found) == ["calls os.system"]


def test_a_storage_is_not_changed() -> None:
    stored = b"\x80\x02(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x06tQ"
    assert known_bad(facts(zipped(MEMBERS | {"data.pkl": stored + b"}b."}))) == [
        "writes a state onto an object outside of the pickle"
    ]
    assert known_bad(facts(zipped(MEMBERS | {"data.pkl": stored + b")R."}))) == [
        "calls an object outside of the pickle"
    ]


def legacy(value: Any = None, keys: Any = ("0", "1"), tail: bytes | None = None, protocol: int = PROTOCOL) -> bytes:
    storages = struct.pack("<q", 6) + bytes(range(24)) + struct.pack("<q", 2) + bytes(8)
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2}}
    return b"".join([
        pickle.dumps(MAGIC, 2), pickle.dumps(protocol, 2), pickle.dumps(system, 2),
        dumped(STATE if value is None else value, legacy=True), pickle.dumps(list(keys), 2),
        storages if tail is None else tail,
    ])  # fmt: skip


def test_the_legacy_format() -> None:
    data = legacy()
    found = facts(data)
    assert (found.format, found.unreadable) == ("torch", "")
    assert rows(found) == [("a.weight", "float32", (2, 3)), ("a.bias", "float32", (2,)), ("part", "float32", (3,))]
    assert data[found.tensors[2].start : found.tensors[2].end] == bytes(range(12, 24))


@pytest.mark.parametrize(
    "data",
    [
        legacy(keys=("0",)), legacy(keys=("0", "1", "2")), legacy(keys=("0", "0")), legacy(protocol=1002),
        legacy(tail=b""), legacy(tail=struct.pack("<q", 7) + bytes(40)), legacy() + b"N.",
    ],
)  # fmt: skip
def test_a_legacy_file_is_as_torch_writes_it(data: bytes) -> None:
    assert facts(data).unreadable


def test_a_call_in_any_pickle_of_a_legacy_file() -> None:
    run = b"cos\nsystem\n(S'true'\ntR."
    for part in range(4):
        pickles = [pickle.dumps(MAGIC, 2), pickle.dumps(PROTOCOL, 2), pickle.dumps({}, 2), dumped({}), b"]."]
        pickles[part + 1] = run
        assert known_bad(facts(b"".join(pickles))) == ["calls os.system"], part


@pytest.mark.parametrize("name", ["data.pkl", "data/0"])
def test_checksums_that_torch_ignores_hide_nothing(name: str):
    """torch.load does not compare them, and torch.save can leave them out."""
    members = {**MEMBERS, "data.pkl": b"cos\nsystem\n(S'true'\ntR."}
    whole = zipped(members)
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        crc = struct.pack("<I", archive.getinfo(f"archive/{name}").CRC)
    assert whole.count(crc) == 2
    data = whole.replace(crc, b"\1\2\3\4")
    assert facts(data).unreadable == ""
    assert known_bad(facts(data)) == known_bad(facts(whole)) != []
    assert facts(data).content == facts(whole).content


def test_a_large_file_is_not_hashed_again(monkeypatch: pytest.MonkeyPatch):
    data = zipped(MEMBERS)
    monkeypatch.setattr(torch_files, "_DIGESTED", len(data) - 1)
    assert facts(data).content == ""
    assert facts(data).tensors
