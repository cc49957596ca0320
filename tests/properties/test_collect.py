"""Remote gc beside pushes, fetches and other gcs: every order of their requests leaves what Git's refs name whole.

The programs are the real ones; only the backend is a dictionary that lets one request through at a time, and whose
clock the test turns. All orders with two changes of turn are tried for each pair, and random ones for more.
"""

from __future__ import annotations

import itertools
import os
import random
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from blake3 import blake3

from modelvc.errors import ModelvcError, ObjectCorrupt, ObjectMissing, RemoteBusy, RemoteChanged
from modelvc.formats.binary import root as rootformat
from modelvc.ids import ObjectName
from modelvc.store.backends import retry
from modelvc.store.local.store import LocalStore
from modelvc.store.objects import codec, manifest
from modelvc.store.remote.store import RemoteStore, pack_key, root_key
from modelvc.store.remote_gc import survey
from modelvc.store.remote_gc.gc import Gc
from modelvc.store.remote_gc.survey import GcRules
from modelvc.store.transfer import batch, download, pack_sender, upload
from modelvc.store.transfer.download import Downloader
from modelvc.store.transfer.to_push import ToPush
from modelvc.store.transfer.upload import Uploader, UploadOptions
from tests.support.liar import KINDS, LyingBackend
from tests.support.stores import DictBackend, add_bytes
from tests.support.turns import Inline, Killed, TurnBackend, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from modelvc.ids import Oid

DAY = 86_400.0
GRACE = 14 * DAY
SCHEDULES = int(os.environ.get("MVC_SCHEDULES", "40"))  # random orders for each set of programs
KIB = 1 << 10


