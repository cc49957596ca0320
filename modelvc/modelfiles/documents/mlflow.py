"""Read an MLflow model: a folder with a file MLmodel, which says how each flavor loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles.documents.building import entries, listed, text
from modelvc.modelfiles.documents.layouts import whole
from modelvc.modelfiles.documents.yaml_text import MOST, read_yaml
from modelvc.modelfiles.facts import Field, Finding, Import, ModelFacts, Severity, Use, clean
from modelvc.modelfiles.json_text import read_json
from modelvc.modelfiles.pickles.summary import FRAMEWORKS
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from modelvc.modelfiles.documents.layouts import Read
    from modelvc.modelfiles.facts import Value
    from modelvc.modelfiles.source import Budget, Source

NAME = "mlflow"
_FILE, _REQUIREMENTS = "MLmodel", "requirements.txt"
_MODEL_KEYS = frozenset(
    {
        "code",
        "data",
        "model_binary",
        "model_data",
        "model_path",
        "path",
        "pickled_model",
        "python_model",
    }
)  # of a flavor: files that its loader opens
_PYTHON = "python_function"
_MOST = 100  # requirements and flavors
_FLAVORS = (
    "catboost", "h2o", "keras", "langchain", "lightgbm", "onnx", "paddle", "pmdarima", "prophet", "pytorch",
    "sentence_transformers", "sklearn", "spacy", "spark", "statsmodels", "tensorflow", "transformers", "xgboost",
)  # fmt: skip
# Modules that MLflow itself loads its flavors with. They read files of the folder, which are looked at.
LOADERS = frozenset({"mlflow.pyfunc.model", *(f"mlflow.{flavor}" for flavor in _FLAVORS)})


def is_layout(files: Collection[str]) -> bool:
    """Whether FILES look like an MLflow model."""
    return _FILE in files


def read(files: Mapping[str, Source], known: Sequence[Read], budget: Budget) -> ModelFacts:
    """Return what MLmodel in the folder FILES says, and which class the model file in KNOWN has."""
    root = entries(read_yaml(whole(files[_FILE], budget, _FILE, MOST), budget, _FILE))
    flavors = {name: entries(flavor) for name, flavor in entries(root.get("flavors")).items()}
    if not flavors:
        raise Unreadable("MLmodel names no flavor")
    python = flavors.get(_PYTHON, {})
    loader = text(python.get("loader_module"))
    own = [name for name in flavors if name != _PYTHON]
    main = own[0] if own else ""
    inner = _model(known, flavors)
    signature = entries(root.get("signature"))
    code = [path for flavor in flavors.values() if (path := text(flavor.get("code"))) not in {"", "null"}]
    stated: dict[str, Value] = {"flavors": clean(", ".join(sorted(flavors)[:_MOST]))}
    if loader:
        stated["loader_module"] = clean(loader)
    return ModelFacts(
        NAME,
        framework=({"pytorch": "torch"} | FRAMEWORKS).get(main, clean(main)) or inner.framework,
        version=clean(text(flavors.get(main, {}).get(f"{main}_version"))) or inner.version,
        class_name=inner.class_name,
        hyper_parameters=inner.hyper_parameters,
        figures=(*inner.figures, *stated.items()),
        inputs=_fields(signature.get("inputs"), budget) or inner.inputs,
        outputs=_fields(signature.get("outputs"), budget) or inner.outputs,
        imports=() if loader in LOADERS or not loader else (Import(clean(loader), Use.CONSTRUCTED),),
        findings=tuple(Finding(Severity.CODE, clean(f"MLmodel loads code from {path}")) for path in code[:_MOST]),
        notes=tuple(_notes(files, root, budget)),
    )


def nested(files: Mapping[str, Source], path: str, budget: Budget) -> Iterator[Finding]:
    """Yield what the MLmodel at PATH makes a loader run that the facts of the folder do not say."""
    flavors = entries(
        entries(read_yaml(whole(files[path], budget, clean(path), MOST), budget, clean(path))).get("flavors")
    )
    for flavor in map(entries, flavors.values()):
        loader = text(flavor.get("loader_module"))
        if path != _FILE and loader and loader not in LOADERS:
            yield Finding(Severity.CODE, clean(f"{path} imports {loader}"))
        for key, value in _strings(flavor):
            if key in _MODEL_KEYS and _leaves(value):
                yield Finding(Severity.KNOWN_BAD, clean(f"{path} loads {value}, which lies outside of the folder"))


def _strings(table: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yield (key, text) for each text of TABLE and of the tables in it."""
    left = [table]
    while left:
        for key, value in left.pop().items():
            if isinstance(value, dict):
                left.append(value)
            elif isinstance(value, str):
                yield key, value


def _leaves(path: str) -> bool:
    """Whether PATH leads out of the folder that it is relative to."""
    parts = path.replace("\\", "/").split("/")
    return ".." in parts or (not parts[0] and len(parts) > 1) or parts[0].endswith(":")


def _model(known: Sequence[Read], flavors: Mapping[str, Mapping[str, object]]) -> ModelFacts:
    """Return the facts of the file that a flavor names, else of the only model file."""
    paths = {value for flavor in flavors.values() for value in flavor.values() if isinstance(value, str)}
    named = [facts for path, facts in known if path in paths] or [facts for _, facts in known]
    return named[0] if len(named) == 1 else ModelFacts(NAME)


def _fields(signature: object, budget: Budget) -> tuple[Field, ...]:
    """Return the inputs or outputs of a signature, which is JSON inside YAML."""
    written = text(signature)
    if written in {"", "null"}:
        return ()
    found: list[Field] = []
    for one in map(entries, listed(read_json(written.encode(), budget, "the signature in MLmodel"))):
        spec = entries(one.get("tensor-spec"))
        dtype = text(spec.get("dtype")) or text(one.get("type"))
        shape = tuple(length for length in listed(spec.get("shape")) if isinstance(length, int))
        found.append(Field(clean(text(one.get("name"))), clean(dtype), shape))
    return tuple(found)


def _notes(files: Mapping[str, Source], root: dict[str, object], budget: Budget) -> Iterator[str]:
    version = text(root.get("mlflow_version"))
    if version:
        yield clean(f"saved by MLflow {version}")
    if _REQUIREMENTS in files:
        data = whole(files[_REQUIREMENTS], budget, _REQUIREMENTS)
        lines = [line for line in data.decode(errors="replace").splitlines() if line.strip()]
        yield clean(f"requires {', '.join(lines[:_MOST])}")
