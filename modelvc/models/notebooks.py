"""List, read and check the notebooks of the worktree and of Git's index."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelvc.errors import FormatError, UsageError, shown
from modelvc.formats import sizes
from modelvc.formats.paths import SafeRelPath
from modelvc.git import index
from modelvc.git.run import git
from modelvc.notebook import conflict, platforms
from modelvc.notebook.document import JUPYTER, NOTE, is_notebook, parse
from modelvc.notebook.strip import clean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from modelvc.repo import Repo

_LARGEST = 1 << 30  # bytes; a larger file is not read as a notebook
_EDITION = "notebook-keys"  # file below .git/mvc
_BATCH = 64  # notebooks read from Git at once
PATTERNS = ("*.ipynb", "*.zpln", NOTE, f"*/{NOTE}")


def tracked_notebooks(repo: Repo) -> list[str]:
    """Return the paths of notebooks in the worktree that Git tracks, sorted."""
    return sorted(list_notebooks(repo, "--cached"))


def list_notebooks(repo: Repo, *args: str) -> Iterator[str]:
    """Yield the paths of notebooks in the worktree that `git ls-files ARGS` lists, each once."""
    out = git(repo.layout, "ls-files", "-z", *args)
    for name in dict.fromkeys(map(os.fsdecode, out.split(b"\0"))):
        if name and is_notebook(name) and os.path.isfile(os.path.join(repo.layout.worktree, name)):
            yield name


def staged(repo: Repo, *paths: str) -> dict[str, str]:
    """Return Git's blobs of the notebooks in the index (of PATHS, if given) that are not in conflict, by path."""
    literal = [f":(top,literal){path}" for path in paths]
    out = git(repo.layout, "ls-files", "-s", "-z", "--", *(literal or PATTERNS))
    found = {}
    for line in out.split(b"\0"):
        head, tab, name = line.partition(b"\t")
        if tab:
            mode, blob, stage = head.decode("ascii").split()
            if stage == "0" and mode.startswith("100") and is_notebook(os.fsdecode(name)):
                found[os.fsdecode(name)] = blob
    return found


def unmerged(repo: Repo) -> list[str]:
    """Return the notebooks that Git's index has in conflict, sorted."""
    out = git(repo.layout, "ls-files", "-u", "-z", "--", *PATTERNS)
    found = {os.fsdecode(line.partition(b"\t")[2]) for line in out.split(b"\0") if line}
    return sorted(filter(is_notebook, found))


def read(repo: Repo, path: str) -> bytes:
    """Return the bytes of the worktree's file PATH. Raises UsageError if it is too large for a notebook."""
    with open(repo.worktree.open(SafeRelPath.parse(path)), "rb") as file:
        if os.fstat(file.fileno()).st_size > _LARGEST:
            raise UsageError(f"{shown(path)} is larger than {_LARGEST:,} bytes", hint="name notebooks only")
        return file.read()


def in_batches(repo: Repo, wanted: Sequence[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    """Yield the (path, blob) pairs of WANTED in batches that fit into memory. Blobs above `max_size` are skipped."""
    limit = repo.config.notebooks.max_size
    asked = "".join(f"{blob}\n" for _, blob in wanted).encode("ascii")
    sizes = git(repo.layout, "cat-file", "--batch-check=%(objectsize)", stdin=asked).split(b"\n")
    some: list[tuple[str, str]] = []
    total = 0
    for one, size in zip(wanted, sizes, strict=False):
        number = int(size) if size.isdigit() else 0
        if not 0 < number <= limit:
            continue
        if len(some) == _BATCH or (some and total + number > limit):
            yield some
            some, total = [], 0
        some.append(one)
        total += number
    if some:
        yield some


def too_large(repo: Repo, path: str) -> str:
    """Return why the notebook PATH is too large to be stripped; "" if it is not."""
    rules = repo.config.notebooks
    found = repo.worktree.stat(SafeRelPath.parse(path))
    if not found or found.size <= rules.max_size or rules.skips(path):
        return ""
    return f"is larger than max_size, {sizes.written(rules.max_size)}"


def problem(data: bytes, path: str) -> str:
    """Return what is wrong with the notebook DATA: unreadable, or in conflict; "" if nothing is."""
    if not data.strip():
        return ""
    try:
        document = parse(data)
    except FormatError as error:
        if os.path.basename(path) == NOTE:
            return ""
        return "has conflict markers" if conflict.has_markers(data.decode("utf-8", "replace")) else str(error)
    found = conflict.count(document.notebook) if document.kind == JUPYTER else 0
    return f"holds {found} conflict{'' if found == 1 else 's'}" if found else ""


def unstripped(repo: Repo, among: Collection[str] | None = None) -> tuple[str, ...]:
    """Return the paths of notebooks in Git's index (in AMONG, if given) that the filter would change."""
    if among is not None and not among:
        return ()
    rules = repo.config.notebooks
    wanted = [(path, blob) for path, blob in staged(repo).items() if among is None or path in among]
    found = []
    for some in in_batches(repo, wanted):
        blobs = index.read_blobs(repo.layout, [blob for _, blob in some], limit=rules.max_size)
        for path, blob in some:
            data = blobs.get(blob, b"")
            try:
                if clean(data, rules, path)[0] != data:
                    found.append(path)
            except FormatError:
                continue
    return tuple(found)


def note_edition(repo: Repo) -> None:
    """Note in the clone that its user was told which keys this release strips."""
    with open(os.path.join(repo.layout.mvc_dir, _EDITION), "w", encoding="ascii") as file:
        file.write(f"{platforms.EDITION}\n")


def edition(repo: Repo) -> int:
    """Return the edition of stripped keys that `note_edition` noted last; 0 if none."""
    try:
        with open(os.path.join(repo.layout.mvc_dir, _EDITION), encoding="ascii") as file:
            return int(file.read(20))
    except (OSError, ValueError):
        return 0
