"""Which packages a model needs: those that bring the modules that it imports, and what these need in turn."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from modelvc.models.environment.interpreter import Distribution, Installed

_NOT_PACKAGES = frozenset({"__main__", "__builtin__", "__mp_main__", "__torch__", "copy_reg", *sys.stdlib_module_names})
_MOST = 5_000  # requirements that are followed


@dataclass(frozen=True, slots=True)
class Closure:
    """Packages by name. `needs`: those that bring the modules themselves. `absent`: required, but not installed.

    `modules`: the modules that no installed package brings.
    """

    needs: tuple[str, ...]
    found: Mapping[str, Distribution]
    absent: tuple[str, ...]
    modules: tuple[str, ...]
    lacks: int = 0  # how many of the modules or packages that were looked for are not installed


def modules_of(names: Iterable[str]) -> set[str]:
    """Return the top modules of the dotted NAMES, without those of the standard library."""
    return {name.partition(".")[0] for name in names} - _NOT_PACKAGES


def closure(installed: Installed, modules: Iterable[str]) -> Closure:
    """Return the packages that bring MODULES, and what they need."""
    brings: dict[str, list[str]] = {}
    for one in installed.distributions.values():
        for module in one.modules:
            brings.setdefault(module, []).append(one.name)
    needs: set[str] = set()
    lost: list[str] = []
    for module in sorted(modules):
        name = canonicalize_name(module)  # an editable install may not say what it brings
        found = brings.get(module) or ([name] if name in installed.distributions else [])
        needs.update(found)
        if not found:
            lost.append(module)
    return _followed(installed, needs, tuple(lost))


def closure_of(installed: Installed, names: Iterable[str]) -> Closure:
    """Return the packages NAMES, as far as they are installed, and what they need."""
    known = set(names)
    lost = known - installed.distributions.keys()
    done = _followed(installed, known - lost, ())
    return Closure(done.needs, done.found, tuple(sorted({*done.absent, *lost})), (), len(lost))


def _followed(installed: Installed, needs: set[str], lost: tuple[str, ...]) -> Closure:
    markers = _markers(installed)
    found: dict[str, Distribution] = {}
    absent: set[str] = set()
    seen: set[tuple[str, str]] = set()
    todo = [(name, "") for name in sorted(needs)]
    left = _MOST
    while todo and left:
        name, extra = todo.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        one = installed.distributions.get(name)
        if one is None:
            absent.add(name)
            continue
        found[name] = one
        for line in one.requires:
            left = max(0, left - 1)
            if wanted := _wanted(line, {**markers, "extra": extra}):
                other = canonicalize_name(wanted.name)
                todo += [(other, ""), *((other, canonicalize_name(one)) for one in wanted.extras)]
    return Closure(tuple(sorted(needs)), found, tuple(sorted(absent)), lost, len(lost))


def _wanted(line: str, markers: dict[str, str]) -> Requirement | None:
    """Return the requirement LINE, None if it cannot be read or does not hold here."""
    if not markers["extra"] and "extra ==" in line and " or " not in line:
        return None  # most lines of large packages: a third of the time
    try:
        found = Requirement(line)
        return found if found.marker is None or found.marker.evaluate(markers) else None
    except (InvalidRequirement, UndefinedComparison, UndefinedEnvironmentName, ValueError):
        return None


def _markers(installed: Installed) -> dict[str, str]:
    system = installed.system
    return {
        "implementation_name": installed.implementation.lower(),
        "implementation_version": installed.python,
        "os_name": system.os_name,
        "platform_machine": installed.machine,
        "platform_release": system.release,
        "platform_system": system.name,
        "platform_version": system.version,
        "python_full_version": installed.python,
        "platform_python_implementation": installed.implementation,
        "python_version": ".".join(installed.python.split(".")[:2]),
        "sys_platform": installed.platform,
    }
