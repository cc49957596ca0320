"""Run requests to a remote in threads."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future

    from modelvc.store.backends.api import Backend

_T = TypeVar("_T")
_R = TypeVar("_R")


class Workers(ThreadPoolExecutor):
    """A thread pool that aborts the backend's requests on Ctrl-C, so that a slow upload does not delay the exit."""

    def __init__(self, backend: Backend, jobs: int, name: str) -> None:
        super().__init__(jobs, name)
        self._backend = backend

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None and not issubclass(kind, Exception):
            self._backend.abort()
        self.shutdown(cancel_futures=kind is not None)


def windowed(pool: ThreadPoolExecutor, most: int, work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[_R]:
    """Do WORK on ITEMS in threads and yield the results in order.

    At most MOST items are begun: waiting results take memory.
    """
    flying: deque[Future[_R]] = deque()
    try:
        for item in items:
            flying.append(pool.submit(work, item))
            if len(flying) >= most:
                yield flying.popleft().result()
        while flying:
            yield flying.popleft().result()
    finally:
        for future in flying:  # after Ctrl-C, do not begin the rest
            future.cancel()
