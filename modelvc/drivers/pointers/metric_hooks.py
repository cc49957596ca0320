"""Hooks that tell what becomes of metrics: in the message of a commit, and after a merge."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from modelvc.drivers.say import say
from modelvc.errors import ModelvcError, shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modelvc.ops.metrics.changes import MetricMoved
    from modelvc.repo import Repo

_MOST = 20  # lines in one message
_MOST_SAID = 3  # metrics of a model after a merge
TRAILER = "Metric"
_OURS = re.compile(rb"Metric: .+ (?:-> |\((?:new|gone)\)$)", re.MULTILINE)


def prepare_commit_msg(cwd: str, env: Mapping[str, str], args: Sequence[str]) -> int:
    """ARGS: the message's file, where it came from, and for an amended commit its id. Never stops a commit.

    In a rebase only trailers are looked at: what they say may no longer be so. The rest was said at the commit.
    """
    from modelvc.git import history, index
    from modelvc.models.policy import read_policy
    from modelvc.ops.metrics.changes import metric_changes
    from modelvc.repo import open_repo

    repo = open_repo(cwd, env)
    style = repo.config.hooks.commit_metrics
    source = args[1] if len(args) > 1 else ""
    rebasing = any(os.path.isdir(os.path.join(repo.layout.git_dir, step)) for step in ("rebase-merge", "rebase-apply"))
    if style == "off" or not args or source == "merge" or (rebasing and style != "trailer"):
        return 0
    entries = index.pointers(repo.layout, commit_env=True)
    blobs = index.read_blobs(repo.layout, sorted({entry.blob for entry in entries}))
    new = {entry.path: blobs[entry.blob] for entry in entries if entry.blob in blobs}
    base = _base(repo, source, args[2:])
    try:
        old = history.pointers_at(repo.layout, base)
    except ModelvcError:  # the first commit
        old = {}
    try:
        found = metric_changes(old, new, read_policy(repo))
    except ModelvcError as error:  # a policy that cannot be read is for mvc check to complain about
        say(str(error))
        return 0
    if style == "trailer":
        _trailers(repo, os.path.join(cwd, args[0]), found)
    elif found:
        _comments(repo, os.path.join(cwd, args[0]), found, edited=env.get("GIT_EDITOR") != ":")
    return 0


def _base(repo: Repo, source: str, amended: Sequence[str]) -> str:
    """What the commit is compared with: its parent."""
    if source == "commit" and amended:
        return f"{amended[0]}~1"
    # `git rebase -i` squashes by amending, and says so nowhere else
    squashes = os.path.exists(os.path.join(repo.layout.git_dir, "rebase-merge", "current-fixups"))
    return "HEAD~1" if squashes else "HEAD"


def _comments(repo: Repo, path: str, found: Sequence[MetricMoved], *, edited: bool) -> None:
    """Below the message, where the editor shows them and Git takes them out; to stderr where there is no editor."""
    from modelvc.git.run import run

    lines = [f"{shown(one.model)}: {one}" for one in found[:_MOST]]
    lines += [f"and {len(found) - _MOST} more" for _ in range(len(found) > _MOST)]
    _, out, _ = run(repo.layout, "config", "--get", "core.commentChar")
    sign = out.decode("utf-8", "replace").strip() or "#"
    if not edited or sign == "auto":
        for line in lines:
            say(line)
        return
    text = "".join(f"{sign} {line}\n" for line in ("What this commit does to metrics:", *(f"  {one}" for one in lines)))
    with open(path, "r+b") as file:
        data = file.read()
        data += b"" if not data or data.endswith(b"\n") else b"\n"
        place = _above_the_diff(data, sign)
        file.seek(0)
        file.write(data[:place] + text.encode() + data[place:])


def _above_the_diff(data: bytes, sign: str) -> int:
    """Where comments go: to the end, or above the diff of `git commit -v`, which is long.

    Where the scissors come first (`--cleanup=scissors`), Git keeps comments above them, so that only the end will do.
    """
    start = sign.encode() + b" "
    scissors = data.find(b"\n" + start + b"-" * 24 + b" >8 ")
    return scissors + 1 if scissors >= 0 and b"\n" + start in data[:scissors] else len(data)


def _trailers(repo: Repo, path: str, found: Sequence[MetricMoved]) -> None:
    """At the end of the message, for good; those of an earlier try, or of commits that were squashed, go."""
    from modelvc.git.run import git

    with open(path, "rb") as file:
        data = file.read()
    kept = [line for line in data.splitlines(keepends=True) if not _OURS.match(line)]
    if len(kept) != len(data.splitlines()):
        with open(path, "wb") as file:
            file.write(b"".join(kept))
    words: list[str] = []
    for one in found[:_MOST]:
        said = f"{shown(one.model)} {shown(one.name)} {one.change}"
        words += ["--trailer", f"{TRAILER}: {said}"]
    if words:
        git(repo.layout, "interpret-trailers", "--in-place", "--if-exists", "addIfDifferent", *words, "--", path)


def post_merge(cwd: str, env: Mapping[str, str], args: Sequence[str]) -> int:
    """One line for each model whose metrics the merge changed."""
    del args
    from modelvc.git import history
    from modelvc.models.policy import read_policy
    from modelvc.ops.metrics.changes import by_model, metric_changes
    from modelvc.repo import open_repo

    repo = open_repo(cwd, env)
    old, new = (history.pointers_at(repo.layout, rev) for rev in ("ORIG_HEAD", "HEAD"))
    for model, rows in by_model(metric_changes(old, new, read_policy(repo))).items():
        more = f" and {len(rows) - _MOST_SAID} more" if len(rows) > _MOST_SAID else ""
        say(f"{shown(model)}: {', '.join(map(str, rows[:_MOST_SAID]))}{more}")
    return 0
