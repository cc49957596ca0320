"""Name the sides of a merge. The names come from files in the Git folder; no process is started.

The drivers that are copied into clones use this module, so it needs the standard library alone.
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
_NO_FILES = "ref: refs/heads/.invalid"  # HEAD of a reftable repository, whose refs are no files: sides have no names
_LINES = 100_000  # most lines of packed-refs that are searched for a name


def names(layout: Layout, env: Mapping[str, str], given: tuple[str, str] = ("", "")) -> tuple[str, str]:
    """Return the names of our side and of theirs. GIVEN are the names that Git 2.44 or later passes to the driver."""
    found = _rebase(layout) or _merge(layout, env) or ("", "")
    pairs = zip(found, given, (_current(layout) or _OURS, _THEIRS), strict=True)
    ours, theirs = (_clean(known) or _clean(_passed(label)) or last for known, label, last in pairs)
    return ours, theirs


def merged_commit(env: Mapping[str, str]) -> str:
    """Return the id of the commit that `git merge` merges into HEAD; "" outside of a merge, and for an octopus."""
    found = [name[8:] for name in env if name.startswith("GITHEAD_") and _is_id(name[8:])]
    return found[0] if len(found) == 1 else ""


def _passed(label: str) -> str:
    return "" if label.startswith("%") and len(label) == 2 else label


def _clean(text: str) -> str:
    safe = "".join(char if char.isprintable() else "?" for char in text).strip()
    return safe if len(safe) <= LONGEST else safe[: LONGEST - 1] + "…"


def _rebase(layout: Layout) -> tuple[str, str] | None:
    """Return the sides of a rebase, or None. Ours is the commit that the rebase is onto, theirs the moved branch."""
    for step in ("rebase-merge", "rebase-apply"):
        folder = os.path.join(layout.git_dir, step)
        onto = _line(os.path.join(folder, "onto"))
        if _is_id(onto):
            moved = _line(os.path.join(folder, "head-name"))
            return _name_of(layout, onto) or onto[:_SHORT], _branch(moved) if moved != "detached HEAD" else ""
    return None


def _merge(layout: Layout, env: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the sides of a merge, or None.

    While Git merges, GITHEAD_<id> holds the name. When a person resolves conflicts, MERGE_HEAD holds the id. A pull
    sets an id instead of the name.
    """
    commit = merged_commit(env) or _line(os.path.join(layout.git_dir, "MERGE_HEAD"))
    if not _is_id(commit):
        return None
    theirs = env.get(f"GITHEAD_{commit}", "")
    if not theirs or _is_id(theirs):
        theirs = _name_of(layout, commit) or commit[:_SHORT]
    return _current(layout), _branch(theirs)


def _current(layout: Layout) -> str:
    """Return the branch that is checked out, else the commit."""
    head = _line(os.path.join(layout.git_dir, "HEAD"))
    if head == _NO_FILES:
        return ""
    return _branch(head[5:]) if head.startswith("ref: ") else head[:_SHORT]


def _branch(ref: str) -> str:
    for start in ("refs/heads/", "refs/remotes/"):
        ref = ref.removeprefix(start)
    return ref


def _name_of(layout: Layout, commit: str) -> str:
    """Return a branch that points to COMMIT, or "". Branches of this clone come before those of a remote."""
    found = [name for name, at in _refs(layout) if at == commit and not name.endswith("/HEAD")]
    return _branch(min(found, key=lambda name: (not name.startswith("refs/heads/"), name))) if found else ""


def _refs(layout: Layout) -> Iterator[tuple[str, str]]:
    """Yield (name, id) of branches. A ref in a file of its own hides the packed ref of the same name."""
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
