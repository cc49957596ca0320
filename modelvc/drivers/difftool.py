"""`git difftool --tool mvc`: nbdime shows notebooks, Git shows all other files."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from modelvc.drivers.say import FAILED, say
from modelvc.errors import FormatError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def difftool(cwd: str, env: Mapping[str, str], args: Sequence[str]) -> int:
    """Show how two versions of a file differ. ARGS: the two files, and their path. Return the exit status."""
    from modelvc.notebook.document import is_notebook

    if len(args) < 3:
        say("the difftool was called without two files", hint="run `mvc install`")
        return FAILED
    before, after, path = args[:3]
    color = sys.stdout.isatty() and not env.get("NO_COLOR") and env.get("TERM") != "dumb"
    if is_notebook(path):
        try:
            text = _rich(before, after, path, color=color)
        except FormatError as error:
            say(f"shown as text, because {error}")
        except UsageError as error:
            say(f"shown as text, because {error}", hint=error.hint)
        else:
            sys.stdout.write(text)
            return 0
    from modelvc.git.run import run

    _, out, _ = run(cwd, "diff", "--no-index", f"--color={'always' if color else 'never'}", "--", before, after)
    sys.stdout.write(out.decode("utf-8", "replace"))
    return 0


def _rich(before: str, after: str, path: str, *, color: bool) -> str:
    from modelvc.notebook.rich.diff import diff_text

    with open(before, "rb") as old, open(after, "rb") as new:
        return diff_text(old.read(), new.read(), (f"a/{path}", f"b/{path}"), color=color)
