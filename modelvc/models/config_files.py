"""Write the configuration of the repository, and that of this clone."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelvc.atomic import RealDisk, make_folder, write_durably
from modelvc.errors import ConfigError

if TYPE_CHECKING:
    from modelvc.formats.text.config import CloneConfig, Config
    from modelvc.repo import Repo

_HEADER = "modelvc: where the models of this repository lie. Change it with `mvc remote`."
_CLONE_HEADER = "modelvc: settings of this clone only."


def save_config(repo: Repo, changed: Config) -> None:
    """Write the repository's configuration and stage it."""
    from modelvc.formats.paths import SafeRelPath
    from modelvc.git import index
    from modelvc.repo import CONFIG

    repo.worktree.write_bytes(SafeRelPath(CONFIG), changed.encode(_HEADER))
    if index.ignore_rule(repo.layout, CONFIG) is not None:
        raise ConfigError(f"Git ignores {CONFIG}", hint="take the rule for .mvc out of your .gitignore")
    index.stage(repo.layout, add=[CONFIG], remove=[])
    repo.config_changed(changed)


def save_clone_config(repo: Repo, changed: CloneConfig) -> None:
    """Write this clone's configuration."""
    disk = RealDisk()
    tmp = os.path.join(repo.layout.mvc_dir, "tmp")
    make_folder(disk, tmp)
    write_durably(disk, repo.clone_config_path, changed.encode(_CLONE_HEADER), tmp=tmp)
    repo.clone_config_changed(changed)
