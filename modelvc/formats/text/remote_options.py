"""Options of an S3 remote: keys of `[remotes.NAME]` in the configuration of a clone, and `-o KEY=VALUE`.

They choose who pays, which key encrypts and which authority TLS trusts. So the configuration of a repository cannot
set them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from modelvc.errors import UsageError, shown
from modelvc.formats.paths import CONTROL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.formats.tables import Table

OptionValue: TypeAlias = "str | bool"

_ACLS = "private|public-read|public-read-write|authenticated-read|aws-exec-read|bucket-owner-read"


class _Rule(NamedTuple):
    """Which values an option accepts: a pattern for the whole value ("" for true or false), and the same in words."""

    pattern: str
    words: str


RULES = {
    "acl": _Rule(f"{_ACLS}|bucket-owner-full-control", "a canned ACL such as bucket-owner-full-control"),
    "addressing_style": _Rule("auto|path|virtual", "auto, path or virtual"),
    "anonymous": _Rule("", "true or false"),
    "ca_bundle": _Rule("/.+", "the absolute path of a file with certificates"),
    "requester_pays": _Rule("", "true or false"),
    "sse": _Rule("AES256|aws:kms|aws:kms:dsse", "AES256, aws:kms or aws:kms:dsse"),
    "sse_kms_key_id": _Rule(r"[A-Za-z0-9:/_.-]{1,2048}", "the id, ARN or alias of a key"),
    "storage_class": _Rule(
        r"(?!GLACIER$|DEEP_ARCHIVE$)[A-Z][A-Z0-9_-]{0,63}", "a class that is read at once, such as STANDARD_IA"
    ),
}


def read(table: Table) -> dict[str, OptionValue]:
    """The options in TABLE, a remote in a clone's configuration. Raises the error of TABLE, which names the key."""
    found: dict[str, OptionValue] = {}
    for key, rule in RULES.items():
        if key not in table.values:
            continue
        value: OptionValue = table.text(key) if rule.pattern else table.flag(key)
        if not _fits(rule, value):
            raise table.error(key, f"must be {rule.words}")
        found[key] = value
    if why := _contradiction(found):
        raise table.error("sse_kms_key_id", why)
    return found


def parse(words: Sequence[str]) -> dict[str, OptionValue]:
    """The options in WORDS, each KEY=VALUE. Raises UsageError."""
    found: dict[str, OptionValue] = {}
    for word in words:
        key, _, text = word.partition("=")
        rule = RULES.get(key)
        if rule is None:
            raise UsageError(f'"{shown(key, 80)}" is not an option of a remote', hint=f"there are {', '.join(RULES)}")
        value: OptionValue = text if rule.pattern else {"true": True, "false": False}.get(text, text)
        if not _fits(rule, value):
            raise UsageError(f'"{shown(text, 80)}" cannot be {key}', hint=f"{key} is {rule.words}")
        found[key] = value
    if why := _contradiction(found):
        raise UsageError(f"sse_kms_key_id {why}", hint="add `-o sse=aws:kms`")
    return found


def _fits(rule: _Rule, value: OptionValue) -> bool:
    if isinstance(value, bool):
        return not rule.pattern
    return bool(rule.pattern) and CONTROL.isdisjoint(value) and re.fullmatch(rule.pattern, value) is not None


def _contradiction(options: Mapping[str, OptionValue]) -> str:
    """In words, what the key of an encryption needs besides; "" where OPTIONS fit together."""
    needs = "sse_kms_key_id" in options and not str(options.get("sse", "")).startswith("aws:kms")
    return "needs sse = aws:kms" if needs else ""
