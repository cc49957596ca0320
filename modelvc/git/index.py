"""Read and change Git's index. Also ask Git about paths: which are ignored, untracked or tracked."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import time
from typing import TYPE_CHECKING, NamedTuple

from modelvc.atomic import RealDisk, write_atomically, write_durably
from modelvc.errors import GitError
from modelvc.formats.limits import POINTER
from modelvc.formats.paths import is_pointer
from modelvc.git.cat_file import answer
from modelvc.git.objects import objects
from modelvc.git.run import git, run, said

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from modelvc.git.cat_file import GitObject
    from modelvc.git.layout import Layout

_ONE_BY_ONE = 500  # most paths for one command line, which then fits whatever their length
_PATIENCE = 5.0  # seconds to wait for another process's index.lock
SEEN = "seen"  # in the worktree's state folder: hashes of the pointers that models follow
_PATCH = ("diff-files", "-p", "-U0", "--no-color", "--no-ext-diff", "--no-textconv", "--text")  # as in hooks/follow
KEPT = "kept"  # exists while a model could not follow: the shims then look at pointers that they skip otherwise


class IndexEntry(NamedTuple):
    """A pointer in the index. STAGE is 0, or 1 to 3 in a conflict. SPARSE: a sparse checkout leaves it out."""

    path: str
    mode: str
    blob: str
    stage: int
    sparse: bool = False


class IgnoreRule(NamedTuple):
    """The line that makes Git ignore a path."""

    file: str
    line: int
    pattern: str


def pointers(layout: Layout, *, commit_env: bool = False) -> list[IndexEntry]:
    """Return every pointer in the index. COMMIT_ENV: in the index of the commit in progress."""
    out = git(layout, "ls-files", "-s", "-t", "-z", "--", "*.mvc", commit_env=commit_env)
    found = []
    for line in out.split(b"\0"):
        head, tab, name = line.partition(b"\t")
        if not tab:
            continue
        tag, mode, blob, stage = head.decode("ascii").split()
        path = os.fsdecode(name)
        if mode.startswith("100") and is_pointer(path) and not path.startswith(".mvc/"):
            found.append(IndexEntry(path, mode, blob, int(stage), tag == "S"))
    return found


def read_blobs(layout: Layout, ids: Sequence[str], *, limit: int = POINTER) -> dict[str, bytes]:
    """Return the blobs IDS by id. Missing blobs and blobs of more than LIMIT bytes are left out."""
    return dict(_small_blobs(ids, objects(layout).read((one.encode() for one in ids), limit), limit))


def head_blobs(layout: Layout, paths: Sequence[str]) -> dict[str, bytes]:
    """Return the small files at PATHS in the last commit. Missing and larger files are left out."""
    # Each question is one line, so a name with a line end cannot be asked for.
    wanted = [path for path in paths if "\n" not in path]
    found = objects(layout).read(os.fsencode(f"HEAD:{path}") for path in wanted)
    return dict(_small_blobs(wanted, found, POINTER))


def uncommitted(layout: Layout) -> list[str]:
    """Return the pointers that may differ between the last commit and the worktree; all of them before a commit."""
    code, out, _ = run(layout, "diff-index", "--name-only", "--no-renames", "-z", "HEAD", "--", "*.mvc")
    if code:
        return sorted({entry.path for entry in pointers(layout)})
    names = map(os.fsdecode, filter(None, out.split(b"\0")))
    return [name for name in names if is_pointer(name) and not name.startswith(".mvc/")]


def write_blob(layout: Layout, data: bytes) -> str:
    """Write DATA to Git's objects and return its id. Git deletes it after weeks unless something refers to it."""
    return git(layout, "hash-object", "-w", "--stdin", stdin=data).decode("ascii").strip()


def newly_staged(layout: Layout, paths: Sequence[str], limit: int) -> dict[str, bytes]:
    """Return the files at PATHS, of at most LIMIT bytes each, that the commit in progress changes."""
    names = [f"{rev}:{path}" for path in paths for rev in ("HEAD", "")]
    asked = "".join(f"{name}\n" for name in names).encode()
    # A process of its own: it reads the index of the commit, as that index is now.
    out = io.BytesIO(git(layout, "cat-file", "--batch", stdin=asked, commit_env=True))
    found = dict(_small_blobs(names, (answer(out, limit) for _ in names), limit))
    staged = {path: found.get(f":{path}") for path in paths}
    return {path: data for path, data in staged.items() if data is not None and data != found.get(f"HEAD:{path}")}


