"""Threads that wait for a remote."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from modelvc.store.api import Backend


class Workers(ThreadPoolExecutor):
    """When their block is interrupted, so is what they wait for: Ctrl-C must not take a slow upload's time."""

    def __init__(self, backend: Backend, jobs: int, name: str) -> None:
        super().__init__(jobs, name)
        self._backend = backend

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self._backend.abort()
        self.shutdown(cancel_futures=kind is not None)
