"""Find the pointers in a commit's tree. Each tree is read once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import GitError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.git.objects import Objects

LARGEST = 64 << 20  # most bytes of one tree, which is a folder of more than a million files
_FOLDER, _FILES = b"40000", b"100"


class _Tree(NamedTuple):
    pointers: tuple[tuple[bytes, str], ...]  # name and blob
    folders: tuple[tuple[bytes, str], ...]  # name and tree


class PointerTrees:
    """The pointers below trees. A tree without pointers is skipped at its next appearance."""

    def __init__(self, objects: Objects) -> None:
        self._objects = objects
        self._known: dict[str, _Tree] = {}  # without the folders that hold no pointers
        self._done: set[tuple[bytes, str]] = set()

    def new_pointers(self, top: str) -> Iterator[tuple[bytes, str]]:
        """Yield (path, blob) of each pointer below the tree TOP.

        A tree that was reported before at the same path is skipped.
        """
        self._load(top)
        waiting = [(b"", top)]  # not recursive: a hostile tree may be deep
        while waiting:
            at = waiting.pop()
            if at in self._done:
                continue
            self._done.add(at)
            folder, tree = at
            for name, blob in self._known[tree].pointers:
                yield folder + name, blob
            for name, below in reversed(self._known[tree].folders):
                if folder or name != b".mvc":
                    waiting.append((folder + name + b"/", below))

    def _load(self, top: str) -> None:
        """Read the unknown trees below TOP, and drop folders that hold no pointers at any depth."""
        read: dict[str, _Tree] = {}
        wanted = [top] if top not in self._known else []
        while wanted:
            for name, found in zip(wanted, self._objects.read((one.encode() for one in wanted), LARGEST), strict=True):
                if found is None or found.kind != "tree" or found.size > LARGEST:
                    raise GitError(f"the tree {name} is missing or corrupt", hint="see what `git fsck` says")
                read[name] = _parsed(found.data, len(found.oid) // 2)
            below = {tree for name in wanted for _, tree in read[name].folders}
            wanted = sorted(below - read.keys() - self._known.keys())
        above: dict[str, list[str]] = {}
        for name, tree in read.items():
            for _, folder in tree.folders:
                above.setdefault(folder, []).append(name)
        waiting = [name for name, tree in read.items() if tree.pointers]
        waiting += [name for name in above if name in self._known and any(self._known[name])]
        bearing = set(waiting)
        while waiting:
            more = [name for name in above.get(waiting.pop(), ()) if name not in bearing]
            bearing.update(more)
            waiting += more
        for name, tree in read.items():
            folders = tuple(one for one in tree.folders if one[1] in bearing) if name in bearing else ()
            self._known[name] = _Tree(tree.pointers, folders)


def _parsed(data: bytes, length: int) -> _Tree:
    """Parse a tree. LENGTH is the number of bytes of a binary id. Raises GitError if the tree is corrupt."""
    pointers, folders = [], []
    at = 0
    while at < len(data):
        end = data.find(b"\0", at)
        mode, _, name = data[at:end].partition(b" ")
        at = end + 1 + length
        if end < 0 or at > len(data):
            raise GitError("a tree is damaged", hint="see what `git fsck` says")
        if mode == _FOLDER:
            folders.append((name, data[end + 1 : at].hex()))
        elif mode.startswith(_FILES) and name.endswith(b".mvc") and name != b".mvc":
            pointers.append((name, data[end + 1 : at].hex()))
    return _Tree(tuple(pointers), tuple(folders))
