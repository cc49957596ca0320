"""What a backend really honours, measured: some servers accept a condition and ignore it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modelvc.errors import RemoteChanged, RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.store.api import Backend


@dataclass(frozen=True, slots=True)
class Probe:
    """Which conditions hold. Push needs none of them, remote gc all."""

    create_if_absent: bool
    replace_if_same: bool
    delete_if_same: bool

    @property
    def conditional(self) -> bool:
        return self.create_if_absent and self.replace_if_same and self.delete_if_same


def probe(backend: Backend) -> Probe:
    """Write, overwrite and delete a scratch key. Raises what the backend raises when it can not be written at all."""
    if not backend.capabilities.conditional:
        return Probe(create_if_absent=False, replace_if_same=False, delete_if_same=False)
    key = f"gc/probe/{os.urandom(16).hex()}"
    try:
        first = backend.create(key, b"first")
        create = _refused(lambda: backend.create(key, b"other"))
        first = first if create else backend.put(key, b"first")
        second = backend.replace(key, b"second", first.etag)
        replace = _refused(lambda: backend.replace(key, b"other", first.etag)) and _holds(backend, key, b"second")
        second = second if replace else backend.put(key, b"second")
        delete = _refused(lambda: backend.delete(key, first.etag)) and _holds(backend, key, b"second")
        if delete:
            backend.delete(key, second.etag)
            delete = not backend.stat([key])
        return Probe(create, replace, delete)
    finally:
        backend.delete(key, None)


def clock_error(backend: Backend) -> float:
    """Seconds by which the time that BACKEND tells is ahead of the one that its keys get."""
    key = f"gc/probe/{os.urandom(16).hex()}"
    try:
        backend.put(key, b"now")
        told = backend.now()
        found = backend.stat([key]).get(key)
        return told - found.mtime if found and found.mtime else 0.0
    finally:
        backend.delete(key, None)


def _refused(attempt: Callable[[], object]) -> bool:
    """Whether the server said no because of the condition. A server that does not know it may answer otherwise."""
    try:
        attempt()
    except RemoteChanged:
        return True
    except RemoteError as error:
        if error.transient or type(error) is not RemoteError:
            raise
        return False
    return False


def _holds(backend: Backend, key: str, data: bytes) -> bool:
    return key in backend.stat([key]) and backend.read(key, limit=100)[0] == data
