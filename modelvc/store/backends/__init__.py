"""Backends: what a store lies on. Each module knows one kind; `api` says what every backend promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.store.backends.options import RemoteOptions
from modelvc.store.backends.url import absolute_url, committed_url, is_relative, parse_url

if TYPE_CHECKING:
    from modelvc.store.backends.api import Backend
    from modelvc.store.backends.retry import Waits

__all__ = ["RemoteOptions", "absolute_url", "committed_url", "is_relative", "open_backend", "parse_url"]


def open_backend(url: str, options: RemoteOptions, waits: Waits | None = None) -> Backend:
    """The backend for URL. This makes no request, and loads the libraries of its own kind alone."""
    location = parse_url(url)
    if location.scheme == "file":
        from modelvc.store.backends.folder import FolderBackend

        return FolderBackend(location.path)
    if location.scheme == "memory":
        from modelvc.store.backends.memory import MemoryBackend

        return MemoryBackend(location.host)
    _silence_libraries()
    if location.scheme == "s3":
        from modelvc.store.backends.s3 import S3Backend

        return S3Backend(location, options, waits)
    from modelvc.store.backends.generic import open_generic

    found = open_generic(location)
    found.waits = waits or found.waits
    return found


def _silence_libraries() -> None:
    """Drop the log records that no handler wants: Python would print them, with tracebacks, before mvc's messages.

    A program that sets up logging still gets them.
    """
    import logging

    logging.lastResort = logging.NullHandler()
