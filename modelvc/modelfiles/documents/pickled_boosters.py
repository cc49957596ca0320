"""The boosters in pickles: XGBoost keeps its model as UBJSON in an attribute, LightGBM as text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelvc.modelfiles.documents import lightgbm, xgboost
from modelvc.modelfiles.facts import clean
from modelvc.modelfiles.pickles.values import Blob, Made, Text
from modelvc.modelfiles.pickles.walking import attribute, walk
from modelvc.modelfiles.source import OutOfTime, Unreadable, of_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from modelvc.modelfiles.facts import ModelFacts
    from modelvc.modelfiles.pickles.values import Value
    from modelvc.modelfiles.source import Budget, Source

    Read = Callable[[Source, Budget], ModelFacts]

_HANDLES = ("handle", "_handle")
# By class: how that attribute begins, and what reads it.
_BOOSTERS: dict[str, tuple[bytes, Read]] = {
    "xgboost.core.Booster": (b"{", xgboost.read),
    "lightgbm.basic.Booster": (b"tree\n", lightgbm.read),
}
_UNSET = {"None", ""}  # values of a parameter that the booster itself may know


def with_booster(facts: ModelFacts, value: Value, source: Source, budget: Budget) -> ModelFacts:
    """Return FACTS of the pickle of VALUE in SOURCE, with what the first booster in it says."""
    for begin, read, part in _handles(value, source):
        if part.read_at(0, len(begin)) != begin:
            continue  # as protocol 0 escapes it
        try:
            inner = read(part, budget)
        except OutOfTime:
            raise
        except Unreadable as error:
            return replace(facts, unreadable=facts.unreadable or clean(f"its booster: {error}"))
        known = dict(facts.hyper_parameters)
        told = {key: one for key, one in inner.hyper_parameters if known.get(key, "") in _UNSET}
        return replace(
            facts,
            version=facts.version or inner.version,
            hyper_parameters=tuple((known | told).items()),
            figures=(*facts.figures, *inner.figures),
            inputs=inner.inputs or facts.inputs,
            parameters=facts.parameters if facts.parameters is not None else inner.parameters,
            notes=(*facts.notes, *inner.notes),
        )
    return facts


def _handles(value: Value, source: Source) -> Iterator[tuple[bytes, Read, Source]]:
    """Yield what each booster below VALUE keeps of its model, and how it is read."""
    for _, one in walk(value):
        if isinstance(one, Made) and one.name in _BOOSTERS:
            begin, read = _BOOSTERS[one.name]
            for name in _HANDLES:
                part = _part(attribute(one, name), source)
                if part is not None:
                    yield begin, read, part


def _part(handle: Value, source: Source) -> Source | None:
    if isinstance(handle, Made) and handle.name == "builtins.bytearray" and isinstance(handle.args, tuple):
        handle = handle.args[0] if handle.args else None
    if isinstance(handle, Text | Blob):
        return source.part(handle.start, handle.end) if handle.start >= 0 else None
    return of_bytes(handle.encode(errors="replace")) if isinstance(handle, str) else None
