"""Make a damaged pack of a remote again: byte for byte what it was, from its trailer and good chunks at hand."""

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


def repair_pack(local: LocalStore, remote: RemoteStore, bad: RemotePack) -> bool:
    """Whether every chunk of a pack is good on the REMOTE now; what was not was taken from the LOCAL store.

    Nothing is written unless all of it is good: the name of a pack fixes its bytes, so writing them again is safe.
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
    pack.prove(bad.size, pack.bytes_at(body), bad.name, trailer.count)
    if body != data or size != bad.size:
        remote.backend.put(pack_key(bad.name), body)
    return True


class _Present(NamedTuple):
    """What lies on the remote of a pack."""

    data: bytes  # as long as the pack, with zeros for what is missing
    size: int  # bytes that lie there, which may be more


def _bytes_of(remote: RemoteStore, bad: RemotePack) -> _Present:
    """Read what lies on the remote of a pack. Raises KeyDenied."""
    key = pack_key(bad.name)
    entry = remote.backend.stat([key]).get(key)
    size = entry.size if entry else 0
    some = min(size, bad.size)
    (data,) = remote.backend.read_ranges(key, [(0, some)]) if some else (b"",)
    return _Present(bytes(data).ljust(bad.size, b"\0"), size)


def _trailer(data: bytes, bad: RemotePack) -> Trailer | None:
    """The trailer of a pack: from its bytes, or made again where roots name all chunks that it held."""
    made = pack.encode_trailer(bad.loose.values())
    end = made + pack.footer(made)
    for whole in (data, data[: -len(end)] + end):
        with suppress(FormatError):
            return pack.read_trailer(len(whole), pack.bytes_at(whole), bad.name)
    return None


def _from_local(local: LocalStore, chunk: Stored) -> bytes | None:
    """The stored bytes of a chunk as the pack had them; None where the local store has none, or other ones."""
    try:
        stored = bytes(local.read_chunk(chunk.cid)) if chunk.encoding == RAW else local.read_stored(chunk.cid)[1]
    except (IntegrityError, NotFoundError):
        return None
    return None if codec.verified_content(chunk, stored) is None else stored
