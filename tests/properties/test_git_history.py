"""History as mvc reads it, compared with a reader that lists the tree of every commit."""

from __future__ import annotations

import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pygit2
import pytest

from modelvc.git import history
from modelvc.git.layout import Layout, discover

NAMES = (
    "m.mvc",
    "a/m.mvc",
    "a/b/n.mvc",
    "x.mvc/inside.mvc",
    "code.py",
    ".mvc/c.mvc",
    "a/.mvc/d.mvc",
    "a/.mvc",
    "é n.mvc",
)


def git(folder: Path, *words: str, stdin: bytes = b"") -> bytes:
    return subprocess.run(["git", *words], cwd=folder, input=stdin, capture_output=True, check=True).stdout


def random_history(folder: Path, seed: int, algorithm: str) -> list[str]:
    """Branches, merges of two and three with trees of their own, files that come and go, links; ids, oldest first."""
    dice = random.Random(seed)
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main", f"--object-format={algorithm}")
    lines: list[str] = []
    marks: list[int] = []
    trees: dict[int, dict[str, tuple[str, str]]] = {}
    for mark in range(1, 40):
        parents = dice.sample(marks, min(len(marks), dice.choice((0, 1, 1, 1, 1, 1, 2, 2, 3)))) if marks else []
        tree = dict(trees[dice.choice(parents)]) if parents else {}  # a merge may take either side, whole
        for _ in range(dice.choice((0, 0, 1, 1, 2))):
            name = dice.choice(NAMES)
            if dice.random() < 0.3:
                tree.pop(name, None)
            elif not any(other.startswith(f"{name}/") or name.startswith(f"{other}/") for other in tree):
                tree[name] = dice.choice(("100644", "100644", "100755", "120000")), dice.choice("abcdefgh")
        marks.append(mark)
        trees[mark] = tree
        lines.append(f"commit refs/heads/c{mark}\nmark :{mark}\n")
        lines.append(f"committer A <a@b> {1_700_000_000 + mark * dice.choice((1, 60))} +0000\ndata 2\nc\n")
        lines += [f"{'merge' if number else 'from'} :{parent}\n" for number, parent in enumerate(parents)]
        lines.append("deleteall\n")
        lines += [f"M {mode} inline {name}\ndata 1\n{text}\n" for name, (mode, text) in tree.items()]
    git(folder, "fast-import", "--quiet", "--export-marks=marks", stdin="".join(lines).encode())
    told = dict(line.split() for line in (folder / "marks").read_text().splitlines())
    return [told[f":{mark}"] for mark in marks]


def listed(folder: Path, commit: str) -> set[tuple[str, bytes]]:
    """The pointers in a commit, by `git ls-tree`: one character each."""
    found = set()
    for line in git(folder, "ls-tree", "-r", "-z", commit).decode().split("\0"):
        head, _, name = line.partition("\t")
        if (
            head.startswith("100")
            and name.endswith(".mvc")
            and name[:5] != ".mvc/"
            and name.rpartition("/")[2] != ".mvc"
        ):
            found.add((name, git(folder, "cat-file", "blob", head.split()[2])))
    return found


def by_libgit2(folder: Path) -> set[tuple[str, bytes]]:
    """The pointers that any ref reaches."""
    repo = pygit2.Repository(str(folder))
    walker = repo.walk(None)
    for name in repo.references:
        walker.push(repo.references[name].peel(pygit2.Commit).id)
    return {found for commit in walker for found in below(commit.tree, "")}


def below(tree: pygit2.Tree, folder: str) -> Iterator[tuple[str, bytes]]:
    for entry in tree:
        path = f"{folder}{entry.name}"
        if isinstance(entry, pygit2.Tree) and path != ".mvc":
            yield from below(entry, f"{path}/")
        elif entry.filemode & 0o170000 == 0o100000 and path.endswith(".mvc") and entry.name != ".mvc":
            yield path, entry.data


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
@pytest.mark.parametrize("seed", range(4))
def test_every_pointer_of_every_commit_is_seen(tmp_path: Path, seed: int, algorithm: str) -> None:
    folder = tmp_path / "r"
    commits = random_history(folder, seed, algorithm)
    layout: Layout = discover(str(folder), {})
    there = {commit: listed(folder, commit) for commit in commits}
    for commit in commits:
        assert set(history.pointers_at(layout, commit).items()) == there[commit]

    dice = random.Random(seed)
    for _ in range(12):
        include, exclude = (dice.sample(commits, dice.choice((1, 2, 5))) for _ in "ie")
        exclude = exclude if dice.random() < 0.7 else []
        walked = git(folder, "rev-list", *include, *(f"^{one}" for one in exclude)).decode().split()
        seen = list(history.pointers_in(layout, include=include, exclude=exclude))
        assert {(one.path, one.data) for one in seen} == set().union(*(there[one] for one in walked))
        assert len({(one.path, one.data) for one in seen}) == len(seen), "each once"
        assert all(one.commit in walked and (one.path, one.data) in there[one.commit] for one in seen)

    everything = set().union(*there.values())
    if algorithm == "sha1":  # libgit2 shares no code with Git, and reads no other algorithm
        assert by_libgit2(folder) == everything
    assert {(one.path, one.data) for one in history.pointers_in(layout, all_refs=True, reflog=True)} == everything
    order = git(folder, "rev-list", "--all", "--topo-order", "--reverse").decode().split()
    for one in history.introductions(layout):
        assert one.commit == next(commit for commit in order if (one.path, one.data) in there[commit])
        everything.remove((one.path, one.data))
    assert not everything


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_versions_are_the_commits_where_a_pointer_became_what_it_is(tmp_path: Path, algorithm: str) -> None:
    folder = tmp_path / "r"
    commits = random_history(folder, 5, algorithm)
    layout = discover(str(folder), {})
    there = {commit: dict(listed(folder, commit)) for commit in commits}
    for line in git(folder, "rev-list", "--all", "--parents").decode().splitlines():
        commit, *parents = line.split()
        for path in there[commit]:
            became = not any(there[parent].get(path) == there[commit][path] for parent in parents)
            found = next(history.versions(layout, path, start=commit), None)
            assert (found is not None and found.commit == commit) == became
