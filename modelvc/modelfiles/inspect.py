"""Read what a model file is, without running anything of it. Spec: docs/inside.md."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from modelvc.modelfiles import polyglots, recognise
from modelvc.modelfiles.facts import ModelFacts
from modelvc.modelfiles.source import Budget, OutOfTime, Source, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    Recognise = Callable[[bytes], bool]
    Read = Callable[[Source, Budget], ModelFacts]

HEAD = 4096  # bytes that recognise a format


class Format(NamedTuple):
    """A format: how its first bytes look, and which function of which module reads it."""

    name: str
    recognise: Recognise
    module: str
    function: str = "read"


# The first format that recognises a file reads it. Pickles come last: those without a magic number are found by trial.
FORMATS: tuple[Format, ...] = (
    Format("torch", recognise.is_tar, "pickles.torch_tar"),  # torch.load tries it before all others
    Format("safetensors", recognise.is_safetensors, "tensors.safetensors"),
    Format("gguf", recognise.is_gguf, "tensors.gguf"),
    Format("onnx", recognise.is_onnx, "tensors.onnx"),
    Format("npy", recognise.is_npy, "tensors.numpy_files"),
    Format("zip", recognise.is_zip, "zips"),
    Format("xgboost", recognise.is_xgboost_ubj, "documents.xgboost"),
    Format("xgboost", recognise.is_xgboost_json, "documents.xgboost", "read_json"),
    Format("lightgbm", recognise.is_lightgbm, "documents.lightgbm"),
    Format("catboost", recognise.is_catboost_json, "documents.catboost"),
    Format("joblib", recognise.is_compressed_pickle, "pickles.pickle_files", "read_compressed"),
    Format("pickle", recognise.is_pickle, "pickles.pickle_files", "read_likely"),
)


def inspect(source: Source, budget: Budget | None = None) -> ModelFacts:
    """Return what SOURCE is. A file of no known format is `unknown`, which is no error.

    Raises OutOfTime if the budget's time is up; every other failure is in `unreadable` of the result.
    """
    budget = budget or Budget()
    head = source.read_at(0, HEAD)
    for one in FORMATS:
        if one.recognise(head):
            read: Read = getattr(import_module(f"modelvc.modelfiles.{one.module}"), one.function)
            try:
                facts = polyglots.checked(source, read(source, budget))
            except OutOfTime:
                raise
            except Unreadable as error:
                return ModelFacts(one.name, unreadable=str(error))
            return facts if facts.format != "unknown" or facts.notes else _unknown(head)
    return _unknown(head)


def _unknown(head: bytes) -> ModelFacts:
    """Return the facts of a file that no reader knows and that begins with HEAD."""
    other = recognise.other_format(head)
    return ModelFacts("unknown", notes=(other,) if other else ())
