"""Compare the facts that modelvc reads of a model with what the model's own library says of it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from modelvc.modelfiles.facts import Severity, clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.modelfiles.facts import ModelFacts

_ONNX = {
    "FLOAT": "float32", "DOUBLE": "float64", "FLOAT16": "float16", "BFLOAT16": "bfloat16", "BOOL": "bool",
    "STRING": "string",
    **{f"{sign}INT{bits}": f"{sign}INT{bits}".lower() for sign in ("", "U") for bits in (8, 16, 32, 64)},
}  # fmt: skip
_GGUF = {"F32": "float32", "F16": "float16", "F64": "float64", "BF16": "bfloat16", "I8": "int8", "I32": "int32"}
_FRAMEWORKS = {"xgboost": "XGBoost", "lightgbm": "LightGBM", "catboost": "CatBoost", "keras": "Keras"}
_BUILTINS = {"dict", "list", "ndarray"}  # no class of a model
_TREES = ("trees", "nodes", "leaves", "rounds", "vocabulary")


def differences(known: dict[str, Any], facts: ModelFacts) -> list[str]:
    """Return where FACTS are not what the library says, KNOWN: a row of facts.json."""
    return [*_differences(known, facts)]


def _differences(known: dict[str, Any], facts: ModelFacts) -> Iterator[str]:
    if facts.unreadable:
        yield f"unreadable: {facts.unreadable}"
    chosen, figures = dict(facts.hyper_parameters), dict(facts.figures)
    found: dict[str, Any] = {
        "format": facts.format,
        "framework": facts.framework,
        "version": facts.version,
        "class": facts.class_name.rpartition(".")[2],
        "architecture": facts.class_name,
        "parameters": facts.parameters,
        "elements": facts.parameters,
        "objective": chosen.get("objective", chosen.get("loss_function")),
        "booster": chosen.get("booster"),
        "output_count": len(facts.outputs),
        "code": any(one.severity is Severity.CODE for one in facts.findings) or None,
        "shape": list(facts.tensors[0].shape) if facts.tensors else None,
        "dtype": facts.tensors[0].dtype if facts.tensors else None,
        **{key: figures.get(key) for key in _TREES},
    }
    if facts.format == "gguf":
        del found["architecture"]  # of a family of models, no class
    if "framework" in known:
        known = known | {"framework": _FRAMEWORKS.get(known["framework"], known["framework"])}
    for key in ("format", "code", *sorted(known.keys() & found.keys() - {"format", "code"})):
        if key == "format" and (key not in known or {found[key], known[key]} == {"pickle", "joblib"}):
            continue  # joblib writes a plain pickle where there is no array
        if found[key] != known.get(key) and not (key == "class" and known[key] in _BUILTINS):
            yield f"{key}: {found[key]!r}, the library says {known.get(key)!r}"
    for key, value in known.get("params", {}).items():
        mine = clean(value) if isinstance(value, str) else value
        if key not in chosen or chosen[key] != mine:
            yield f"parameter {key}: {chosen.get(key)!r}, the library says {value!r}"
    yield from _inputs(known, facts)
    yield from _tensors(known, facts)
    yield from _layers(known, figures)
    missing = set(known.get("untrusted", ())) - {one.name for one in facts.imports}
    if missing:
        yield f"imports that were not seen: {sorted(missing)}"


def _inputs(known: dict[str, Any], facts: ModelFacts) -> Iterator[str]:
    names = [one.name for one in facts.inputs]
    whole = facts.inputs[0].shape if len(facts.inputs) == 1 else ()  # one input of all features
    count = whole[-1] if whole else len(names)
    if known.get("n_features") not in {None, count, dict(facts.figures).get("features")}:
        yield f"features: {count}, the library says {known['n_features']}"
    if "feature_names" in known and names != [clean(name) for name in known["feature_names"]]:
        yield f"names of features: {names[:3]}, the library says {known['feature_names'][:3]}"
    shapes = [list(one.shape) for one in facts.inputs]
    if known.get("input_shapes", shapes) != shapes:
        yield f"shapes of inputs: {shapes}, the library says {known['input_shapes']}"


def _tensors(known: dict[str, Any], facts: ModelFacts) -> Iterator[str]:
    if "tensors" not in known:
        return
    names = {"onnx": _ONNX, "gguf": _GGUF}.get(known["format"], {})
    theirs = sorted([clean(name), names.get(dtype, dtype), shape] for name, dtype, shape in known["tensors"])
    mine = sorted([one.name, one.dtype, list(one.shape)] for one in facts.tensors)
    if known["format"] == "onnx":  # the library says nothing of graphs in graphs
        mine = [one for one in mine if one in theirs or "/body/" not in one[0]]
    if mine != theirs:
        only = [one for one in theirs if one not in mine]
        yield f"tensors: {[one for one in mine if one not in theirs][:3]}, the library says {only[:3]}"
    places = {one.name: (one.start, one.end) for one in facts.tensors}
    for name, start, size in known.get("offsets", ()):
        if places.get(name) != (start, start + size):
            yield f"place of {name}: {places.get(name)}, the library says {(start, start + size)}"


def _layers(known: dict[str, Any], figures: dict[str, Any]) -> Iterator[str]:
    for kind, count in Counter(known.get("layers", ())).items():
        if figures.get(f"layers.{kind}", 0) < count:
            yield f"layers {kind}: {figures.get(f'layers.{kind}')}, the library says {count}"
