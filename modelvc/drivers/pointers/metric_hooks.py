"""Hooks that show how metrics change: in the message of a commit, and after a merge."""

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

_MOST = 20  # most lines in the message of a commit
_MOST_SAID = 3  # most metrics of one model after a merge
TRAILER = "Metric"
_OURS = re.compile(rb"Metric: .+ (?:-> |\((?:new|gone)\)$)", re.MULTILINE)


def prepare_commit_msg(cwd: str, env: Mapping[str, str], args: Sequence[str]) -> int:
    """Show the changed metrics in the message of a commit. Returns 0 always: this never stops a commit.

    ARGS: the file of the message, its source, and the id of an amended commit. A rebase only updates trailers, which
    may be wrong on the new base. The first commit showed the rest.
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
    except ModelvcError as error:  # the policy cannot be read; `mvc check` refuses it
        say(str(error))
        return 0
    if style == "trailer":
        _trailers(repo, os.path.join(cwd, args[0]), found)
    elif found:
        _comments(repo, os.path.join(cwd, args[0]), found, edited=env.get("GIT_EDITOR") != ":")
    return 0


def _base(repo: Repo, source: str, amended: Sequence[str]) -> str:
    """Return the revision that the commit is compared with: its parent."""
    if source == "commit" and amended:
        return f"{amended[0]}~1"
    # `git rebase -i` squashes by amending, and only this file shows it.
    squashes = os.path.exists(os.path.join(repo.layout.git_dir, "rebase-merge", "current-fixups"))
    return "HEAD~1" if squashes else "HEAD"


def _comments(repo: Repo, path: str, found: Sequence[MetricMoved], *, edited: bool) -> None:
    """Add comment lines below the message: the editor shows them, Git removes them. Without an editor, use stderr."""
    from modelvc.git.run import run

    lines = [f"{shown(one.model)}: {one}" for one in found[:_MOST]]
    lines += [f"and {len(found) - _MOST} more" for _ in range(len(found) > _MOST)]
    _, out, _ = run(repo.layout, "config", "--get", "core.commentChar")
    comment = out.decode("utf-8", "replace").strip() or "#"
    if not edited or comment == "auto":
        for line in lines:
            say(line)
        return
    head = "What this commit does to metrics:"
    text = "".join(f"{comment} {line}\n" for line in (head, *(f"  {one}" for one in lines)))
    with open(path, "r+b") as file:
        data = file.read()
        data += b"" if not data or data.endswith(b"\n") else b"\n"
        at = _above_the_diff(data, comment)
        file.seek(0)
        file.write(data[:at] + text.encode() + data[at:])


def _above_the_diff(data: bytes, comment: str) -> int:
    """Return the position for comment lines: above the long diff of `git commit -v`, else the end.

    With `--cleanup=scissors`, no comment line stands above the scissors, and Git would keep ours. They go to the end.
    """
    start = comment.encode() + b" "
    scissors = data.find(b"\n" + start + b"-" * 24 + b" >8 ")
    return scissors + 1 if scissors >= 0 and b"\n" + start in data[:scissors] else len(data)


def _trailers(repo: Repo, path: str, found: Sequence[MetricMoved]) -> None:
    """Add trailers to the message. Trailers of an earlier try, or of squashed commits, are removed."""
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
    """Print one line for each model whose metrics the merge changed. Returns 0 always."""
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
