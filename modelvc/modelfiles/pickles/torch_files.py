"""Files of torch: the zip, TorchScript in a zip, and the format of releases before 1.6."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from blake3 import blake3

from modelvc.modelfiles.archive import blocks, content
from modelvc.modelfiles.facts import ModelFacts, clean
from modelvc.modelfiles.pickles.machine import Machine
from modelvc.modelfiles.pickles.seen import Seen
from modelvc.modelfiles.pickles.stream import FileStream
from modelvc.modelfiles.pickles.summary import summary
from modelvc.modelfiles.pickles.torch_tensors import Place, Storages, Tensors
from modelvc.modelfiles.pickles.values import Entries, Items, Value
from modelvc.modelfiles.source import OutOfTime, Unreadable, of_bytes

if TYPE_CHECKING:
    from modelvc.modelfiles.archive import Member
    from modelvc.modelfiles.pickles.stream import Stream
    from modelvc.modelfiles.source import Budget, Source

MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001
_FIXED = frozenset({"data.pkl", "version", "byteorder", ".format_version", ".storage_alignment", "constants.pkl"})
_FOLDERS = ("data/", "code/", "extra/", ".data/", "constants/", "tensors/", "traced_inputs/")
_ANEW = frozenset({".data/serialization_id"})  # holds a hash of the archive's name, which is the name of the file
_SCRIPT = ("code/", "constants.pkl")
# Bytes of a file that gets a content digest: hashing a larger one again would take most of the time of `mvc add`.
_DIGESTED = 512 << 20


def read_zip(source: Source, budget: Budget, members: tuple[Member, ...]) -> ModelFacts:
    """Return what the zip SOURCE with MEMBERS is. Checksums are ignored, as torch does, which can leave them out."""
    seen = Seen(budget)
    inside = _inside(members, seen)
    storages = Storages(seen)
    value: Value = None
    failure = ""
    if "data.pkl" not in inside:
        raise Unreadable("torch: its pickle has another name than torch gives it")
    try:
        value = _pickle(source, inside["data.pkl"], seen, storages)
        if "constants.pkl" in inside:
            _pickle(source, inside["constants.pkl"], seen, storages)
    except OutOfTime:
        raise
    except Unreadable as error:
        failure = str(error)
    if any(name.startswith(_SCRIPT) for name in inside):
        seen.code("holds a program in TorchScript")
    order = inside.get("byteorder")
    little = order is None or content(source, order, budget, checked=False) == b"little"
    places = {
        name.removeprefix("data/"): Place(-1 if one.method or not little else one.start, one.size)
        for name, one in inside.items()
        if name.startswith("data/")
    }
    facts = _facts(value, seen, Tensors(seen, places))
    digest = _digest(source, inside, budget) if source.size <= _DIGESTED else ""
    return replace(facts, unreadable=failure or seen.trouble, content=digest)


def _inside(members: tuple[Member, ...], seen: Seen) -> dict[str, Member]:
    """Return MEMBERS by their names in the one folder of the zip."""
    folders = {member.name.partition("/")[0] for member in members}
    if len(folders) != 1:
        raise Unreadable("torch: the zip has more than one folder")
    inside = {member.name.partition("/")[2]: member for member in members}
    for name in () if any(name.startswith(_SCRIPT) for name in inside) else inside:
        if name not in _FIXED and not name.startswith(_FOLDERS):
            seen.doubt(f"torch: the zip has a member that torch does not write: {clean(name)}")
    return inside


def _pickle(source: Source, member: Member, seen: Seen, storages: Storages) -> Value:
    """Read the pickle MEMBER of the zip SOURCE."""
    data = of_bytes(content(source, member, seen.budget, checked=False))
    value, end = Machine(FileStream(data), seen, persist=storages).run(0)
    if end != data.size:
        seen.doubt("torch: bytes follow the pickle")
    return value


def _digest(source: Source, inside: dict[str, Member], budget: Budget) -> str:
    """Return the digest of the content: all members with their names, but for what torch writes anew at each save."""
    digest = blake3(b"torch zip\n")
    for name in sorted(inside.keys() - _ANEW):
        member = inside[name]
        encoded = name.encode("utf-8", "surrogatepass")
        digest.update(b"%d %d\n%s" % (len(encoded), member.size, encoded))
        for block in blocks(source, member, budget, checked=False):
            digest.update(block)
    return digest.hexdigest()


def _facts(value: Value, seen: Seen, tensors: Tensors) -> ModelFacts:
    facts = summary("torch", value, seen, places=False, tensors=tensors)
    # A state dict has no class of its own; every tensor of torch counts.
    class_name = "" if facts.class_name == "collections.OrderedDict" else facts.class_name
    if class_name.startswith("__torch__."):
        class_name = class_name.rpartition(".")[2]
    count = sum(tensor.elements for tensor in facts.tensors)
    return replace(facts, framework="torch", class_name=class_name, parameters=count or None)


def read_legacy(stream: Stream, at: int, seen: Seen) -> ModelFacts:
    """Return what the rest of STREAM is, AT the offset behind the magic number of the format before 1.6.

    The protocol, the machine that wrote it, the object, the keys of its storages, and then each storage: the number of
    its elements in 8 bytes, and its bytes.
    """
    legacy = _Legacy(seen)
    failure = ""
    try:
        legacy.read(stream, at)
    except OutOfTime:
        raise
    except Unreadable as error:
        failure = str(error)
    facts = _facts(legacy.value, seen, Tensors(seen, legacy.places))
    return replace(facts, unreadable=failure or seen.trouble)


class _Legacy:
    """What was read of a legacy file. `places`: where its storages lie, by key."""

    def __init__(self, seen: Seen) -> None:
        self.value: Value = None
        self.places: dict[str, Place] = {}
        self._seen = seen

    def read(self, stream: Stream, at: int) -> None:
        """Read the file from the offset AT. Raises Unreadable; what was read before is there."""
        storages = Storages(self._seen, legacy=True)
        protocol, at = Machine(stream, self._seen).run(at)
        if protocol != _PROTOCOL:
            raise Unreadable("torch: it has another protocol than 1001")
        system, at = Machine(stream, self._seen).run(at)
        self.value, at = Machine(stream, self._seen, persist=storages).run(at)
        keys, at = Machine(stream, self._seen).run(at)
        self.places = _places(stream, at, keys, storages)
        if not isinstance(system, Entries) or system.get("little_endian") is not True:
            self.places = {key: place._replace(start=-1) for key, place in self.places.items()}


def _places(stream: Stream, at: int, keys: Value, storages: Storages) -> dict[str, Place]:
    """Return where the storages of KEYS lie, the first AT an offset. They must be all, and fill the file."""
    names = [one for one in keys.items if isinstance(one, str)] if isinstance(keys, Items) else []
    if not isinstance(keys, Items) or len(set(names)) != keys.count or set(names) != storages.named.keys():
        raise Unreadable("torch: the keys of the storages are not those that the pickle names")
    places: dict[str, Place] = {}
    for name in names:
        storage = storages.named[name]
        if stream.window(at, 8) != storage.elements.to_bytes(8, "little"):
            raise Unreadable("torch: a storage is not as long as the pickle says")
        places[name] = Place(at + 8, storage.size)
        at += 8 + storage.size
    if not stream.ends(at):
        raise Unreadable("torch: bytes follow the storages")
    return places
