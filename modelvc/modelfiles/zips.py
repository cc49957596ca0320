"""Zips of all formats: the names of the members say which format it is. A zip of two formats is unreadable."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple

from modelvc.modelfiles.archive import check_case, read_archive
from modelvc.modelfiles.facts import ModelFacts
from modelvc.modelfiles.source import OutOfTime, Unreadable

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.modelfiles.archive import Member
    from modelvc.modelfiles.source import Budget, Source

    Recognise = Callable[[frozenset[str]], bool]
    Read = Callable[[Source, Budget, tuple[Member, ...]], ModelFacts]


class Kind(NamedTuple):
    """A format that is a zip: which names it has, and which function of which module reads it.

    `any_case`: the library that loads it looks members up in any case.
    """

    name: str
    recognise: Recognise
    module: str
    function: str
    any_case: bool = False


def _is_npz(names: frozenset[str]) -> bool:
    return bool(names) and all(name.endswith(".npy") for name in names)


def _is_torch(names: frozenset[str]) -> bool:
    return any(name.count("/") == 1 and name.casefold().endswith("/data.pkl") for name in names)


def _is_skops(names: frozenset[str]) -> bool:
    return "schema.json" in names


def _is_keras(names: frozenset[str]) -> bool:
    return "config.json" in names  # Keras asks for no other


KINDS: tuple[Kind, ...] = (
    Kind("npz", _is_npz, "tensors.numpy_files", "read_npz"),
    Kind("torch", _is_torch, "pickles.torch_files", "read_zip", any_case=True),
    Kind("skops", _is_skops, "documents.skops", "read_members"),
    Kind("keras", _is_keras, "documents.keras", "read_members"),
)


def read(source: Source, budget: Budget) -> ModelFacts:
    """Return the facts of the zip SOURCE; `unknown` if no format has such members."""
    members = read_archive(source, budget)
    names = frozenset(member.name for member in members)
    kinds = [kind for kind in KINDS if kind.recognise(names)]
    if len(kinds) > 1:
        raise Unreadable(f"zip: it has the members of two formats, {kinds[0].name} and {kinds[1].name}")
    if not kinds:
        return ModelFacts("unknown", notes=("a zip of no known format",))
    kind = kinds[0]
    reader: Read = getattr(import_module(f"modelvc.modelfiles.{kind.module}"), kind.function)
    try:
        if kind.any_case:
            check_case(members)
        return reader(source, budget, members)
    except OutOfTime:
        raise
    except Unreadable as error:
        return ModelFacts(kind.name, unreadable=str(error))
