"""Escape text for XML and for GitHub's workflow commands."""

from __future__ import annotations

from modelvc.errors import shown

_ANNOTATION = {"%": "%25", "\r": "%0D", "\n": "%0A"}


def attribute(value: str) -> str:
    """Return VALUE as an attribute of XML, with its quotes."""
    from xml.sax.saxutils import quoteattr  # brings http and ssl along

    return quoteattr(shown(value, 2_000))


def text_of(value: str) -> str:
    """Return VALUE as text of XML."""
    from xml.sax.saxutils import escape

    return escape("\n".join(shown(line, 2_000) for line in value.split("\n")))


def message(value: str) -> str:
    """Return VALUE as the message of a workflow command."""
    return "".join(_ANNOTATION.get(char, char) for char in value)


def property_value(value: str) -> str:
    """Return VALUE as a property of a workflow command."""
    return message(value).replace(":", "%3A").replace(",", "%2C")
