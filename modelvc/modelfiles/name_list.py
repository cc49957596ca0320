"""Names that a model file may import, and the most that it may do with each. Spec: docs/inside.md#the-list.

The files in `listed/` hold exact names that the machine saw in files which real libraries wrote
(tests/support/listed_names.py). A file of one release stays when the next is added.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING

from modelvc.modelfiles.facts import NAME, Use

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

FOLDER = os.path.join(os.path.dirname(__file__), "listed")
_RANK = {use: rank for rank, use in enumerate(Use)}
# Letters of ASCII alone: a name that looks like another one would be reviewed as the other one.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)+", re.ASCII)


@dataclass(frozen=True, slots=True)
class NameList:
    """Exact names, `module.name`, each with the most that a file may do with it."""

    names: Mapping[str, Use] = field(default_factory=dict)

    def allows(self, name: str, use: Use) -> bool:
        """Return whether a file may do this with NAME: what the list says, or less."""
        most = self.names.get(name)
        return most is not None and _RANK[use] <= _RANK[most]

    def holds(self, name: str) -> bool:
        """Return whether NAME is on the list for any use."""
        return name in self.names

    def with_names(self, more: Mapping[str, Use]) -> NameList:
        """Return this list and MORE. A name that is in both may be used as the more permissive one says."""
        return NameList(_merged((self.names, more)))


def is_name(text: str) -> bool:
    """Return whether TEXT can stand on a list: dotted identifiers of ASCII, at most NAME characters."""
    return len(text) <= NAME and _NAME.fullmatch(text) is not None


def parse(text: str) -> dict[str, Use]:
    """Return the names of one file: `USE NAME` a line, where USE is as in `facts.Use`, and `#` for comments.

    Raises ValueError for any other line.
    """
    found: dict[str, Use] = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        use, _, name = line.partition(" ")
        if not is_name(name) or name in found:
            raise ValueError(f"not a line of a list of names: {line!r}")
        found[name] = Use(use)
    return found


@cache
def shipped() -> NameList:
    """Return the names of all files that ship with this package."""
    texts = []
    for name in sorted(os.listdir(FOLDER)):
        if name.endswith(".txt"):
            with open(os.path.join(FOLDER, name), encoding="ascii") as file:
                texts.append(file.read())
    return NameList(_merged(map(parse, texts)))


def _merged(lists: Iterable[Mapping[str, Use]]) -> dict[str, Use]:
    found: dict[str, Use] = {}
    for names in lists:
        for name, use in names.items():
            if name not in found or _RANK[found[name]] < _RANK[use]:
                found[name] = use
    return found
