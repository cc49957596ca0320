"""Store the files of the worktree before a command replaces them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modelvc.models.files.trees import check_names, entries_of
from modelvc.store.local import compact
from modelvc.store.local.ingest import Ingest
from modelvc.store.local.writer import StoreWriter
from modelvc.store.objects import manifest
from modelvc.store.objects.manifest import Content
from modelvc.worktree.reading import Reading
from modelvc.worktree.scan import scan
from modelvc.worktree.state import Known, Stat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modelvc.formats.paths import SafeRelPath
    from modelvc.ids import Oid
    from modelvc.repo import Repo


def store_present(repo: Repo, paths: Sequence[SafeRelPath]) -> dict[SafeRelPath, Oid]:
    """Store the files and folders PATHS as they are now. Return the oid of each.

    The caller that replaces them writes the reflog.
    """
    found: dict[SafeRelPath, Oid] = {}
    with StoreWriter(repo.store) as writer, Ingest(writer) as ingest:
        for path in paths:
            if repo.worktree.is_folder(path):
                content, files = _tree(repo, path, ingest)
                repo.state.remember_tree(path, content.oid, files)
            else:
                reading = Reading()
                fd = repo.worktree.open(path)
                try:
                    reading.opened(fd)
                    done = ingest.file(fd, path)
                finally:
                    os.close(fd)
                content = Content(done.oid, done.stat.size, done.recipe)
                repo.state.remember_file(path, Stat(done.stat), done.oid, settled=reading.settles(Stat(done.stat)))
            writer.add(content)
            found[path] = content.oid
        writer.commit()
        compact.tidy(repo.store, writer)
    return found


def _tree(repo: Repo, path: SafeRelPath, ingest: Ingest) -> tuple[Content, dict[str, Known]]:
    names = sorted(scan(repo.worktree.root, path))
    check_names(path, names)
    reading = Reading(many=True)
    files: dict[str, Known] = {}
    recipes = {}
    read = ingest.many(names, repo.folder_opener(path), path, reading.opened)
    for name, done in zip(names, read, strict=True):
        recipes[done.oid] = done.recipe
        seen = Stat(done.stat)
        files[name] = Known((seen, bytes(done.oid), reading.settles(seen)))
    return manifest.tree_content(entries_of(files), recipes), files
