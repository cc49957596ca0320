"""Read the local store: packs, roots and an index in one folder of this clone. Layout: docs/format.md#store.

Readers take no lock. Writers hold a shared lock from their first look-up to their last root, local gc an exclusive
one. The kernel frees both when a process dies.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from blake3 import blake3

from modelvc.atomic import FileLock, RealDisk, make_folder, try_lock, write_atomically, write_durably
from modelvc.errors import ConfigError, FormatError, LockHeld, ObjectCorrupt, ObjectMissing, StoreGone
from modelvc.formats import limits
from modelvc.formats.binary import root as rootformat
from modelvc.formats.binary.pack import PackRef
from modelvc.formats.text import repository_registration, store_config
from modelvc.formats.text.store_config import StoreConfig
from modelvc.ids import ObjectName, Oid
from modelvc.store.local import packfile
from modelvc.store.local.index import ChunkIndex, is_shard, list_packs
from modelvc.store.objects import codec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from modelvc.atomic import Disk
    from modelvc.formats.binary.pack import Located, Stored
    from modelvc.formats.binary.root import Part, Root

_SHARD = {"file": "b", "tree": "t"}
_OPEN_PACKS = 64
_LOCK_WAIT = 600.0  # seconds; the process that holds a lock lives, and will end


class LocalStore:
    """The objects of one clone and its worktrees, or of several clones.

    Each OWNER (a Git folder) then registers itself. NOTE: a file of the owner with the path of the store that it used.
    """

    def __init__(self, root: str, disk: Disk | None = None, owner: str = "", note: str = "") -> None:
        self.root = root
        self._owner = owner
        self._note = note
        self.disk = disk or RealDisk()
        self._index: ChunkIndex | None = None
        self._fds: dict[bytes, int] = {}
        self._fds_lock = threading.Lock()
        self._prepared = False
        self._checked = False

    @property
    def name(self) -> str:
        """The name of the store in messages."""
        return "the local store"

    def prepare(self) -> None:
        """Create the folder and config if they are missing.

        Raises ConfigError for a store of a later release, StoreGone if a store that was used is missing.
        """
        if self._prepared:
            return
        self.require_used()
        config = os.path.join(self.root, "config")
        make_folder(self.disk, os.path.join(self.root, "tmp"))
        found = self._config(config)
        if found is None:
            found = StoreConfig.create()
            write_durably(self.disk, config, found.encode(), tmp=os.path.join(self.root, "tmp"))
        found.check_write(config)
        if self._owner:
            self._register()
        self._prepared = True

    def require_used(self) -> None:
        """Raise StoreGone if the owner has used the store in this folder and the store is missing now."""
        if not self._note or os.path.exists(os.path.join(self.root, "config")):
            return
        with contextlib.suppress(OSError), open(self._note, "rb") as file:
            if file.read(limits.REGISTRATION) == os.fsencode(self.root):
                hint = "is its drive mounted? if the store is lost, set another store.path in .git/mvc/config.toml"
                raise StoreGone(self.root, hint, missing=not os.path.isdir(self.root))

    def _register(self) -> None:
        """Register the owner before it relies on anything in the store: gc keeps what registered clones reach."""
        folder = os.path.join(self.root, "clones")
        path = os.path.join(folder, os.path.basename(repository_registration.key_of(self._owner)))
        if not os.path.exists(path):
            try:
                data = repository_registration.encode(self._owner)
            except FormatError as error:
                raise ConfigError(
                    f"this clone cannot be registered with the store {self.root}: {error}",
                    hint="move the clone, or take store.path out of .git/mvc/config.toml",
                ) from None
            make_folder(self.disk, folder)
            write_durably(self.disk, path, data, tmp=os.path.join(self.root, "tmp"))
        self._note_used()

    def _note_used(self) -> None:
        """Write the path of the store to the owner's note, unless it says so."""
        said = os.fsencode(self.root)
        try:
            with open(self._note, "rb") as file:
                if file.read(limits.REGISTRATION) == said:
                    return
        except OSError:
            pass
        if self._note:
            write_atomically(self._note, said)

    def clones(self) -> list[str]:
        """Return the paths of the registrations of clones that use this store, besides the one in which it lies."""
        folder = os.path.join(self.root, "clones")
        return sorted(os.path.join(folder, name) for name in os.listdir(folder)) if os.path.isdir(folder) else []

    def check(self) -> None:
        """Raise ConfigError for a store of a later release, whose objects would seem damaged.

        Raises StoreGone if a store that was used is missing: all of its objects would seem lost.
        """
        if not self._checked:
            self.require_used()
            config = os.path.join(self.root, "config")
            found = self._config(config)
            if found is not None:
                found.check_read(config)
                if self._owner:
                    with contextlib.suppress(OSError):  # a store that this account may only read
                        self._register()
            self._checked = True

    def restore_config(self) -> bool:
        """Replace a torn config of this version. Return False if the config is not torn."""
        path = os.path.join(self.root, "config")
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
            torn = store_config.is_torn(file.read(limits.STORE_CONFIG + 1))
        if torn:
            write_durably(self.disk, path, StoreConfig.create().encode(), tmp=os.path.join(self.root, "tmp"))
        return torn

    def _config(self, path: str) -> StoreConfig | None:
        try:
            # a FIFO in its place is damage: do not wait
            with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
                return store_config.parse(file.read(limits.STORE_CONFIG + 1), path)
        except FileNotFoundError:
            return None

    # -- roots

    def root_path(self, kind: str, oid: Oid) -> str:
        """Return the path of an object's root."""
        digits = oid.hex()
        return os.path.join(self.root, _SHARD[kind], digits[:2], digits)

    def has_root(self, kind: str, oid: Oid) -> bool:
        """Return True if an object has a root here."""
        return os.path.exists(self.root_path(kind, oid))

    def read_root(self, kind: str, oid: Oid) -> Root:
        """Return the root of an object.

        Raises ObjectMissing, or ObjectCorrupt for a root that is damaged or another object's.
        """
        self.check()
        try:
            with open(self.root_path(kind, oid), "rb") as file:
                data = file.read(limits.ROOT + 1)
        except FileNotFoundError:
            raise ObjectMissing(oid, self.name) from None
        try:
            found = rootformat.parse(data)
        except FormatError:
            raise ObjectCorrupt(f"the root of {oid.short}", self.name) from None
        if found.oid != oid or found.kind != kind:
            raise ObjectCorrupt(f"the root of {oid.short}", self.name)
        return found

    def mark_proven(self, root: Root) -> None:
        """Note that the whole of an object was hashed and matched its oid."""
        if root.unproven:
            data = replace(root, unproven=False).encode()
            write_durably(self.disk, self.root_path(root.kind, root.oid), data, tmp=os.path.join(self.root, "tmp"))

    def roots(self) -> Iterator[ObjectName]:
        """Yield the name of every object that has a root here."""
        self.check()
        for kind, top in _SHARD.items():
            folder = os.path.join(self.root, top)
            for shard in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
                if not is_shard(shard):
                    continue
                for name in sorted(os.listdir(os.path.join(folder, shard))):
                    with contextlib.suppress(ValueError):
                        yield ObjectName(kind, Oid(bytes.fromhex(name)))

    # -- chunks

    @property
    def index(self) -> ChunkIndex:
        """The index of all packs, opened at the first use."""
        if self._index is None:
            self._index = ChunkIndex(self.root, self.disk)
        return self._index

    def find(self, cid: bytes) -> Located | None:
        """Return where a chunk lies, or None if no pack holds it."""
        return self.index.find(cid)

    def locate(self, cid: bytes) -> Located:
        """Return where a chunk lies. Raises ObjectMissing if no pack holds it after a refresh either."""
        found = self.index.find(cid)
        if found is None:
            self.index.refresh()
            found = self.index.find(cid)
        if found is None:
            raise ObjectMissing(Oid(cid), self.name, hint="run `mvc fsck --repair`")
        return found

    def pack_fd(self, name: bytes) -> int:
        """Return an open descriptor of a pack, kept for reuse.

        Raises FileNotFoundError if the pack was merged into another.
        """
        with self._fds_lock:
            if (fd := self._fds.get(name)) is not None:
                return fd
            if len(self._fds) >= _OPEN_PACKS:
                os.close(self._fds.pop(next(iter(self._fds))))
            fd = os.open(packfile.path_of(self.root, name), os.O_RDONLY | os.O_CLOEXEC)
            self._fds[name] = fd
            return fd

    def read_stored(self, cid: bytes) -> tuple[Stored, bytes]:
        """Return a chunk and its stored bytes, not compared with anything. Raises ObjectMissing."""
        for attempt in (1, 2):
            name, chunk = self.locate(cid)
            try:
                return chunk, os.pread(self.pack_fd(name), chunk.stored, chunk.offset)
            except FileNotFoundError:  # a pack was merged into another since the index was read
                self.index.refresh()
                if attempt == 2:
                    break
        raise ObjectMissing(Oid(cid), self.name, hint="run `mvc fsck --repair`")

    def read_chunk(self, cid: bytes) -> bytes | memoryview:
        """Return the content of a chunk, compared with its cid. Raises ObjectMissing or ObjectCorrupt."""
        chunk, stored = self.read_stored(cid)
        try:
            data = codec.decode(chunk.encoding, stored, chunk.raw)
        except FormatError:
            raise ObjectCorrupt(f"chunk {cid.hex()[:10]}", self.name) from None
        if blake3(data).digest() != cid:
            raise ObjectCorrupt(f"chunk {cid.hex()[:10]}", self.name)
        return data

    def read_part(self, root: Root, part: Part) -> bytes:
        """Return the bytes of a segment or leaf of a root. Raises ObjectMissing or ObjectCorrupt."""
        del root
        return part.data if part.data is not None else bytes(self.read_chunk(part.name))

    # -- locks

    def shared(self) -> FileLock:
        """Return the lock of writers: packs that were found stay until the roots that need them are written."""
        return self._lock(shared=True)

    def exclusive(self) -> FileLock:
        """Return the lock of gc: no writer is at work."""
        return self._lock(shared=False)

    def _lock(self, *, shared: bool) -> FileLock:
        self.require_used()
        make_folder(self.disk, self.root)
        use, other = (
            ("write to the local store", "has it alone") if shared else ("have the local store alone", "uses it")
        )
        busy = LockHeld(
            f"waited {_LOCK_WAIT:g} s to {use}, and another mvc still {other}",
            hint="wait for it to end, or stop it; its lock ends with it",
        )
        return FileLock(os.path.join(self.root, "lock"), _LOCK_WAIT, busy, shared=shared)

    def clean_tmp(self) -> None:
        """Delete temporary files whose process is gone."""
        folder = os.path.join(self.root, "tmp")
        for name in os.listdir(folder) if os.path.isdir(folder) else ():
            path = os.path.join(folder, name)
            with contextlib.suppress(OSError):
                fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
                try:
                    if try_lock(fd) and time.time() - os.fstat(fd).st_mtime > 60:  # its maker opens, then locks
                        os.unlink(path)
                finally:
                    os.close(fd)

    def packs(self) -> list[PackRef]:
        """List every pack here."""
        found = []
        for name in list_packs(self.root):
            with contextlib.suppress(FileNotFoundError):  # merged into another since it was listed
                found.append(PackRef(name, os.path.getsize(packfile.path_of(self.root, name))))
        return found

    def forget_packs(self) -> None:
        """Close all packs and drop the index in memory, after packs came or went."""
        self.close()
        self._index = None

    def close(self) -> None:
        """Close all packs."""
        for fd in self._fds.values():
            os.close(fd)
        self._fds.clear()
