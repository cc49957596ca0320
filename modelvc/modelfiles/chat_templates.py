"""Chat templates: text in a model that loaders execute with Jinja, a language of its own.

An ordinary one loops over messages. One that reaches for the internals of Python leaves the language, where a loader
does not confine it.
"""

from __future__ import annotations

import re

from modelvc.modelfiles.facts import Finding, Severity, clean

# Names such as __class__ and __globals__, also put together from escapes; and the filter that reads any attribute.
_INTERNALS = re.compile(
    r"__\w+__|\\x5f|\\u005f|\\137|\\N\{LOW LINE\}|\|\s*attr\s*\(|\bmro\b|\bsubclasses\b", re.IGNORECASE
)


def judge_template(text: str) -> Finding | None:
    """Return the finding about a chat template that reaches for the internals of Python; None for an ordinary one."""
    found = _INTERNALS.search(text)
    return Finding(Severity.KNOWN_BAD, clean(f"its chat template uses {found[0]}")) if found else None
