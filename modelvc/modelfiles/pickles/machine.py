"""A pickle machine that imports, looks up and calls nothing.

It executes the opcodes of protocols 0 to 5 as Python does, on the inert values of `values`. Where Python's two machines
differ, or a file says something that no pickler writes, the file counts as unreadable; the machine goes on as far as it
can, because imports that it sees on the way count.
"""

from __future__ import annotations

import re
import sys
from struct import Struct, iter_unpack
from struct import error as struct_error
from typing import TYPE_CHECKING

from modelvc.modelfiles.pickles import opcodes as op
from modelvc.modelfiles.pickles.state import State
from modelvc.modelfiles.pickles.stream import WINDOW, Ends
from modelvc.modelfiles.pickles.weight import weigh
from modelvc.modelfiles.source import Unreadable

if TYPE_CHECKING:
    from modelvc.modelfiles.pickles.values import Value

_LONGEST = 300  # bytes of an opcode that is read without a look at the end of the window: SHORT_BINUNICODE has 257
_FIRST = 1 << 15  # bytes of the first window: most pickles behind others are short
_STEP = 1 << 16  # bytes between two looks at the budget
_LIVE = 40 << 20  # bytes of values that may be alive
_GROWTH = 100_000  # blocks of memory between two weighings, and one more for each _LIGHT bytes that are alive
_LIGHT = 200
_LENGTH, _INTEGER, _FLOAT = (Struct(form).unpack_from for form in ("<I", "<i", ">d"))
_FLOATS = re.compile(rb"(?:G.{8})++", re.DOTALL).match


class Machine(State):
    """One reading of one pickle."""

    _size, _last = _FIRST, False  # of the next window; whether the window is the last

    def run(self, at: int) -> tuple[Value, int]:
        """Return what the pickle at AT builds, and the offset behind it. Raises Unreadable."""
        try:
            return self._run(at, sys.getallocatedblocks())
        except IndexError as error:
            raise Unreadable("the pickle takes from an empty stack, or from behind the end") from error
        except (ValueError, KeyError, TypeError, OverflowError, struct_error) as error:
            raise Unreadable("the pickle has an opcode with a wrong argument") from error
        except (MemoryError, RecursionError) as error:
            raise Unreadable("the pickle takes more memory than is allowed") from error

    def _run(self, at: int, weighed: int) -> tuple[Value, int]:
        cold, memo, grown, allowed, limit, i = op.COLD, self.memo, 0, _GROWTH, 0, 0
        self._refill(at)
        while True:
            if i >= limit and i >= self._safe:
                self._refill(self.base + i)
                i = 0
            first, limit, size = i, min(self._safe, i + _STEP), len(self.stack) + len(memo)
            window, stack, regular = self.window, self.stack, not (self.holes or self.sparse)
            while i < limit:
                code = window[i]
                if code >= 0x60:
                    if code == 0x8C:  # SHORT_BINUNICODE
                        end = i + 2 + window[i + 1]
                        try:
                            text = window[i + 2 : end].decode()
                        except UnicodeDecodeError:
                            text = str(window[i + 2 : end], "utf-8", "surrogatepass")
                        stack.append(text)
                        if regular and window[end] == 0x94:  # MEMOIZE
                            memo.append(text)
                            end += 1
                        i = end
                    elif code == 0x94:  # MEMOIZE
                        if regular:
                            memo.append(stack[-1])
                        else:
                            self.put(len(memo) - self.holes + len(self.sparse), stack[-1])
                        i += 1
                    elif code == 0x68:  # BINGET
                        stack.append(memo[window[i + 1]] if regular else self.get(window[i + 1]))
                        i += 2
                    elif code == 0x71:  # BINPUT
                        if regular and window[i + 1] == len(memo):
                            memo.append(stack[-1])
                        else:
                            self.put(window[i + 1], stack[-1])
                            regular = not (self.holes or self.sparse)
                        i += 2
                    elif code == 0x72:  # LONG_BINPUT
                        number = _LENGTH(window, i + 1)[0]
                        if regular and number == len(memo):
                            memo.append(stack[-1])
                        else:
                            self.put(number, stack[-1])
                            regular = not (self.holes or self.sparse)
                        i += 5
                    elif code == 0x6A:  # LONG_BINGET
                        number = _LENGTH(window, i + 1)[0]
                        stack.append(memo[number] if regular else self.get(number))
                        i += 5
                    elif code == 0x86:  # TUPLE2
                        last = stack.pop()
                        stack[-1] = (stack[-1], last)
                        i += 1
                    else:
                        act = cold[code]
                        if act is None:
                            raise Unreadable(f"the pickle has an unknown opcode at byte {self.base + i}")
                        i = act(self, i + 1)
                        stack = self.stack
                        regular = not (self.holes or self.sparse)
                elif code == 0x4B:  # BININT1
                    stack.append(window[i + 1])
                    i += 2
                elif code == 0x4D:  # BININT2
                    stack.append(window[i + 1] | window[i + 2] << 8)
                    i += 3
                elif code == 0x4A:  # BININT
                    stack.append(_INTEGER(window, i + 1)[0])
                    i += 5
                elif code == 0x47:  # BINFLOAT
                    if window[i + 9] == 0x47:  # a run of them
                        end = _FLOATS(window, i, limit + 9).end()  # type: ignore[union-attr]
                        stack += [number for (number,) in iter_unpack(">xd", window[i:end])]
                        i = end
                    else:
                        stack.append(_FLOAT(window, i + 1)[0])
                        i += 9
                elif code == 0x28:  # MARK
                    self.below.append(stack)
                    self.marks.append(len(memo))
                    stack = self.stack = []
                    i += 1
                elif code == 0x4E:  # NONE
                    stack.append(None)
                    i += 1
                elif code == 0x2E:  # STOP
                    return self._stop(stack.pop(), self.base + i + 1)
                else:
                    act = cold[code]
                    if act is None:
                        raise Unreadable(f"the pickle has an unknown opcode at byte {self.base + i}")
                    i = act(self, i + 1)
                    stack = self.stack
                    regular = not (self.holes or self.sparse)
            self.seen.budget.operate(min(i - first, _STEP))
            grown += max(0, len(stack) + len(memo) - size)
            if grown > allowed or sys.getallocatedblocks() - weighed > allowed:
                allowed = _GROWTH + weigh([stack, *self.below, memo, self.sparse], _LIVE) // _LIGHT
                weighed, grown = sys.getallocatedblocks(), 0

    def _refill(self, at: int) -> None:
        """Move the window to AT. Raises Unreadable at the end, and behind it."""
        size, self._size = self._size, WINDOW
        self.window = self.stream.window(at, size)
        self.base, self.real = at, len(self.window)
        self._safe, self._last = self.real - _LONGEST, self.real < size
        if self._last:
            if not self.real:
                self.stream.ends(at)
                raise Ends
            self.window += bytes(_LONGEST)
            self._safe = self.real

    def _stop(self, value: Value, end: int) -> tuple[Value, int]:
        if self._last and end > self.base + self.real:
            raise Ends
        if end < self.frame_end:
            self.seen.doubt("a frame goes on behind the end of its pickle")
        return value, end
