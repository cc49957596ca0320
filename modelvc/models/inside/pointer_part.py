"""The part of a version's facts that its pointer carries, and what follows from it.

`mvc status` imports this module, so the readers of model files are imported where they are needed.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from modelvc.errors import FormatError, ModelvcError, shown
from modelvc.formats import limits, toml
from modelvc.formats.pointer.metrics import check_pairs
from modelvc.formats.pointer.model_table import ModelTable, size_of
from modelvc.ids import ObjectName, Oid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelvc.formats.pointer.metrics import Pairs
    from modelvc.formats.pointer.pointer import Pointer
    from modelvc.modelfiles.facts import ModelFacts
    from modelvc.repo import Repo

SECONDS = 2.0  # of the inspection of one model, where a person waits for something else
_ALL = 20.0  # seconds of all inspections of one command
SAME = "bytes changed, content the same"
LEFT_OUT = "not inspected, since that takes longer than 2 s: mvc show --inspect"


class Described(NamedTuple):
    """A pointer with what its version is. `note`: "" if there is nothing to say; `facts`: None if none were read."""

    pointer: Pointer
    note: str = ""
    facts: ModelFacts | None = None


class Describer:
    """Describes the models of one command in their pointers, within limits of time."""

    def __init__(self, repo: Repo) -> None:
        self._repo = repo
        self._left = _ALL

    def describe(self, path: str, pointer: Pointer) -> Described:
        """Return POINTER with what its version at PATH is.

        Nothing is added for a file of unknown format, and for one that cannot be read to its end.
        """
        from modelvc.modelfiles.source import OutOfTime
        from modelvc.models.inside.facts import inspected

        started = time.monotonic()
        try:
            facts = inspected(self._repo, pointer, path=path, seconds=min(SECONDS, max(0.0, self._left)))
        except OutOfTime:
            return Described(pointer, LEFT_OUT)
        except ModelvcError:  # the bytes are in the store: a look at them must not undo that
            return Described(pointer)
        finally:
            self._left -= time.monotonic() - started
        if facts is None:
            return Described(pointer)
        return Described(replace(pointer, model=table_of(facts, pointer.oid)), facts=facts)


def fitting(pointer: Pointer) -> Pointer:
    """Return POINTER, without what the version is if that makes it too large: metrics come first."""
    if pointer.model is None:
        return pointer
    try:
        pointer.encode()
    except FormatError:
        return replace(pointer, model=None)
    return pointer


def table_of(facts: ModelFacts, oid: Oid) -> ModelTable | None:
    """Return the part of FACTS that a pointer of OID carries; None if the format is unknown or the file unreadable."""
    from modelvc.modelfiles.facts import Severity

    if facts.format == "unknown" or facts.unreadable:
        return None
    names = _texts(one.name for one in facts.imports)
    fits = size_of(names) <= limits.MODEL_IMPORTS
    content = Oid(bytes.fromhex(facts.content)) if facts.content else None
    try:
        return ModelTable(
            oid,
            shown(facts.format, limits.MODEL_TEXT),
            framework=shown(facts.framework, limits.MODEL_TEXT),
            version=shown(facts.version, limits.MODEL_TEXT),
            class_name=shown(facts.class_name, limits.MODEL_TEXT),
            parameters=_number(facts.parameters),
            tensors=len(facts.tensors) or None,
            content=None if content == oid else content,
            imports=tuple(names) if fits else (),
            import_count=None if fits else len(names),
            import_digest=None if fits else Oid(blake3("".join(f"{name}\n" for name in names).encode()).digest()),
            code=tuple(
                _texts(one.what for one in facts.findings if one.severity is Severity.CODE)[: limits.MODEL_CODE]
            ),
        )
    except FormatError:  # such as an empty name of a format
        return None


def _texts(found: Iterable[str]) -> list[str]:
    """Return the texts in FOUND as a pointer can hold them: sorted, each once."""
    return sorted({shown(text, limits.MODEL_TEXT) for text in found if text})


def _number(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= toml.INT_MAX else None


def same_content(one: ModelTable | None, other: ModelTable | None) -> bool:
    """Return whether two versions have other bytes and the same content, as far as their pointers say it."""
    if one is None or other is None or one.of == other.of or one.format != other.format:
        return False
    return one.content is not None and one.content == other.content


def resaved(repo: Repo, path: str, pointer: Pointer, oid: bytes) -> bool:
    """Return whether the file at PATH, whose oid is OID, has the content of POINTER's version in other bytes.

    False as well if that takes more than SECONDS. Only formats that write something anew at each save are inspected.
    """
    if pointer.model is None or pointer.model.content is None:
        return False
    from modelvc.models.inside.facts import facts_of

    try:
        facts = facts_of(repo, ObjectName("file", Oid(oid)), path=path, seconds=SECONDS)
    except ModelvcError:
        return False
    return facts is not None and same_content(pointer.model, table_of(facts, Oid(oid)))


def hyper_parameters(repo: Repo, path: str, pointer: Pointer) -> Pairs:
    """Return the hyper-parameters of POINTER's version as parameters of a pointer; () if there are none to read.

    Those that a pointer cannot hold are left out.
    """
    from modelvc.models.inside.facts import facts_of

    facts = facts_of(repo, pointer, path=path)
    found: Pairs = ()
    for pair in dict(facts.hyper_parameters).items() if facts else ():
        if len(found) < limits.METRICS and _fits(pair):
            found = (*found, pair)
    return found


def _fits(pair: tuple[str, object]) -> bool:
    try:
        check_pairs([pair])
    except FormatError:
        return False
    return True
