"""Run one driver of hooks/driver.sh by name: those of notebooks, and the textconv of pointers.

Clones get a copy of this package, so the textconv of pointers is here too. Each case imports only what it needs, all of
it from the standard library.
"""

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
    """Run the driver NAME for hooks/driver.sh at the top of a worktree. Return the exit status."""
    try:
        if name == "filter":
            return _serve(mvc_dir)
        if name in {"clean", "smudge"}:
            return _once(mvc_dir, name, args[0])
        if name == "textconv":
            return _textconv(args[0])
        if name == "pointer":
            return _pointer_textconv(args[0])
        if name == "merge":
            from modelvc.drivers.notebooks.merge import merge

            return merge(args)
        if name == "pre-commit":
            from modelvc.drivers.notebooks.pre_commit import pre_commit

            return pre_commit(os.environ, outputs=args == ["outputs"])
    except ModelvcError as error:
        say(str(error), error.hint)
        return FAILED
    say(f"there is no driver called {shown(name)}")
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
    """Filter one file: some versions of Git, and some libraries, start a process for each file."""
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
    """Print the notebook at PATH as text without outputs.

    Git passes a file of the worktree, or a temporary file from history that it smudged before.
    """
    from modelvc.notebook.view import text

    try:
        rules = read_rules()
    except ModelvcError:  # show it by the default rules
        rules = rules_format.NotebookRules()
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size > rules.max_size:
            sys.stdout.buffer.write(_digest(file))
            return 0
        data = file.read()
    try:
        if os.path.isabs(path):  # a temporary file, which keeps only the name of the path in the repository
            path = os.path.basename(path)
            rules.keep_outputs = tuple(pattern.rpartition("/")[2] for pattern in rules.keep_outputs)
        data, _ = clean(data, rules, path)
    except ModelvcError:
        pass
    sys.stdout.buffer.write(text(data).encode("utf-8", "replace"))
    return 0


def _digest(file: BinaryIO) -> bytes:
    """Return a line with size and hash, instead of a file that is too large to show."""
    from hashlib import sha256

    found, size = sha256(), 0
    while block := file.read(_BLOCK):
        found.update(block)
        size += len(block)
    return f"%notebook of {size:,} bytes, too large to be shown: sha256 {found.hexdigest()}\n".encode()


def _pointer_textconv(path: str) -> int:
    """Print the pointer at PATH as text."""
    from modelvc.formats.pointer.view import text

    with open(path, "rb") as file:
        data = file.read()
    name = os.path.basename(path)  # a temporary file keeps only the name, and both sides must print the same
    sys.stdout.buffer.write(text(data, name.removesuffix(".mvc")).encode("utf-8", "replace"))
    return 0
