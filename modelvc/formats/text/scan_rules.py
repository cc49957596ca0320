"""`[scan]`: which verdicts on what a model file runs are refused, and what a checkout does about them.

The table stands in `.mvc/policy.toml`, which may only tighten what a checkout does, and in `.git/mvc/config.toml`,
which may also loosen it. Spec: docs/policy.md#scan.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from modelvc.errors import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from modelvc.errors import ModelvcError
    from modelvc.formats import toml
    from modelvc.formats.tables import Table

OnCheckout: TypeAlias = Literal["off", "warn", "block"]

ON_CHECKOUT: tuple[OnCheckout, ...] = ("off", "warn", "block")  # the mildest first
DEFAULT_ON_CHECKOUT: OnCheckout = "warn"
VERDICTS = ("known-bad", "unreadable", "code", "unlisted", "unknown", "listed", "inert")  # the worst first
ALWAYS = "known-bad"
REFUSED: tuple[str, ...] = ("known-bad", "unreadable", "code", "unlisted")  # by default: the worst, without a gap


@dataclass(frozen=True, slots=True)
class ScanRules:
    """The table of a policy. `on_checkout`: "" where the policy says nothing."""

    refuse: tuple[str, ...] = REFUSED  # verdicts, the worst first
    on_checkout: OnCheckout | Literal[""] = ""

    def refuses(self, verdict: str) -> bool:
        """Return whether `mvc scan` exits with 1 for VERDICT."""
        return verdict in self.refuse


@dataclass(frozen=True, slots=True)
class CloneScan:
    """The table of a clone's own configuration."""

    on_checkout: OnCheckout | Literal[""] = ""
    imports: str = ""  # the digest of the .mvc/trusted-imports.toml that this clone accepted; "" for none
    extra: Mapping[str, toml.Value] = field(default_factory=dict, hash=False)

    @property
    def written(self) -> dict[str, toml.Value]:
        """The table in the file; empty if nothing is set."""
        known = {"on_checkout": self.on_checkout, "imports": self.imports}
        return {key: value for key, value in known.items() if value} | dict(self.extra)


def from_policy(value: object, fail: Callable[[str, str], ModelvcError]) -> ScanRules:
    """Return the rules in VALUE, the table of a policy. Raises the error that FAIL makes of a key and words."""
    if not isinstance(value, dict):
        raise fail("scan", "scan must be written as [scan]")
    table = cast("Mapping[str, toml.Value]", value)
    for key in table:
        if key not in {"refuse", "on_checkout"}:
            raise fail(key, f'[scan] has no key "{shown(key, 40)}"; known are on_checkout, refuse')
    how = table.get("on_checkout", "")
    if "on_checkout" in table and how not in ON_CHECKOUT:
        raise fail("on_checkout", f'on_checkout must be one of {", ".join(ON_CHECKOUT)}, not "{shown(how, 40)}"')
    refuse = table.get("refuse", list(REFUSED))
    if not isinstance(refuse, list) or not all(one in VERDICTS for one in refuse) or len(set(refuse)) != len(refuse):
        raise fail("refuse", f"refuse must be a list of verdicts: {', '.join(VERDICTS)}")
    if ALWAYS not in refuse:
        raise fail("refuse", f'refuse must name "{ALWAYS}", which is always refused')
    return ScanRules(tuple(one for one in VERDICTS if one in refuse), cast("OnCheckout | Literal['']", how))


def from_clone(table: Table) -> CloneScan:
    """Return the settings in TABLE, the one of a clone's configuration. Raises the error of TABLE."""
    how = table.choice("on_checkout", ON_CHECKOUT, "") if "on_checkout" in table.values else ""
    imports = table.text("imports")
    return CloneScan(cast("OnCheckout | Literal['']", how), imports, table.unknown)


def effective(policy: ScanRules, clone: CloneScan) -> OnCheckout:
    """Return what a checkout does: as CLONE says, else the stricter of the default and POLICY."""
    if clone.on_checkout:
        return clone.on_checkout
    return max(DEFAULT_ON_CHECKOUT, policy.on_checkout or DEFAULT_ON_CHECKOUT, key=ON_CHECKOUT.index)
