"""Any sequence of commands, on two clones and a remote, against a model of dictionaries.

MVC_MACHINE=500 tries as many sequences as one likes; every run tries a few.
"""

from __future__ import annotations

import contextlib
import io
import os
import random
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from blake3 import blake3
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from modelvc.cli.app import run
from tests.support.clone import Clone

EXAMPLES = int(os.environ.get("MVC_MACHINE", "6"))
STEPS = 25
WHO = st.sampled_from(["ada", "ben"])
WHICH = st.integers(0, 1)
SEEDS = st.integers(0, 5)

State = dict[str, str]  # digest by name


def content(name: str, seed: int) -> bytes:
    return b"shared " * 3_000 + random.Random(f"{name} {seed}").randbytes(4_000)


def digest(data: bytes) -> str:
    return blake3(data).hexdigest()


class Person:
    """A clone, and what it should hold. Each person trains models of their own, so that merges have no conflicts."""

    def __init__(self, top: Path, name: str) -> None:
        self.name = name
        self.clone = Clone(top / name)
        self.work: State = {}  # what lies in the worktree
        self.points: State = {}  # what the worktree's pointers say
        self.commits: dict[str, State] = {}  # what each commit says

    def model(self, which: int) -> str:
        return f"{self.name}/{which}.bin"

    def mvc(self, *words: str, codes: tuple[int, ...] = (0,)) -> int:
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True)
        old = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = out  # type: ignore[assignment]
        try:
            code = run(["--repo", str(self.clone.path), *words])
        finally:
            sys.stdout, sys.stderr = old
        out.seek(0)
        assert code in codes, f"{self.name}: mvc {' '.join(words)} -> {code}\n{out.read()}"
        return code

    def git(self, *words: str) -> str:
        return self.clone.git(*words)

    @property
    def head(self) -> str:
        return self.git("rev-parse", "HEAD").strip()

    def seen(self) -> State:
        found = {}
        for folder in ("ada", "ben"):
            for path in sorted((self.clone.path / folder).glob("*.bin")):
                found[f"{folder}/{path.name}"] = digest(path.read_bytes())
        return found

    def is_clean(self) -> bool:
        return self.agrees() and self.points == self.commits[self.head]

    def agrees(self) -> bool:
        """Whether what is tracked is as its pointer says."""
        return all(self.work.get(name) == wanted for name, wanted in self.points.items())


