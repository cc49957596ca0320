"""Read XGBoost models: JSON, UBJSON, and the buffer in a pickled Booster, which is UBJSON with the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles.documents import json_stream, ubjson
from modelvc.modelfiles.documents.boosted import named_inputs, number
from modelvc.modelfiles.documents.building import Many, entries, length, listed, text
from modelvc.modelfiles.facts import Field, ModelFacts, clean
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from modelvc.modelfiles.facts import Value
    from modelvc.modelfiles.source import Budget, Source

_WHAT = "the XGBoost model"
_LINEAR = "gblinear"
# Parameters of a configuration that say how a machine trained, not what was trained.
_MACHINE = frozenset(
    {"validate_parameters", "process_type", "updater_seq", "updater", "device", "nthread", "verbosity"}
)


class _Trees:
    """Counts the trees while a document is read, and keeps none."""

    def __init__(self) -> None:
        self.count = self.nodes = 0

    def fold(self, key: str, value: dict[str, object]) -> object:
        if key != "trees" or "left_children" not in value:
            return value
        self.count += 1
        self.nodes += length(value["left_children"])
        return 0


def read(source: Source, budget: Budget) -> ModelFacts:
    """Return the facts of the UBJSON model SOURCE, or of the buffer of a pickled Booster."""
    trees = _Trees()
    return _facts(ubjson.read(source, budget, _WHAT, trees.fold), trees)


def read_json(source: Source, budget: Budget) -> ModelFacts:
    """Return the facts of the JSON model SOURCE."""
    trees = _Trees()
    return _facts(json_stream.read(source, budget, _WHAT, trees.fold, constants=True), trees)


def _facts(document: object, trees: _Trees) -> ModelFacts:
    root = entries(document)
    config = entries(entries(root.get("Config")).get("learner"))
    root = entries(root.get("Model")) or root
    learner = entries(root.get("learner"))
    booster = entries(learner.get("gradient_booster"))
    name = text(booster.get("name"))
    if not name or not text(entries(learner.get("objective")).get("name")):
        raise Unreadable(f"{_WHAT} has no booster or no objective")
    inner = entries(booster.get("gbtree")) or booster  # dart has its trees one level below
    model = entries(inner.get("model"))
    shape = entries(learner.get("learner_model_param"))
    stated = entries(model.get("gbtree_model_param"))
    if name != _LINEAR and number(text(stated.get("num_trees"))) != trees.count:
        raise Unreadable(f"{_WHAT} has not as many trees as it says")
    figures: list[tuple[str, Value]] = []
    if name != _LINEAR:
        figures = [("trees", trees.count), ("nodes", trees.nodes), ("rounds", _rounds(model, trees.count, stated))]
    features = number(text(shape.get("num_feature")))
    figures.append(("features", features))
    names = [one for one in listed(learner.get("feature_names")) if isinstance(one, str)]
    kinds = [one for one in listed(learner.get("feature_types")) if isinstance(one, str)]
    inputs = named_inputs(names, dict(zip(names, kinds, strict=False)))
    if not inputs and isinstance(features, int):
        inputs = (Field("X", shape=(-1, features)),)
    return ModelFacts(
        "xgboost",
        framework="XGBoost",
        version=_version(root.get("version")),
        class_name="Booster",
        hyper_parameters=_chosen(learner, name, stated, config),
        figures=tuple(figures),
        inputs=inputs,
        parameters=length(model.get("weights")) if name == _LINEAR else None,
        notes=_notes(learner),
    )


def _rounds(model: dict[str, object], trees: int, stated: dict[str, object]) -> int:
    """Return the number of rounds. Files of releases before 2.0 do not say it."""
    starts = length(model.get("iteration_indptr"))
    if starts:
        return starts - 1
    parallel = number(text(stated.get("num_parallel_tree")))
    return trees // parallel if isinstance(parallel, int) and parallel > 0 else trees


def _version(value: object) -> str:
    parts = listed(value)
    return ".".join(str(one) for one in parts) if parts and all(type(one) is int for one in parts[:4]) else ""


def _chosen(
    learner: dict[str, object], booster: str, stated: dict[str, object], config: dict[str, object]
) -> tuple[tuple[str, Value], ...]:
    """Return the hyper-parameters: the objective with its own, the booster, and those of the configuration."""
    objective = entries(learner.get("objective"))
    found: dict[str, Value] = {"objective": clean(objective.get("name")), "booster": clean(booster)}
    groups = [
        *(entries(one) for one in objective.values()),
        {"num_parallel_tree": stated.get("num_parallel_tree")},
        *(entries(one) for one in entries(config.get("gradient_booster")).values()),
    ]
    classes = text(entries(learner.get("learner_model_param")).get("num_class"))
    if classes not in {"", "0"}:
        found["num_class"] = number(classes)
    for group in groups:
        for key, value in group.items():
            if isinstance(value, str) and key not in _MACHINE:
                found.setdefault(clean(key), number(value))
    return tuple(found.items())


def _notes(learner: dict[str, object]) -> tuple[str, ...]:
    """Return the attributes that a program gave the model, such as its best iteration."""
    attributes = learner.get("attributes")
    if isinstance(attributes, Many):
        return (f"{attributes.length:,} attributes",)
    return tuple(clean(f"{key} = {value}") for key, value in list(entries(attributes).items())[:20])
