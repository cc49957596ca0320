"""The notebook filter: clean strips a notebook for Git, smudge puts kept outputs back."""

from __future__ import annotations

import os

from modelvc.drivers.notebooks.rules import read_rules
from modelvc.drivers.say import say
from modelvc.errors import FormatError, ModelvcError, shown
from modelvc.formats import notebook_rules as rules_format
from modelvc.notebook.document import FIRST_WORDS, NOTE
from modelvc.notebook.kept_outputs import KeptOutputs
from modelvc.notebook.match_form import AS_JUPYTER
from modelvc.notebook.strip import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from modelvc.git.index_blobs import IndexBlobs

OUTPUTS = "outputs"  # the folder of kept outputs, below .git/mvc


class Filter:
    """The clean and smudge commands for many files in one process."""

    def __init__(self, mvc_dir: str) -> None:
        self._folder = os.path.join(mvc_dir, OUTPUTS)
        self._seen: object = ()  # stat of the configuration when the rules were read
        self._rules = rules_format.NotebookRules()
        self._kept = KeptOutputs(self._folder, self._rules.keep_local)
        self._versions: IndexBlobs | None = None

    def work(self, command: str, path: str, data: bytes | int) -> bytes | None:
        """Return the new content of the file at PATH, or None if Git must fail; stderr then says why.

        COMMAND is "clean" or "smudge". If the file is larger than `limit`, DATA is its size, and b"" says that the file
        stays as it is.
        """
        try:
            self._read_rules()
            if isinstance(data, int):
                self._say_large(command, path, data)
                return b""
            return self._clean(path, data) if command == "clean" else self._smudge(path, data)
        except Exception as error:  # noqa: BLE001 - an error in one file must end neither the process nor a checkout
            hint = error.hint if isinstance(error, ModelvcError) else "this is a bug in modelvc"
            say(f"{shown(path)}: {shown(error)}", hint)
            as_it_is = b"" if isinstance(data, int) else data
            return as_it_is if command == "smudge" else None

    def limit(self) -> int:
        """Return the size in bytes of the largest file that is filtered."""
        try:
            self._read_rules()
        except ModelvcError:  # `work` reports it
            return rules_format.MAX_SIZE
        return self._rules.max_size

    def close(self) -> None:
        """Delete the oldest kept outputs above the limit, and end Git's process."""
        self._kept.trim()
        if self._versions:
            self._versions.close()

    def _read_rules(self) -> None:
        """Read the rules if the file changed: the checkout that runs this filter may replace it."""
        try:
            found = os.stat(rules_format.COMMITTED)
            seen: object = (found.st_mtime_ns, found.st_size, found.st_ino)
        except OSError:
            seen = None
        if seen != self._seen:
            self._kept.trim()
            self._rules = read_rules()
            self._kept = KeptOutputs(self._folder, self._rules.keep_local)
            self._seen = seen

    def _clean(self, path: str, data: bytes) -> bytes:
        try:
            stripped, taken = clean(data, self._rules, path, self._form(path, data))
        except FormatError as error:
            # A note.json may belong to another program, and git blame passes the text view through this filter.
            if path.rpartition("/")[2] != NOTE and not data.startswith(FIRST_WORDS):
                say(f"{shown(path)} is left unchanged: {shown(error)}")
            return data
        if taken.unread:
            say(f"{shown(path)} is left unchanged, with outputs: it is not shaped like a notebook")
        try:
            self._kept.keep(path, taken)
        except OSError as error:  # such as a full disk: Git still gets the stripped notebook
            say(f"the outputs of {shown(path)} are not kept: {shown(error)}")
        return stripped

    def _form(self, path: str, data: bytes) -> bytes:
        """Return the version of the notebook whose form Git's version keeps, AS_JUPYTER for Jupyter's form, or b""."""
        if not data.strip() or not path.endswith(".ipynb") or self._rules.skips(path):
            return b""
        if self._rules.form == rules_format.JUPYTER:
            return AS_JUPYTER
        if self._versions is None:
            from modelvc.git.index_blobs import IndexBlobs

            self._versions = IndexBlobs(_index(), rules_format.MAX_SIZE)
        return self._versions.of(path)

    def _smudge(self, path: str, data: bytes) -> bytes:
        return self._kept.attach(data, self._rules, path)

    def _say_large(self, command: str, path: str, size: int) -> None:
        if command != "clean" or size <= self._rules.max_size or self._rules.skips(path):
            return
        from modelvc.formats import sizes

        say(f"{shown(path)} is left unchanged: it is larger than max_size, {sizes.written(self._rules.max_size)}")


def _index() -> str:
    """Return the path of Git's index, or "". Without the path, a changed index is not read again."""
    from modelvc.git.layout import discover

    try:
        return os.environ.get("GIT_INDEX_FILE") or os.path.join(discover(".", os.environ).git_dir, "index")
    except ModelvcError:
        return ""
