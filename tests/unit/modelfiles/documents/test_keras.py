"""Keras: what a configuration builds, calls and loads."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest

from modelvc.modelfiles.facts import Severity, Use
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import of_bytes


def layer(kind: str, module: str = "keras.layers", registered: str | None = None, **config: Any) -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": config, "registered_name": registered}


def model(*layers: dict[str, Any], **rest: Any) -> dict[str, Any]:
    return layer("Sequential", "keras", name="s", layers=list(layers)) | rest


def packed(config: object, metadata: object | None = None, **members: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as file:
        if metadata is not None:
            file.writestr("metadata.json", json.dumps(metadata))
        file.writestr("config.json", json.dumps(config))
        for name, data in members.items():
            file.writestr(name.replace("__", "/"), data)
    return held.getvalue()


def facts(config: object, metadata: object | None = None, **members: bytes):
    return inspect(of_bytes(packed(config, metadata, **members)))


@pytest.mark.parametrize(
    ("part", "what"),
    [
        (layer("Lambda", name="l", function={}), "a Lambda layer holds Python code (l)"),
        (layer("TFSMLayer", filepath="x"), "a TFSMLayer loads a SavedModel"),
        (layer("TorchModuleWrapper"), "a TorchModuleWrapper loads a pickled module"),
        (layer("Anything", registered="keras>Lambda"), "a Lambda layer holds Python code"),
        (layer("Dense", activation={"class_name": "__lambda__", "config": {}}), "a function is stored as Python code"),
        (layer("StringLookup", vocabulary="/etc/passwd"), "StringLookup reads the file /etc/passwd"),
    ],
)
def test_layers_that_hold_or_load_code(part: dict[str, Any], what: str) -> None:
    found = facts(model(part)).findings
    assert [one.what for one in found] == [what]
    assert found[0].severity is Severity.CODE


@pytest.mark.parametrize(
    ("part", "name", "use"),
    [
        (layer("run", "os"), "os.run", Use.CONSTRUCTED),
        (layer("Scale", "mine", "Mine>Scale"), "mine.Scale", Use.CONSTRUCTED),
        (layer("Dense", registered="Mine>Dense"), "keras.layers.Dense", Use.CONSTRUCTED),
        (layer("get_file", "keras.utils"), "keras.utils.get_file", Use.CONSTRUCTED),
        (layer("load_model", "keras.models"), "keras.models.load_model", Use.CONSTRUCTED),
        (
            layer("enable_unsafe_deserialization", "keras.config"),
            "keras.config.enable_unsafe_deserialization",
            Use.CONSTRUCTED,
        ),
        (layer("Thing", ""), "Thing", Use.CONSTRUCTED),
        (
            layer("Dense", activation={"class_name": "function", "module": "os", "config": "system"}),
            "os.system",
            Use.REFERRED,
        ),
        (
            layer("Dense", activation={"class_name": "function", "module": "keras.utils", "config": "get_file"}),
            "keras.utils.get_file",
            Use.REFERRED,
        ),
        (
            layer("Dense", x={"class_name": "__typespec__", "module": "os", "spec_name": "run", "config": []}),
            "os.run",
            Use.CONSTRUCTED,
        ),
    ],
)
def test_names_that_are_imported(part: dict[str, Any], name: str, use: Use) -> None:
    found = {one.name: one.use for one in facts(model(part)).imports}
    assert found[name] is use


def test_names_anywhere_in_the_configuration_count() -> None:
    config = model(compile_config={"optimizer": layer("system", "os")})
    assert [one.name for one in facts(config).imports] == ["os.system"]
    deep: dict[str, Any] = layer("system", "os")
    for _ in range(20):
        deep = {"x": [deep]}
    assert [one.name for one in facts(model(deep)).imports] == ["os.system"]


def test_classes_of_keras_that_compute_are_no_imports() -> None:
    config = model(layer("Dense", kernel_initializer=layer("Zeros", "keras.initializers")), layer("LSTM"))
    assert facts(config).imports == ()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (packed({}), "config.json holds no model"),
        (packed([]), "config.json holds no model"),
        (packed(model(), evil__x=b""), "it has a member that Keras does not write"),
        (packed(model(), **{"assets__..__x": b""}), "it has a member that Keras does not write"),
    ],
)
def test_what_keras_does_not_write_is_unreadable(data: bytes, why: str) -> None:
    assert inspect(of_bytes(data)).unreadable == why


def test_the_content_leaves_out_the_date_and_addresses_alone() -> None:
    def content(date: str, number: int, units: int = 3, weights: bytes = b"w") -> str:
        shared = {**layer("Zeros", "keras.initializers"), "shared_object_id": number}
        config = model(layer("Dense", units=units, a=shared, b=shared))
        return facts(config, {"keras_version": "3.1", "date_saved": date}, **{"model.weights.h5": weights}).content

    first = content("a", 7)
    assert first
    assert content("b", 8) == first
    assert content("a", 7, units=4) != first
    assert content("a", 7, weights=b"v") != first


def test_parameters_are_counted_only_where_all_layers_are_known() -> None:
    dense = layer("Dense", units=3, use_bias=True) | {"build_config": {"input_shape": [None, 4]}}
    assert facts(model(dense, layer("Dropout"))).parameters == 15
    assert facts(model(dense, layer("Strange"))).parameters is None
    huge = layer("Dense", units=1 << 300, use_bias=True) | {"build_config": {"input_shape": [None, 4]}}
    assert facts(model(huge)).parameters is None
