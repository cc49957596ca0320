"""The keys of a store, checked when mvc uses them and when a backend lists them."""

from __future__ import annotations

import re

from modelvc.errors import RemoteError, shown

MAX_KEY = 1024  # characters, as S3 allows; the keys of mvc are far shorter
_PART = re.compile(r"[a-z0-9]+")
_KEY = re.compile(r"[a-z0-9]+(?:/[a-z0-9]+)*")


def is_part(name: str) -> bool:
    """Whether NAME can be a part of a key, between two slashes."""
    return _PART.fullmatch(name) is not None


def is_key(key: str) -> bool:
    """Whether KEY can be a key of a store."""
    return len(key) <= MAX_KEY and _KEY.fullmatch(key) is not None


def check_key(key: str) -> str:
    """KEY, if it can be a key of a store. Raises RemoteError, before any request."""
    if not is_key(key):
        raise RemoteError(f'"{shown(key, 200)}" cannot be a key of a store')
    return key


def check_prefix(prefix: str) -> str:
    """PREFIX, if it is "" or a key and a slash. Raises RemoteError."""
    if prefix and not (prefix.endswith("/") and is_key(prefix[:-1])):
        raise RemoteError(f'"{shown(prefix, 200)}" cannot be a prefix of keys')
    return prefix
