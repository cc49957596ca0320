"""Three clones, two Git servers and two remotes for models; people who do anything; an oracle that checks everything.

The oracle finds the versions of every commit in Git itself, with `ls-tree` of each commit and no code of mvc. It finds
the content of each store in the names of its roots. After every operation it checks:

- unsaved bytes of a model are still in the worktree, or in a store;
- every version of a commit that a ref or reflog reaches is in some store;
- each version that the refs of a server reach is on a remote: on that of the server, or on one that a push named;
- no command ends in a way that mvc does not document.

A version may get lost in one way alone: no server reached it when gc ran on a remote with a grace period of 0.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from modelvc.formats.binary.tree import TreeEntry, leaves, tree_oid
from modelvc.formats.paths import SafeRelPath
from modelvc.ids import Oid
from tests.support import spawn
from tests.support.clone import Clone

if TYPE_CHECKING:
    from collections.abc import Iterator

FILES = ("a.bin", "sub/b.bin", "sub/ü x.bin")
FOLDER = "folder"
BRANCHES = ("main", "one", "two", "three")
SERVERS = ("origin", "second")
NEVER = frozenset({12, 70})  # corruption does not happen here, and a bug is a bug


class Version(NamedTuple):
    """An object that a pointer names: "b" or "t", and its hash in hex."""

    letter: str
    digest: str


@dataclass(slots=True)
class Place:
    """A clone, with the facts that the oracle needs."""

    name: str
    clone: Clone
    git_dir: Path

    @property
    def store(self) -> Path:
        return self.git_dir / "mvc" / "store"

    def files(self) -> Iterator[tuple[str, Path]]:
        """Every file of the worktree that belongs to a model, or may, by its path."""
        top = self.clone.path
        for folder, folders, names in os.walk(top):
            folders[:] = [one for one in folders if one not in {".git", ".mvc"}]
            for name in names:
                path = Path(folder, name)
                if path.suffix in {".bin", ".dat"} and path.is_file() and not path.is_symlink():
                    yield str(path.relative_to(top)), path


def digest(data: bytes) -> str:
    return blake3(data).hexdigest()


def roots(store: Path) -> set[Version]:
    """The objects that a store in a folder has, by the names of its roots."""
    found = set()
    for letter in "bt":
        for folder in (store / letter).glob("*"):
            found |= {Version(letter, name) for name in os.listdir(folder) if re.fullmatch("[0-9a-f]{64}", name)}
    return found


def tree_of(top: Path) -> tuple[str, set[str]]:
    """The oid of a folder as a tree, in hex, and the digests of its files."""
    entries, files = [], set()
    for path in sorted(top.rglob("*")) if top.is_dir() else ():
        if path.is_file():
            data = path.read_bytes()
            files.add(digest(data))
            runs = bool(path.stat().st_mode & 0o100)
            oid = Oid(bytes.fromhex(digest(data)))
            entries.append(TreeEntry(SafeRelPath(str(path.relative_to(top))), runs, len(data), oid))
    hashes = [leaf.digest for leaf in leaves(entries)]
    return tree_oid(hashes, len(entries), sum(one.size for one in entries)).hex(), files


@dataclass(slots=True)
class World:
    """All clones, servers and remotes. LOG: the operations so far, so that a failure can be understood."""

    top: Path
    rng: random.Random
    places: list[Place] = field(default_factory=list)
    lost: set[Version] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    folders: dict[str, set[str]] = field(default_factory=dict)  # digests of files by the hash of a folder
    _commits: dict[str, frozenset[Version]] = field(default_factory=dict)
    _blobs: dict[str, frozenset[Version]] = field(default_factory=dict)
    forked: bool = False  # hooks hand their work to spawn.py: ten times faster, and no Python from the first byte
    _count: int = 0
    _last: Place | None = None

    def somebody(self) -> Place:
        """A random clone, mostly the last one: people do several things in a row."""
        if self._last is None or self.rng.random() < 0.3:
            self._last = self.rng.choice(self.places)
        return self._last

    @classmethod
    def new(cls, top: Path, seed: int, *, forked: bool = False) -> World:
        world = cls(top, random.Random(seed), forked=forked)
        for name in SERVERS:
            world.server(name).mkdir(parents=True)
            Clone(world.server(name)).git("init", "-q", "--bare")
        ada = Clone.new(top / "ada")
        for name in SERVERS:
            ada.mvc("remote", "add", name, str(world.far(name)))
        ada.git("commit", "-qm", "remotes")
        world._settle("ada", ada)
        for at, branch in enumerate((*BRANCHES[1:], BRANCHES[0])):
            ada.git("checkout", "-q", *(["-b", branch, "main"] if branch != "main" else ["main"]))
            names = (FILES[at % len(FILES)], f"{FOLDER}/{branch}.dat")
            for name in names if branch != "main" else (*FILES, f"{FOLDER}/x.dat"):
                ada.write(name, world.content())
                ada.mvc("add", name.partition("/")[0] if name.startswith(FOLDER) else name)
            world.remember_folder(ada)
            ada.git("commit", "-qm", f"models of {branch}")
        for name in SERVERS:
            ada.git("push", "-q", name, "--all")
        for name in ("ben", "cyd"):
            world.clone(name)
        return world

    def clone(self, name: str) -> Place:
        """Make one more clone of the first server."""
        found = Clone(self.top / name)
        Clone(self.top).git("clone", "-q", str(self.server("origin")), str(found.path))
        return self._settle(name, found, fresh=True)

    def _settle(self, name: str, clone: Clone, *, fresh: bool = False) -> Place:
        for server in SERVERS:
            if server not in clone.git("remote").split():
                clone.git("remote", "add", server, str(self.server(server)))
        if fresh:
            clone.mvc("install", "--trust")
            clone.mvc("pull")
        if self.forked:
            self._let_hooks_fork(clone)
        git_dir = Path(clone.git("rev-parse", "--path-format=absolute", "--git-common-dir").strip())
        self.places.append(Place(name, clone, git_dir))
        return self.places[-1]

    def _let_hooks_fork(self, clone: Clone) -> None:
        script = self.top / "python"
        code = Path(__file__).with_name("interpreter.py").read_text()
        script.write_text(f"#!{sys.executable} -ISE\n{code}")
        script.chmod(0o755)
        common = clone.git("rev-parse", "--path-format=absolute", "--git-common-dir").strip()
        Path(common, "mvc/python").write_text(f"{script}\n")

    def server(self, name: str) -> Path:
        return self.top / f"{name}.git"

    def far(self, name: str) -> Path:
        return self.top / f"{name}-models"

    # -- running

    def git(self, place: Place, *words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
        """Run Git. It may fail, as long as mvc inside of it ends in a documented way."""
        return self._run(place, "git", *words, env=env)

    def mvc(self, place: Place, *words: str) -> tuple[int, str]:
        code, said = self._run(place, "mvc", *words)
        assert code >= 0, self.told(f"mvc {' '.join(words)} was killed")
        assert code not in NEVER, self.told(f"mvc {' '.join(words)} -> {code}\n{said}")
        return code, said

    def _run(self, place: Place, *words: str, env: dict[str, str] | None = None) -> tuple[int, str]:
        self.note(place, " ".join(words))
        clone = Clone(place.clone.path, {**(env or {}), **({"MVC_SPAWN": spawn.address()} if self.forked else {})})
        if words[0] == "mvc":
            code, out, err = spawn.mvc(words[1:], str(clone.path), clone.environment())
        else:
            done = subprocess.run(words, cwd=clone.path, env=clone.environment(), capture_output=True, check=False)
            code, out, err = done.returncode, done.stdout, done.stderr
        said = (out + err).decode(errors="replace")
        self.log[-1] += f" -> {code}"
        if code:
            self.log[-1] += "".join(f"\n      {line}" for line in said.strip().splitlines()[-4:])
        assert "Traceback" not in said, self.told(said)
        assert "is a bug" not in said, self.told(said)
        return code, said

    def note(self, place: Place, words: str) -> None:
        self.log.append(f"{len(self.log):4} {place.name}: {words}")

    def told(self, why: str) -> str:
        return "\n".join([*self.log[-60:], "", why])

    # -- contents

    def content(self) -> bytes:
        """New random bytes; some are large enough for several chunks."""
        self._count += 1
        own = random.Random(f"{self.rng.random()} {self._count}").randbytes(
            self.rng.choice((900, 5_000, 5_000, 300_000))
        )
        return own + b"shared " * 500

    def write(self, place: Place, name: str, data: bytes) -> None:
        path = place.clone.path / name
        if path.is_dir():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(".being-written")
        temporary.write_bytes(data)
        os.replace(temporary, path)

    def remember_folder(self, clone: Clone) -> None:
        """Note the files of a folder, so that each counts as saved once the folder is saved."""
        whole, files = tree_of(clone.path / FOLDER)
        self.folders.setdefault(whole, set()).update(files)

    # -- the oracle

    def held(self) -> set[Version]:
        """The objects in any store."""
        found: set[Version] = set()
        for name in SERVERS:
            found |= roots(self.far(name))
        for place in self.places:
            found |= roots(place.store)
        return found

    def saved(self) -> set[str]:
        """The digests of files in any store, alone or in a folder."""
        held = self.held()
        found = {one.digest for one in held}
        for one in held:
            found |= self.folders.get(one.digest, set())
        return found

    def unsaved(self, place: Place) -> dict[str, str]:
        """The path, by digest, of every file in the worktree that no store has."""
        self.remember_folder(place.clone)
        here = {digest(path.read_bytes()): name for name, path in place.files()}
        saved = self.saved()
        return {one: name for one, name in here.items() if one not in saved}

    def check_edits(self, place: Place, before: dict[str, str]) -> None:
        """Check that no file of BEFORE is gone."""
        gone = set(before) - self.saved() - {digest(path.read_bytes()) for _, path in place.files()}
        if gone and (gone := gone - self._stashed(place)):
            raise AssertionError(self.told(f"bytes that nobody saved are gone: {[before[one] for one in gone]}"))

    def _stashed(self, place: Place) -> set[str]:
        """The digests of files that `git stash -u` took: untracked ones that no rule ignores."""
        found = set()
        for stash in place.clone.git("rev-list", "-g", "--ignore-missing", "refs/stash", "--").split():
            for line in (
                place.clone.git("ls-tree", "-r", f"{stash}^3").splitlines() if self._has_third(place, stash) else ()
            ):
                words = ["git", "cat-file", "blob", line.split()[2]]
                found.add(digest(subprocess.run(words, cwd=place.clone.path, capture_output=True, check=True).stdout))
        return found

    def _has_third(self, place: Place, stash: str) -> bool:
        return len(place.clone.git("rev-parse", f"{stash}^@").split()) == 3

    def versions(self, folder: Path, *words: str) -> dict[Version, str]:
        """For every version in the commits of `git rev-list WORDS`, a commit that has it."""
        repo = Clone(folder)
        found: dict[Version, str] = {}
        for commit in repo.git("rev-list", *words).split():
            if commit not in self._commits:
                self._commits[commit] = self._of_commit(repo, commit)
            for version in self._commits[commit]:
                found.setdefault(version, commit)
        return found

    def _of_commit(self, repo: Clone, commit: str) -> frozenset[Version]:
        found: set[Version] = set()
        for line in repo.git("ls-tree", "-r", "-z", commit).split("\0"):
            head, _, name = line.partition("\t")
            if name.endswith(".mvc") and not name.startswith(".mvc/"):
                blob = head.split()[2]
                if blob not in self._blobs:
                    self._blobs[blob] = self._of_pointer(repo.git("cat-file", "blob", blob))
                found |= self._blobs[blob]
        return frozenset(found)

    def _of_pointer(self, text: str) -> frozenset[Version]:
        try:
            table = tomllib.loads(text)
        except tomllib.TOMLDecodeError:
            raise AssertionError(self.told(f"a broken pointer was committed:\n{text}")) from None
        sides = [table, *([table["conflict"]] if "conflict" in table else [])]
        letters = {"file": "b", "tree": "t"}
        return frozenset(Version(letters[one["kind"]], one["oid"].removeprefix("blake3:")) for one in sides)

    def on_server(self, name: str) -> dict[Version, str]:
        return self.versions(self.server(name), "--all")

    def check(self) -> None:
        """Check that every reachable version is in some store, and on a remote if a server reaches it."""
        held = self.held()
        for place in self.places:
            self._missing(self.versions(place.clone.path, "--all", "--reflog", "HEAD"), held, place.name)
        remotes = {version for name in SERVERS for version in roots(self.far(name))}
        for name in SERVERS:
            self._missing(self.on_server(name), remotes, f"the remotes, of what is at {name}")

    def _missing(self, needed: dict[Version, str], held: set[Version], where: str) -> None:
        if missing := set(needed) - held - self.lost:
            one = min(missing)
            words = f"{len(missing)} versions are not where they must be ({where}): {one} of {needed[one]}"
            raise AssertionError(self.told(words))

    def allow_loss(self) -> None:
        """After gc of a remote: accept that versions are lost which no server reaches, and no clone has."""
        held = self.held()
        reached = {one for name in SERVERS for one in self.on_server(name)}
        for place in self.places:
            gone = set(self.versions(place.clone.path, "--all", "--reflog", "HEAD")) - held
            self.lost |= gone - reached

    def end(self) -> int:
        """Check every version out in a new clone of each server. Return the number of versions."""
        count = 0
        for name in SERVERS:
            reader = Clone(self.top / f"reader-{name}")
            Clone(self.top).git("clone", "-q", "-o", name, "--no-checkout", str(self.server(name)), str(reader.path))
            if not reader.git("for-each-ref", "refs/remotes").strip():
                continue
            reader.git("checkout", "-q", "-B", "reading", reader.git("rev-list", "-n", "1", "--all").strip())
            reader.mvc("install", "--trust")
            gone = {version for version in self.on_server(name) if version in self.lost} - self.held()
            reader.mvc("fetch", "--all", code=10 if gone else 0)
            for version, commit in self.on_server(name).items():
                if version in gone:
                    continue
                self._read(reader, version, commit)
                count += 1
            reader.mvc("fsck", code=10 if gone else 0)
        return count

    def _read(self, reader: Clone, version: Version, commit: str) -> None:
        for line in reader.git("ls-tree", "-r", "-z", "--name-only", commit).split("\0"):
            if line.endswith(".mvc") and not line.startswith(".mvc/"):
                text = reader.git("cat-file", "blob", f"{commit}:{line}")
                if f'oid = "blake3:{version.digest}"' in text.partition("[")[0]:
                    path = line.removesuffix(".mvc")
                    reader.mvc("checkout", "--force", commit, "--", path)
                    found = reader.path / path
                    if version.letter == "b":
                        assert digest(found.read_bytes()) == version.digest, self.told(f"{path} of {commit}")
                    else:
                        assert tree_of(found)[0] == version.digest, self.told(f"{path} of {commit}")
                    return
