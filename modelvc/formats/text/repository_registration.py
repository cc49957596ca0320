"""Registrations: the Git repositories whose history names objects in a store. Spec: docs/format.md#registrations.

The place of a repository is one line that tells it from others, such as `host/path`.
"""

from __future__ import annotations

from blake3 import blake3

from modelvc.errors import FormatError, shown
from modelvc.formats import limits, toml
from modelvc.formats.tables import Table

FORMAT = 1
FOLDER = "gc/repositories/"


def key_of(place: str) -> str:
    """The key of the registration of the repository at PLACE."""
    return FOLDER + blake3(place.encode("utf-8", "surrogateescape")).hexdigest(length=16)


def encode(place: str) -> bytes:
    """The bytes of a registration. Raises FormatError for a PLACE that no reader accepts."""
    try:
        data = toml.encode({"format": FORMAT, "repository": place}).encode()
    except UnicodeEncodeError:
        raise FormatError("the place of a repository is not UTF-8") from None
    parse(data, f"the registration of {shown(place)}")
    return data


def one_line(place: str) -> str:
    """PLACE as a registration can hold it: characters that cannot be printed become %XX.

    A long place is cut, and ends in a hash of the whole, so that two long places stay different.
    """
    safe = "".join(c if c.isprintable() else _percent(c) for c in place)
    return (
        safe
        if len(safe) <= limits.REGISTRATION_PLACE
        else f"{safe[: limits.REGISTRATION_PLACE - 33]}~{blake3(safe.encode()).hexdigest(length=16)}"
    )


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogateescape"))


def parse(data: bytes, where: str) -> str:
    """The place in a registration. WHERE: its name for messages. Raises FormatError, also for another format."""
    table = Table.read(data, where, FormatError, limit=limits.REGISTRATION)
    if table.number("format") != FORMAT:
        raise table.error("format", f"must be {FORMAT}")
    place = table.text("repository", None)
    if not place or len(place) > limits.REGISTRATION_PLACE or not place.isprintable():
        raise table.error("repository", f"must be one line of 1 to {limits.REGISTRATION_PLACE:,} characters")
    return place
