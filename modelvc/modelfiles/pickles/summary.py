"""The facts of a pickle, from what it builds."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelvc.modelfiles.facts import Field, ModelFacts, Pairs, Tensor, clean
from modelvc.modelfiles.pickles.arrays import array_of
from modelvc.modelfiles.pickles.values import Entries, Items, Made, Value
from modelvc.modelfiles.pickles.walking import attribute, attributes, described, walk
from modelvc.modelfiles.source import OutOfTime, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelvc.modelfiles.pickles.seen import Seen

    Describe = Callable[[tuple[str, ...], Value], Tensor | None]

FRAMEWORKS = {
    "sklearn": "scikit-learn", "xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost", "torch": "torch",
    "imblearn": "imbalanced-learn", "statsmodels": "statsmodels", "keras": "Keras", "tensorflow": "TensorFlow",
    "transformers": "transformers", "numpy": "numpy", "pandas": "pandas", "scipy": "scipy",
}  # fmt: skip
_NESTED = ("steps", "transformers", "estimators", "transformer_list")  # lists of (name, estimator, ...)
_INSIDE = frozenset({"final_estimator_", "transformer_"})  # these take what others made of the inputs
_OWN = frozenset({"estimator_params"})  # attributes of scikit-learn's ensembles that nobody chose
_LABELS = frozenset({"tree_", "classes_"})  # float arrays below fitted attributes that are no parameters
_PAIRS = 1000  # hyper-parameters of one model
_FIELDS = 10_000  # names of inputs
_KEPT = 300  # bytes of memory for one tensor
_DEEP = 8  # estimators inside of each other
_FLOATS = frozenset({"float16", "float32", "float64", "float128", "complex64", "complex128"})


def summary(name: str, value: Value, seen: Seen, *, places: bool, tensors: Describe | None = None) -> ModelFacts:
    """Return the facts of a file of format NAME that builds VALUE.

    PLACES: whether offsets are those of the file. TENSORS: returns the tensor that the value at a path is, or None.
    """
    found = _Found(seen, places=places)
    try:
        for path, one in walk(value):
            found.take(path, one, tensors)
    except OutOfTime:
        raise
    except Unreadable as error:  # imports and findings still count
        seen.doubt(str(error))
    class_name = value.name if isinstance(value, Made) else ""
    framework = FRAMEWORKS.get(class_name.partition(".")[0], "") if class_name else ""
    return ModelFacts(
        name,
        framework=framework,
        version=found.version if framework in {"scikit-learn", ""} else "",  # that of scikit-learn
        class_name=clean(class_name.rpartition(".")[2] if framework else class_name),
        hyper_parameters=tuple(_parameters(value)),
        figures=found.figures(),
        inputs=_inputs(value),
        parameters=found.parameters or None,
        tensors=tuple(found.tensors),
        imports=seen.imports,
        findings=seen.findings,
    )


class _Found:
    """What a walk through a model collects."""

    def __init__(self, seen: Seen, *, places: bool) -> None:
        self.version = ""
        self.tensors: list[Tensor] = []
        self.parameters = 0
        self._budget = seen.budget
        self._places = places
        self._trees: list[_Tree] = []
        self._layers = 0

    def take(self, path: tuple[str, ...], value: Value, tensors: Describe | None) -> None:
        """Collect what VALUE at PATH says. Raises Unreadable beyond the budget."""
        self._budget.operate(1)
        tensor = tensors(path, value) if tensors is not None else None
        array = array_of(value) if tensor is None else None
        if array is not None:
            at = (array.start, array.end) if self._places else (-1, -1)
            tensor = Tensor(clean(".".join(path)), array.dtype, array.shape, *at)
            if array.dtype in _FLOATS and any(name.endswith("_") for name in path) and _LABELS.isdisjoint(path):
                self.parameters += tensor.elements
        if tensor is not None:
            self._budget.open_members(1)
            self._budget.keep(_KEPT + len(tensor.name))
            self.tensors.append(tensor)
            return
        if isinstance(value, Made):
            version = attribute(value, "_sklearn_version")
            if isinstance(version, str) and not self.version:
                self.version = clean(version)
            layers = attribute(value, "n_layers_")
            self._layers = self._layers or (layers if type(layers) is int else 0)
            tree = _tree(value)
            if tree is not None:
                self._trees.append(tree)

    def figures(self) -> Pairs:
        """Return the figures of the model."""
        found: list[tuple[str, int | float | bool | str]] = []
        if self._trees:
            found.append(("trees", len(self._trees)))
            found.append(("nodes", sum(tree.nodes for tree in self._trees)))
            depth = max(tree.depth for tree in self._trees)
            if depth >= 0:
                found.append(("depth", depth))
        if self._layers:
            found.append(("layers", self._layers))
        return tuple(found)


class _Tree(NamedTuple):
    nodes: int
    depth: int  # -1 if it is not shown


def _tree(value: Made) -> _Tree | None:
    """Return the tree that VALUE is; None if it is none."""
    kind = value.name.rpartition(".")[2] if value.name.startswith("sklearn.") else ""
    if kind == "Tree":
        nodes, depth = attribute(value, "node_count"), attribute(value, "max_depth")
        if type(nodes) is int:
            return _Tree(nodes, depth if type(depth) is int else -1)
    if kind == "TreePredictor":
        array = array_of(attribute(value, "nodes"))
        if array is not None and len(array.shape) == 1:
            return _Tree(array.shape[0], -1)
    return None


def _parameters(value: Value) -> Iterator[tuple[str, int | float | bool | str]]:
    """Yield the hyper-parameters of the estimator VALUE, then those of the estimators in it."""
    left = _PAIRS
    todo: list[tuple[str, Value, int]] = [("", value, 0)]
    seen: set[int] = set()
    while todo:
        prefix, owner, deep = todo.pop(0)
        if id(owner) in seen or deep > _DEEP:
            continue
        seen.add(id(owner))
        for name, one in dict(attributes(owner)).items():
            if name.startswith("_") or name.endswith("_") or name in _OWN or _is_tensor(one):
                continue
            left -= 1
            if left < 0:
                return
            yield clean(prefix + name), described(one)
            todo += ((prefix + inner, est, deep + 1) for inner, est in _estimators(name, one))


def _estimators(name: str, value: Value) -> Iterator[tuple[str, Value]]:
    """Yield the estimators in the parameter NAME with the start of their parameters' names."""
    if _is_estimator(value):
        yield f"{name}__", value
    if name in _NESTED and isinstance(value, Items):
        for one in value.items:
            if isinstance(one, tuple) and len(one) >= 2 and isinstance(one[0], str) and _is_estimator(one[1]):
                yield f"{one[0]}__", one[1]


def _is_estimator(value: Value) -> bool:
    return isinstance(value, Made) and isinstance(value.state, Entries) and array_of(value) is None


def _is_tensor(value: Value) -> bool:
    return isinstance(value, Made) and value.name.startswith("torch._utils.")


def _inputs(value: Value) -> tuple[Field, ...]:
    """Return the inputs that an estimator, or the first one in it that says so, was fitted with."""
    for path, one in walk(value):
        if not isinstance(one, Made) or len(path) > _DEEP or not _INSIDE.isdisjoint(path):
            continue
        texts: Value = attribute(one, "feature_names_in_")
        for _ in range(3):  # joblib has an array in an array
            array = array_of(texts)
            texts = array.values if array is not None else texts
        if isinstance(texts, Items) and texts.whole and all(isinstance(name, str) for name in texts.items):
            return tuple(Field(clean(name)) for name in texts.items[:_FIELDS])
        count = attribute(one, "n_features_in_")
        if type(count) is int:
            return (Field("X", "", (-1, count)),)
    return ()
