"""The clean and the smudge side of the notebook filter."""

from __future__ import annotations

import os

from modelvc.drivers.notebooks.rules import read_rules
from modelvc.drivers.say import say
from modelvc.errors import FormatError, ModelvcError, shown
from modelvc.formats import notebook_rules as rules_format
from modelvc.notebook.document import FIRST_WORDS, NOTE
from modelvc.notebook.kept import Kept
from modelvc.notebook.shape import AS_JUPYTER
from modelvc.notebook.strip import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from modelvc.git.versions import Versions

OUTPUTS = "outputs"  # folder below .git/mvc


class Filter:
    """The clean and the smudge side, for many files in one process."""

    def __init__(self, mvc_dir: str) -> None:
        self._folder = os.path.join(mvc_dir, OUTPUTS)
        self._seen: object = ()  # how the configuration looked when the rules were read
        self._rules = rules_format.NotebookRules()
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
