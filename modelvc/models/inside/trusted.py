"""The names that models may import: the list that ships, and the project's own as far as this clone trusts them.

The repository names its own classes in .mvc/trusted-imports.toml; this clone pins the bytes of the file that it
accepted. A file without a pin, or one that differs from its pin, allows nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import ConfigError, NotFoundError, UsageError
from modelvc.formats import limits
from modelvc.formats.paths import SafeRelPath
from modelvc.formats.text import trusted_imports
from modelvc.formats.text.trusted_imports import PATH
from modelvc.git import index
from modelvc.git.objects import objects
from modelvc.modelfiles import name_list
from modelvc.modelfiles.facts import Use
from modelvc.modelfiles.name_list import NameList
from modelvc.models.config_files import save_clone_config

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modelvc.repo import Repo


@dataclass(frozen=True, slots=True)
class TrustedName:
    """A name that models may import. `use`: the most that loading may do with it."""

    name: str
    use: str


@dataclass(frozen=True, slots=True)
class AcceptedImports:
    """The trusted imports that this clone accepted. `digest`: of the file."""

    digest: str
    names: tuple[TrustedName, ...]


class TrustedFile(NamedTuple):
    """The names in .mvc/trusted-imports.toml, and the digest of its bytes."""

    names: Mapping[str, trusted_imports.Use]
    digest: str


class NamesInForce(NamedTuple):
    """The list that a verdict is taken by. `ignored`: why the project's own names are not on it, "" if they are."""

    listed: NameList
    ignored: str = ""


def in_worktree(repo: Repo) -> TrustedFile | None:
    """Return the file of the worktree; None without one. Raises ConfigError."""
    try:
        data = repo.worktree.read(SafeRelPath(PATH), limits.TRUSTED_IMPORTS)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return TrustedFile(trusted_imports.parse(data), trusted_imports.digest(data))


def at_commit(repo: Repo, commit: str) -> TrustedFile | None:
    """Return the file of COMMIT, a full id; None without one. Raises ConfigError."""
    found = objects(repo.layout).one(f"{commit}:{PATH}", limits.TRUSTED_IMPORTS + 1)
    if found is None or found.kind != "blob":
        return None
    return TrustedFile(trusted_imports.parse(found.data), trusted_imports.digest(found.data))


def is_accepted(repo: Repo, found: TrustedFile) -> bool:
    """Return whether this clone accepted exactly the bytes of FOUND."""
    return repo.clone_config.scan.imports == found.digest


def names_in_force(repo: Repo, commit: str = "") -> NamesInForce:
    """Return the list that ships, with the names of the worktree's file if this clone accepted it.

    COMMIT: a revision that the user named; its names are taken instead, without a pin.
    """
    if commit:
        found = at_commit(repo, commit)
        return NamesInForce(_with(found))
    found, ignored = _accepted(repo)
    return NamesInForce(_with(found), ignored)


def why_ignored(repo: Repo) -> str:
    """Return why the trusted imports of the worktree are ignored, in one clause; "" if they are not."""
    return _accepted(repo)[1]


def _accepted(repo: Repo) -> tuple[TrustedFile | None, str]:
    """Return the file of the worktree if this clone accepted it, else None, and why it is ignored."""
    try:
        found = in_worktree(repo)
    except ConfigError as error:
        return None, f"it cannot be read: {error}"
    if found is None or is_accepted(repo, found):
        return found, ""
    if repo.clone_config.scan.imports:
        return None, "it changed since this clone accepted it"
    return None, "this clone has not accepted it"


def _with(found: TrustedFile | None) -> NameList:
    names = {} if found is None else {name: Use(use) for name, use in found.names.items()}
    return name_list.shipped().with_names(names) if names else name_list.shipped()


def accept(repo: Repo) -> AcceptedImports:
    """Pin the file of the worktree as it is now. Raises NotFoundError without one."""
    repo.require_init()
    with repo.updating():
        found = in_worktree(repo)
        if found is None:
            raise NotFoundError(f"this repository has no {PATH}", hint="`mvc scan --allow PATH` writes one")
        save_clone_config(repo, repo.clone_config.with_imports(found.digest))
    return AcceptedImports(found.digest, tuple(TrustedName(name, use) for name, use in found.names.items()))


def allow(repo: Repo, names: Mapping[str, Use]) -> tuple[str, ...]:
    """Add NAMES to the file of the worktree, stage it and pin it. Return the names that are new or used for more.

    Raises UsageError if the file is there and this clone did not accept it: its names would be accepted unseen.
    """
    before = in_worktree(repo)
    if before is not None and not is_accepted(repo, before):
        raise UsageError(f"this clone has not accepted {PATH} as it is", hint="read it, then run `mvc trust --imports`")
    known = {name: Use(use) for name, use in before.names.items()} if before else {}
    wanted = NameList(known).with_names(names).names
    added = tuple(sorted(name for name, use in wanted.items() if known.get(name) is not use))
    if added:
        data = trusted_imports.encode({name: use.value for name, use in wanted.items()})
        repo.worktree.write_bytes(SafeRelPath(PATH), data)
        if index.ignore_rule(repo.layout, PATH) is not None:
            raise ConfigError(f"Git ignores {PATH}", hint="take the rule for .mvc out of your .gitignore")
        index.stage(repo.layout, add=[PATH])
        save_clone_config(repo, repo.clone_config.with_imports(trusted_imports.digest(data)))
    return added
