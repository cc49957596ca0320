"""Store what lies in the worktree without tracking it: before something replaces it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelvc.ops.trees import check_names, entries_of
from modelvc.store import manifest
from modelvc.store.ingest import Ingest
from modelvc.store.manifest import Content
from modelvc.store.writer import StoreWriter
from modelvc.worktree.scan import scan
from modelvc.worktree.state import is_settled, now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.formats.paths import SafeRelPath
    from modelvc.oid import Oid
    from modelvc.repo import Repo
    from modelvc.worktree.state import Known


def keep_present(repo: Repo, paths: Sequence[SafeRelPath]) -> dict[SafeRelPath, Oid]:
    """Store the present content of PATHS; the oid of each. The reflog is written by whoever replaces them."""
    found: dict[SafeRelPath, Oid] = {}
    with StoreWriter(repo.store) as writer, Ingest(writer) as ingest:
        for path in paths:
            started = now()
            if os.path.isdir(os.path.join(repo.layout.worktree, path)):
                content, files = _tree(repo, path, ingest)
                repo.state.remember_tree(path, content.oid, files)
            else:
                fd = repo.worktree.open(path)
                try:
                    done = ingest.file(fd, path)
                finally:
                    os.close(fd)
                content = Content(done.oid, done.stat.size, done.recipe)
                repo.state.remember_file(path, done.stat, done.oid, settled=is_settled(done.stat, started))
            writer.add(content)
            found[path] = content.oid
        writer.commit()
    return found


def _tree(repo: Repo, path: SafeRelPath, ingest: Ingest) -> tuple[Content, dict[str, Known]]:
    names = sorted(scan(repo.worktree.root, path))
    check_names(path, names)
    started = now()
    files: dict[str, Known] = {}
    recipes = {}
    for name, done in zip(names, ingest.many(names, repo.folder_opener(path), path), strict=True):
        recipes[done.oid] = done.recipe
        files[name] = (done.stat, bytes(done.oid), is_settled(done.stat, started))
    return manifest.tree_content(entries_of(files), recipes), files
