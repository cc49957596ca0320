"""The rules of the repository that Git runs a driver in."""

from __future__ import annotations

import os
import stat

from modelvc.errors import ConflictError, shown
from modelvc.formats import limits, notebook_rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from modelvc.formats.notebook_rules import NotebookRules


def read_rules() -> NotebookRules:
    """What this repository strips, as its worktree says."""
    try:
        # neither a link out of the repository is followed, nor does a pipe make Git wait for ever
        fd = os.open(notebook_rules.COMMITTED, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return notebook_rules.NotebookRules()
    except OSError as error:
        raise ConflictError(f"{notebook_rules.COMMITTED} cannot be read: {shown(error.strerror)}") from None
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ConflictError(f"{notebook_rules.COMMITTED} is not a regular file")
        return notebook_rules.read(file.read(limits.CONFIG + 1))
