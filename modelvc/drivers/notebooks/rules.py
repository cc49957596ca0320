"""Read the notebook rules of the repository in which Git runs a driver."""

from __future__ import annotations

import os
import stat

from modelvc.errors import ConflictError, shown
from modelvc.formats import limits, notebook_rules

TYPE_CHECKING = False
if TYPE_CHECKING:
    from modelvc.formats.notebook_rules import NotebookRules


def read_rules() -> NotebookRules:
    """Return the rules in the worktree, or the defaults. Raises ConflictError for a file that cannot be read."""
    try:
        # O_NOFOLLOW: a link may lead out of the repository. O_NONBLOCK: a pipe would make Git wait for ever.
        fd = os.open(notebook_rules.COMMITTED, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return notebook_rules.NotebookRules()
    except OSError as error:
        raise ConflictError(f"{notebook_rules.COMMITTED} cannot be read: {shown(error.strerror)}") from None
    with open(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise ConflictError(f"{notebook_rules.COMMITTED} is not a regular file")
        return notebook_rules.read(file.read(limits.CONFIG + 1))
