"""Repair a damaged pack of a remote: rebuild the same bytes from its trailer and good chunks."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, NamedTuple

from modelvc.errors import FormatError, IntegrityError, NotFoundError
from modelvc.formats.binary import pack
from modelvc.formats.binary.pack import RAW
from modelvc.store.backends.api import KeyDenied
from modelvc.store.objects import codec
from modelvc.store.remote.store import pack_key

if TYPE_CHECKING:
    from modelvc.formats.binary.pack import Stored, Trailer
    from modelvc.store.local.store import LocalStore
    from modelvc.store.remote.packs import RemotePack
    from modelvc.store.remote.store import RemoteStore

_LARGEST = 128 << 20  # bytes; push writes packs of 16 MiB


def repair_remote_pack(local: LocalStore, remote: RemoteStore, bad: RemotePack) -> bool:
    """Write a damaged pack again. Return True if every chunk of it is good on the REMOTE now.

    Chunks that are damaged there come from the LOCAL store. The name of a pack fixes its bytes, so overwriting is
    safe. Nothing is written unless every byte is known.
    """
    if not pack.FOOTER.size + len(pack.MAGIC) <= bad.size <= _LARGEST:
        return False
    try:
        data, size = _bytes_of(remote, bad)
    except KeyDenied:
        return False
    trailer = _trailer(data, bad)
    if trailer is None:
        return False
    body = bytearray(bad.size)
    body[: len(pack.MAGIC)] = pack.MAGIC
    body[bad.size - pack.FOOTER.size - trailer.size :] = trailer.data + trailer.footer()
    for chunk in trailer:
        place = slice(chunk.offset, chunk.offset + chunk.stored)
        stored: bytes | None = data[place]
        if codec.verified_content(chunk, data[place]) is None:
            stored = _from_local(local, chunk)
        if stored is None:
            return False
        body[place] = stored
    pack.check_pack(bad.size, pack.bytes_at(body), bad.name, trailer.count)
    if body != data or size != bad.size:
        remote.backend.put(pack_key(bad.name), body)
    return True


class _Present(NamedTuple):
    """What lies on the remote of a pack."""

    data: bytes  # as long as the pack, with zeros for what is missing
    size: int  # bytes on the remote, perhaps more


def _bytes_of(remote: RemoteStore, bad: RemotePack) -> _Present:
    """Read what lies on the remote of a pack. Raises KeyDenied."""
    key = pack_key(bad.name)
    entry = remote.backend.stat([key]).get(key)
    size = entry.size if entry else 0
    some = min(size, bad.size)
    (data,) = remote.backend.read_ranges(key, [(0, some)]) if some else (b"",)
    return _Present(bytes(data).ljust(bad.size, b"\0"), size)


def _trailer(data: bytes, bad: RemotePack) -> Trailer | None:
    """Return the trailer of a pack, from its bytes or rebuilt from the places that roots name.

    None: neither fits its name.
    """
    made = pack.encode_trailer(bad.unlisted.values())
    end = made + pack.footer(made)
    for whole in (data, data[: -len(end)] + end):
        with suppress(FormatError):
            return pack.read_trailer(len(whole), pack.bytes_at(whole), bad.name)
    return None


def _from_local(local: LocalStore, chunk: Stored) -> bytes | None:
    """Return the stored bytes of a chunk as the pack had them, or None if the local store cannot give them."""
    try:
        stored = bytes(local.read_chunk(chunk.cid)) if chunk.encoding == RAW else local.read_stored(chunk.cid)[1]
    except (IntegrityError, NotFoundError):
        return None
    return None if codec.verified_content(chunk, stored) is None else stored
