"""The merge driver for pointers: `mvc hook merge-pointer O A B MARKER_SIZE PATH [OURS THEIRS]`, see gitattributes(5).

Git reads the result from A and from the exit status: 0 merged, 3 a conflict that A describes. With any other status A
is unchanged, and the shim merges the text instead.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelvc.atomic import write_atomically
from modelvc.drivers.say import CONFLICT, FAILED, NOT_HERE, say
from modelvc.errors import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def merge_pointer(cwd: str, env: Mapping[str, str], args: Sequence[str]) -> int:
    """Merge the pointers O, A and B. The docstring of this module describes ARGS and the exit status."""
    from modelvc.formats.paths import is_pointer, model_of
    from modelvc.git import history, merge_sides
    from modelvc.ops.merging.merge_pointers import Sides, merge_pointers
    from modelvc.repo import open_repo

    if len(args) < 5:
        say(f"the merge driver for pointers was called with {len(args)} arguments", hint="run `mvc install`")
        return FAILED
    base, ours, theirs, _, path, *labels = args
    if not is_pointer(path):
        say(f"{shown(path)} is not named like a pointer")
        return FAILED
    repo = open_repo(cwd, env)
    if not os.path.isdir(repo.layout.mvc_dir):
        return NOT_HERE
    given = (labels[0], labels[1]) if len(labels) == 2 else ("", "")
    named = merge_sides.names(repo.layout, env, given)
    head = history.resolve(repo.layout, "HEAD") if history.has_head(repo.layout) else ""
    tips = (head, merge_sides.merged_commit(env))
    three = [_read(cwd, one) for one in (base, ours, theirs)]
    done = merge_pointers(repo, model_of(path), Sides(three[0], three[1], three[2], named, tips))
    answer = os.path.join(cwd, ours)
    write_atomically(answer, done.data, mode=os.stat(answer).st_mode & 0o777)
    for at, words in enumerate(done.words):
        say(words if not at else f"  {words}")
    return CONFLICT if done.conflict else 0


def _read(cwd: str, path: str) -> bytes:
    from modelvc.formats.limits import POINTER

    with open(os.path.join(cwd, path), "rb") as file:
        return file.read(POINTER + 1)
