"""Line merges by `git merge-file`. Also used by the notebook driver, so: the standard library alone."""

from __future__ import annotations

import os

from modelvc.errors import GitError
from modelvc.git.run import run, said

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SIZE = 7  # signs of a marker
_NOT_MERGED = 128  # from here on it is no number of conflicts


def lines(texts: Sequence[str], sides: tuple[str, str]) -> tuple[str, bool]:
    """Base, ours and theirs merged line by line, and whether markers were left, with the names of the SIDES."""
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="mvc-merge-") as folder:
        paths = [os.path.join(folder, name) for name in ("base", "ours", "theirs")]
        for path, text in zip(paths, texts, strict=True):
            with open(path, "wb") as file:
                # every last line gets an end, or adding a line behind it would change it
                file.write(text.encode("utf-8", "surrogatepass") + b"\n")
        data, clean = files(paths, sides)
    return data.decode("utf-8", "surrogatepass").removesuffix("\n"), not clean


def files(paths: Sequence[str], sides: tuple[str, str]) -> tuple[bytes, bool]:
    """The files base, ours and theirs merged, and whether that went without conflict; GitError for binary ones."""
    base, ours, theirs = paths
    names = ("-L", sides[0], "-L", "base", "-L", sides[1])
    code, out, err = run(".", "merge-file", "-p", "-q", f"--marker-size={_SIZE}", *names, "--", ours, base, theirs)
    if code >= _NOT_MERGED:
        raise GitError(f"Git cannot merge it: {said(err)}", hint="take one side as it is")
    return out, code == 0
