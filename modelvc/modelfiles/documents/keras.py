"""Read Keras models (`.keras`): a zip with config.json, which says what Keras builds and calls, and the weights."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from modelvc.modelfiles.archive import blocks, content
from modelvc.modelfiles.documents.building import entries, listed, text
from modelvc.modelfiles.documents.keras_code import Code
from modelvc.modelfiles.documents.keras_layers import layers_of, parameters
from modelvc.modelfiles.facts import Field, ModelFacts, clean
from modelvc.modelfiles.json_text import read_json
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from modelvc.modelfiles.archive import Member
    from modelvc.modelfiles.documents.keras_layers import Layer
    from modelvc.modelfiles.facts import Pairs, Value
    from modelvc.modelfiles.source import Budget, Source

_CONFIG, _METADATA = "config.json", "metadata.json"
# All that Keras writes: weights as one file or in shards, and what layers such as a vocabulary keep beside them.
_NAME = re.compile(r"config\.json|metadata\.json|model(?:_[0-9]{1,9})?\.weights\.(?:h5|npz|json)|assets/.+", re.DOTALL)
_KINDS = 20  # kinds of layers that are counted by name
_CHOSEN = ("learning_rate", "weight_decay", "momentum", "clipnorm")


def read_members(source: Source, budget: Budget, members: tuple[Member, ...]) -> ModelFacts:
    """Return the facts of the Keras model SOURCE with its MEMBERS."""
    by_name = {member.name: member for member in members}
    for name in by_name:
        if not _NAME.fullmatch(name) or ".." in name.split("/"):
            raise Unreadable("it has a member that Keras does not write")
    config = entries(read_json(content(source, by_name[_CONFIG], budget), budget, _CONFIG, constants=True))
    metadata = {}
    if _METADATA in by_name:
        metadata = entries(read_json(content(source, by_name[_METADATA], budget), budget, _METADATA))
    if not text(config.get("class_name")):
        raise Unreadable("config.json holds no model")
    code = Code()
    code.look(config)
    layers = layers_of(config)
    weights = [name for name in by_name if ".weights." in name]
    return ModelFacts(
        "keras",
        framework="Keras",
        version=clean(text(metadata.get("keras_version"))),
        class_name=clean(config["class_name"]),
        hyper_parameters=_chosen(entries(config.get("compile_config"))),
        figures=_figures(layers),
        inputs=_inputs(config, layers),
        outputs=_outputs(config, layers),
        parameters=parameters(layers),
        imports=code.imports(),
        findings=code.findings(),
        notes=tuple(clean(f"the numbers in {name} are not read") for name in sorted(weights)[:3]),
        content=_content(source, budget, by_name, config, metadata),
    )


def _figures(layers: list[Layer]) -> Pairs:
    counts: dict[str, int] = {}
    for layer in layers:
        counts[layer.kind] = counts.get(layer.kind, 0) + 1
    named = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:_KINDS]
    return (("layers", len(layers)), *((f"layers.{clean(kind)}", count) for kind, count in named))


def _chosen(compiled: dict[str, object]) -> Pairs:
    """Return the optimizer and the loss."""
    optimizer = entries(compiled.get("optimizer"))
    found: list[tuple[str, Value]] = []
    if optimizer:
        found.append(("optimizer", clean(text(optimizer.get("class_name")))))
        config = entries(optimizer.get("config"))
        found += [(key, value) for key in _CHOSEN if isinstance(value := config.get(key), int | float)]
    loss = compiled.get("loss")
    name = text(loss) or text(entries(loss).get("class_name"))
    return (*found, ("loss", clean(name))) if name else tuple(found)


def _inputs(config: dict[str, object], layers: list[Layer]) -> tuple[Field, ...]:
    """Return the inputs: the layers that the model names as such, else its input layers."""
    named = _named(entries(config.get("config")).get("input_layers"))
    given = [layer for layer in layers if layer.kind == "InputLayer" and layer.depth == 1]
    by_name = {layer.name: layer for layer in given}
    chosen = [by_name[name] for name in named if name in by_name] or given
    return tuple(Field(clean(layer.name), layer.dtype, layer.shape) for layer in chosen)


def _outputs(config: dict[str, object], layers: list[Layer]) -> tuple[Field, ...]:
    inner = entries(config.get("config"))
    named = _named(inner.get("output_layers"))
    if "output_layers" not in inner:
        named = [layer.name for layer in layers if layer.depth == 1][-1:]
    return tuple(Field(clean(name)) for name in named)


def _named(value: object) -> list[str]:
    """Return the names of layers in VALUE: one `[name, node, tensor]`, or lists or objects of such."""
    if isinstance(value, dict):
        return [name for one in value.values() for name in _named(one)]
    parts = listed(value)
    if parts and isinstance(parts[0], str):
        return [parts[0]]
    return [text(listed(one)[0]) for one in parts if listed(one)]


def _content(
    source: Source,
    budget: Budget,
    members: dict[str, Member],
    config: dict[str, object],
    metadata: dict[str, object],
) -> str:
    """Return the digest of all but the date, and the addresses of objects, which are new at each save."""
    from blake3 import blake3

    machine = blake3(b"modelvc keras 1\0")
    known = {key: value for key, value in metadata.items() if key != "date_saved"}
    machine.update(json.dumps([known, _renumbered(config, {})]).encode())
    for name in sorted(members.keys() - {_CONFIG, _METADATA}):
        machine.update(b"\0%d:%b%d:" % (len(name.encode()), name.encode(), members[name].size))
        for block in blocks(source, members[name], budget):
            machine.update(block)
    return machine.hexdigest()


def _renumbered(value: object, ids: dict[object, int]) -> object:
    """Return VALUE with the ids of shared objects numbered in the order of their appearance."""
    if isinstance(value, dict):
        return {
            key: ids.setdefault(one, len(ids))
            if key == "shared_object_id" and isinstance(one, int)
            else _renumbered(one, ids)
            for key, one in value.items()
        }
    return [_renumbered(one, ids) for one in value] if isinstance(value, list) else value