def _small_blobs(names: Iterable[str], found: Iterable[GitObject | None], limit: int) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each blob in FOUND of at most LIMIT bytes."""
    for name, one in zip(names, found, strict=True):
        if one and one.kind == "blob" and one.size <= limit:
            yield name, one.data


def tracked_under(layout: Layout, *paths: str, commit_env: bool = False) -> list[str]:
    """Return the files other than pointers that Git itself tracks at PATHS or below.

    COMMIT_ENV: in the index of the commit in progress.
    """
    out = git(layout, "--literal-pathspecs", "ls-files", "-z", "--", *paths, commit_env=commit_env)
    return [name for name in map(os.fsdecode, out.split(b"\0")) if name and not is_pointer(name)]


def tracked_at(layout: Layout, paths: Collection[str], *, commit_env: bool = False) -> dict[str, list[str]]:
    """Return by path the files that Git itself tracks at that path or below. PATHS without such files are left out."""
    wanted = set(paths)
    found: dict[str, list[str]] = {}
    # If the paths do not fit into a command line, the whole index is read.
    asked = wanted if len(wanted) <= _ONE_BY_ONE else ()
    for inside in tracked_under(layout, *asked, commit_env=commit_env) if wanted else ():
        parts = inside.split("/")
        for name in ("/".join(parts[:length]) for length in range(1, len(parts) + 1)):
            if name in wanted:
                found.setdefault(name, []).append(inside)
    return found


def unmerged(layout: Layout) -> list[str]:
    """Return the paths that the index has in conflict, sorted."""
    lines = _matching(layout, "ls-files", "-u", globs=[":/"])
    return sorted({line.partition("\t")[2] for line in lines})


def untracked(layout: Layout, globs: Sequence[str]) -> list[str]:
    """Return the files that Git neither tracks nor ignores and that a pathspec of GLOBS matches."""
    return _matching(layout, "ls-files", "--others", "--exclude-standard", globs=globs)


def staged(layout: Layout, globs: Sequence[str]) -> list[str]:
    """Return the files in the index that a pathspec of GLOBS matches."""
    return _matching(layout, "ls-files", globs=globs)


def added(layout: Layout, globs: Sequence[str]) -> list[str]:
    """Return the files that the commit in progress adds and that a pathspec of GLOBS matches."""
    words = ("diff", "--cached", "--diff-filter=A", "--no-renames", "--no-ext-diff", "--name-only")
    return _matching(layout, *words, globs=globs, commit_env=True)


def _matching(layout: Layout, *words: str, globs: Sequence[str], commit_env: bool = False) -> list[str]:
    if not globs:
        return []
    out = git(layout, *words, "-z", "--", *globs, commit_env=commit_env)
    return [os.fsdecode(name) for name in out.split(b"\0") if name]


def submodules(layout: Layout, paths: Sequence[str]) -> list[str]:
    """Return the PATHS that are submodules in the index."""
    if not paths:
        return []
    out = git(layout, "--literal-pathspecs", "ls-files", "-s", "-z", "--", *paths)
    return [os.fsdecode(line.partition(b"\t")[2]) for line in out.split(b"\0") if line.startswith(b"160000 ")]


def ignore_rule(layout: Layout, path: str) -> IgnoreRule | None:
    """Return the rule by which Git ignores PATH, or None."""
    return ignore_rules(layout, [path]).get(path)


def ignore_rules(layout: Layout, paths: Sequence[str]) -> dict[str, IgnoreRule]:
    """Return by path the rule by which Git ignores it. PATHS that Git does not ignore are left out."""
    asked = b"".join(os.fsencode(path) + b"\0" for path in paths)
    code, out, _ = run(layout, "check-ignore", "-v", "-z", "--no-index", "--stdin", stdin=asked)
    fields = [] if code else out.split(b"\0")
    found = {}
    for file, line, pattern, path in zip(fields[::4], fields[1::4], fields[2::4], fields[3::4], strict=False):
        if not pattern.startswith(b"!"):
            found[os.fsdecode(path)] = IgnoreRule(os.fsdecode(file), int(line or b"0"), os.fsdecode(pattern))
    return found


def ignored(layout: Layout, paths: Sequence[str]) -> set[str]:
    """Return the PATHS that Git ignores and does not track. None of PATHS may lie behind a symbolic link."""
    if not paths:
        return set()
    asked = b"".join(os.fsencode(path) + b"\0" for path in paths)
    # --no-index: with the index, Git would compare each path with each entry.
    code, out, err = run(layout, "check-ignore", "--no-index", "-z", "--stdin", stdin=asked)
    if code not in {0, 1}:
        raise GitError(f"git check-ignore failed: {said(err)}", hint="see what `git status` says")
    found = {os.fsdecode(path) for path in out.split(b"\0") if path}
    return found - tracked_at(layout, found).keys()


# -- staging


def stage(layout: Layout, *, add: Sequence[str], remove: Sequence[str] = ()) -> None:
    """Add the files ADD to the index as they are in the worktree, and remove REMOVE from it, all or nothing.

    A file of ADD that the worktree lacks is removed from the index. mvc makes index.lock itself: it then recognises a
    lock that a killed mvc left, and deletes no other lock. Raises GitError if another process keeps the lock.
    """
    names = [*dict.fromkeys((*add, *remove))]
    if not names:
        return
    index = os.path.join(layout.git_dir, "index")
    private = os.path.join(layout.git_dir, f"mvc-index-{os.getpid()}")
    with _index_lock(layout):
        _delete_leftovers(layout)
        try:
            if os.path.exists(index):
                # With its modification time: Git reads files again that were written in the same tick as the index.
                shutil.copy2(index, private)
            extra = {"GIT_INDEX_FILE": private}
            if remove:
                gone = b"".join(os.fsencode(name) + b"\0" for name in remove)
                git(layout, "update-index", "--force-remove", "-z", "--stdin", stdin=gone, extra=extra)
            new = b"".join(os.fsencode(name) + b"\0" for name in add)
            git(layout, "update-index", "--add", "--remove", "-z", "--stdin", stdin=new, extra=extra)
            os.replace(private, index)
        finally:
            for leftover in (private, private + ".lock"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(leftover)


def _delete_leftovers(layout: Layout) -> None:
    """Delete private copies of the index that killed processes left. The caller holds the lock."""
    for name in os.listdir(layout.git_dir):
        if name.startswith("mvc-index-"):
            os.unlink(os.path.join(layout.git_dir, name))


def write_seen(layout: Layout) -> None:
    """Note that the models agree with the pointers of index and worktree as they are now. The follow shim reads it."""
    os.makedirs(layout.state_dir, exist_ok=True)
    write_atomically(os.path.join(layout.state_dir, SEEN), _seen_now(layout))


def take_seen(layout: Layout) -> bool:
    """Delete the note of `write_seen`. Return True if it still held: models agreed with all pointers.

    The caller is about to change pointers or models. Without the note the next hook checks every model, also if the
    caller is killed or fails half way.
    """
    path = os.path.join(layout.state_dir, SEEN)
    try:
        with open(path, "rb") as file:
            seen = file.read(1024)
        os.unlink(path)
    except FileNotFoundError:
        return not pointers(layout)
    return seen == _seen_now(layout)


def _seen_now(layout: Layout) -> bytes:
    """Return three lines: hashes of the pointers in the index, of edits in the worktree, and of sparse pointers.

    A line is `-` without edits or without sparse pointers.
    """
    listed = git(layout, "ls-files", "-s", "-t", "--", "*.mvc", quote_paths=True)
    sparse = b"".join(line.partition(b"\t")[2] for line in listed.splitlines(keepends=True) if line.startswith(b"S "))
    edits = b""
    if run(layout, "diff-files", "--quiet", "--", "*.mvc")[0]:
        patch = git(layout, *_PATCH, "--", "*.mvc", quote_paths=True).replace(b"\0", b"")  # a shell drops NUL bytes
        edits = b"".join(line + b"\n" for line in patch.split(b"\n") if line[:1] in {b"-", b"+", b"*"})
    sha256 = len(listed.split(b" ", 3)[2]) == 64 if listed else None
    rest = (_hash(layout, part, sha256=sha256) if part else b"-\n" for part in (edits, sparse))
    return b"".join((_hash(layout, listed, sha256=sha256), *rest))


def _hash(layout: Layout, data: bytes, *, sha256: bool | None) -> bytes:
    """Return the name that Git gives DATA, and a line feed. SHA256: the repository's format, None if it is unknown."""
    if sha256 is None:
        return git(layout, "hash-object", "--stdin", stdin=data)
    import hashlib

    digest = hashlib.new("sha256" if sha256 else "sha1", b"blob %d\0" % len(data), usedforsecurity=False)
    digest.update(data)
    return f"{digest.hexdigest()}\n".encode("ascii")


