"""Read pickles with the inert machine, in a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles.facts import Use
from modelvc.modelfiles.inspect import inspect
from modelvc.modelfiles.source import Budget, of_bytes

if TYPE_CHECKING:
    from modelvc.modelfiles.facts import ModelFacts


def facts(data: bytes, **limits: float) -> ModelFacts:
    """Inspect DATA."""
    return inspect(of_bytes(data), Budget(**limits))  # type: ignore[arg-type]


def imports(found: ModelFacts) -> dict[str, bool]:
    """The imports of FOUND: whether each is called."""
    return {one.name: one.use is not Use.REFERRED for one in found.imports}


def known_bad(found: ModelFacts) -> list[str]:
    return [one.what for one in found.findings if one.severity.value == "known-bad"]
