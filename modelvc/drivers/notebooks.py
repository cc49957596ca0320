"""What Git runs for notebooks. Standard library only, and no more of it than the case at hand needs."""

from __future__ import annotations

import os
import stat
import sys

from modelvc.errors import ConflictError, FormatError, ModelvcError, shown
from modelvc.formats import rules as rules_format
from modelvc.notebook.document import FIRST_WORDS, NOTE, jupyter
from modelvc.notebook.kept import Kept
from modelvc.notebook.strip import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from modelvc.formats.rules import Rules

CONFLICT = 3  # 1 is how a Python ends that could not even start
FAILED = 1
OUTPUTS = "outputs"  # folder below .git/mvc


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

    def work(self, command: str, path: str, data: bytes) -> bytes | None:
        """The new content; None when it must not be taken, and then stderr says why."""
        try:
            self._read_rules()
            return self._clean(path, data) if command == "clean" else self._smudge(path, data)
        except Exception as error:  # noqa: BLE001 - one file's trouble must end neither the process nor a checkout
            hint = error.hint if isinstance(error, ModelvcError) else "this is a bug in modelvc"
            say(f"{shown(path)}: {shown(error)}", hint)
            return data if command == "smudge" else None

    def close(self) -> None:
        self._kept.trim()

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
            stripped, taken = clean(data, self._rules, path)
        except FormatError as error:
            # a note.json may be anybody's; git blame runs its own text view through here
            if path.rpartition("/")[2] != NOTE and not data.startswith(FIRST_WORDS):
                say(f"{shown(path)} is left as it is: {shown(error)}")
            return data
        try:
            self._kept.keep(path, taken)
        except OSError as error:  # a full disk: Git has what it asked for
            say(f"the outputs of {shown(path)} are not kept: {shown(error)}")
        return stripped

    def _smudge(self, path: str, data: bytes) -> bytes:
        return self._kept.attach(data, self._rules, path)


def _serve(mvc_dir: str) -> int:
    from modelvc.drivers.pktline import serve

    found = Filter(mvc_dir)
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer, found.work)
    except (ValueError, BrokenPipeError) as error:
        say(f"the notebook filter stops: {shown(error)}")
        return FAILED
    finally:
        found.close()
    return 0


def _once(mvc_dir: str, name: str, path: str) -> int:
    """A Git, or a library, that starts a process for each file."""
    found = Filter(mvc_dir)
    answer = found.work(name, path, sys.stdin.buffer.read())
    found.close()
    if answer is None:
        return FAILED
    sys.stdout.buffer.write(answer)
    return 0


def _textconv(path: str) -> int:
    """Show a file that Git hands over: the worktree's, or history's, for which it runs smudge. Both without outputs."""
    from modelvc.notebook.view import text

    with open(path, "rb") as file:
        data = file.read()
    try:
        rules = read_rules()
        if os.path.isabs(path):  # a temporary file: of the path in the repository only the name is left
            path = os.path.basename(path)
            rules.keep_outputs = tuple(pattern.rpartition("/")[2] for pattern in rules.keep_outputs)
        data, _ = clean(data, rules, path)
    except ModelvcError:  # to be seen as it is, then
        pass
    sys.stdout.buffer.write(text(data).encode("utf-8", "replace"))
    return 0


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