def write_kept(layout: Layout, *, kept: bool) -> None:
    """Note for the shims whether a model differs from its pointer: in a conflict, or because of unsaved changes."""
    path = os.path.join(layout.state_dir, KEPT)
    with contextlib.suppress(FileNotFoundError):
        if kept:
            open(path, "wb").close()
        else:
            os.unlink(path)


@contextlib.contextmanager
def _index_lock(layout: Layout) -> Iterator[None]:
    """Hold index.lock. Raises GitError if another process keeps it for 5 seconds.

    The caller holds the worktree's own lock, so a lock that is noted in the journal belongs to a dead process. The
    file is made under a private name and noted before it becomes the lock. If mvc is killed at any instant, the next
    run therefore knows whether the lock is its own.
    """
    lock = os.path.join(layout.git_dir, "index.lock")
    journal = os.path.join(layout.state_dir, "journal")
    tmp = os.path.join(layout.state_dir, "tmp")
    os.makedirs(tmp, exist_ok=True)
    token = b"mvc " + os.urandom(16).hex().encode()
    private = f"{lock}.mvc"
    drop_dead_lock(layout)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(private)  # a killed process left it; perhaps a hard link to the lock, so it is not written to
        with open(private, "xb") as file:
            file.write(token)
            file.flush()
            os.fsync(file.fileno())
        write_durably(RealDisk(), journal, token, tmp=tmp)  # a power failure must not leave the lock without the note
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                _link(private, lock)
                break
            except FileExistsError:
                if time.monotonic() > deadline:
                    raise GitError(
                        "another process is changing Git's index: index.lock exists",
                        hint="wait for it to end; if none is running, remove .git/index.lock, then run it again",
                    ) from None
                time.sleep(0.05)
    finally:
        with contextlib.suppress(FileNotFoundError):  # interrupted before the file was made
            os.unlink(private)
    try:
        yield
    finally:
        for path in (lock, journal):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _link(private: str, lock: str) -> None:
    """Make PRIVATE the lock. Raises FileExistsError if the lock exists."""
    try:
        os.link(private, lock)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        with open(private, "rb") as source, open(lock, "xb") as file:
            file.write(source.read())


def drop_dead_lock(layout: Layout) -> None:
    """Delete an index.lock that a killed mvc left. The caller holds the worktree's own lock."""
    lock = os.path.join(layout.git_dir, "index.lock")
    if os.path.lexists(lock) and _is_our_dead_lock(lock, os.path.join(layout.state_dir, "journal")):
        os.unlink(lock)


def is_noted_lock(layout: Layout) -> bool:
    """Return True if an mvc made index.lock: one that is running, or one that was killed."""
    return _is_our_dead_lock(os.path.join(layout.git_dir, "index.lock"), os.path.join(layout.state_dir, "journal"))


def _is_our_dead_lock(lock: str, journal: str) -> bool:
    """Return True if LOCK is the lock that mvc noted in JOURNAL. If no mvc is running, its owner is dead."""
    try:
        with open(journal, "rb") as note, open(lock, "rb") as found:
            token = note.read(64)
            return token.startswith(b"mvc ") and found.read(65) == token
    except OSError:
        return False
