"""Files of two formats: what one library reads as tensors, another executes as a pickle."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelvc.modelfiles.facts import Finding, Import, Severity, Use, clean, most
from modelvc.modelfiles.source import OutOfTime, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelvc.modelfiles.facts import ModelFacts
    from modelvc.modelfiles.source import Budget, Source

_HDF5 = b"\x89HDF\r\n\x1a\n"
_ZIP_END, _ZIP_END_SIZE = b"PK\x05\x06", 22
_ZIP_TAIL = _ZIP_END_SIZE + 65_535  # bytes: the end with the longest comment


def also_as_pickle(source: Source, facts: ModelFacts, budget: Budget) -> ModelFacts:
    """Return FACTS with what SOURCE would import if it were loaded as a pickle: for formats that begin with an opcode.

    Names that cannot be imported are chance: the bytes of tensors are executed too.
    """
    from modelvc.modelfiles.pickles import pickle_files

    try:
        found = pickle_files.read(source, budget)
    except OutOfTime:
        raise
    except Unreadable:
        return facts
    imports = [one for one in found.imports if all(part.isidentifier() for part in one.name.split("."))]
    if not imports:
        return facts
    what = Finding(Severity.KNOWN_BAD, clean(f"is a pickle too, which imports {imports[0].name}"))
    return replace(facts, imports=merged(facts.imports, imports), findings=(*facts.findings, what, *found.findings))


def checked(source: Source, facts: ModelFacts) -> ModelFacts:
    """Return FACTS, or that SOURCE is unreadable because a library finds another format in it than the first bytes say.

    HDF5 may begin at 512 bytes and every double of it, and a zip is found from its end. A pickle of one long text can
    hold either, with a Lambda layer inside.
    """
    if facts.format == "unknown" or facts.unreadable:
        return facts
    at = 512
    while at < source.size:
        if source.read_at(at, len(_HDF5)) == _HDF5:
            return replace(facts, unreadable=f"it is {facts.format} and HDF5")
        at *= 2
    if source.read_at(0, 2) != b"PK" and _ends_as_zip(source):
        return replace(facts, unreadable=f"it is {facts.format} and a zip")
    return facts


def _ends_as_zip(source: Source) -> bool:
    tail = source.read_at(max(0, source.size - _ZIP_TAIL), _ZIP_TAIL)
    at = tail.find(_ZIP_END)
    while at >= 0:
        if len(tail) - at >= _ZIP_END_SIZE and int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail) - at - 22:
            return True
        at = tail.find(_ZIP_END, at + 1)
    return False


def merged(*imports: Iterable[Import]) -> tuple[Import, ...]:
    """Return all IMPORTS sorted by name, each name once, with the most that is done with it."""
    found: dict[str, Use] = {}
    for some in imports:
        for name, use in some:
            found[name] = most(found.get(name), use)
    return tuple(Import(name, found[name]) for name in sorted(found))
