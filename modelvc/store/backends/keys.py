"""The keys of a store, checked on the way in and on the way out."""

from __future__ import annotations

import re

from modelvc.errors import RemoteError, shown

MAX_KEY = 1024
_PART = re.compile(r"[a-z0-9]+")
_KEY = re.compile(r"[a-z0-9]+(?:/[a-z0-9]+)*")


def is_part(name: str) -> bool:
    """Whether NAME can stand between two slashes of a key."""
    return _PART.fullmatch(name) is not None


def is_key(key: str) -> bool:
    return len(key) <= MAX_KEY and _KEY.fullmatch(key) is not None


def check_key(key: str) -> str:
    """KEY; RemoteError when it is none, before anything is asked of a server."""
    if not is_key(key):
        raise RemoteError(f'"{shown(key, 200)}" cannot be a key of a store')
    return key


def check_prefix(prefix: str) -> str:
    """PREFIX; RemoteError unless it is "" or a key and a slash."""
    if prefix and not (prefix.endswith("/") and is_key(prefix[:-1])):
        raise RemoteError(f'"{shown(prefix, 200)}" cannot be a prefix of keys')
    return prefix
