"""What Git runs for notebooks. Standard library only, and no more of it than the case at hand needs."""

from __future__ import annotations

import os
import sys

from modelvc.drivers.notebooks.filter import Filter
from modelvc.drivers.notebooks.rules import read_rules
from modelvc.drivers.say import FAILED, say
from modelvc.errors import ModelvcError, shown
from modelvc.formats import notebook_rules as rules_format
from modelvc.notebook.strip import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

_BLOCK = 1 << 20


def run(mvc_dir: str, name: str, args: list[str]) -> int:
    """One call by hooks/driver.sh at the top of a worktree; the exit status that it acts on."""
    try:
        if name == "filter":
            return _serve(mvc_dir)
        if name in {"clean", "smudge"}:
            return _once(mvc_dir, name, args[0])
        if name == "textconv":
            return _textconv(args[0])
        if name == "pointer":
            return _pointer(args[0])
        if name == "merge":
            from modelvc.drivers.notebooks.merge import merge

            return merge(args)
        if name == "pre-commit":
            from modelvc.drivers.notebooks.guard import guard

            return guard(os.environ, outputs=args == ["outputs"])
    except ModelvcError as error:
        say(str(error), error.hint)
        return FAILED
    say(f"there is no notebook driver called {shown(name)}")
    return FAILED


def _serve(mvc_dir: str) -> int:
    from modelvc.drivers.notebooks.pktline import serve

    found = Filter(mvc_dir)
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer, found.work, found.limit)
    except (ValueError, BrokenPipeError) as error:
        say(f"the notebook filter stops: {shown(error)}")
        return FAILED
    finally:
        found.close()
    return 0


def _once(mvc_dir: str, name: str, path: str) -> int:
    """A Git, or a library, that starts a process for each file."""
    found = Filter(mvc_dir)
    source, sink = sys.stdin.buffer, sys.stdout.buffer
    data = source.read(found.limit() + 1)
    if len(data) > found.limit():
        if found.work(name, path, len(data)) is None:
            return FAILED
        while data:
            sink.write(data)
            data = source.read(_BLOCK)
        return 0
    answer = found.work(name, path, data)
    found.close()
    if answer is None:
        return FAILED
    sink.write(answer)
    return 0


def _textconv(path: str) -> int:
    """Show a file that Git hands over: the worktree's, or history's, for which it runs smudge. Both without outputs."""
    from modelvc.notebook.view import text

    try:
        rules = read_rules()
    except ModelvcError:  # to be seen as it is, then
        rules = rules_format.NotebookRules()
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > rules.max_size:
            sys.stdout.buffer.write(_digest(file))
            return 0
        data = file.read()
    try:
        if os.path.isabs(path):  # a temporary file: of the path in the repository only the name is left
            path = os.path.basename(path)
            rules.keep_outputs = tuple(pattern.rpartition("/")[2] for pattern in rules.keep_outputs)
        data, _ = clean(data, rules, path)
    except ModelvcError:
        pass
    sys.stdout.buffer.write(text(data).encode("utf-8", "replace"))
    return 0


def _digest(file: BinaryIO) -> bytes:
    """A line that stands for a file too large to be shown."""
    from hashlib import sha256

    found, size = sha256(), 0
    while block := file.read(_BLOCK):
        found.update(block)
        size += len(block)
    return f"%notebook of {size:,} bytes, too large to be shown: sha256 {found.hexdigest()}\n".encode()


def _pointer(path: str) -> int:
    """Show a pointer that Git hands over."""
    from modelvc.formats.pointer.view import text

    with open(path, "rb") as file:
        data = file.read()
    name = os.path.basename(path)  # of a temporary file there is no more, and both sides must say the same
    sys.stdout.buffer.write(text(data, name.removesuffix(".mvc")).encode("utf-8", "replace"))
    return 0
