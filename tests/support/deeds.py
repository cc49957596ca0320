"""What people do to a clone of tests/support/wild.py: one function per deed, with its frequency.

mvc may refuse a deed. The oracle alone decides whether something went wrong.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from tests.support.clone import MVC, Clone
from tests.support.wild import BRANCHES, FILES, FOLDER, SERVERS, Place, digest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.wild import World

    Deed = Callable[[World, Place], object]

DEEDS: dict[str, tuple[int, Deed]] = {}


def often(times: int) -> Callable[[Deed], Deed]:
    def note(deed: Deed) -> Deed:
        DEEDS[deed.__name__] = (times, deed)
        return deed

    return note


def step(world: World) -> None:
    """Do one random deed in one random clone, then ask the oracle."""
    place = world.somebody()
    name = world.rng.choices(list(DEEDS), [times for times, _ in DEEDS.values()])[0]
    if in_progress(place) and world.rng.random() < 0.7:
        name = "settle"
    world.note(place, f"[{name}]")
    DEEDS[name][1](world, place)
    world.check()


def in_progress(place: Place) -> str:
    """The operation that Git has in progress: merge, rebase, cherry-pick or revert; "" for none."""
    git = place.clone.path / ".git"
    git = git if git.is_dir() else place.git_dir
    for name, file in (
        ("rebase", "rebase-merge"),
        ("rebase", "rebase-apply"),
        ("merge", "MERGE_HEAD"),
        ("cherry-pick", "CHERRY_PICK_HEAD"),
        ("revert", "REVERT_HEAD"),
    ):
        if (git / file).exists():
            return name
    return ""


def guarded(world: World, place: Place, deed: Callable[[], object]) -> None:
    """Do DEED, and check that it lost no unsaved bytes."""
    before = world.unsaved(place)
    deed()
    world.check_edits(place, before)


def git(world: World, place: Place, *words: str, env: dict[str, str] | None = None) -> None:
    guarded(world, place, lambda: world.git(place, *words, env=env))


def mvc(world: World, place: Place, *words: str) -> None:
    guarded(world, place, lambda: world.mvc(place, *words))


def some_commit(world: World, place: Place) -> str:
    commits = place.clone.git("rev-list", "--all", "--full-history", "HEAD", "--", "*.mvc").split()
    return world.rng.choice(commits)[:12]


def some_branch(world: World, place: Place) -> str:
    found = place.clone.git("for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes").split()
    return world.rng.choice(found)


# -- models


@often(9)
def train(world: World, place: Place) -> str:
    name = f"{FOLDER}/{world.rng.choice('xyz')}.dat" if world.rng.random() < 0.25 else world.rng.choice(FILES)
    world.note(place, f"writes {name}")
    world.write(place, name, world.content())
    return name


@often(6)
def add(world: World, place: Place) -> None:
    mvc(world, place, "add", world.rng.choice((*FILES, FOLDER)))


@often(4)
def add_modified(world: World, place: Place) -> None:
    mvc(world, place, "add", "-u")


@often(8)
def commit(world: World, place: Place) -> None:
    if not in_progress(place):
        git(world, place, "commit", "-qam", "work", *world.rng.choice(([], ["--allow-empty"])))


@often(14)
def train_and_commit(world: World, place: Place) -> None:
    if in_progress(place):
        return
    name = train(world, place)
    mvc(world, place, "add", FOLDER if name.startswith(FOLDER) else name)
    git(world, place, "commit", "-qam", "trained")


@often(2)
def delete(world: World, place: Place) -> None:
    """Delete a saved model by hand."""
    saved = world.saved()
    for name, path in place.files():
        if digest(path.read_bytes()) in saved:
            world.note(place, f"deletes {name}")
            path.unlink()
            return


@often(1)
def remove(world: World, place: Place) -> None:
    mvc(world, place, "rm", world.rng.choice((*FILES, FOLDER)), *world.rng.choice(([], ["--keep"])))


@often(1)
def move(world: World, place: Place) -> None:
    first, second = world.rng.sample(FILES, 2)
    mvc(world, place, "mv", first, second)


@often(4)
def back(world: World, place: Place) -> None:
    force = ["--force"] if world.rng.random() < 0.3 else []
    path = [world.rng.choice((*FILES, FOLDER))] if world.rng.random() < 0.7 else []
    mvc(world, place, "checkout", *force, some_commit(world, place), "--", *path)


@often(3)
def checkout(world: World, place: Place) -> None:
    mvc(world, place, "checkout", *(["--force"] if world.rng.random() < 0.2 else []))


# -- history


@often(6)
def switch(world: World, place: Place) -> None:
    name = world.rng.choice(BRANCHES)
    there = place.clone.git("branch", "--list", name)
    git(world, place, "checkout", "-q", *([name] if there else ["-b", name, some_branch(world, place)]))


@often(1)
def detach(world: World, place: Place) -> None:
    git(world, place, "checkout", "-q", some_commit(world, place))


@often(6)
def merge(world: World, place: Place) -> None:
    how = world.rng.choice(([], [], ["--no-ff"], ["-s", "ours"], ["-X", "theirs"]))
    git(world, place, "merge", "-q", "--no-edit", *how, some_branch(world, place))


@often(2)
def rebase(world: World, place: Place) -> None:
    git(world, place, "rebase", "-q", *world.rng.choice(([], ["--autostash"])), some_branch(world, place))


@often(2)
def cherry_pick(world: World, place: Place) -> None:
    git(world, place, "cherry-pick", some_commit(world, place))


@often(1)
def revert(world: World, place: Place) -> None:
    git(world, place, "revert", "--no-edit", some_commit(world, place))


@often(1)
def settle(world: World, place: Place) -> None:
    """Finish or abort the operation that Git has in progress."""
    doing = in_progress(place)
    if not doing:
        return
    if world.rng.random() < 0.3:
        git(world, place, doing, world.rng.choice(("--abort", "--abort", "--skip", "--quit")))
        return
    side = world.rng.choice(("ours", "theirs", "keep-both", "theirs"))
    mvc(world, place, "resolve", ".", f"--{side}")
    for path in place.clone.git("diff", "--name-only", "-z", "--diff-filter=U").split("\0"):
        if path and not path.endswith(".mvc"):
            git(world, place, "checkout", "--ours", "--", path)
            git(world, place, "add", "--", path)
    code, _ = world.git(place, "diff", "--cached", "--quiet", "HEAD")
    done = "--continue" if code or doing == "merge" else "--skip"
    git(world, place, "-c", "core.editor=true", doing, done)


@often(3)
def stash(world: World, place: Place) -> None:
    git(world, place, "stash", "push", "-q", *world.rng.choice(([], ["-u"])))


@often(3)
def pop(world: World, place: Place) -> None:
    git(world, place, "stash", "pop", "-q")


@often(1)
def reset(world: World, place: Place) -> None:
    git(world, place, "reset", "-q", world.rng.choice(("--hard", "--keep", "--soft")), some_commit(world, place))


@often(1)
def clean(world: World, place: Place) -> None:
    """Run `git clean`. It may delete files that are neither ignored nor saved."""
    if not world.unsaved(place):
        git(world, place, "clean", "-fdq")


@often(1)
def tag(world: World, place: Place) -> None:
    git(world, place, "tag", "-f", world.rng.choice(("v1", "v2", "origin/main")))


@often(1)
def forget_branch(world: World, place: Place) -> None:
    git(world, place, "branch", "-qD", world.rng.choice(BRANCHES))


@often(1)
def sparse(world: World, place: Place) -> None:
    if not world.unsaved(place):
        git(world, place, "sparse-checkout", "set", "--no-cone", "/*", "!/sub/")
        git(world, place, "sparse-checkout", "disable")


@often(1)
def linked(world: World, place: Place) -> None:
    """Work in a linked worktree; remove it once it holds nothing unsaved."""
    path = place.clone.path.parent / f"{place.name}-linked"
    if place.name.startswith("sub"):
        return
    code, _ = world.git(place, "worktree", "add", "-q", "--detach", str(path), some_commit(world, place))
    if code:
        return
    there = Place(f"{place.name}-linked", Clone(path), place.git_dir)
    mvc(world, there, "checkout")
    train(world, there)
    add(world, there)
    git(world, there, "commit", "-qam", "in a linked worktree")
    git(world, there, "branch", "-f", "linked")
    mvc(world, there, "checkout", "--force", some_commit(world, there))
    if not world.unsaved(there):
        world.git(place, "worktree", "remove", "--force", str(path))
    else:
        mvc(world, there, "add", "-u")
        world.git(place, "worktree", "remove", "--force", str(path))


# -- servers and remotes


@often(12)
def push(world: World, place: Place) -> None:
    force = world.rng.choice(([], [], ["--force"]))
    here = place.clone.git("branch", "--show-current").strip() or "main"
    what = world.rng.choice(
        ([here], [here], [world.rng.choice(BRANCHES)], ["--all"], ["--tags"], ["HEAD:refs/heads/one"])
    )
    git(world, place, "push", "-q", *force, world.rng.choice(SERVERS), *what)


@often(1)
def push_literally(world: World, place: Place) -> None:
    """Push as editors run Git."""
    env = {"GIT_LITERAL_PATHSPECS": "1"}
    git(world, place, "push", "-q", world.rng.choice(SERVERS), world.rng.choice(BRANCHES), env=env)


@often(2)
def delete_on_server(world: World, place: Place) -> None:
    git(world, place, "push", "-q", world.rng.choice(SERVERS), "--delete", world.rng.choice(BRANCHES[1:]))


@often(3)
def fetch(world: World, place: Place) -> None:
    git(world, place, "fetch", "-q", *world.rng.choice(([], [], ["--prune"])), world.rng.choice(SERVERS))


@often(3)
def pull(world: World, place: Place) -> None:
    server = world.rng.choice(SERVERS)
    git(world, place, "pull", "-q", "--no-edit", *world.rng.choice((["--no-rebase"], ["--rebase"])), server, "main")


@often(3)
def pull_models(world: World, place: Place) -> None:
    mvc(world, place, "pull", *world.rng.choice(([], ["--all"])))


@often(2)
def push_models(world: World, place: Place) -> None:
    mvc(world, place, "push", *world.rng.choice(([], ["--all"])), "-r", world.rng.choice(SERVERS))


@often(2)
def fetch_models(world: World, place: Place) -> None:
    mvc(world, place, "fetch", *world.rng.choice(([], ["--all"])), "-r", world.rng.choice(SERVERS))


@often(2)
def collect(world: World, place: Place) -> None:
    evict = world.rng.choice(([], ["--evict"]))
    mvc(world, place, "gc", "--apply", "--grace", "0", *evict)


@often(2)
def collect_remote(world: World, place: Place) -> None:
    """Run gc on a remote twice: the first run dooms packs, the second deletes them."""
    name = world.rng.choice(SERVERS)
    for _ in range(2):
        mvc(world, place, "gc", "-r", name, "--apply", "--grace", "0", "--exclusive")
    world.allow_loss()


@often(1)
def verify(world: World, place: Place) -> None:
    mvc(world, place, "fsck")
    mvc(world, place, "status")
    mvc(world, place, "fsck", "-r", world.rng.choice(SERVERS))


@often(1)
def submodule(world: World, place: Place) -> None:
    """Add the repository as a submodule of another one; the submodule is one more clone from then on."""
    top = world.top / "super"
    if top.exists():
        return
    above = Clone(top)
    top.mkdir()
    above.git("init", "-q")
    above.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(world.server("origin")), "sub")
    above.git("commit", "-qm", "with a submodule")
    world._settle("sub", Clone(top / "sub"), fresh=True)


# -- accidents


@often(4)
def killed(world: World, place: Place) -> None:
    """Kill a command, with the processes that it started, at a random instant."""
    words = world.rng.choice(
        (
            ("add", "-u"),
            ("checkout", "--force", some_commit(world, place)),
            ("push", "--all", "-r", "origin"),
            ("fetch", "--all"),
            ("gc", "--apply", "--grace", "0"),
        )
    )
    delay = world.rng.uniform(0.1, 0.8)
    world.note(place, f"mvc {' '.join(words)}, killed after {delay:.2f} s")
    guarded(world, place, lambda: place.clone.killed_after(delay, *MVC, *words))


@often(2)
def git_killed(world: World, place: Place) -> None:
    words = world.rng.choice((("checkout", "-q", some_commit(world, place)), ("push", "-q", "origin", "main")))
    delay = world.rng.uniform(0.02, 0.6)
    world.note(place, f"git {' '.join(words)}, killed after {delay:.2f} s")
    guarded(world, place, lambda: place.clone.killed_after(delay, "git", *words))
    for folder in {place.git_dir, place.clone.path / ".git"}:  # Git says: remove it by hand
        if folder.is_dir():
            for lock in folder.glob("*.lock"):
                lock.unlink()


@often(5)
def edited_meanwhile(world: World, place: Place) -> None:
    """Write to a model while a command runs."""
    name = world.rng.choice(FILES)
    path = place.clone.path / name
    if not path.is_file():
        return
    mark = world.rng.randbytes(16)
    found: list[bytes] = []
    delay = world.rng.uniform(0, 0.4)
    replaces = world.rng.random() < 0.5

    def edit() -> None:
        time.sleep(delay)
        try:
            with open(path, "r+b") as file:
                data = mark + file.read()[16:]
                if replaces:
                    temporary = path.with_name(".edited")
                    temporary.write_bytes(data)
                    os.replace(temporary, path)
                else:
                    file.seek(0)
                    file.write(mark)
                    file.flush()
                    file.seek(0)
                    data = file.read()
            found.append(data)
        except OSError:
            return  # not there now

    words = world.rng.choice(
        (
            ("mvc", "checkout", some_commit(world, place), "--", name),
            ("mvc", "checkout", "--force", some_commit(world, place), "--", name),
            ("git", "checkout", "-q", some_commit(world, place)),
            ("mvc", "add", "-u"),
            ("mvc", "gc", "--apply", "--grace", "0"),
        )
    )
    before = world.unsaved(place)
    before.pop(digest(path.read_bytes()), None)  # its owner writes over it
    thread = threading.Thread(target=edit)
    thread.start()
    run = world.mvc if words[0] == "mvc" else world.git
    run(place, *words[1:])
    thread.join()
    world.note(place, f"edited {name} meanwhile: {bool(found)}")
    world.check_edits(place, before | {digest(data): name for data in found})
