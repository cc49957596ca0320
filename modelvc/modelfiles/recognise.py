"""How formats begin: cheap looks at the first bytes of a file, so that no reader is imported in vain."""

from __future__ import annotations

SAFETENSORS_HEADER = 100_000_000  # bytes, as the library allows


def is_safetensors(head: bytes) -> bool:
    """Whether HEAD begins with a plausible length and an object."""
    return head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") <= SAFETENSORS_HEADER


def is_npy(head: bytes) -> bool:
    return head.startswith(b"\x93NUMPY")


def is_zip(head: bytes) -> bool:
    """Whether HEAD begins with a member of a zip, or is the end of an empty one."""
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def is_gguf(head: bytes) -> bool:
    return head.startswith(b"GGUF")
