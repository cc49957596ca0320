"""`[track] patterns` of the configuration: which files are models by their names."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modelvc.errors import shown
from modelvc.formats import limits
from modelvc.formats.paths import CONTROL, POINTER_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.formats import toml
    from modelvc.formats.tables import Table


@dataclass(frozen=True, slots=True)
class Track:
    """The table `[track]`: the globs of `mvc track`, in the order in which they were given."""

    patterns: tuple[str, ...] = ()
    extra: Mapping[str, toml.Value] = field(default_factory=dict, hash=False)


def from_table(table: Table) -> Track:
    """The patterns in TABLE. Raises the error of TABLE for a pattern that cannot be used, or too many."""
    if "patterns" not in table.values:
        return Track((), table.unknown)
    patterns = table.texts("patterns")
    if len(patterns) > limits.PATTERNS:
        raise table.error("patterns", f"has more than {limits.PATTERNS:,} of them")
    for pattern in patterns:
        if why := wrong(pattern):
            raise table.error("patterns", f'has "{shown(pattern, 80)}", which {why}')
    return Track(patterns, table.unknown)


def wrong(pattern: str) -> str:
    """In words, why PATTERN cannot choose models; "" where it can."""
    if not pattern.strip("/"):
        return "is empty"
    if len(pattern) > limits.CONFIG_TEXT or not CONTROL.isdisjoint(pattern):
        return "is too long, or has a control character in it"
    if pattern.startswith("!"):
        return "excludes files, which only .gitignore can do"
    if pattern.endswith("/"):
        return "is a folder: `mvc add` tracks one as a whole"
    if pattern.endswith(POINTER_SUFFIX) or ".." in pattern.split("/"):
        return "leads to what is no model"
    return ""
