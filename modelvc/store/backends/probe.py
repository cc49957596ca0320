"""Measure what a server supports: some servers refuse a condition, others accept it and ignore it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from modelvc.errors import RemoteChanged, RemoteError
from modelvc.store.backends.api import NotUnderstood

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.store.backends.api import Backend, Capabilities, MeasurableBackend

_NOTHING = "00000000000000000000000000000000"  # an etag that no key has


@dataclass(frozen=True, slots=True)
class Probe:
    """Which conditions hold. Push needs none of them, gc of a remote needs all."""

    create_if_absent: bool
    replace_if_same: bool
    delete_if_same: bool

    @property
    def conditional(self) -> bool:
        """Whether all hold."""
        return self.create_if_absent and self.replace_if_same and self.delete_if_same


def probe(backend: Backend) -> Probe:
    """Find which conditions hold, with a scratch key. Raises the error of BACKEND where no write succeeds."""
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


def measure_server(backend: MeasurableBackend) -> Capabilities:
    """Measure what the server of BACKEND supports, and make BACKEND use that from now on. Return it.

    A capability is given up if the server refuses it with NotUnderstood, twice, and grants a plainer request.
    Conditions are also given up if the server accepts and ignores them. A server that denies, is busy or does not
    answer tells nothing: its error is raised, and BACKEND stays as it was.
    """
    wish = backend.capabilities
    key, second = (f"gc/probe/{os.urandom(16).hex()}" for _ in range(2))
    used = [key]
    try:
        found = _granted(backend, key, wish)
        if found != wish:
            used.append(second)
            if _grants(backend, second, wish):
                found = wish  # the first refusal was a slip
        backend.rely_on(found)
        if found.conditional and not _keeps_conditions(backend, key):
            found = replace(found, conditional=False)
            backend.rely_on(found)
    except BaseException:
        backend.rely_on(wish)
        raise
    else:
        return found
    finally:
        for scratch in used:
            with contextlib.suppress(RemoteError):  # an account may be allowed to write and not to delete
                backend.delete(scratch, None)


def _granted(backend: MeasurableBackend, key: str, wish: Capabilities) -> Capabilities:
    """The first capabilities, from WISH downwards, with which the server creates KEY. Raises its first refusal."""
    refusal: NotUnderstood | None = None
    for conditional, checksums in ((True, True), (False, True), (True, False), (False, False)):
        one = replace(wish, conditional=conditional, checksums=checksums)
        backend.rely_on(one)
        try:
            backend.create(key, b"probe")
        except NotUnderstood as error:
            refusal = refusal or error
        except RemoteChanged:  # the key was created, and the answer was lost
            return one
        else:
            return one
    raise refusal or RemoteError(backend.name)


def _grants(backend: MeasurableBackend, key: str, wish: Capabilities) -> bool:
    """Whether the server creates KEY with the capabilities WISH."""
    backend.rely_on(wish)
    try:
        backend.create(key, b"probe")
    except NotUnderstood:
        return False
    except RemoteChanged:
        return True
    return True


def _keeps_conditions(backend: Backend, key: str) -> bool:
    """Whether the server refuses to create the existing KEY again, and to replace it with a wrong etag."""
    return _refused(lambda: backend.create(key, b"other")) and _refused(
        lambda: backend.replace(key, b"other", _NOTHING)
    )


def clock_error(backend: Backend) -> float:
    """Seconds by which the clock of BACKEND is ahead of the times of its keys; 0.0 where the keys have none."""
    key = f"gc/probe/{os.urandom(16).hex()}"
    try:
        backend.put(key, b"now")
        clock = backend.now()
        found = backend.stat([key]).get(key)
        return clock - found.mtime if found and found.mtime else 0.0
    finally:
        backend.delete(key, None)


def _refused(attempt: Callable[[], object]) -> bool:
    """Whether the server refuses ATTEMPT because of its condition. Raises a transient error, and a denial.

    Another permanent error is no proof of the condition: a server that does not support it may answer so.
    """
    try:
        attempt()
    except RemoteChanged:
        return True
    except RemoteError as error:
        if error.transient or type(error) not in {RemoteError, NotUnderstood}:
            raise
        return False
    return False


def _holds(backend: Backend, key: str, data: bytes) -> bool:
    return key in backend.stat([key]) and backend.read(key, limit=100)[0] == data
