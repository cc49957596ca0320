"""What the layouts of folders share."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from modelvc.modelfiles.facts import clean
from modelvc.modelfiles.json_text import read_json
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.modelfiles.facts import ModelFacts
    from modelvc.modelfiles.source import Budget, Source

    Read: TypeAlias = tuple[str, ModelFacts]  # the path of a model file, and its facts

CONFIG = 4 << 20  # bytes of a configuration: one of a tokenizer with its added tokens has 1.2 MB


def whole(source: Source, budget: Budget, what: str, most: int = CONFIG) -> bytes:
    """Return all bytes of SOURCE. Raises Unreadable if there are more than MOST."""
    if source.size > most:
        raise Unreadable(f"{what} is larger than {most:,} bytes")
    budget.keep(source.size)
    return source.exactly(0, source.size)


def configuration(files: Mapping[str, Source], path: str, budget: Budget) -> dict[str, object]:
    """Return the JSON object in the file PATH; an empty one if there is no such file."""
    if path not in files:
        return {}
    what = clean(path)
    found = read_json(whole(files[path], budget, what), budget, what, constants=True)
    if not isinstance(found, dict):
        raise Unreadable(f"{what} holds no object")
    return found
