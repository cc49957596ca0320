"""Files of two formats: what one library reads as tensors, another executes as a pickle."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from modelvc.modelfiles.facts import Finding, Import, Severity, Use, clean
from modelvc.modelfiles.source import OutOfTime, Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from modelvc.modelfiles.facts import ModelFacts
    from modelvc.modelfiles.source import Budget, Source


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


def merged(*imports: Iterable[Import]) -> tuple[Import, ...]:
    """Return all IMPORTS sorted by name, each name once, with the most that is done with it."""
    found: dict[str, Use] = {}
    for some in imports:
        for name, use in some:
            if found.get(name) is not Use.CONSTRUCTED:
                found[name] = use
    return tuple(Import(name, found[name]) for name in sorted(found))
