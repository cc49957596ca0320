"""Parsers of model files, with the promises that must hold for any bytes (see parsers.py)."""

from __future__ import annotations

import io
import json
import zipfile
from typing import TYPE_CHECKING

from modelvc.modelfiles.documents import json_stream, ubjson, yaml_text
from modelvc.modelfiles.documents.folders import inspect_folder
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.json_text import read_json
from modelvc.modelfiles.source import Budget, Source, Unreadable, of_bytes
from tests.support.clone import ROOT
from tests.support.inside_parsers import check, check_facts

if TYPE_CHECKING:
    from collections.abc import Callable

_FOLDER = ROOT / "tests/fixtures/models/inside"
_JSON_TOKENS = (
    *(b"{", b"}", b"[", b"]", b",", b":", b'""', b"null", b"1e999", b"NaN", b"\\ud800", b"1" * 5_000, b"[[[[[[[["),
    *(b'"__loader__":', b'"__id__":1', b'"class_name":', b'"config":', b'"trees":', b'"content":', b'"shape":'),
)


def budget() -> Budget:
    """A small budget: few bytes must not take long, or much memory."""
    return Budget(seconds=20, operations=10_000_000, memory=16 << 20, members=1_000)


def _values(read: Callable[[Source], object]) -> Callable[[bytes], None]:
    def parse(data: bytes) -> None:
        try:
            read(of_bytes(data))
        except Unreadable as error:
            assert str(error).isprintable(), ascii(str(error))  # noqa: PT017

    return parse


def _json(data: bytes) -> None:
    """The two readers of JSON agree."""
    results: list[object] = []
    for read in (lambda: json_stream.read(of_bytes(data), budget(), "it"), lambda: read_json(data, budget(), "it")):
        try:
            results.append(repr(read()))
        except Unreadable:
            results.append(None)
    if "Many" not in str(results[0]):
        assert results[0] == results[1], data


def _packed_again(inner: str, data: bytes) -> bytes:
    """A zip that has DATA as its member INNER, so that a fuzzer need not know checksums."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        if inner != "schema.json":
            file.writestr("metadata.json", b'{"keras_version": "3.0", "date_saved": "x"}')
        file.writestr(inner, data)
    return held.getvalue()


def _member(inner: str) -> Callable[[bytes], None]:
    def parse(data: bytes) -> None:
        packed = _packed_again(inner, data)
        check_facts(inspect(of_bytes(packed), budget()), len(packed))

    return parse


def _folder(data: bytes) -> None:
    """Files that a line `=== NAME` separates."""
    files: dict[str, Source] = {}
    for part in data.split(b"=== ")[1:]:
        name, _, held = part.partition(b"\n")
        files[name.decode(errors="surrogateescape")] = of_bytes(held)
    check_facts(inspect_folder(files, budget()), len(data))


def _fixture(name: str) -> bytes:
    return (_FOLDER / name).read_bytes()


def _inside(name: str, member: str) -> bytes:
    with zipfile.ZipFile(_FOLDER / name) as file:
        return file.read(member)


_SCHEMA = json.dumps({
    "__class__": "M", "__module__": "sklearn.m", "__loader__": "ObjectNode", "__id__": 1, "protocol": 2,
    "content": {
        "__class__": "dict", "__module__": "builtins", "__loader__": "DictNode", "__id__": 2,
        "content": {"C": {"__class__": "str", "__module__": "builtins", "__loader__": "JsonNode", "content": "0.5"}},
        "key_types": {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode", "content": [
            {"__class__": "str", "__module__": "builtins", "__loader__": "TypeNode", "__id__": 3}]},
    },
}).encode()  # fmt: skip
_LAYOUT = (
    b'=== config.json\n{"architectures": ["A"], "auto_map": {"x": "y.Z"}}=== model.safetensors.index.json\n'
    b'{"weight_map": {"a": "model.safetensors"}}=== model.safetensors\n'
    + (45).to_bytes(8, "little")
    + b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}=== tokenizer.json\n{"model": {"vocab": {"a": 0}}}'
)
_MLFLOW = (
    b"=== MLmodel\nflavors:\n  python_function:\n    loader_module: mlflow.sklearn\n"
    b"  sklearn:\n    sklearn_version: '1'\nsignature:\n  inputs: '[{\"name\": \"a\"}]'\n"
    b"=== requirements.txt\na==1\n=== model.txt\nx"
)

PARSERS: dict[str, tuple[Callable[[bytes], None], tuple[bytes, ...], tuple[bytes, ...]]] = {
    "model-json": (_json, (_SCHEMA, b'[1, [2.5e3, null], {"a": "\\u00e4", "b": [true]}]'), _JSON_TOKENS),
    "model-ubjson": (
        _values(lambda source: ubjson.read(source, budget(), "it")),
        (_fixture("xgboost/binary.ubj")[:3_000], b"{U\x01a[$d#U\x01\0\0\0\0U\x01b[#U\x02TZU\x01c[CxHU\x011]}"),
        (b"[$U#L", b"[#L", b"{#U", b"L" + b"\xff" * 8, b"L\x7f" + b"\xff" * 7, b"SU", b"[" * 200),
    ),
    "model-yaml": (
        _values(lambda source: yaml_text.read_yaml(source.exactly(0, source.size), budget(), "it")),
        (b"a: 1\nb:\n  - c\n  - {d: e}\nf: 'g h'\n",),
        (b"&a ", b"*a", b"<<: *a\n", b"!!map ", b"? ", b"- ", b": ", b"---\n", b"|\n", b"[", b"{", b"%YAML 9\n"),
    ),
    "model-xgboost": (
        check,
        (_fixture("xgboost/linear.json"), _fixture("xgboost/binary.json"), _fixture("xgboost/dart.ubj")),
        _JSON_TOKENS,
    ),
    "model-lightgbm": (
        check,
        (_fixture("lightgbm/multiclass.txt")[:3_000] + b"\nend of trees\n\nparameters:\n[a: 1]\nend of parameters\n",),
        (b"Tree=0\n", b"num_leaves=9\n", b"end of trees\n", b"\n\n", b"tree_sizes=1 2\n", b"=", b"\xff"),
    ),
    "model-catboost": (check, (_fixture("catboost/classifier.json")[:20_000],), _JSON_TOKENS),
    "model-skops": (
        _member("schema.json"),
        (_SCHEMA, _inside("skops/columns-pipeline.skops", "schema.json")[:9_000]),
        _JSON_TOKENS,
    ),
    "model-keras": (_member("config.json"), (_inside("keras/lambda.keras", "config.json"),), _JSON_TOKENS),
    "model-folder": (_folder, (_LAYOUT, _MLFLOW), (b"=== ", b"=== MLmodel\n", b"=== config.json\n", *_JSON_TOKENS)),
}
