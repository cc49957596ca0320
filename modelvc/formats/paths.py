"""Paths that every file system takes for the same file below a folder. Spec: docs/format.md#paths.

This module is on the short path: it imports modelvc.errors alone.
"""

from __future__ import annotations

from modelvc.errors import FormatError, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

POINTER_SUFFIX = ".mvc"
MAX_BYTES = 4_096  # here and not in formats/limits.py: the short path imports no further module
MAX_PART = 255

# Almost every path is made of _ORDINARY bytes. One that has a part of _DUBIOUS in it is checked part by part.
_ORDINARY = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/._-+=,@#%&!()[]{} "
_DUBIOUS = ("//", "/.", "./", " /", "/con", "/prn", "/aux", "/nul", "/com", "/lpt")

CONTROL = frozenset(map(chr, [*range(0x20), *range(0x7F, 0xA0)]))
_DEVICES = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", *(port + n for port in ("com", "lpt") for n in "123456789¹²³")]
)
# Default_Ignorable_Code_Point of Unicode: HFS+ ignores some of them in a name, ext4 with case folding others.
_IGNORED = (
    "\u00ad\u034f\u061c\u3164\ufeff\uffa0",
    (
        (0x115F, 0x1160),
        (0x17B4, 0x17B5),
        (0x180B, 0x180F),
        (0x200B, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x206F),
        (0xFE00, 0xFE0F),
        (0xFFF0, 0xFFF8),
        (0x1BCA0, 0x1BCA3),
        (0x1D173, 0x1D17A),
        (0xE0000, 0xE0FFF),
    ),
)


class SafeRelPath(str):
    """A relative, `/`-separated path that no file system takes for another. Each instance has passed `parse`."""

    __slots__ = ()

    def __new__(cls, text: str) -> Self:
        return cls.parse(text)

    @classmethod
    def parse(cls, text: str) -> Self:
        """TEXT as a safe path; FormatError names the rule that it breaks."""
        if not _ordinary(text):
            broken = _broken_rule(text)
            if broken:
                raise FormatError(
                    f'the path "{shown(text)}" cannot be used: {broken}',
                    hint="rename the file",
                )
        return str.__new__(cls, text)

    @property
    def parts(self) -> tuple[str, ...]:
        """The names between the slashes."""
        return tuple(self.split("/"))

    @property
    def parent(self) -> str:
        """The folder that holds this path; "" at the top, so the result is a plain str."""
        return self.rpartition("/")[0]

    @property
    def name(self) -> str:
        """The last part."""
        return self.rpartition("/")[2]


def is_pointer(path: str) -> bool:
    """Whether PATH has the name of a pointer, such as `x.mvc`; the folder `.mvc` has not."""
    return path.endswith(POINTER_SUFFIX) and not path.endswith("/" + POINTER_SUFFIX) and path != POINTER_SUFFIX


def pointer_of(path: str) -> SafeRelPath:
    """The path of the pointer to the model at PATH. Raises FormatError where that is no safe path."""
    return SafeRelPath.parse(path + POINTER_SUFFIX)


def model_of(pointer: str) -> SafeRelPath:
    """The path of the model whose pointer is at POINTER. Raises FormatError where POINTER is no pointer's path."""
    if not is_pointer(pointer):
        raise FormatError(
            f'"{shown(pointer)}" is not the path of a pointer: its name does not end in {POINTER_SUFFIX}',
            hint="run `mvc ls` to see the models that are tracked",
        )
    return SafeRelPath.parse(pointer.removesuffix(POINTER_SUFFIX))


def _ordinary(text: str) -> bool:
    """Whether TEXT certainly breaks no rule; False where `_broken_rule` has to look."""
    if not text.isascii() or len(text) > MAX_PART or text.encode().translate(None, _ORDINARY):
        return False
    rooted = "/" + text.lower()
    if rooted[-1] in "/. ":
        return False
    for dubious in _DUBIOUS:  # noqa: SIM110 - any() with a generator takes twice as long
        if dubious in rooted:
            return False
    return True


def _broken_rule(text: str) -> str:
    """The rule that TEXT breaks, in words; "" for none."""
    if not text:
        return "it is empty"
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "it is not valid UTF-8"
    if size > MAX_BYTES:
        return f"it is longer than {MAX_BYTES:,} bytes"
    if not CONTROL.isdisjoint(text):
        return "it has a control character (such as a line break) in it"
    if "\\" in text:
        return "it has a backslash in it"
    if ":" in text:
        return "it has a colon in it"
    if text[0] == "/":
        return "it is absolute"
    for part in text.split("/"):
        broken = _broken_part(part)
        if broken:
            return broken
    return ""


def _broken_part(part: str) -> str:
    """The rule that PART, a name between slashes, breaks, in words; "" for none."""
    if not part:
        return "it has an empty part"
    if part in {".", ".."}:
        return f'it has the part "{part}"'
    if len(part.encode()) > MAX_PART:
        return f"it has a part longer than {MAX_PART} bytes"
    if part[-1] in ". ":
        return f'its part "{shown(part)}" ends in a dot or a space'
    folded = _visible(part).casefold().rstrip(". ")
    if folded == ".git" or _short_name_of_git(folded):
        return f'its part "{shown(part)}" is the folder .git to some file systems'
    if folded in {"", "."}:
        return f'its part "{shown(part)}" is empty or a dot to some file systems'
    if folded.partition(".")[0].rstrip(" ") in _DEVICES:
        return f'its part "{shown(part)}" is a device on Windows'
    return ""


def _visible(part: str) -> str:
    """PART without the characters that some file system ignores."""
    if part.isascii():
        return part
    single, ranges = _IGNORED
    return "".join(c for c in part if c not in single and not any(first <= ord(c) <= last for first, last in ranges))


def _short_name_of_git(folded: str) -> bool:
    """Whether FOLDED is an 8.3 name that Windows gives to `.git`: git~1 and so on; once those are taken, gi7d29~1."""
    stem, tilde, number = folded.partition("~")
    if not tilde or not (number.isascii() and number.isdigit()):
        return False
    return stem == "git" or (len(stem) == 6 and stem[:2] == "gi" and not stem[2:].strip("0123456789abcdef"))
