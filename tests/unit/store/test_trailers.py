"""The trailer of a pack is found, bounded and compared in one place: every reader of packs refuses the same ones."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from blake3 import blake3
from xxhash import xxh3_64_intdigest

from modelvc.errors import FormatError, IntegrityError
from modelvc.formats.binary import pack
from modelvc.formats.binary.pack import RAW, Stored
from modelvc.store.check.local_store import check_pack
from modelvc.store.local import packfile
from modelvc.store.local.store import LocalStore
from modelvc.store.remote.packs import RemotePacks
from modelvc.store.remote.store import Listing, RemoteStore, pack_key
from tests.support.stores import DictBackend

COUNT = 300


def made(count: int = COUNT) -> tuple[bytes, bytes]:
    """The name of a pack and its bytes."""
    body, chunks = bytearray(pack.MAGIC), []
    for number in range(count):
        data = f"chunk {number}".encode()
        name = blake3(data).digest()
        chunks.append(Stored(name, len(body), len(data), len(data), xxh3_64_intdigest(data), RAW))
        body += data
    trailer = pack.encode_trailer(chunks)
    return pack.pack_id(trailer), bytes(body + trailer + pack.footer(trailer))


NAME, GOOD = made()
LENGTH = pack.parse_footer(GOOD[-48:]).length


def with_footer(length: int = LENGTH, count: int = COUNT, digest: bytes = GOOD[-40:-8], end: bytes = pack.END) -> bytes:
    return GOOD[:-48] + pack.FOOTER.pack(length, count, digest, end)


BAD = {
    "nothing": b"",
    "too short": GOOD[:50],
    "cut off": GOOD[:-1],
    "another end": with_footer(end=b"MVCPEND2"),
    "a trailer that is longer than the pack": with_footer(length=len(GOOD)),
    "a trailer over the magic": with_footer(length=len(GOOD) - 48 - 7),
    "a shorter trailer": with_footer(length=LENGTH - 50),
    "another hash": with_footer(digest=bytes(32)),
    "a changed record": GOOD[:-100] + bytes([GOOD[-100] ^ 1]) + GOOD[-99:],
    "another pack's": made(7)[1],
}


def local(tmp: Path, data: bytes) -> tuple[LocalStore, int]:
    store = LocalStore(str(tmp / "store"))
    path = Path(packfile.path_of(store.root, NAME))
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    return store, os.open(path, os.O_RDONLY)


def remote(data: bytes) -> RemoteStore:
    backend = DictBackend()
    backend.put(pack_key(NAME), data)
    return RemoteStore(backend)


def from_file(tmp: Path, data: bytes) -> None:
    _, fd = local(tmp, data)
    packfile.read_trailer(fd, NAME)


def after_a_push(tmp: Path, data: bytes) -> None:
    del tmp
    assert remote(data).check_packs([(NAME, len(data))])


def by_fsck(tmp: Path, data: bytes) -> None:
    store, _ = local(tmp, data)
    if why := check_pack(store, NAME, every_byte=True).unreadable:
        raise FormatError(why)


def by_fsck_of_a_remote(tmp: Path, data: bytes) -> None:
    del tmp
    packs = RemotePacks(remote(data), Listing({}), 1)
    packs.open([(NAME, len(data))])
    packs.close()
    if why := packs.packs[NAME].trouble:
        raise FormatError(why)


READERS: dict[str, Callable[[Path, bytes], None]] = {
    "read": from_file,
    "push": after_a_push,
    "fsck": by_fsck,
    "fsck --remote": by_fsck_of_a_remote,
}


@pytest.mark.parametrize("what", BAD)
@pytest.mark.parametrize("reader", READERS)
def test_refused(tmp_path: Path, reader: str, what: str) -> None:
    with pytest.raises(IntegrityError):
        READERS[reader](tmp_path, BAD[what])


@pytest.mark.parametrize("reader", READERS)
def test_taken(tmp_path: Path, reader: str) -> None:
    READERS[reader](tmp_path, GOOD)


@pytest.mark.parametrize("reader", READERS)
def test_a_footer_that_counts_other_records(tmp_path: Path, reader: str) -> None:
    """It is damage, and it keeps nobody from the chunks."""
    if reader == "read":
        from_file(tmp_path, with_footer(count=7))
    else:
        with pytest.raises(IntegrityError, match="its footer is damaged"):
            READERS[reader](tmp_path, with_footer(count=7))


def test_the_first_bytes(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="its header is damaged"):
        by_fsck(tmp_path, b"mvcpack1" + GOOD[8:])


@pytest.mark.parametrize("ahead", [0, 47, 48, 49, LENGTH + 47, LENGTH + 48, len(GOOD), len(GOOD) + 1])
def test_whatever_is_read_ahead(ahead: int) -> None:
    """Each byte is asked for at most once, and in one request where AHEAD holds the trailer."""
    asked: list[tuple[int, int]] = []

    def read_at(offset: int, length: int) -> bytes:
        assert 0 <= offset < offset + length <= len(GOOD)
        asked.append((offset, offset + length))
        return GOOD[offset : offset + length]

    found = pack.read_trailer(len(GOOD), read_at, NAME, ahead=ahead)
    assert found.count == COUNT
    assert found.data + found.footer() == GOOD[-LENGTH - 48 :]
    assert len(asked) == (1 if ahead >= LENGTH + 48 else 2)
    assert len(asked) == 1 or asked[1][1] == asked[0][0]
