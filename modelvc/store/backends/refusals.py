"""The errors that every backend raises, in the same words."""

from __future__ import annotations

from modelvc.errors import RemoteChanged, RemoteError, shown


def exists(key: str, name: str) -> RemoteChanged:
    """The error for a KEY to create that the store NAME has already."""
    return RemoteChanged(f"{key} in {shown(name)} already exists")


def changed(key: str, name: str) -> RemoteChanged:
    """The error for a KEY whose etag in the store NAME is another, or that is gone."""
    return RemoteChanged(f"{key} in {shown(name)} was changed by another client")


def too_large(key: str, name: str, limit: int) -> RemoteError:
    """The error for a KEY with more than LIMIT bytes in the store NAME."""
    return RemoteError(f"{key} in {shown(name)} has more than {limit:,} bytes")


def too_short(key: str, name: str) -> RemoteError:
    """The error for a KEY with fewer bytes in the store NAME than a range needs."""
    return RemoteError(f"{key} in {shown(name)} is shorter than expected", hint="run `mvc fsck --remote`")
