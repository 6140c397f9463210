"""What one node holds, followed from its committed transactions alone; read from its store only after a restore."""

from collections.abc import Container, Mapping
from dataclasses import dataclass, field

from node.core import envelope as envelopes
from node.core.audience import manifest_defect
from node.core.channel import HeadAt
from node.core.entry import WHOLE_ENTRY, origin_of
from node.core.membership import Member, Members, Standing
from node.core.merkle import EMPTY_ROOT
from node.core.state import Place
from node.node import Node
from node.pb import channel_pb2
from node.ports import HeldChannel, Store
from node.removals import told_size
from node.simulator.records import ChannelRecords
from node.simulator.truth import LogKey

RACE_MS = 10_000
"""How long something that was right when it was read may be under way: through the writer's queue, or to the wire."""


@dataclass(frozen=True, slots=True)
class HeldManifest:
    """A manifest that came into force at an index, and when that was committed."""

    index: int
    audience: channel_pb2.Audience
    priority: int
    since_ms: int


@dataclass(slots=True)
class Holding:
    """One log at one node. roots[n] is the root over n entries.

    missing are the positions whose content is neither there nor erased, by index; None where no body is there.
    most_applied is the most it has ever applied in this life: a node that comes back to an audience folds again.
    """

    key: LogKey
    payloads: list[bytes] = field(default_factory=list)
    roots: list[bytes] = field(default_factory=lambda: [EMPTY_ROOT])
    record_counts: list[int] = field(default_factory=list)
    manifests: list[HeldManifest] = field(default_factory=list)
    bodies: set[int] = field(default_factory=set)
    missing: dict[int, set[int] | None] = field(default_factory=dict)
    applied: int = 0
    most_applied: int = 0
    left_at: int | None = None

    @property
    def size(self) -> int:
        """How many entries are held."""
        return len(self.payloads)

    def add(self, header: channel_pb2.EntryHeader, payload: bytes, root: bytes, now_ms: int) -> None:
        """Take one more entry to the end."""
        self.payloads.append(payload)
        self.roots.append(root)
        self.record_counts.append(header.record_count)
        if not manifest_defect(header):
            manifest = header.manifest
            self.manifests.append(HeldManifest(header.index, manifest.audience, manifest.priority, now_ms))

    def refold(self, erased: Container[Place]) -> None:
        """Begin again, for a node that belongs to the audience again: whatever has no body must come.

        Not what is erased as a whole: no body of it is left anywhere.
        """
        self.left_at = None
        self.applied = 0
        bare = [at for at, count in enumerate(self.record_counts) if count and at not in self.bodies]
        self.missing = {at: None for at in bare if Place(self.key[1], at, WHOLE_ENTRY) not in erased}

    def drop_bodies(self) -> None:
        """Keep the headers alone."""
        self.bodies.clear()
        self.missing.clear()


