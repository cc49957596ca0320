"""The state of a pickle machine: its window, its stacks and its memo, and how opcodes use them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modelvc.modelfiles.pickles.calls import MAKE_CODE, call
from modelvc.modelfiles.pickles.stream import Ends
from modelvc.modelfiles.pickles.values import DROPPED, KEPT, Global, Made

if TYPE_CHECKING:
    from collections.abc import Callable

    from modelvc.modelfiles.pickles.seen import Seen
    from modelvc.modelfiles.pickles.stream import Stream
    from modelvc.modelfiles.pickles.values import Entries, Items, Value

    OnBuild = Callable[["State", Made, int], tuple[Value, int] | None]
    Persist = Callable[[Value], Value]

_DROP = 50_000  # entries of the memo from which on plain data of large containers is dropped
_GAP = 16  # unused numbers of the memo in a row that are stored as such
HOLE = object()


class State:
    """Where one reading of one pickle is.

    `on_build`: is shown each object that gets a state, with the offset behind the opcode; it may return another value
    and where to go on. `persist`: takes a persistent id and returns its value; None: there are none.
    """

    def __init__(
        self, stream: Stream, seen: Seen, *, on_build: OnBuild | None = None, persist: Persist | None = None
    ) -> None:
        self.stream = stream
        self.seen = seen
        self.on_build = on_build
        self.persist = persist
        self.protocol = 0
        self.frame_end = 0
        self.base = 0  # where the window begins
        self.window = b""
        self._safe = 0  # up to where opcodes begin that end in the window
        self.real = 0  # bytes of the window that are of the stream; behind them are zeros
        self.stack: list[Value] = []
        self.below: list[list[Value]] = []  # the stacks below each mark
        self.marks: list[int] = []  # how long the memo was at each mark
        self.memo: list[Value] = []
        self.holes = 0
        self.sparse: dict[int, Value] = {}
        self.names: set[str] = set()  # texts that named something

    def take(self, i: int, size: int) -> bytes:
        """Return SIZE bytes at I. Raises Unreadable behind the end."""
        data = self.window[i : i + size] if i + size <= self.real else self.stream.window(self.base + i, size)
        if len(data) != size:
            raise Ends
        return data

    def pop_mark(self) -> list[Value]:
        """Return what is on the stack above the last mark, and take both off. Raises IndexError without a mark."""
        items = self.stack
        self.stack = self.below.pop()
        self.marks.pop()
        return items

    def put(self, number: int, value: Value) -> None:
        """Store VALUE in the memo under NUMBER."""
        memo = self.memo
        if number < len(memo):
            self.holes -= memo[number] is HOLE
            memo[number] = value
        elif number < len(memo) + _GAP:
            self.sparse[number] = value
            for one in range(len(memo), number + 1):
                memo.append(self.sparse.pop(one, HOLE))
                self.holes += memo[-1] is HOLE
        else:
            self.sparse[number] = value

    def get(self, number: int) -> Value:
        """Return what is in the memo under NUMBER. Raises IndexError or KeyError if nothing is."""
        value = self.memo[number] if number < len(self.memo) else self.sparse[number]
        if value is HOLE:
            raise KeyError(number)
        return value

    def forget(self, container: Items | Entries, mark: int) -> None:
        """Drop out of the memo what came into CONTAINER since the memo had length MARK.

        Names, dtypes, classes that the pickle makes, and texts that name something stay: what follows may need them.
        """
        memo = self.memo
        if len(memo) > _DROP and container.count > KEPT:
            memo[mark:] = [one if one is container or self._needed(one) else DROPPED for one in memo[mark:]]

    def _needed(self, one: Value) -> bool:
        if isinstance(one, str):
            return one in self.names
        if isinstance(one, Made):
            return one.name == "numpy.dtype" or one.name.startswith(MAKE_CODE)
        return isinstance(one, Global)

    def call(self, function: Value, args: Value, how: str) -> Value:
        """Return what a call would return, and record that it is called."""
        return call(self.seen, function, args, how)
