"""What the sides of a merge are called. Read from Git's own notes, without starting anything.

Also used where nothing is installed beside Python itself, so: the standard library alone, and little of it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modelvc.git.layout import Layout

LONGEST = 100
_OURS, _THEIRS = "ours", "theirs"
_HEX = frozenset("0123456789abcdef")
_SHORT = 10  # digits of a commit without a name
_NO_FILES = "ref: refs/heads/.invalid"  # where refs are no files (reftable): sides have no names then
_LINES = 100_000  # of packed-refs, before a name is given up


def names(layout: Layout, env: Mapping[str, str], given: tuple[str, str] = ("", "")) -> tuple[str, str]:
    """Names for our side and for theirs. GIVEN are those that Git passed to the driver, if it knows how to (2.44)."""
    found = _rebase(layout) or _merge(layout, env) or ("", "")
    pairs = zip(found, given, (_current(layout) or _OURS, _THEIRS), strict=True)
    ours, theirs = (_clean(known) or _clean(_passed(label)) or last for known, label, last in pairs)
    return ours, theirs


def merged_commit(env: Mapping[str, str]) -> str:
    """The id of the commit that `git merge` merges into HEAD; "" outside of one, and for an octopus."""
    found = [name[8:] for name in env if name.startswith("GITHEAD_") and _is_id(name[8:])]
    return found[0] if len(found) == 1 else ""


def _passed(label: str) -> str:
    return "" if label.startswith("%") and len(label) == 2 else label


def _clean(text: str) -> str:
    safe = "".join(char if char.isprintable() else "?" for char in text).strip()
    return safe if len(safe) <= LONGEST else safe[: LONGEST - 1] + "…"


def _rebase(layout: Layout) -> tuple[str, str] | None:
    """In a rebase ours is what is rebased onto, and theirs the branch that is being moved."""
    for step in ("rebase-merge", "rebase-apply"):
        folder = os.path.join(layout.git_dir, step)
        onto = _line(os.path.join(folder, "onto"))
        if _is_id(onto):
            moved = _line(os.path.join(folder, "head-name"))
            return _name_of(layout, onto) or onto[:_SHORT], _branch(moved) if moved != "detached HEAD" else ""
    return None


def _merge(layout: Layout, env: Mapping[str, str]) -> tuple[str, str] | None:
    """GITHEAD_<id> while Git merges, MERGE_HEAD when a person settles what it left. A pull gives an id as the name."""
    commit = merged_commit(env) or _line(os.path.join(layout.git_dir, "MERGE_HEAD"))
    if not _is_id(commit):
        return None
    theirs = env.get(f"GITHEAD_{commit}", "")
    if not theirs or _is_id(theirs):
        theirs = _name_of(layout, commit) or commit[:_SHORT]
    return _current(layout), _branch(theirs)


def _current(layout: Layout) -> str:
    """The branch that is checked out, else the commit."""
    head = _line(os.path.join(layout.git_dir, "HEAD"))
    if head == _NO_FILES:
        return ""
    return _branch(head[5:]) if head.startswith("ref: ") else head[:_SHORT]


def _branch(ref: str) -> str:
    for start in ("refs/heads/", "refs/remotes/"):
        ref = ref.removeprefix(start)
    return ref


def _name_of(layout: Layout, commit: str) -> str:
    """A branch that points to COMMIT, one of this clone rather than one of a remote."""
    found = [name for name, at in _refs(layout) if at == commit and not name.endswith("/HEAD")]
    return _branch(min(found, key=lambda name: (not name.startswith("refs/heads/"), name))) if found else ""


def _refs(layout: Layout) -> Iterator[tuple[str, str]]:
    """(name, id) of branches: those in files of their own stand for what is packed under the same name."""
    loose = set()
    for start in ("refs/heads", "refs/remotes"):
        for folder, _, files in os.walk(os.path.join(layout.common_dir, start)):
            for file in files:
                path = os.path.join(folder, file)
                name = os.path.relpath(path, layout.common_dir)
                loose.add(name)
                yield name, _line(path)
    try:
        with open(os.path.join(layout.common_dir, "packed-refs"), encoding="utf-8", errors="replace") as packed:
            for _, line in zip(range(_LINES), packed, strict=False):
                commit, _, name = line.rstrip("\n").partition(" ")
                if name.startswith(("refs/heads/", "refs/remotes/")) and name not in loose:
                    yield name, commit
    except OSError:
        return


def _is_id(text: str) -> bool:
    return len(text) in {40, 64} and _HEX.issuperset(text)


def _line(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline(8192).rstrip("\r\n")
    except OSError:
        return ""
