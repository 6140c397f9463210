"""What honest nodes have written and signed, as their own committed transactions show it: the measure of all others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256

from node.core import merkle
from node.core.audience import manifest_defect
from node.core.catalogue import Edition, natural_key
from node.core.channel import HeadAt, head_leaf
from node.core.entry import WHOLE_ENTRY, VerifiedEntry, origin_of
from node.core.errors import XinqiaoError
from node.core.heartbeat import VerifiedHeartbeat
from node.core.membership import Member, Standing
from node.core.record import parse_record
from node.core.state import Erasure, Place, erasures_in
from node.pb import channel_pb2
from node.simulator.list_truth import TrueOperation, operations_written

LogKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class WrittenSlot:
    """One slot as its origin wrote it. key is empty where the content is no record that a catalogue knows."""

    content: tuple[bytes, bytes] | None
    commitment: bytes
    key: bytes
    content_hash: bytes


@dataclass(slots=True)
class WrittenEntry:
    """One entry as its origin wrote it; root is that of the log after it, rejected what its origin's fold refused.

    said_at is the slot that erases a place: its operations are the first slots of a status entry, in their order.
    operations are those on joint lists.
    """

    header: channel_pb2.EntryHeader
    payload: bytes
    root: bytes
    slots: Sequence[WrittenSlot]
    erases: Mapping[Place, bytes]
    said_at: Mapping[Place, int]
    operations: Sequence[TrueOperation] = ()
    rejected: Mapping[str, int] | None = None

    @property
    def size_bytes(self) -> int:
        """How much it is, without signatures and frames."""
        return len(self.payload) + sum(len(part) for slot in self.slots for part in slot.content or (slot.commitment,))


@dataclass(slots=True)
class WrittenLog:
    """One epoch of a channel as its origin wrote it; left_size is how much of it has ever left the origin."""

    key: LogKey
    entries: list[WrittenEntry] = field(default_factory=list)
    left_size: int = 0

    @property
    def size(self) -> int:
        """How many entries were written."""
        return len(self.entries)

    def root(self, size: int) -> bytes | None:
        """The root over the first entries, None beyond the end."""
        if size == 0:
            return merkle.EMPTY_ROOT
        return self.entries[size - 1].root if size <= len(self.entries) else None

    def manifest(self, size: int) -> channel_pb2.Manifest | None:
        """The manifest in force after the first entries, None where there is none."""
        for entry in reversed(self.entries[:size]):
            if not manifest_defect(entry.header):
                return entry.header.manifest
        return None

    def cut_of(self, origin: Member) -> int | None:
        """Up to where the registry lets the log stand: None while its cut is not known, its size while it is open."""
        epoch = self.key[1]
        if origin.standing is Standing.ACTIVE and epoch >= origin.open_epoch:
            return self.size
        if origin.cut is None:
            return None
        roots = ((size, self.root(size)) for size in range(self.size, 0, -1))
        leaves = origin.cut.head_leaves
        listed = (size for size, root in roots if root and head_leaf(*self.key, HeadAt(size, root)) in leaves)
        return next(listed, 0)


class Truth:
    """Everything that honest nodes have written and signed; nodes in dishonest are taken at no word.

    Those in liars write true logs and heartbeats, and sign what receipts they like.
    """

    def __init__(self) -> None:
        self.logs: dict[LogKey, WrittenLog] = {}
        self.epochs: dict[str, list[int]] = {}
        self.erasures: dict[str, dict[Place, bytes]] = {}
        self.dishonest: set[str] = set()
        self.liars: set[str] = set()
        self._ever: dict[LogKey, dict[bytes, WrittenEntry]] = {}
        self.content: dict[str, dict[bytes, Place]] = {}
        # Records that are written, and of which no operator was told so far: content by channel.
        self.untold: dict[str, dict[bytes, None]] = {}
        self._beats: dict[str, dict[bytes, Mapping[LogKey, HeadAt]]] = {}
        self._beats_at: dict[tuple[str, int], list[Mapping[LogKey, HeadAt]]] = {}
        self._heads: dict[LogKey, set[HeadAt]] = {}
        self._receipts: dict[str, set[bytes]] = {}

    # -- logs

    def is_true(self, channel: str) -> bool:
        """Whether the origin of a channel writes one history."""
        return origin_of(channel) not in self.dishonest

    def log(self, key: LogKey) -> WrittenLog:
        """The log as its origin wrote it, empty before its first entry."""
        if key not in self.logs:
            self.logs[key] = WrittenLog(key)
            self.epochs.setdefault(key[0], []).append(key[1])
            self.epochs[key[0]].sort()
        return self.logs[key]

    def write(self, entry: VerifiedEntry, editions: Mapping[str, Edition]) -> WrittenEntry:
        """Note an entry that its origin has committed at the end of its log."""
        header = entry.header
        log = self.log((header.channel, header.epoch))
        item = (log.manifest(log.size) or channel_pb2.Manifest()).item
        erases: dict[Place, bytes] = {}
        said_at: dict[Place, int] = {}
        for position, erasure in enumerate(erasures_in(header, entry.body)):
            erased = {erasure.place: erasure.commitment, **self.slots_under(header.channel, erasure)}
            erases |= erased
            said_at |= dict.fromkeys(erased, position)
        slots = _slots(entry, editions.get(header.catalogue_version), item)
        contents = [slot.content[1] if slot.content is not None else b"" for slot in slots]
        operations = operations_written(header, contents)
        written = WrittenEntry(header, entry.envelope.payload, entry.root, slots, erases, said_at, operations)
        self._note(log, written)
        self._ever.setdefault(log.key, {})[written.payload] = written
        for slot in slots:
            self.untold.setdefault(header.channel, {})[slot.content_hash] = None
        return written

    def _note(self, log: WrittenLog, written: WrittenEntry) -> None:
        channel, epoch = log.key
        log.entries.append(written)
        self.erasures.setdefault(channel, {}).update(written.erases)
        places = self.content.setdefault(channel, {})
        for position, slot in enumerate(written.slots):
            places[slot.content_hash] = Place(epoch, written.header.index, position)

    def put_back(self, key: LogKey, payloads: Sequence[bytes]) -> None:
        """Note that a log is what a backup of its origin holds: an end of it that counted as lost is there again."""
        log = self.logs[key]
        known = zip(log.entries, payloads, strict=False)
        same = next((at for at, (entry, payload) in enumerate(known) if entry.payload != payload), None)
        if same is None:
            return
        self.forget(key, same)
        for payload in payloads[same:]:
            self._note(log, self._ever[key][payload])

    def forget(self, key: LogKey, size: int) -> None:
        """Note that the end of a log is lost for good: nobody but its origin has ever held it."""
        lost = self.logs[key].entries[size:]
        del self.logs[key].entries[size:]
        for entry in lost:
            for place in entry.erases:
                self.erasures[key[0]].pop(place, None)
        gone = {slot.content_hash for entry in lost for slot in entry.slots}
        places = self.content[key[0]]
        for content_hash in gone:
            if places[content_hash] >= Place(key[1], size, 0):
                del places[content_hash]

    def slot(self, channel: str, place: Place) -> WrittenSlot | None:
        """One slot as it was written, None where there is none."""
        log = self.logs.get((channel, place.epoch))
        if log is None or place.index >= log.size:
            return None
        slots = log.entries[place.index].slots
        return slots[place.position] if place.position < len(slots) else None

    def slots_under(self, channel: str, erasure: Erasure) -> dict[Place, bytes]:
        """The slots that an erasure of an entry as a whole takes away, each with its commitment; none for another."""
        log = self.logs.get((channel, erasure.place.epoch))
        if erasure.place.position != WHOLE_ENTRY or log is None or erasure.place.index >= log.size:
            return {}
        target = log.entries[erasure.place.index]
        if target.header.records_root != erasure.commitment:
            return {}
        return {replace(erasure.place, position=at): slot.commitment for at, slot in enumerate(target.slots)}

    def older(self, channel: str, place: Place) -> list[Place]:
        """The places of all earlier records under the key of the one at a place."""
        slot = self.slot(channel, place)
        found = [
            Place(epoch, index, position)
            for epoch in self.epochs.get(channel, ())
            for index, entry in enumerate(self.logs[channel, epoch].entries)
            for position, other in enumerate(entry.slots)
            if slot is not None and slot.key and other.key == slot.key
        ]
        return [each for each in found if each < place]

    # -- what is signed beside the logs

    def sign_heartbeat(self, heartbeat: VerifiedHeartbeat) -> None:
        """Note a heartbeat that its node has committed."""
        self._beats.setdefault(heartbeat.node, {})[heartbeat.view.heartbeat.payload] = heartbeat.heads
        self._beats_at.setdefault((heartbeat.node, heartbeat.time_ms), []).append(heartbeat.heads)
        for key, head in heartbeat.heads.items():
            self._heads.setdefault(key, set()).add(head)

    def heads_in(self, node: str, payload: bytes) -> Mapping[LogKey, HeadAt] | None:
        """The heads under a heartbeat, None where its node has not signed it."""
        return self._beats.get(node, {}).get(payload)

    def heads_at(self, node: str, time_ms: int, key: LogKey) -> list[HeadAt]:
        """What the heartbeats of a node of that time say of a log."""
        return [heads[key] for heads in self._beats_at.get((node, time_ms), ()) if key in heads]

    def has_signed_head(self, key: LogKey, head: HeadAt) -> bool:
        """Whether any heartbeat of its origin contains the head."""
        return head in self._heads.get(key, ())

    def sign_receipt(self, node: str, payload: bytes) -> None:
        """Note a receipt that its subscriber has committed."""
        self._receipts.setdefault(node, set()).add(payload)

    def has_signed_receipt(self, node: str, payload: bytes) -> bool:
        """Whether a subscriber has signed, and durably noted, this receipt."""
        return payload in self._receipts.get(node, ())


def _slots(entry: VerifiedEntry, edition: Edition | None, item: str) -> list[WrittenSlot]:
    body = entry.body
    if body is None:
        return []
    is_records = entry.header.kind == channel_pb2.ENTRY_KIND_RECORDS
    found = []
    for content, commitment in zip(body.records, body.commitments, strict=True):
        record = content[1] if content is not None else b""
        key = _key(record, edition, item) if is_records and content is not None else b""
        found.append(WrittenSlot(content, commitment, key, sha256(record).digest()))
    return found


def _key(record: bytes, edition: Edition | None, item: str) -> bytes:
    try:
        parsed = parse_record(record)
        return natural_key(edition.item(item), parsed.values) if edition is not None and parsed.item == item else b""
    except XinqiaoError:
        return b""
