"""Read CatBoost models that were saved as JSON."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modelvc.modelfiles.documents import json_stream
from modelvc.modelfiles.documents.boosted import named_inputs, pairs
from modelvc.modelfiles.documents.building import Many, entries, length, listed, text
from modelvc.modelfiles.facts import ModelFacts
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from modelvc.modelfiles.facts import Pairs
    from modelvc.modelfiles.source import Budget, Source

_WHAT = "the CatBoost model"
_KINDS = {"float_features": "float", "categorical_features": "categorical", "text_features": "text",
          "embedding_features": "embedding"}  # fmt: skip
_VERSION = re.compile(r"Branch: tags/v([0-9][0-9.]{0,20})|release ([0-9][0-9.]{0,20})")
# Groups of parameters that say what was trained; the others say how the program ran.
_CHOSEN = ("boosting_options", "tree_learner_options", "loss_function", "random_seed", "task_type")


class _Trees:
    """Counts the trees while a document is read, and keeps none."""

    def __init__(self) -> None:
        self.count = self.leaves = 0

    def fold(self, key: str, value: dict[str, object]) -> object:
        if key == "oblivious_trees":  # the same split at each level
            self.count += 1
            self.leaves += length(value.get("leaf_weights")) or 2 ** min(60, length(value.get("splits")))
            return 0
        if "split" in value and "left" in value:  # a node of a tree of any shape
            return _leaves(value["left"]) + _leaves(value.get("right"))
        if key == "hashes":  # of categories, which may be many
            return 0
        return value


def _leaves(value: object) -> int:
    """Return the leaves below a node that was folded: its number, or one leaf."""
    return value if isinstance(value, int) else 1


def read(source: Source, budget: Budget) -> ModelFacts:
    """Return the facts of the JSON model SOURCE."""
    trees = _Trees()
    root = entries(json_stream.read(source, budget, _WHAT, trees.fold, constants=True))
    features, info = entries(root.get("features_info")), entries(root.get("model_info"))
    if not info:
        raise Unreadable(f"{_WHAT} has no information on itself")
    other = root.get("trees")
    if isinstance(other, list):
        trees.count, trees.leaves = len(other), sum(_leaves(one) for one in other)
    elif isinstance(other, Many):
        trees.count = other.length
    params = entries(info.get("params"))
    found = _VERSION.search(text(info.get("catboost_version_info")))
    inputs = _inputs(features)
    figures: Pairs = (("trees", trees.count), ("leaves", trees.leaves), ("features", len(inputs)))
    return ModelFacts(
        "catboost",
        framework="CatBoost",
        version=(found[1] or found[2] or "").rstrip(".") if found else "",
        class_name="CatBoost",
        hyper_parameters=_chosen(params),
        figures=figures,
        inputs=named_inputs([name for _, name, _ in inputs], {name: kind for _, name, kind in inputs}),
    )


def _inputs(features: dict[str, object]) -> list[tuple[int, str, str]]:
    """Return the place, the name and the type of each feature, in the order of the data."""
    found = []
    for group, kind in _KINDS.items():
        for one in map(entries, listed(features.get(group))):
            at = one.get("flat_feature_index")
            name = text(one.get("feature_name")) or text(one.get("feature_id"))
            found.append((at if isinstance(at, int) else 0, name, kind))
    return sorted(found)


def _chosen(params: dict[str, object]) -> Pairs:
    loss = text(entries(params.get("loss_function")).get("type"))
    found: dict[str, object] = {"loss_function": loss} if loss else {}
    for group in _CHOSEN:
        value = params.get(group)
        found.update({group: value} if not isinstance(value, dict) else {k: v for k, v in value.items() if k != "type"})
    return pairs(found)
