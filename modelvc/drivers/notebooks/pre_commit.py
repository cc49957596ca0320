"""Check the notebooks of a commit: refuse conflicts and invalid JSON, and strip or refuse outputs."""

from __future__ import annotations

import io
import os

from modelvc.drivers.notebooks.rules import read_rules
from modelvc.drivers.say import FAILED, say
from modelvc.errors import FormatError, shown
from modelvc.formats.notebook_rules import REFUSE
from modelvc.git.cat_file import answer
from modelvc.git.run import git, run
from modelvc.notebook import conflict
from modelvc.notebook.document import JUPYTER, NOTE, is_notebook, parse
from modelvc.notebook.document import cells as cells_of
from modelvc.notebook.strip import clean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from modelvc.formats.notebook_rules import NotebookRules

    Staged = dict[str, tuple[str, str]]  # path: mode and blob

_OTHERS = ("MERGE_HEAD", "CHERRY_PICK_HEAD")
_MODES = ("100644", "100755")


def pre_commit(env: Mapping[str, str], *, outputs: bool) -> int:
    """Check the notebooks that the commit in progress changes. Return the exit status.

    With OUTPUTS, strip their outputs or refuse them, as configured. Notebooks from the other side of a merge are
    skipped: they are in history already.
    """
    staged = _changed("HEAD")
    if not staged:
        return 0
    merging = [
        name.removeprefix("GITHEAD_") for name in env if name.startswith("GITHEAD_")
    ]  # `git merge` sets it before MERGE_HEAD exists
    for other in (*_OTHERS, *merging):
        code, _, _ = run(".", "rev-parse", "-q", "--verify", other, commit_env=True)
        if not code:
            theirs = _changed(other)
            staged = {path: blob for path, blob in staged.items() if path in theirs}
    rules = read_rules()
    wrong: list[str] = []
    stripped: Staged = {}
    dirty: list[str] = []
    for path, mode, data in _read(
        {path: blob for path, blob in staged.items() if not rules.skips(path)}, rules.max_size
    ):
        if problem := _problem(path, data):
            wrong.append(problem)
        elif outputs and (left := _stripped(path, data, rules)) is not None:
            dirty.append(path)
            stripped[path] = (mode, _store(left))
    if wrong:
        for words in wrong:
            say(words)
        return FAILED
    if not dirty:
        return 0
    names = ", ".join(shown(path) for path in dirty[:5]) + (f" and {len(dirty) - 5} more" if len(dirty) > 5 else "")
    # `git commit PATH` has an index of its own. The real index would keep the outputs, and stage them again.
    if rules.on_commit == REFUSE or os.path.basename(env.get("GIT_INDEX_FILE", "")).startswith("next-index-"):
        say(f"outputs would enter history: {names}", "strip them: mvc notebook strip PATH, then git add PATH")
        return FAILED
    _stage(stripped)
    say(f"outputs left out of this commit: {names}")
    return 0


def _changed(base: str) -> Staged:
    """Return the notebooks in the index of the commit that differ from BASE."""
    code, _, _ = run(".", "rev-parse", "-q", "--verify", base, commit_env=True)
    if code:
        base = git(".", "hash-object", "-t", "tree", "/dev/null", commit_env=True).decode().strip()
    args = ("--cached", "--no-renames", "--diff-filter=AMT", "--no-abbrev", "-z", base, "--")
    fields = git(".", "diff-index", *args, commit_env=True).split(b"\0")
    found: Staged = {}
    for head, name in zip(fields[::2], fields[1::2], strict=False):
        _, mode, _, blob, _ = head.decode("ascii").split()
        path = os.fsdecode(name)
        if is_notebook(path) and mode in _MODES:
            found[path] = (mode, blob)
    return found


def _read(staged: Staged, limit: int) -> Iterator[tuple[str, str, bytes]]:
    """Yield path, mode and content of each notebook of at most LIMIT bytes.

    Notebooks that .gitattributes exempts (`-filter`) are skipped. The limit on large files covers larger ones.
    """
    asked = b"".join(os.fsencode(path) + b"\0" for path in staged)
    fields = git(".", "check-attr", "--stdin", "-z", "filter", stdin=asked, commit_env=True).split(b"\0")
    exempt = {os.fsdecode(path) for path, value in zip(fields[::3], fields[2::3], strict=False) if value == b"unset"}
    chosen = [path for path in staged if path not in exempt]
    for some in _together(chosen, _sizes([staged[path][1] for path in chosen]), limit):
        out = io.BytesIO(
            git(".", "cat-file", "--batch", stdin=_lines(staged[path][1] for path in some), commit_env=True)
        )
        for path in some:
            if found := answer(out, limit):
                yield path, staged[path][0], found.data


def _sizes(blobs: list[str]) -> list[int]:
    """Return the size in bytes of each blob, 0 for a missing one."""
    if not blobs:
        return []
    out = git(".", "cat-file", "--batch-check=%(objectsize)", stdin=_lines(blobs), commit_env=True)
    return [int(line) if line.isdigit() else 0 for line in out.splitlines()]


def _together(paths: list[str], sizes: list[int], limit: int) -> Iterator[list[str]]:
    """Yield the PATHS of 1 to LIMIT bytes, in groups of at most LIMIT bytes together."""
    some: list[str] = []
    total = 0
    for path, size in zip(paths, sizes, strict=True):
        if not 0 < size <= limit:
            continue
        if some and total + size > limit:
            yield some
            some, total = [], 0
        some.append(path)
        total += size
    if some:
        yield some


def _lines(blobs: Iterable[str]) -> bytes:
    return "".join(f"{blob}\n" for blob in blobs).encode("ascii")


def _problem(path: str, data: bytes) -> str:
    """Return why the notebook must not be committed, or ""."""
    if not data.strip():
        return ""
    try:
        document = parse(data)
    except FormatError as error:
        if path.rpartition("/")[2] == NOTE:
            return ""
        if conflict.has_markers(data.decode("utf-8", "replace")):
            return f"{shown(path)} has conflict markers in it: resolve them, or start over: git checkout -m -- PATH"
        return f"{shown(path)} is no longer a notebook: {shown(error)} (git commit --no-verify commits it anyway)"
    found = conflict.count(document.notebook) if document.kind == JUPYTER else 0
    if found:
        cells = "a conflict" if found == 1 else f"{found} conflicts"
        owners = (*cells_of(document.notebook), document.notebook)
        keys = ", ".join([key for owner in owners for key, _, _ in conflict.values(owner)][:3])
        held = f"{cells} ({keys})" if keys else cells
        return f"{shown(path)} still holds {held}: resolve it in Jupyter, or with mvc notebook resolve, then git add it"
    return ""


def _stripped(path: str, data: bytes, rules: NotebookRules) -> bytes | None:
    try:
        left, _ = clean(data, rules, path)
    except FormatError:  # a note.json of another program, which `_problem` allows
        return None
    return None if left == data else left


def _store(data: bytes) -> str:
    out = git(".", "hash-object", "-w", "--no-filters", "--stdin", stdin=data, commit_env=True)
    return out.decode("ascii").strip()


def _stage(stripped: Staged) -> None:
    lines = [f"{mode} {blob}\t".encode() + os.fsencode(path) + b"\0" for path, (mode, blob) in stripped.items()]
    git(".", "update-index", "-z", "--index-info", stdin=b"".join(lines), commit_env=True)