class Machine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.top = Path(tempfile.mkdtemp(prefix="mvc-machine-"))
        bare = self.top / "server.git"
        bare.mkdir()
        Clone(bare).git("init", "-q", "--bare")
        ada, ben = Person(self.top, "ada"), Person(self.top, "ben")
        Clone.new(ada.clone.path)
        ada.mvc("remote", "add", "origin", str(self.top / "far"))
        ada.git("commit", "-qm", "begin")
        ada.git("remote", "add", "origin", str(bare))
        ada.git("push", "-q", "-u", "origin", "main")
        ada.git("clone", "-q", str(bare), str(ben.clone.path))
        ben.mvc("install", "--trust")
        self.people = {"ada": ada, "ben": ben}
        for one in self.people.values():
            one.commits[one.head] = {}

    def teardown(self) -> None:
        if not hasattr(self, "people"):
            return
        try:
            self.everything_can_be_had()
        finally:
            shutil.rmtree(self.top)

    def everything_can_be_had(self) -> None:
        """Every version that somebody committed is whole, here or at the remote."""
        for one in self.people.values():
            one.mvc("push", "--all")
            for commit, state in one.commits.items():
                for name, wanted in state.items():
                    one.mvc("checkout", "--force", commit, name)
                    assert digest(one.clone.read(name)) == wanted, (one.name, commit, name)
            one.mvc("fsck", "--remote")

    # -- what people do

    @rule(who=WHO, which=WHICH, seed=SEEDS)
    def train(self, who: str, which: int, seed: int) -> None:
        one = self.people[who]
        name = one.model(which)
        one.work[name] = digest(one.clone.write(name, content(name, seed)))

    @rule(who=WHO, which=WHICH)
    def delete(self, who: str, which: int) -> None:
        one = self.people[who]
        if one.work.pop(one.model(which), None):
            (one.clone.path / one.model(which)).unlink()

    @rule(who=WHO, which=WHICH)
    def add(self, who: str, which: int) -> None:
        one = self.people[who]
        name = one.model(which)
        there = name in one.work
        one.mvc("add", name, codes=(0,) if there else (10,))
        if there:
            one.points[name] = one.work[name]

    @rule(who=WHO)
    def add_modified(self, who: str) -> None:
        one = self.people[who]
        one.mvc("add", "-u")
        for name, found in one.work.items():
            if name in one.points:
                one.points[name] = found

    @rule(who=WHO)
    def commit(self, who: str) -> None:
        one = self.people[who]
        one.git("commit", "-q", "--allow-empty", "-m", "work")
        one.commits[one.head] = dict(one.points)

    @rule(who=WHO)
    def status(self, who: str) -> None:
        one = self.people[who]
        one.mvc("status", "--exit-code", codes=(0,) if one.agrees() else (1,))

    @rule(who=WHO)
    def checkout(self, who: str) -> None:
        """The worktree becomes what the pointers say, unless that would lose something."""
        one = self.people[who]
        code = one.mvc("checkout", codes=(0, 11))
        unsaved = self._unsaved(one, one.points)
        assert (code == 11) == bool(unsaved), unsaved
        if not code:
            one.work |= one.points

    @rule(who=WHO, at=st.integers(0, 100), which=WHICH, force=st.booleans())
    def back(self, who: str, at: int, which: int, force: bool) -> None:  # noqa: FBT001
        """One model as it was in some commit."""
        one = self.people[who]
        commit = list(one.commits)[at % len(one.commits)]
        name = one.model(which)
        wanted = one.commits[commit].get(name)
        if wanted is None:
            one.mvc("checkout", commit, name, codes=(10,))
            return
        code = one.mvc("checkout", *(["--force"] if force else []), commit, name, codes=(0, 11))
        assert force <= (code == 0)
        assert (code == 11) == (not force and name in self._unsaved(one, {name: wanted}))
        if not code:
            one.work[name] = one.points[name] = wanted

    @rule(who=WHO, at=st.integers(0, 100))
    def git_checkout(self, who: str, at: int) -> None:
        """Git alone goes elsewhere and comes back: models follow."""
        one = self.people[who]
        if not one.is_clean():
            return
        here = one.head
        commit = list(one.commits)[at % len(one.commits)]
        one.git("checkout", "-q", commit)
        one.points = dict(one.commits[commit])
        seen = one.seen()
        assert all(seen.get(name, wanted) == wanted for name, wanted in one.points.items()), "never another version"
        one.git("checkout", "-q", "main")
        one.points = dict(one.commits[here])
        one.mvc("checkout")
        one.work |= one.points

    @rule(who=WHO)
    def share(self, who: str) -> None:
        """Take what the other did, and give what one did oneself."""
        one = self.people[who]
        if not one.is_clean():
            return
        one.git("fetch", "-q", "origin")
        mine, theirs = one.commits[one.head], self._at_server(one)
        one.git("merge", "-q", "--no-edit", "origin/main")
        other = "ben" if who == "ada" else "ada"
        state = {name: found for name, found in mine.items() if not name.startswith(other)}
        state |= {name: found for name, found in theirs.items() if name.startswith(other)}
        one.commits[one.head], one.points = dict(state), dict(state)
        one.mvc("pull")
        one.work |= state
        one.git("push", "-q", "origin", "main")

    @rule(who=WHO, evict=st.booleans())
    def collect(self, who: str, evict: bool) -> None:  # noqa: FBT001
        one = self.people[who]
        one.clone.let_go(*(["--evict"] if evict else []))

    @rule(who=WHO)
    def push(self, who: str) -> None:
        self.people[who].mvc("push", "--all")

    @rule(who=WHO)
    def lose_the_store(self, who: str) -> None:
        """Somebody removes the local store, after everything was pushed."""
        one = self.people[who]
        if one.is_clean():
            one.mvc("push", "--all")
            shutil.rmtree(one.clone.path / ".git/mvc/store", ignore_errors=True)
            one.mvc("fetch", "--all")

    @rule(who=WHO)
    def fsck(self, who: str) -> None:
        self.people[who].mvc("fsck")

    # -- what always holds

    @invariant()
    def worktrees_are_as_they_should(self) -> None:
        for one in getattr(self, "people", {}).values():
            assert one.seen() == one.work, one.name
            for name, wanted in one.points.items():
                pointer = (one.clone.path / f"{name}.mvc").read_text()
                assert f'oid = "blake3:{wanted}"' in pointer, (one.name, name)
            assert (
                os.listdir(one.clone.path / ".git/mvc/tmp") == []
                if (one.clone.path / ".git/mvc/tmp").exists()
                else True
            )

    def _unsaved(self, one: Person, wanted: State) -> list[str]:
        """Models whose bytes are nowhere else and would be replaced."""
        kept = self._stored(one)
        return [
            name
            for name, target in wanted.items()
            if name in one.work and one.work[name] != target and one.work[name] not in kept
        ]

    def _stored(self, one: Person) -> set[str]:
        from modelvc.repo import open_repo

        return {oid.hex() for _, oid in open_repo(str(one.clone.path), os.environ).store.roots()}

    def _at_server(self, one: Person) -> State:
        commit = one.git("rev-parse", "origin/main").strip()
        for person in self.people.values():
            if commit in person.commits:
                return person.commits[commit]
        raise AssertionError(f"nobody made {commit}")


Machine.TestCase.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    phases=(Phase.reuse, Phase.generate),  # to shrink a failure takes longer than to read it
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
TestMachine: Any = Machine.TestCase
with contextlib.suppress(AttributeError):
    del Machine.TestCase.pytestmark
