"""Read the layout of Hugging Face: config.json, tensors in one file or in shards with an index, a tokenizer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles.documents import json_stream
from modelvc.modelfiles.documents.boosted import pairs
from modelvc.modelfiles.documents.building import Many, entries, length, listed, text
from modelvc.modelfiles.documents.layouts import configuration, whole
from modelvc.modelfiles.facts import ModelFacts, clean
from modelvc.modelfiles.json_text import read_json
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from modelvc.modelfiles.documents.layouts import Read
    from modelvc.modelfiles.facts import Pairs
    from modelvc.modelfiles.source import Budget, Source

NAME = "huggingface"
_CONFIG, _TOKENIZER = "config.json", "tokenizer.json"
_WEIGHTS = (".safetensors", ".bin", ".gguf", ".onnx", ".h5", ".msgpack", ".pt", ".pth")
_INDEX = ".index.json"
_LARGEST_INDEX = 32 << 20  # bytes
_NAMED = 3  # names in one note
_STATED = frozenset({"architectures", "transformers_version", "auto_map", "_name_or_path"})


def is_layout(files: Collection[str]) -> bool:
    """Whether FILES look like a model of Hugging Face."""
    return _CONFIG in files and any(path.endswith((*_WEIGHTS, _INDEX)) for path in files)


def read(files: Mapping[str, Source], known: Sequence[Read], budget: Budget) -> ModelFacts:
    """Return what the texts of the folder FILES say, and whether the shards in KNOWN agree with their index."""
    config = configuration(files, _CONFIG, budget)
    architectures = [one for one in listed(config.get("architectures")) if isinstance(one, str)]
    kind = text(config.get("model_type"))
    notes = [
        note for path in sorted(files) if path.endswith(_INDEX) for note in _index(files[path], path, known, budget)
    ]
    quantised = text(entries(config.get("quantization_config")).get("quant_method"))
    if quantised:
        notes.append(clean(f"quantised by {quantised}"))
    return ModelFacts(
        NAME,
        framework="transformers" if kind or architectures else "",
        version=clean(text(config.get("transformers_version"))),
        class_name=clean(architectures[0]) if architectures else clean(kind),
        hyper_parameters=pairs({key: value for key, value in config.items() if key not in _STATED}),
        figures=_vocabulary(files, budget),
        notes=tuple(notes),
    )


def _vocabulary(files: Mapping[str, Source], budget: Budget) -> Pairs:
    """Return how many tokens and merges a tokenizer has."""
    if _TOKENIZER not in files:
        return ()

    def fold(key: str, value: dict[str, object]) -> object:
        return Many(len(value)) if key == "vocab" else value

    found = entries(json_stream.read(files[_TOKENIZER], budget, _TOKENIZER, fold, constants=True))
    model = entries(found.get("model"))
    tokens = length(model.get("vocab"))
    ids = [one["id"] for one in map(entries, listed(found.get("added_tokens"))) if isinstance(one.get("id"), int)]
    added = max((one + 1 for one in ids if isinstance(one, int)), default=0)
    merges = length(model.get("merges"))
    figures: list[tuple[str, int]] = [("vocabulary", max(tokens, added))] if tokens or added else []
    return (*figures, ("merges", merges)) if merges else tuple(figures)


def _index(source: Source, path: str, known: Sequence[Read], budget: Budget) -> Iterator[str]:
    """Yield what does not agree between the index PATH and the shards in KNOWN."""
    what = clean(path)
    places = entries(entries(read_json(whole(source, budget, what, _LARGEST_INDEX), budget, what)).get("weight_map"))
    if not all(isinstance(one, str) for one in places.values()):
        raise Unreadable(f"{what} names a shard that is no text")
    folder = path.rpartition("/")[0]
    begin = f"{folder}/" if folder else ""
    shards = {file: {one.name for one in facts.tensors} for file, facts in known if file.startswith(begin)}
    named: dict[str, set[str]] = {}
    for name, file in places.items():
        named.setdefault(f"{begin}{file}", set()).add(clean(name))
    here = named.keys() & shards.keys()
    where = {name for names in shards.values() for name in names}
    astray = {name for file in here for name in named[file] - shards[file]}
    for kind, names in (
        (f"shards that {what} names are not here", named.keys() - shards.keys()),
        (f"tensors are in another shard than {what} says", astray & where),
        (f"tensors that {what} names are in no shard", astray - where),
        (f"{what} does not name tensors", {name for file in here for name in shards[file]} - {*map(clean, places)}),
    ):
        if names:
            yield clean(f"{kind}: {_some(sorted(names))}")


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(clean(name) for name in names[:_NAMED])
    return f"{shown}, and {len(names) - _NAMED:,} more" if len(names) > _NAMED else shown
