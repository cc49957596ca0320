"""Notes on metrics that were probably mistyped: a near name, or a text where a number is expected."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modelvc.errors import shown
from modelvc.formats.pointer.metrics import is_number
from modelvc.models.versions.same_data import DATA

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from modelvc.formats.paths import SafeRelPath
    from modelvc.formats.pointer.metrics import MetricValue
    from modelvc.formats.text.policy import Policy

_ALMOST = re.compile(r"[+-]?[.,]?[0-9][0-9.,_' ]*%?")  # a text that was probably meant as a number
_NEAR = 0.8  # similarity of two names, from 0 to 1


def doubts(
    policy: Policy,
    path: SafeRelPath,
    old: Mapping[str, MetricValue],
    new: Mapping[str, MetricValue],
    typed: Iterable[str],
) -> list[str]:
    """Return notes on the metrics NEW of the model at PATH. OLD: those before; TYPED: names that a person typed now."""
    notes = []
    for name, value in new.items():
        if not isinstance(value, str) or value == old.get(name):
            continue
        rule = policy.rule(path, name)
        was = f"it was the number {shown(old[name])}" if is_number(old.get(name)) else ""
        why = was or ("the policy judges it as a number" if rule and rule.direction != "info" else "")
        if not why and name != DATA and _ALMOST.fullmatch(value):
            why = "not a number: a number is such as 0.91 or 1e-3"
            notes.append(f'{shown(name)} is the text "{shown(value, 40)}", {why}')
            continue
        if why:
            notes.append(f'{shown(name)} is the text "{shown(value, 40)}", and {why}')
    wanted = list(typed)
    exact = [rule.name for rule in policy.rules_for(path) if rule.exact]
    known = [name for name in dict.fromkeys((*exact, *old)) if name not in wanted]
    for name in wanted:
        if name in exact or name in old or not known:
            continue
        from difflib import get_close_matches

        if policy.rule(path, name):
            continue
        parts = [one for one in known if _last(one) == _last(name)]  # as accuracy and test.accuracy
        if meant := get_close_matches(name, known, 1, _NEAR) or parts:
            where = "the policy names" if meant[0] in exact else "the version before has"
            notes.append(f"{shown(name)} is a new metric; {where} {shown(meant[0])}")
    return notes


def _last(name: str) -> str:
    """Return the last part of a metric's NAME, such as accuracy of test.accuracy."""
    return name.replace("/", ".").rpartition(".")[2]
