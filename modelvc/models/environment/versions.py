"""How far two versions of a package differ."""

from __future__ import annotations

from typing import Literal, TypeAlias

from packaging.version import InvalidVersion, Version

Grade: TypeAlias = Literal["same", "patch", "minor", "major", "missing"]

GRADES: tuple[Grade, ...] = ("same", "patch", "minor", "major", "missing")  # each is worse than the one before


def grade(one: str, other: str) -> Grade:
    """Return how far the versions ONE and OTHER differ. Versions of another form are the same, or differ as major."""
    if one == other:
        return "same"
    try:
        a, b = Version(one), Version(other)
    except InvalidVersion:
        return "major"
    if a == b:
        return "same"
    if (a.epoch, a.major) != (b.epoch, b.major):
        return "major"
    return "minor" if a.minor != b.minor else "patch"


def equal(one: str, other: str) -> bool:
    """Return True if the versions are the same but for a local part, such as `+cpu`."""
    try:
        return Version(one).public == Version(other).public
    except InvalidVersion:
        return one == other