class Holder:
    """One database and the process that works on it; label is its name, node the id it speaks for."""

    def __init__(self, label: str) -> None:
        self.label = label
        self.instance: Node | None = None
        self.is_copy = False
        self.was_restored = False
        self.sidecar_lost = False
        # What its sidecar says that it has signed; None where it was lost, until it is written anew.
        self.noted: Mapping[LogKey, HeadAt] | None = {}
        # Up to where its own logs were given back to it.
        self.returned: dict[LogKey, int] = {}
        self._members: Members | None = None
        self._members_since_ms = 0
        self._versions = (0, 0, 0)
        self._readers: dict[tuple[str, LogKey, int], bool] = {}
        self.clear()

    def clear(self) -> None:
        """Forget everything held."""
        self.logs: dict[LogKey, Holding] = {}
        self.epochs: dict[str, list[int]] = {}
        self.records: dict[str, ChannelRecords] = {}
        self.erased: dict[str, dict[Place, int]] = {}
        self.untracked: set[str] = set()
        self.cuts: dict[LogKey, tuple[HeadAt, int]] = {}
        # As of which time each log counts as fresh, and which logs are quarantined: none that begins after a cut.
        self.fresh: dict[LogKey, int] = {}
        self.quarantined: set[LogKey] = set()
        # The grounds in the query log.
        self.asked: set[str] = set()

    @property
    def node(self) -> str:
        """The id it speaks for."""
        return self.instance.membership.me if self.instance is not None else self.label

    # -- logs

    def log(self, key: LogKey) -> Holding:
        """A log, empty before its first entry."""
        if key not in self.logs:
            self.logs[key] = Holding(key)
            self.epochs.setdefault(key[0], []).append(key[1])
            self.epochs[key[0]].sort()
        return self.logs[key]

    def newest(self, channel: str) -> Holding | None:
        """The newest epoch of a channel that has begun."""
        begun = [self.logs[channel, epoch] for epoch in self.epochs.get(channel, ())]
        return next((held for held in reversed(begun) if held.size), None)

    def rows(self, channel: str) -> ChannelRecords:
        """The records of a channel."""
        return self.records.setdefault(channel, ChannelRecords())

    def cut_sizes(self, channel: str) -> dict[int, int]:
        """The cuts known here, by epoch."""
        return {key[1]: cut.size for key, (cut, _) in self.cuts.items() if key[0] == channel}

    def read(self, store: Store, now_ms: int) -> None:
        """Take over what a store holds, after it was put back to an earlier state."""
        # A cut may be known before the first entry of its log is here.
        cut_before = [*self.cuts]
        self.clear()
        for held in store.channels():
            # What lies behind the records in force cannot be read, so their order is not followed any further.
            self.untracked.add(held.log.channel)
            self._read_log(store, held)
        for key in (*cut_before, *self.logs):
            cut = store.log(*key).cut
            if cut is not None:
                self.cuts[key] = (cut, now_ms - RACE_MS)
        for receipt in store.receipts_of(self.node):
            message = receipt.receipt.message
            held_log = self.logs.get((message.channel, message.epoch))
            if held_log is not None:
                held_log.most_applied = max(held_log.most_applied, message.applied_size)

    def _read_log(self, store: Store, held: HeldChannel) -> None:
        log = self.log(held.key)
        log.applied = log.most_applied = held.applied_size
        log.left_at = held.left_at
        self.fresh[held.key] = held.fresh_at_ms
        if held.log.quarantined:
            self.quarantined.add(held.key)
        previous = None
        for entry in store.entries(*held.key, 0):
            header = envelopes.parse(channel_pb2.EntryHeader, entry.envelope.payload)
            if previous is not None:
                log.roots[-1] = header.prev_root
            log.add(header, entry.envelope.payload, b"", 0)
            previous = header
            named = set(store.erasures(*held.key, entry.index))
            if WHOLE_ENTRY in named:
                named |= set(range(header.record_count))
            for position in named:
                place = Place(held.log.epoch, entry.index, position)
                self.erased.setdefault(held.log.channel, {})[place] = 0
            if entry.body is not None:
                log.bodies.add(entry.index)
            if not entry.complete:
                log.missing[entry.index] = _bare(entry.body, named)
        log.roots[-1] = held.log.root
        # What was erased ahead of its turn stays so: it is known before its entry is here.
        for index in range(held.log.size, told_size(store, held.key)):
            for position in store.erasures(*held.key, index):
                self.erased.setdefault(held.log.channel, {})[Place(held.log.epoch, index, position)] = 0

    # -- who may read, as this node sees it

    def look(self, now_ms: int) -> tuple[int, int, int]:
        """Note whether the registry's word has changed; returns the versions known before."""
        before = self._versions
        if self.instance is not None and self.instance.membership.members is not self._members:
            self._members, self._members_since_ms = self.instance.membership.members, now_ms
            versions = self.instance.membership.versions
            self._versions = (versions.root_version, versions.timestamp_version, versions.snapshot_version)
            self._readers.clear()
        return before

    @property
    def versions(self) -> tuple[int, int, int]:
        """Root, timestamp and snapshot version of the registry's word in force here."""
        return self._versions

    def may_release(self, key: LogKey, size: int) -> bool:
        """Whether so much of an own log may leave: what is noted beside the database, or came back from others."""
        if self.noted is None or size <= self.returned.get(key, 0):
            return True
        return key in self.noted and size <= self.noted[key].size

    def forget_versions(self) -> None:
        """A database put back to an earlier state knows an earlier registry, and that is no fault."""
        self._versions, self._members = (0, 0, 0), None

    def members(self) -> Members | None:
        """The members as this node knows them."""
        return self._members

    def member(self, node: str) -> Member | None:
        """One member as this node knows it."""
        return self._members.get(node) if self._members is not None else None

    def is_settled(self, now_ms: int) -> bool:
        """Whether the registry's word has not changed for longer than anything is under way."""
        return now_ms - self._members_since_ms > RACE_MS

    def is_named(self, node: str, held: Holding, at: int) -> bool:
        """Whether a manifest of a log names a node, whatever its standing."""
        manifest = held.manifests[at]
        asked = (node, held.key, manifest.index)
        if asked not in self._readers:
            self._readers[asked] = names(self.member(node), origin_of(held.key[0]), manifest.audience)
        return self._readers[asked]

    def reads_now(self, node: str, held: Holding, now_ms: int) -> bool:
        """Whether a manifest in force now, or until a moment ago, names a node."""
        for at in range(len(held.manifests) - 1, -1, -1):
            if self.is_named(node, held, at):
                return True
            if held.manifests[at].since_ms <= now_ms - RACE_MS:
                return False
        return False

    def dropped_at(self, node: str, held: Holding) -> int | None:
        """The index of the last manifest that dropped a node from an audience it belonged to."""
        for at in range(len(held.manifests) - 1, 0, -1):
            if not self.is_named(node, held, at) and self.is_named(node, held, at - 1):
                return held.manifests[at].index
        return None

    def ever_named(self, node: str, channel: str) -> bool:
        """Whether any manifest of any epoch of a channel names a node."""
        logs = (self.logs[channel, epoch] for epoch in self.epochs.get(channel, ()))
        return any(self.is_named(node, held, at) for held in logs for at in range(len(held.manifests)))


def names(member: Member | None, origin: str, audience: channel_pb2.Audience) -> bool:
    """Whether an audience matches a member, whatever its standing: the union of terms, all conditions of a term."""
    if member is None:
        return False
    if member.id == origin:
        return True
    message = member.descriptor.message
    for term in audience.terms:
        wanted = [
            not term.node_ids or member.id in term.node_ids,
            not term.level or message.level == term.level,
            not term.parent or message.parent == term.parent,
            not term.region or (member.id.isdigit() and member.id.startswith(term.region)),
        ]
        has_condition = term.everyone or term.node_ids or term.level or term.parent or term.region
        if has_condition and all(wanted):
            return True
    return False


def is_active(member: Member | None) -> bool:
    """Whether a member is in good standing."""
    return member is not None and member.standing is Standing.ACTIVE


def _bare(body: bytes | None, erased: set[int]) -> set[int] | None:
    """The positions of a body whose content neither came nor is erased, None where no body is there."""
    if body is None:
        return None
    slots = channel_pb2.EntryBody.FromString(body).slots
    return {position for position, slot in enumerate(slots) if slot.commitment and position not in erased}
