"""The parts of Git's hooks that the shims leave to Python, by name in HOOKS.

A hook takes the current folder, the environment and its arguments, and returns the exit status.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from modelvc.drivers import difftool
from modelvc.drivers.pointers import merge, metric_hooks
from modelvc.drivers.say import FAILED, say
from modelvc.errors import ModelvcError, NoRemote, UsageError, shown
from modelvc.formats.paths import SafeRelPath, model_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from modelvc.repo import Repo

    Hook = Callable[[str, Mapping[str, str], Sequence[str]], int]

_MOST = 5  # most lines about single models; beyond that, one line counts them


def _open(cwd: str, env: Mapping[str, str]) -> Repo:
    from modelvc.repo import open_repo

    return open_repo(cwd, env)


def _follow(cwd: str, env: Mapping[str, str], args: Sequence[str]) -> int:
    """Update models to their pointers and report the result. Returns 0 always: Git's command is done."""
    del args
    from modelvc.git.index import write_kept
    from modelvc.models.files.follow import follow

    repo = _open(cwd, env)
    if not os.path.isdir(repo.layout.mvc_dir):
        return 0
    done = follow(repo)
    write_kept(
        repo.layout, kept=bool(done.kept or done.conflicts) or any(entry.stage for entry in repo.index_pointers())
    )
    _say_each([f"{shown(path)} updated" for path in done.updated], f"{len(done.updated)} models updated")
    _say_each([f"{shown(path)} removed (the store has it)" for path in done.removed], f"{len(done.removed)} went away")
    for path, why in done.kept:
        say(f"{shown(path)} not updated: {shown(why)}")
    for one in done.looked:
        if one.blocked:
            say(f"{shown(one.path)} is blocked: {shown(one.words)}", hint=f"see `mvc scan {shown(one.path)}`")
    named = [f"{shown(one.path)} is {shown(one.words)}" for one in done.looked if not one.blocked]
    _say_each(named, f"{len(named)} models have a verdict that you should read: mvc scan")
    for path in done.lost:
        say(f"{shown(path)} was replaced by Git; its changes that were not added are lost")
    for path in done.replaced:
        say(f"{shown(path)} was replaced by a file that Git tracks; edits since the last mvc command are lost")
    for path in done.exposed:
        say(
            f"Git does not ignore {shown(path)}",
            hint=f"run `mvc add {shown(path)}`, or the next commit includes it",
        )
    for path, words in done.wrong:
        say(f"{shown(path)}: {shown(words)}", hint=f"rewrite the pointer: mvc add {shown(path)}")
    for path in _unreported(repo, done.conflicts):
        say(f"{shown(path)} is in conflict", hint=f"resolve it: mvc resolve {shown(path)} --ours (or --theirs)")
    if done.missing:
        say(f"not in this clone: {_first_paths(done.missing)}", hint="run `mvc pull`")
    return 0


def _unreported(repo: Repo, conflicts: Sequence[str]) -> list[str]:
    """Return the CONFLICTS that the merge driver has not reported.

    In them Git merged the pointer as text, or the conflict was committed.
    """
    merging = {model_of(entry.path) for entry in repo.index_pointers() if entry.stage} if conflicts else set()
    unreported = []
    for path in conflicts:
        try:
            pointer = repo.read_pointer(SafeRelPath(path))
        except ModelvcError:
            pointer = None
        if pointer is None or path not in merging:
            unreported.append(path)
    return unreported


def _pre_commit(cwd: str, env: Mapping[str, str], args: Sequence[str]) -> int:
    del args
    from modelvc.git.index import write_kept
    from modelvc.ops.tracking.pre_commit import pre_commit

    repo = _open(cwd, env)
    found = pre_commit(repo)
    if not found.warnings and not found.problems:
        write_kept(repo.layout, kept=False)
    for words in found.warnings:
        say(words)
    for words in found.problems:
        say(words)
    if found.blocked:
        path = shown(found.blocked[0]) if len(found.blocked) == 1 else "PATH"
        models = f"{path} is" if len(found.blocked) == 1 else f"{len(found.blocked):,} models are"
        say(
            f"the commit was stopped: {models} blocked",
            hint=f"`mvc checkout HEAD {path}` or `mvc rm {path}` takes the model back; "
            "`git commit --no-verify` commits it anyway",
        )
    elif found.problems:
        say("the commit was stopped", hint="`git commit --no-verify` commits anyway")
    return FAILED if found.problems else 0


def _pre_push(cwd: str, env: Mapping[str, str], args: Sequence[str]) -> int:
    from modelvc.ops.sharing.pre_push import Update, push_for_git

    updates = [Update(*fields) for fields in map(str.split, sys.stdin) if len(fields) == 4]
    remote, url = (*args, "", "")[:2]
    repo = _open(cwd, env)
    try:
        done = push_for_git(repo, remote, url, updates, say if sys.stderr.isatty() else None)
    except NoRemote as error:
        say(str(error), hint=error.hint)  # no remote for models is no reason to stop Git's push
        return 0
    except ModelvcError as error:
        _say_stopped()
        say(str(error), hint=error.hint)
        return error.exit_code
    except ModuleNotFoundError:
        raise  # an incomplete installation counts as none: the shim looks for another
    except Exception:
        _say_stopped()
        raise
    if done:
        say(done)
    return _gate(repo, [one.local for one in updates])


def _gate(repo: Repo, tips: Sequence[str]) -> int:
    """Check the pushed models by the policy. Return FAILED if one fails and hooks.gate is "block", else 0."""
    from modelvc.formats.text.policy import POLICY
    from modelvc.models.measures.verdict import INFO, PASS
    from modelvc.ops.metrics.check import check

    how = repo.config.hooks.gate
    if how == "off" or not os.path.exists(os.path.join(repo.layout.worktree, POLICY)):
        return 0
    failed = False
    for tip in dict.fromkeys(tip for tip in tips if tip.strip("0")):
        try:
            found = check(repo, rev=tip)
        except UsageError:
            continue  # the policy names no model of this commit
        except Exception as error:  # noqa: BLE001 - with hooks.gate = "warn", a failed check must not stop the push
            hint = error.hint if isinstance(error, ModelvcError) else ""
            say(f"the models could not be checked: {shown(error)}", hint=hint)
            failed = True
            continue
        for one in found.verdicts:
            if one.outcome not in {PASS, INFO} and not one.warn:
                say(f"{shown(one.model)}: {shown(one.metric)} {shown(one.why)}")
                failed = True
    if failed and how == "block":
        say("the push was stopped by the policy", hint="`git push --no-verify` pushes anyway; see `mvc check`")
        return FAILED
    if failed:
        say("pushed anyway (hooks.gate is warn); see `mvc check`")
    return 0


def _say_stopped() -> None:
    say(
        "the push was stopped: its models could not be uploaded",
        hint="`git push --no-verify` pushes without them",
    )


def _say_each(lines: Sequence[str], summary: str) -> None:
    if len(lines) <= _MOST:
        for line in lines:
            say(line)
    else:
        say(summary)


def _first_paths(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _MOST} more" if len(paths) > _MOST else ""
    return ", ".join(shown(path) for path in paths[:_MOST]) + more


HOOKS: dict[str, Hook] = {
    "post-index-change": _follow,
    "post-checkout": _follow,
    "post-rewrite": _follow,
    "post-applypatch": _follow,
    "pre-commit": _pre_commit,
    "pre-push": _pre_push,
    "prepare-commit-msg": metric_hooks.prepare_commit_msg,
    "post-merge": metric_hooks.post_merge,
    "merge-pointer": merge.merge_pointer,
    "difftool": difftool.difftool,
}
