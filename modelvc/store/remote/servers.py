"""Remember what servers honour: a small file each, in a folder of this clone. A lost file is measured again."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from modelvc.atomic import RealDisk, make_folder, write_durably
from modelvc.errors import FormatError
from modelvc.formats import limits
from modelvc.formats.text import server_support

if TYPE_CHECKING:
    from modelvc.formats.text.server_support import ServerSupport


class Servers:
    """The notes in FOLDER, `.git/mvc/servers`. With "", nothing is remembered."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def recall(self, store: str, server: str) -> ServerSupport | None:
        """Return what is known of the store with the id STORE behind SERVER, or None."""
        if not self._folder:
            return None
        try:
            with open(self._path(store, server), "rb", opener=_no_waiting) as file:
                found = server_support.parse(file.read(limits.SERVER_SUPPORT + 1))
        except (OSError, FormatError):
            return None
        return found if (found.store, found.server) == (store, server) else None

    def keep(self, found: ServerSupport) -> None:
        """Remember FOUND. In a clone that cannot be written nothing is remembered."""
        if not self._folder:
            return
        with contextlib.suppress(OSError):
            disk = RealDisk()
            make_folder(disk, self._folder)
            write_durably(
                disk, self._path(found.store, found.server), found.encode(), tmp=os.path.dirname(self._folder)
            )

    def _path(self, store: str, server: str) -> str:
        return os.path.join(self._folder, server_support.file_of(store, server))


def _no_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK)
