"""`git difftool --tool mvc`: notebooks as nbdime shows them, all else as Git does."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from modelvc.drivers.dispatch import FAILED, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def difftool(cwd: str, env: Mapping[str, str], args: Sequence[str]) -> int:
    """ARGS: the two files, and the path that they are versions of."""
    from modelvc.git.run import run
    from modelvc.notebook.document import is_notebook

    if len(args) < 3:
        say("the difftool was called without two files", hint="run `mvc install`")
        return FAILED
    before, after, path = args[:3]
    color = sys.stdout.isatty() and not env.get("NO_COLOR")
    if is_notebook(path):
        from modelvc.notebook.rich import diff_text

        with open(before, "rb") as old, open(after, "rb") as new:
            text = diff_text(old.read(), new.read(), (f"a/{path}", f"b/{path}"), color=color)
    else:
        _, out, _ = run(cwd, "diff", "--no-index", f"--color={'always' if color else 'never'}", "--", before, after)
        text = out.decode("utf-8", "replace")
    sys.stdout.write(text)
    return 0
