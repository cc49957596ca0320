"""Make a damaged pack of a remote again: byte for byte what it was, from its own trailer and good chunks at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import xxhash
from blake3 import blake3

from modelvc.errors import FormatError, IntegrityError, NotFoundError
from modelvc.formats import limits, pack
from modelvc.formats.pack import RAW, Trailer
from modelvc.store import codec
from modelvc.store.remote import pack_key

if TYPE_CHECKING:
    from modelvc.formats.pack import Stored
    from modelvc.store.local import LocalStore
    from modelvc.store.remote import RemoteStore

_LARGEST = 128 << 20  # bytes; push writes packs of 16 MiB


def mend_pack(local: LocalStore, remote: RemoteStore, name: bytes, size: int) -> bool:
    """Whether every chunk of a pack is good on the REMOTE now; what was not was taken from the LOCAL store.

    Nothing is written unless all of it is good: the name of a pack fixes its bytes, so writing them again is safe.
    """
    if not pack.FOOTER.size + len(pack.MAGIC) <= size <= _LARGEST:
        return False
    (data,) = remote.backend.read_ranges(pack_key(name), [(0, size)])
    try:
        trailer = _trailer(data, name)
    except FormatError:
        return False
    body = bytearray(data)
    body[: len(pack.MAGIC)] = pack.MAGIC
    for chunk in trailer:
        place = slice(chunk.offset, chunk.offset + chunk.stored)
        if _is_good(chunk, bytes(body[place])):
            continue
        stored = _from_local(local, chunk)
        if stored is None:
            return False
        body[place] = stored
    if body != data:
        remote.backend.put(pack_key(name), body)
    return True


def _trailer(data: bytes, name: bytes) -> Trailer:
    start = len(data) - pack.FOOTER.size
    length, digest = pack.parse_footer(data[start:])
    if length > min(start, limits.TRAILER) or pack.pack_id(data[start - length : start]) != name:
        raise FormatError("not a valid pack: its trailer does not belong to its name")
    return Trailer(data[start - length : start], start - length, digest)


def _is_good(chunk: Stored, stored: bytes) -> bool:
    if xxhash.xxh3_64_intdigest(stored) != chunk.xxh3:
        return False
    try:
        return blake3(codec.decode(chunk.encoding, stored, chunk.raw)).digest() == chunk.cid
    except FormatError:
        return False


def _from_local(local: LocalStore, chunk: Stored) -> bytes | None:
    """The stored bytes of a chunk as the pack had them; None where the local store has none, or other ones."""
    try:
        stored = bytes(local.read_chunk(chunk.cid)) if chunk.encoding == RAW else local.read_stored(chunk.cid)[1]
    except (IntegrityError, NotFoundError):
        return None
    return stored if len(stored) == chunk.stored and _is_good(chunk, stored) else None
