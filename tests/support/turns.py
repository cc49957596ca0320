"""Run several programs on one store, with their requests in an order that a test chooses, one at a time."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from modelvc.store.backends.api import Backend, Capabilities, Data, Entry


_PATIENCE = 300.0  # seconds for one request, on a machine that does other things: a deadlock is to fail, not to hang


class Turns:
    """Lets one of several threads run at a time, up to its next request."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting: set[str] = set()
        self._live: set[str] = set()
        self._turn = ""
        self.failures: dict[str, BaseException] = {}
        self.log: list[str] = []

    def step(self, who: str) -> None:
        """Wait for a turn. WHO, a program, calls this before each of its requests."""
        with self._changed:
            self._waiting.add(who)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._turn == who, _PATIENCE), f"{who} had no turn"
            self._turn = ""
            self._waiting.discard(who)

    def run(
        self,
        programs: Mapping[str, Callable[[], object]],
        choose: Callable[[Sequence[str]], str],
        after: Callable[[], None],
    ) -> None:
        """Run PROGRAMS to their ends. CHOOSE picks one of those that wait; AFTER is called between requests."""
        self._live = set(programs)
        threads = [threading.Thread(target=self._body, args=one, daemon=True) for one in programs.items()]
        for thread in threads:
            thread.start()
        while True:
            with self._changed:
                assert self._changed.wait_for(lambda: not self._turn and self._waiting == self._live, _PATIENCE), (
                    f"{self._live - self._waiting} neither went on nor ended, after {self.log}"
                )
                if not self._live:
                    break
                after()
                who = choose(sorted(self._waiting))
                self.log.append(who)
                self._waiting.discard(who)
                self._turn = who
                self._changed.notify_all()
        for thread in threads:
            thread.join()

    def _body(self, who: str, program: Callable[[], object]) -> None:
        try:
            self.step(who)
            program()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.failures[who] = error
        with self._changed:
            self._live.discard(who)
            self._changed.notify_all()


class Killed(BaseException):
    """The program was killed."""


class TurnBackend:
    """A backend whose requests wait for their turn. After LEFT requests, the program is killed."""

    def __init__(self, inner: Backend, turns: Turns, who: str, left: int = 1_000_000) -> None:
        self._inner = inner
        self._left = left
        self._turns = turns
        self._who = who
        self.name = inner.name

    def _step(self) -> None:
        self._turns.step(self._who)
        self._left -= 1
        if self._left < 0:
            raise Killed

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    @property
    def requests(self) -> int:
        return self._inner.requests

    def list(self, prefix: str) -> Iterator[Entry]:
        self._step()
        return iter([*self._inner.list(prefix)])

    def stat(self, keys: Collection[str]) -> dict[str, Entry]:
        self._step()
        return self._inner.stat(keys)

    def read(self, key: str, *, limit: int) -> tuple[bytes, Entry]:
        self._step()
        return self._inner.read(key, limit=limit)

    def read_ranges(self, key: str, ranges: Sequence[tuple[int, int]]) -> Sequence[bytes]:
        self._step()
        return self._inner.read_ranges(key, ranges)

    def create(self, key: str, data: Data) -> Entry:
        self._step()
        return self._inner.create(key, data)

    def put(self, key: str, data: Data) -> Entry:
        self._step()
        return self._inner.put(key, data)

    def replace(self, key: str, data: Data, etag: str) -> Entry:
        self._step()
        return self._inner.replace(key, data, etag)

    def delete(self, key: str, etag: str | None) -> None:
        self._step()
        self._inner.delete(key, etag)

    def now(self, *, write: bool = True) -> float:
        return self._inner.now(write=write)

    def abort(self) -> None:
        pass

    def close(self) -> None:
        pass


class Inline:
    """A stand-in for a pool of threads that makes each call at once, so that a run can be repeated."""

    def __init__(self, *_: object) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def submit(self, call: Callable[..., Any], *args: Any) -> Future[Any]:
        done: Future[Any] = Future()
        try:
            done.set_result(call(*args))
        except BaseException as error:  # noqa: BLE001 - as a pool does
            done.set_exception(error)
        return done

    def map(self, call: Callable[..., Any], items: Iterable[Any]) -> Iterator[Any]:
        return iter([call(item) for item in items])

    def shutdown(self) -> None:
        pass
