"""Merge lines with `git merge-file`. The notebook driver uses this module, so it needs the standard library alone."""

from __future__ import annotations

import os

from modelvc.errors import GitError
from modelvc.git.run import run, said

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_SIZE = 7  # characters of a conflict marker
_NOT_MERGED = 128  # the least exit status of an error; lower ones count conflicts


def lines(texts: Sequence[str], sides: tuple[str, str]) -> tuple[str, bool]:
    """Merge TEXTS (base, ours, theirs) line by line.

    Return the text, and True if it holds conflict markers. SIDES are the names in the markers.
    """
    from tempfile import TemporaryDirectory

    with TemporaryDirectory(prefix="mvc-merge-") as folder:
        paths = [os.path.join(folder, name) for name in ("base", "ours", "theirs")]
        for path, text in zip(paths, texts, strict=True):
            with open(path, "wb") as file:
                # Every last line gets an end. Without one, a line added behind it would count as a change of it.
                file.write(text.encode("utf-8", "surrogatepass") + b"\n")
        data, clean = files(paths, sides)
    return data.decode("utf-8", "surrogatepass").removesuffix("\n"), not clean


def files(paths: Sequence[str], sides: tuple[str, str]) -> tuple[bytes, bool]:
    """Merge the files at PATHS (base, ours, theirs). Return the bytes, and True if there was no conflict.

    Raises GitError for binary files.
    """
    base, ours, theirs = paths
    names = ("-L", sides[0], "-L", "base", "-L", sides[1])
    code, out, err = run(".", "merge-file", "-p", "-q", f"--marker-size={_SIZE}", *names, "--", ours, base, theirs)
    if code >= _NOT_MERGED:
        raise GitError(f"Git cannot merge it: {said(err)}", hint="take one side as it is")
    return out, code == 0