@pytest.fixture(autouse=True)
def _inline(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (upload, batch, pack_sender, survey, download):
        monkeypatch.setattr(module, "Workers", Inline)


class Kept:
    """A local store with the objects that the tests push: `old` shares chunks with `next`, `main` a pack with `old`."""

    def __init__(self, folder: Path) -> None:
        self.store = LocalStore(str(folder / "store"))
        noise = random.Random(7).randbytes
        start = noise(600 * KIB)
        self.main = self._add(folder, noise(300 * KIB))
        self.old = self._add(folder, start)
        self.next = self._add(folder, start + noise(300 * KIB))
        self.good: set[tuple[bytes, int]] = set()  # chunks of packs that were compared: packs never change
        self.lost = self._add(folder, noise(200 * KIB))

    def _add(self, folder: Path, data: bytes) -> Oid:
        return add_bytes(self.store, folder, data).oid


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    return Kept(tmp_path_factory.mktemp("kept"))


class World:
    """A remote, Git's refs, and a clock. `main` is named by a ref; `old` was once, and nothing else was."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        self.now = 1e9
        self.far = DictBackend()
        self.far.clock = lambda: self.now
        self.refs: set[Oid] = {kept.main}
        self.turns = Turns()
        self.rng = random.Random(0)
        self.proof = 0  # the generation at which `old` was proven
        self._push(RemoteStore(self.far), kept.main, kept.old, kept.lost)
        self.now += 20 * DAY

    def _push(self, remote: RemoteStore, *oids: Oid, here: bool = True) -> None:
        related = [("file", oid) for oid in (self.kept.main, self.kept.old)]
        wanted = [ToPush("file", oid, "model", lambda: related, here) for oid in oids]
        done = Uploader(self.kept.store, remote, {}, UploadOptions(1, GRACE)).run(wanted)
        for error in done.absent.values():
            raise error

    def _remote(self, who: str, requests: int = 1_000_000) -> RemoteStore:
        return RemoteStore(TurnBackend(self.far, self.turns, who, requests))

    def gc(self, who: str = "", grace: float = GRACE) -> Callable[[], object]:
        def reached() -> set[ObjectName]:
            if who:
                self.turns.step(who)
            return {("file", oid) for oid in self.refs}

        remote = self._remote(who) if who else RemoteStore(self.far)
        return Gc(remote, GcRules(reached, grace, jobs=1)).run

    def push(self, who: str, *oids: Oid, here: bool = True) -> Callable[[], None]:
        def program() -> None:
            while True:
                self._push(self._remote(who), *oids, here=here)
                done = self.now
                self.turns.step(who)
                if self.now - done <= GRACE / 4:  # later Git's hook would have pushed again
                    self.refs.update(oids)
                    return

        return program

    def proven(self, who: str, *, stale: bool = False) -> Callable[[], None]:
        """A push of `next` to the branch with `old`, which was proven when the world began; STALE: deleted or not."""

        def program() -> None:
            while True:
                self.turns.step(who)  # Git tells the hook what its remote has
                live = self.kept.old in self.refs
                remote = self._remote(who)
                trusted = (live or stale) and remote.generation() == self.proof
                self._push(remote, self.kept.next, *(() if trusted else (self.kept.old,)))
                done = self.now
                self.turns.step(who)
                if live and self.kept.old not in self.refs:
                    return  # Git refuses: the ref changed
                if self.now - done <= GRACE / 4:
                    self.refs.update((self.kept.next, self.kept.old))
                    return

        return program

    def undo(self, who: str) -> Callable[[], None]:
        """Somebody deletes the branch with `old`."""

        def program() -> None:
            self.turns.step(who)
            self.refs.discard(self.kept.old)

        return program

    def dying(self, who: str, oid: Oid) -> Callable[[], None]:
        """A push that is killed at some request, without a ref for what it wrote."""

        def program() -> None:
            with suppress(Killed):
                self._push(self._remote(who, self.rng.randrange(5, 20)), oid)

        return program

    def fetch(self, who: str, oid: Oid, folder: Path) -> Callable[[], None]:
        def program() -> None:
            place = folder / os.urandom(4).hex()
            local = LocalStore(str(place))
            got = Downloader(local, self._remote(who), jobs=1).run([("file", oid)])
            local.close()
            assert got.came == (("file", oid),)

        return program

    def time(self, who: str, *days: float) -> Callable[[], None]:
        def program() -> None:
            for some in days:
                self.turns.step(who)
                self.now += some * DAY

        return program

    def check(self) -> None:
        """Whatever a ref names is whole, to the last byte that its root names."""
        for oid in self.refs:
            root = rootformat.parse(self.far.objects[root_key("file", oid)][0])
            source = RemoteStore(DictView(self.far))
            for part in root.records():
                placement = manifest.read_segment(source, root, part).placement
                assert placement is not None
                for number, chunk in zip(placement.pack, placement.stored, strict=True):
                    name, size = placement.packs[number]
                    data, _ = self.far.objects.get(pack_key(name), (b"", ""))
                    assert len(data) == size, f"a pack of {oid.short} is gone"
                    piece = data[chunk.offset : chunk.offset + chunk.stored]
                    if (name, chunk.offset) not in self.kept.good:
                        assert blake3(codec.decode(chunk.encoding, piece, chunk.raw)).digest() == chunk.cid
                        self.kept.good.add((name, chunk.offset))

    def run(self, programs: dict[str, Callable[[], object]], choose: Callable[[Sequence[str]], str]) -> None:
        self.turns.run(programs, choose, self.check)
        for who, error in self.turns.failures.items():
            assert isinstance(error, (RemoteBusy, ObjectMissing)), f"{who}: {error!r} in {self.turns.log}"
        self.check()

    @property
    def packs(self) -> set[str]:
        return {key for key in self.far.objects if key.startswith("packs/")}


class DictView(DictBackend):
    """The same dictionary, read without a note."""

    def __init__(self, other: DictBackend) -> None:
        super().__init__()
        self.objects, self.times, self.clock = other.objects, other.times, other.clock


def doomed(kept: Kept) -> World:
    """A world in which a gc has doomed what nothing needs, and the grace is over."""
    world = World(kept)
    world.gc()()
    world.now += 15 * DAY
    return world


def revived(kept: Kept) -> World:
    """As before, but since then the objects were pushed again: their roots are young, `main`'s pack is doomed."""
    world = doomed(kept)
    world._push(RemoteStore(world.far), kept.old)
    return world


def branched(kept: Kept) -> World:
    """A ref names `old` too, and a proof says that it is complete."""
    world = World(kept)
    world.refs.add(kept.old)
    return world


STARTS = {"old": World, "doomed": doomed, "revived": revived}


def programs_of(world: World, name: str, tmp: Path) -> dict[str, Callable[[], object]]:
    kept = world.kept
    made: dict[str, Callable[[], object]] = {}
    for number, word in enumerate(name.split("+")):
        who = f"{word}{number}"
        made[who] = {
            "gc": lambda w=who: world.gc(w),
            "now": lambda w=who: world.gc(w, 0.0),
            "again": lambda w=who: world.push(w, kept.old),
            "next": lambda w=who: world.push(w, kept.next),
            "absent": lambda w=who: world.push(w, kept.old, here=False),
            "dies": lambda w=who: world.dying(w, kept.old),
            "fetch": lambda w=who: world.fetch(w, kept.main, tmp),
            "proven": lambda w=who: world.proven(w),
            "undo": lambda w=who: world.undo(w),
            "later": lambda w=who: world.time(w, 2, 3, 8, 8),
        }[word]()
    return made


PAIRS = ("gc+again", "gc+next", "gc+absent", "gc+gc", "gc+fetch")
MORE = (
    *("gc+gc+next", "gc+gc+again+later", "gc+next+again+later", "gc+gc+absent+later", "gc+gc+gc+later"),
    *(
        "gc+next+fetch",
        "gc+dies+absent",
        "gc+dies+again",
        "gc+gc+dies+absent+later",
        "gc+gc+next+later",
        "gc+absent+again+later",
        "gc+now+now",
        "now+now+now",
    ),
)


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("pair", PAIRS)
def test_every_order_with_two_changes_of_turn(kept: Kept, pair: str, start: str, tmp_path: Path):
    """One program goes I requests far, the other J, the first to its end, then the other."""
    ends = set()
    lengths = [60, 60]
    for first in range(2):
        for i, j in itertools.product(range(0, lengths[first] + 1, _STRIDE), range(1, lengths[1 - first] + 1, _STRIDE)):
            world = STARTS[start](kept)
            programs = programs_of(world, pair, tmp_path)
            one, other = sorted(programs)[:: 1 if not first else -1]
            plan = [one] * i + [other] * j

            def choose(waiting: Sequence[str], plan: list[str] = plan, one: str = one, other: str = other) -> str:
                while plan:
                    who = plan.pop(0)
                    if who in waiting:
                        return who
                return one if one in waiting else other

            world.run(programs, choose)
            ends.add(len(world.packs))
            steps = world.turns.log
            lengths[first] = min(lengths[first], steps.count(one) + 2)
            lengths[1 - first] = min(lengths[1 - first], steps.count(other) + 2)
            if i >= lengths[first]:
                break
    assert ends


_STRIDE = int(os.environ.get("MVC_STRIDE", "3"))


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("several", MORE)
def test_random_orders(kept: Kept, several: str, start: str, tmp_path: Path):
    for seed in range(SCHEDULES):
        rng = random.Random(f"{several} {start} {seed}")
        world = STARTS[start](kept)
        world.rng = rng
        weights = {who: rng.choice([1, 1, 5, 20]) for who in programs_of(world, several, tmp_path)}

        def choose(waiting: Sequence[str], rng: random.Random = rng, weights: dict[str, int] = weights) -> str:
            return rng.choices(waiting, [weights[who] for who in waiting])[0]

        try:
            world.run(programs_of(world, several, tmp_path), choose)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {world.turns.log}") from error


@pytest.mark.parametrize("several", ["gc+proven+undo", "gc+proven+undo+again", "gc+gc+proven+undo+again+later"])
def test_a_push_that_relies_on_a_proof(kept: Kept, several: str, tmp_path: Path):
    """The branch is deleted, revived and cleaned up meanwhile: what it names is whole all the time."""
    relied = 0
    for seed in range(2 * SCHEDULES):
        rng = random.Random(f"{several} {seed}")
        world = branched(kept)
        programs = programs_of(world, several, tmp_path)
        weights = {who: rng.choice([1, 1, 5, 20]) for who in programs}

        def choose(waiting: Sequence[str], rng: random.Random = rng, weights: dict[str, int] = weights) -> str:
            return rng.choices(waiting, [weights[who] for who in waiting])[0]

        try:
            world.run(programs, choose)
        except Exception as error:
            raise AssertionError(f"seed {seed}: {world.turns.log}") from error
        relied += kept.next in world.refs
    assert relied


def test_a_proof_without_a_live_ref_would_not_do(kept: Kept):
    """Why the hook leaves out only what Git's remote has now: a clean-up that has read the refs removes afterwards."""
    lost = 0
    for turn in range(1, 40):
        world = World(kept)  # no ref names `old` any more
        plan = ["gc"] * turn

        def choose(waiting: Sequence[str], plan: list[str] = plan) -> str:
            return plan.pop() if plan and "gc" in waiting else max(waiting)

        try:
            world.run({"gc": world.gc("gc"), "push": world.proven("push", stale=True)}, choose)
        except (AssertionError, KeyError):
            lost += 1
    assert lost


def test_a_clean_up_that_removes_roots_alone_changes_the_generation(kept: Kept):
    """And one that removes nothing does not."""
    world = World(kept)
    world.refs |= {kept.old, kept.lost}
    world.gc()()
    assert RemoteStore(world.far).generation() == 0
    world.refs.discard(kept.lost)
    done = world.gc()()
    assert ([one.oid for one in done.roots], done.doomed) == ([kept.lost], 0)
    assert RemoteStore(world.far).generation() == 1


@pytest.mark.parametrize("start", STARTS)
def test_broken_off_at_each_request_it_is_carried_on(kept: Kept, start: str):
    whole = STARTS[start](kept)
    requests = len(whole.far.log)
    whole.gc()()
    requests = len(whole.far.log) - requests
    for left in range(requests + 1):
        world = STARTS[start](kept)

        def program(world: World = world, left: int = left) -> None:
            remote = world._remote("gc", left)
            with suppress(Killed):
                Gc(remote, GcRules(lambda: {("file", oid) for oid in world.refs}, GRACE, jobs=1)).run()

        world.run({"gc": program}, min)
        world.check()
        for _ in range(4):  # what was sent and never named is young at first
            world.gc()()
            world.now += 15 * DAY
        assert [key for key in world.far.objects if key.startswith("b/")] == [root_key("file", kept.main)]
        assert sum(len(world.far.objects[key][0]) for key in world.packs) < 310 * KIB


def test_no_root_goes_before_the_generation_is_raised(kept: Kept):
    """Killed at any request: a proof that was made before is not believed once something of it is gone."""
    begin = World(kept)
    objects, times = dict(begin.far.objects), dict(begin.far.times)
    begun = len(begin.far.log)
    begin.gc()()
    for left in range(len(begin.far.log) - begun + 1):
        begin.far.objects, begin.far.times = dict(objects), dict(times)

        def program(left: int = left) -> None:
            with suppress(Killed):
                Gc(begin._remote("gc", left), GcRules(lambda: {("file", kept.main)}, GRACE, jobs=1)).run()

        begin.run({"gc": program}, min)
        gone = objects.keys() - begin.far.objects.keys()
        assert not gone or RemoteStore(begin.far).generation() > 0
    assert gone


def test_what_nothing_needs_goes_after_two_graces(kept: Kept):
    world = World(kept)
    before = world.packs
    first = world.gc()()
    assert {one.oid for one in first.roots} == {kept.old, kept.lost}
    assert first.doomed == 1
    assert first.deleted == 0
    assert world.packs == before
    world.now += 13 * DAY
    assert world.gc()().deleted == 0
    world.now += 2 * DAY
    last = world.gc()()
    assert last.deleted == 1
    assert not before & world.packs
    assert last.copied_bytes == sum(len(world.far.objects[key][0]) for key in world.packs)
    assert sum(len(world.far.objects[key][0]) for key in world.packs) < 310 * KIB
    world.check()
    assert world.gc()().deleted == 0


def test_a_root_that_comes_late_keeps_a_doomed_pack(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    """Of a push that slept: it names what is about to be deleted, and nobody counted it."""
    late = World(kept).far.objects[root_key("file", kept.old)][0]
    world = doomed(kept)
    put = world.far.put

    def coming(key: str, data: bytes) -> object:
        if key.startswith("packs/"):
            world.far._set(root_key("file", kept.old), late)
            world.refs.add(kept.old)
        return put(key, data)

    monkeypatch.setattr(world.far, "put", coming)
    world.gc()()
    world.check()


def test_what_was_copied_is_read_before_what_it_replaces_goes(kept: Kept, monkeypatch: pytest.MonkeyPatch):
    """A server that keeps other bytes than it was sent, as many of them."""
    world = doomed(kept)
    before = dict(world.far.objects)
    put = world.far.put

    def changed(key: str, data: bytes) -> object:
        return put(key, data[:-60] + bytes([data[-60] ^ 1]) + data[-59:])

    monkeypatch.setattr(world.far, "put", changed)
    with pytest.raises(ObjectCorrupt, match="its trailer does not match its name"):
        world.gc()()
    assert all(world.far.objects[key] == value for key, value in before.items())
    world.check()


def test_doom_lists(kept: Kept):
    """Made by one clean-up, never replaced by another; a pack is doomed since the first that names it."""
    world = World(kept)
    remote = RemoteStore(world.far)
    first = remote.doom([b"a" * 32, b"b" * 32], ())
    with pytest.raises(RemoteChanged):
        remote.doom([b"c" * 32], ())
    begun = world.now
    world.now += DAY
    remote.doom([b"b" * 32, b"c" * 32], (first,))
    assert remote.doomed(remote.doom_lists()) == {b"a" * 32: begun, b"b" * 32: begun, b"c" * 32: world.now}


def test_what_has_no_time_stays(kept: Kept):
    world = World(kept)
    world.far.times = dict.fromkeys(world.far.times, 0.0)
    done = world.gc()()
    assert (done.roots, done.doomed) == ([], 0)
    world.far.times = {key: 0.0 if key in world.packs else 1e9 for key in world.far.times}
    done = world.gc()()
    assert (len(done.roots), done.doomed) == (2, 0)


def test_without_a_grace_all_goes_at_once(kept: Kept):
    world = World(kept)
    done = world.gc(grace=0.0)()
    assert (done.doomed, done.deleted) == (1, 1)
    world.check()


MONTHS = {
    "gcs": "gc gc gc gc",
    "pushes": "gc old gc next gc gc",
    "undone": "gc old undo gc gc gc",
}


def pass_months(world: World, what: str) -> None:
    """Fifteen days before each of the things that others do."""
    for word in what.split():
        world.now += 15 * DAY
        if word == "gc":
            world.gc()()
        elif word == "undo":
            world.refs -= {world.kept.old}
        else:
            oid = getattr(world.kept, word)
            world._push(RemoteStore(world.far), oid)
            world.refs.add(oid)
        world.check()


@pytest.mark.parametrize("months", MONTHS)
@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("sleeper", ["gc", "again", "next", "absent"])
def test_whoever_wakes_late(kept: Kept, sleeper: str, start: str, months: str, tmp_path: Path):
    """A program stops at a request, for months in which others work, and goes on."""
    awake = 0
    while True:
        world = STARTS[start](kept)
        programs = programs_of(world, sleeper, tmp_path)
        left = [awake]

        def choose(waiting: Sequence[str], left: list[int] = left, world: World = world) -> str:
            if left[0] == 0:
                pass_months(world, MONTHS[months])
            left[0] -= 1
            return waiting[0]

        world.run(programs, choose)
        pass_months(world, "gc gc gc")
        if left[0] > 0:
            break
        awake += 1
    assert awake >= 4


@pytest.mark.parametrize("awake", range(12))
def test_a_push_that_slept_is_killed_beside_a_gc(kept: Kept, awake: int):
    """What it wrote last names a pack that is being deleted; another push, without those bytes, relies on it."""
    for seed in range(SCHEDULES):
        world = World(kept)
        rng = world.rng = random.Random(seed)
        sleeper = world._remote("sleeper", awake + rng.randrange(1, 4))
        left = [awake]

        def slept(world: World = world, sleeper: RemoteStore = sleeper) -> None:
            with suppress(Killed):
                world._push(sleeper, kept.next)

        def choose(waiting: Sequence[str], left: list[int] = left, world: World = world) -> str:
            left[0] -= 1
            if left[0] >= 0 and "sleeper" in waiting:
                return "sleeper"
            if left[0] == -1:
                pass_months(world, "gc")
                world.now += 15 * DAY
            return world.rng.choice(waiting)

        programs = {"gc": world.gc("gc"), "sleeper": slept, "absent": world.push("absent", kept.next, here=False)}
        world.run(programs, choose)


def test_what_a_push_has_just_sent_is_not_doomed(kept: Kept):
    world = World(kept)
    remote = world._remote("push", 5)  # dies after its packs
    with suppress(Killed):
        world.turns.run({"push": lambda: world._push(remote, kept.next)}, min, world.check)
    fresh = {key for key in world.packs if world.far.times[key] == world.now}
    world.gc()()
    doomed = b"".join(data for key, (data, _) in world.far.objects.items() if key.startswith("gc/doomed/")).decode()
    assert doomed
    assert fresh
    assert not [key for key in fresh if key.rpartition("/")[2] in doomed]


# -- a remote that lies


@pytest.mark.parametrize("start", ["old", "doomed"])
@pytest.mark.parametrize("grace", [GRACE, 0.0], ids=["usual", "none"])
def test_whatever_the_remote_says(kept: Kept, monkeypatch: pytest.MonkeyPatch, start: str, grace: float) -> None:
    """Every lie at every request, once and from then on: what refs name stays whole, and an honest run then ends."""
    monkeypatch.setattr(retry, "DELAYS", (0.0,) * 2)
    world = STARTS[start](kept)
    objects, times = dict(world.far.objects), dict(world.far.times)

    def run(kind: str, at: int, *, stays: bool) -> int:
        world.far.objects, world.far.times = dict(objects), dict(times)
        liar = LyingBackend(world.far, kind, at, stays=stays)
        with suppress(ModelvcError):
            Gc(RemoteStore(liar), GcRules(lambda: {("file", oid) for oid in world.refs}, grace, jobs=1)).run()
        return liar.count

    for kind in KINDS:
        for at in range(1, run("", 0, stays=False) + 1):
            for stays in (False, True):
                run(kind, at, stays=stays)
                try:
                    world.check()
                    world.gc(grace=grace)()
                    world.check()
                except (AssertionError, KeyError, ModelvcError) as error:
                    raise AssertionError(f"{kind} at {at}{' and on' * stays}: {error!r}") from error
