"""What Git runs for notebooks. Standard library only, and no more of it than the case at hand needs."""

from __future__ import annotations

import os
import stat
import sys

from modelvc.errors import ConflictError, FormatError, ModelvcError, shown
from modelvc.formats import rules as rules_format
from modelvc.notebook.document import FIRST_WORDS, NOTE, jupyter
from modelvc.notebook.kept import Kept
from modelvc.notebook.shape import AS_JUPYTER
from modelvc.notebook.strip import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

    from modelvc.formats.rules import Rules
    from modelvc.git.versions import Versions

CONFLICT = 3  # 1 is how a Python ends that could not even start
FAILED = 1
OUTPUTS = "outputs"  # folder below .git/mvc
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
            from modelvc.drivers.notebook_merge import merge

            return merge(args)
        if name == "pre-commit":
            from modelvc.drivers.notebook_guard import guard

            return guard(os.environ, outputs=args == ["outputs"])
    except ModelvcError as error:
        say(str(error), error.hint)
        return FAILED
    say(f"there is no notebook driver called {shown(name)}")
    return FAILED


def say(words: str, hint: str = "") -> None:
    """One line for the person who runs Git."""
    sys.stderr.write(f"mvc: {words}\n" + (f"     {hint}\n" if hint else ""))
    sys.stderr.flush()


def read_rules() -> Rules:
    """What this repository strips, as its worktree says."""
    try:
        # neither a link out of the repository is followed, nor does a pipe make Git wait for ever
        fd = os.open(rules_format.COMMITTED, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return rules_format.Rules()
    except OSError as error:
        raise ConflictError(f"{rules_format.COMMITTED} can not be read: {shown(error.strerror)}") from None
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ConflictError(f"{rules_format.COMMITTED} is not a regular file")
        return rules_format.read(file.read(rules_format.MAX_BYTES + 1))


class Filter:
    """The clean and the smudge side, for many files in one process."""

    def __init__(self, mvc_dir: str) -> None:
        self._folder = os.path.join(mvc_dir, OUTPUTS)
        self._seen: object = ()  # how the configuration looked when the rules were read
        self._rules = rules_format.Rules()
        self._kept = Kept(self._folder, self._rules.keep_local)
        self._versions: Versions | None = None

    def work(self, command: str, path: str, data: bytes | int) -> bytes | None:
        """The new content; None when it must not be taken, and then stderr says why.

        A size in the place of DATA stands for a file above `limit`: b"" says that it may stay as it is.
        """
        try:
            self._read_rules()
            if isinstance(data, int):
                self._say_large(command, path, data)
                return b""
            return self._clean(path, data) if command == "clean" else self._smudge(path, data)
        except Exception as error:  # noqa: BLE001 - one file's trouble must end neither the process nor a checkout
            hint = error.hint if isinstance(error, ModelvcError) else "this is a bug in modelvc"
            say(f"{shown(path)}: {shown(error)}", hint)
            as_it_is = b"" if isinstance(data, int) else data
            return as_it_is if command == "smudge" else None

    def limit(self) -> int:
        """Bytes of the largest file that is looked at."""
        try:
            self._read_rules()
        except ModelvcError:  # `work` says it
            return rules_format.MAX_SIZE
        return self._rules.max_size

    def close(self) -> None:
        self._kept.trim()
        if self._versions:
            self._versions.close()

    def _read_rules(self) -> None:
        """Read the rules, again when the file is another one: a checkout that runs us may change it on its way."""
        try:
            found = os.stat(rules_format.COMMITTED)
            seen: object = (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            seen = None
        if seen != self._seen:
            self._kept.trim()
            self._rules = read_rules()
            self._kept = Kept(self._folder, self._rules.keep_local)
            self._seen = seen

    def _clean(self, path: str, data: bytes) -> bytes:
        try:
            stripped, taken = clean(data, self._rules, path, self._form(path, data))
        except FormatError as error:
            # a note.json may be anybody's; git blame runs its own text view through here
            if path.rpartition("/")[2] != NOTE and not data.startswith(FIRST_WORDS):
                say(f"{shown(path)} is left as it is: {shown(error)}")
            return data
        if taken.unread:
            say(f"{shown(path)} is left as it is, with outputs: it is not shaped like a notebook")
        try:
            self._kept.keep(path, taken)
        except OSError as error:  # a full disk: Git has what it asked for
            say(f"the outputs of {shown(path)} are not kept: {shown(error)}")
        return stripped

    def _form(self, path: str, data: bytes) -> bytes:
        """A version of the notebook in the form that Git gets."""
        if not data.strip() or not path.endswith(".ipynb") or self._rules.skips(path):
            return b""
        if self._rules.form == rules_format.JUPYTER:
            return AS_JUPYTER
        if self._versions is None:
            from modelvc.git.versions import Versions

            self._versions = Versions(_index(), rules_format.MAX_SIZE)
        return self._versions.of(path)

    def _smudge(self, path: str, data: bytes) -> bytes:
        return self._kept.attach(data, self._rules, path)

    def _say_large(self, command: str, path: str, size: int) -> None:
        if command != "clean" or size <= self._rules.max_size or self._rules.skips(path):
            return
        from modelvc.formats import sizes

        say(f"{shown(path)} is left as it is: it is larger than max_size, {sizes.written(self._rules.max_size)}")


def _index() -> str:
    """The file of Git's index; "" if it is not found, and then it is read once."""
    from modelvc.git.layout import discover

    try:
        return os.environ.get("GIT_INDEX_FILE") or os.path.join(discover(".", os.environ).git_dir, "index")
    except ModelvcError:
        return ""


def _serve(mvc_dir: str) -> int:
    from modelvc.drivers.pktline import serve

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
        rules = rules_format.Rules()
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
    from modelvc.formats.pointerview import text

    with open(path, "rb") as file:
        data = file.read()
    name = os.path.basename(path)  # of a temporary file there is no more, and both sides must say the same
    sys.stdout.buffer.write(text(data, name.removesuffix(".mvc")).encode("utf-8", "replace"))
    return 0


def is_notebook_file(data: bytes) -> bool:
    """Whether DATA is a Jupyter notebook that can be read."""
    try:
        jupyter(data)
    except FormatError:
        return False
    return True
