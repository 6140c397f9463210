"""What the duties need of the world, and no more: storage, peers, registry, signer, clock, entropy.

Adapters implement these protocols, tests and the simulator the same ones. Writing goes through one Writer: each step is
one transaction, committed when it returns, without a trace when it raises; steps of the control lane go first.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol, TypeVar

from node.core.channel import HeadAt, Log
from node.core.entry import SignedEntry, VerifiedBody, VerifiedEntry
from node.core.heartbeat import VerifiedHeartbeat
from node.core.merkle import HashReader
from node.core.receipt import VerifiedReceipt
from node.core.state import Act, Applied, Erasure, HeldKey, Place
from node.held import HeldReader, HeldWriter
from node.pb import channel_pb2, envelope_pb2, exchange_service_pb2, registry_pb2, registry_service_pb2
from node.registry_view import Registry, RegistryNews, RegistryState, Stage, View

T = TypeVar("T")

# What stands in a module of its own and is handed on here, beside all that this one defines.
__all__ = ["Registry", "RegistryNews", "RegistryState", "Stage", "View"]


class Lane(IntEnum):
    """The two lanes, on the wire and in the writer's queue; lower goes first."""

    CONTROL = 0
    BULK = 1


class Clock(Protocol):
    """The only clock: wall time for what is signed, monotonic time for intervals."""

    def now_ms(self) -> int:
        """Unix time in milliseconds."""

    def monotonic_s(self) -> float:
        """Seconds that never go back."""

    async def sleep(self, seconds: float) -> None:
        """Return after that many seconds."""


class Entropy(Protocol):
    """The only source of randomness."""

    def bytes(self, count: int) -> bytes:
        """Fresh random bytes."""

    def uniform(self, low: float, high: float) -> float:
        """A random number between low and high, for jitter."""


class Signer(Protocol):
    """The node's signing key in force."""

    @property
    def key_id(self) -> str:
        """Lower-case hex SHA-256 of the public key."""

    def sign(self, message: bytes) -> bytes:
        """The signature over the message."""


# -- storage ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HeldChannel:
    """One epoch of a channel as stored: its log, its manifest in force and how far its fold is.

    manifest_index is the index of the manifest in force. left_at is the index of the manifest that
    dropped this node from the audience, None while it belongs to it. fresh_at_ms is the time of the
    newest heartbeat that covers only what is applied, 0 before the first.
    """

    log: Log
    origin: str
    applied_size: int
    manifest: channel_pb2.Manifest
    manifest_index: int
    left_at: int | None = None
    fresh_at_ms: int = 0
    records: int = 0
    incomplete_bodies: int = 0

    @property
    def key(self) -> tuple[str, int]:
        """(channel, epoch)."""
        return self.log.channel, self.log.epoch


@dataclass(frozen=True, slots=True)
class HeldEntry:
    """One stored entry; body is the serialized EntryBody or None, complete tells that every slot is there or erased."""

    index: int
    envelope: envelope_pb2.Envelope
    body: bytes | None
    complete: bool
    issued_at_ms: int
    received_at_ms: int


@dataclass(frozen=True, slots=True)
class HeldRecord:
    """A record in force with its serialized bytes."""

    channel: str
    place: Place
    record: bytes
    issued_at_ms: int
    received_at_ms: int


@dataclass(frozen=True, slots=True)
class HeldReceipt:
    """The largest receipt held of a subscriber for a channel; sequence grows with every change of any receipt."""

    sequence: int
    receipt: VerifiedReceipt


@dataclass(frozen=True, slots=True)
class HeldHeartbeat:
    """The newest heartbeat view of a node, time_ms 0 once its date is forgotten; sequence grows with every change."""

    sequence: int
    node: str
    time_ms: int
    view: channel_pb2.HeartbeatView


@dataclass(frozen=True, slots=True)
class HeldAddress:
    """The newest address record held of a node; sequence grows with every change of any address."""

    sequence: int
    record: registry_pb2.AddressRecord
    envelope: envelope_pb2.Envelope


@dataclass(frozen=True, slots=True)
class HeldEquivocation:
    """A verified proof of two histories; sequence grows with every proof."""

    sequence: int
    channel: str
    epoch: int
    index: int
    proof: channel_pb2.Equivocation


@dataclass(frozen=True, slots=True)
class LinkState:
    """How a link to a peer stands. Times in Unix ms, 0 = never. failure is a serialized Refusal or b""."""

    node: str
    failures: int = 0
    retry_at_ms: int = 0
    last_success_ms: int = 0
    clock_skew_ms: int = 0
    failure: bytes = b""


@dataclass(frozen=True, slots=True)
class HeldAlarm:
    """Something a person should look at, once for each (code, subject)."""

    code: str
    subject: str
    parameters: Mapping[str, str]
    first_seen_ms: int
    last_seen_ms: int
    count: int


@dataclass(frozen=True, slots=True)
class RegistryFileRecord:
    """A verified registry file under its published name."""

    name: str
    content: bytes


class StoreReader(HeldReader, Protocol):
    """Everything that can be read. Sequences are in ascending order and every limit is honoured."""

    def incarnation(self) -> str:
        """The random identity of this database, made with it."""
        ...

    def setting(self, name: str) -> str | None:
        """A small named value of the node, None when unset."""
        ...

    def channels(self) -> Sequence[HeldChannel]:
        """All epochs of all channels, by (channel, epoch)."""
        ...

    def channel(self, channel: str, epoch: int | None = None) -> HeldChannel | None:
        """One epoch of a channel, the newest held when epoch is None."""
        ...

    def log(self, channel: str, epoch: int) -> Log:
        """The log to advance: as held, or an empty one with what is known of it before its first entry."""
        ...

    def entries(
        self, channel: str, epoch: int, start: int, end: int | None = None, with_bodies: bool = True
    ) -> Iterator[HeldEntry]:
        """The entries start..end-1 in order; reads lazily, so that a long log needs no memory."""
        ...

    def entry(self, channel: str, epoch: int, index: int) -> HeldEntry | None:
        """One entry."""
        ...

    def incomplete_entries(self, channel: str, epoch: int, limit: int) -> Sequence[int]:
        """The indexes of entries whose bodies are not complete, ascending."""
        ...

    def hashes(self, channel: str, epoch: int) -> HashReader:
        """The stored hashes of a log."""
        ...

    def find_keys(self, channel: str, keys: Sequence[bytes]) -> Mapping[bytes, HeldKey]:
        """The records in force under natural keys, in any epoch of the channel."""
        ...

    def revisions(self, channel: str, place: Place) -> Sequence[Place]:
        """The places of all records, also in the background, under the key of the one there; empty without one."""
        ...

    def erasures(self, channel: str, epoch: int, index: int) -> Mapping[int, bytes]:
        """The erased positions of an entry and their commitments, also before it is there; see WHOLE_ENTRY."""
        ...

    def records(
        self, subject: str | None = None, channel: str | None = None, limit: int | None = None
    ) -> Iterator[HeldRecord]:
        """Records in force at or below their cut, by (channel, place); reads lazily, page by page."""
        ...

    def record(self, channel: str, place: Place) -> HeldRecord | None:
        """One record in force."""
        ...

    def record_count(self, channel: str | None = None) -> int:
        """Records in force at or below their cut."""
        ...

    def outcomes(self, channel: str, epoch: int) -> Mapping[tuple[int, str], int]:
        """(RecordOutcome, code) -> count over the applied entries."""
        ...

    def heartbeat(self, node: str) -> HeldHeartbeat | None:
        """The newest heartbeat of a node."""
        ...

    def heartbeats_since(self, sequence: int) -> Sequence[HeldHeartbeat]:
        """Heartbeats changed after a sequence number, by sequence."""
        ...

    def receipt(self, channel: str, subscriber: str) -> HeldReceipt | None:
        """The largest receipt of a subscriber, over all epochs."""
        ...

    def receipts(self, channel: str) -> Sequence[HeldReceipt]:
        """The largest receipts for a channel, by subscriber."""
        ...

    def receipts_of(self, subscriber: str) -> Sequence[HeldReceipt]:
        """The largest receipts of one subscriber, by channel."""
        ...

    def receipts_since(self, sequence: int, limit: int) -> Sequence[HeldReceipt]:
        """Receipts changed after a sequence number, by sequence."""
        ...

    def addresses_since(self, sequence: int) -> Sequence[HeldAddress]:
        """Address records changed after a sequence number, by sequence."""
        ...

    def address(self, node: str) -> HeldAddress | None:
        """The newest address record of a node."""
        ...

    def equivocations_since(self, sequence: int) -> Sequence[HeldEquivocation]:
        """Proofs added after a sequence number, by sequence."""
        ...

    def link(self, node: str) -> LinkState:
        """How the link to a peer stands; a fresh state when nothing is stored."""
        ...

    def alarms(self) -> Sequence[HeldAlarm]:
        """Alarms, newest first."""
        ...

    def registry_file(self, name: str) -> bytes | None:
        """A verified registry file by its published name."""
        ...

    def registry_files(self) -> Iterator[RegistryFileRecord]:
        """All verified registry files, by name."""
        ...


class StoreTransaction(StoreReader, HeldWriter, Protocol):
    """Everything that can be written; exists only inside a transaction."""

    def set_setting(self, name: str, value: str) -> None:
        """Keep a small named value."""
        ...

    def append(self, entry: VerifiedEntry, received_at_ms: int, complete: bool) -> HeldChannel:
        """Store an entry at the head of its log; creates the log for index 0.

        Compare-and-swap: raises HEAD_MOVED when size or root are no longer those the entry continues.
        A manifest entry becomes the manifest in force. complete tells that no slot is missing.
        """
        ...

    def put_body(self, channel: str, epoch: int, index: int, body: VerifiedBody, complete: bool) -> None:
        """Store or replace the body of an entry that is held; raises ValueError for one that is not.

        Here as in append, slots whose erasure or bar is known are stored without their content.
        """
        ...

    def apply(self, applied: Applied) -> HeldChannel:
        """Write what the next unapplied entry does; raises HEAD_MOVED unless applied.index = applied_size.

        A second record in force under one key, without replacing the first, is refused with DATABASE.
        """
        ...

    def put_erasures(self, channel: str, erasures: Iterable[Erasure]) -> None:
        """Remember verified erasures and erase the slots held; what is erased already stays so.

        One whose commitment is not that of the slot is void. An entry erased as a whole is complete without a body.
        """
        ...

    def put_acts(self, channel: str, acts: Iterable[Act]) -> None:
        """Remember verified acts, also before their target is here; one that is known changes nothing."""
        ...

    def erase_bodies(self, channel: str, epoch: int) -> None:
        """Drop every body and record of a log, for a node that left its audience."""
        ...

    def set_left(self, channel: str, epoch: int, left_at: int | None) -> None:
        """Note that this node has left the audience, or is back (None): then it lacks every body, and folds again."""
        ...

    def set_quarantined(self, origin: str, quarantined: bool) -> None:
        """Close or open all logs of an origin: those of the epochs held, also ones that begin later."""
        ...

    def set_cut(self, channel: str, epoch: int, cut: HeadAt) -> None:
        """Note the cut of a log, also before its first entry: what is above holds no more, what it replaced does."""
        ...

    def set_covered(self, channel: str, epoch: int, covered: HeadAt) -> None:
        """Note a head that a key active now has signed, also before the log's first entry; kept where it is larger."""
        ...

    def set_fresh(self, channel: str, epoch: int, fresh_at_ms: int) -> None:
        """Note the time of a heartbeat that covers only what is applied; kept only where it is newer."""
        ...

    def put_heartbeat(self, heartbeat: VerifiedHeartbeat) -> bool:
        """Keep a heartbeat where it is newer than the one held, or as new and shows more heads."""
        ...

    def forget_dates(self, latest_ms: int) -> None:
        """Forget the date of heartbeats, and the freshness of logs, after a time: both become 0, and nothing else."""
        ...

    def put_receipt(self, receipt: VerifiedReceipt) -> bool:
        """Keep a receipt where it is larger than the one held; False when it is not."""
        ...

    def put_address(self, record: registry_pb2.AddressRecord, envelope: envelope_pb2.Envelope) -> bool:
        """Keep an address record where its sequence is larger."""
        ...

    def put_equivocation(self, channel: str, epoch: int, index: int, proof: channel_pb2.Equivocation) -> bool:
        """Keep the first proof for each (channel, epoch, index), up to the limit."""
        ...

    def put_link(self, state: LinkState) -> None:
        """Keep how a link stands."""
        ...

    def raise_alarm(self, code: str, subject: str, parameters: Mapping[str, str], now_ms: int) -> None:
        """Note an alarm, or one more sighting of it; the oldest go beyond the limit."""
        ...

    def clear_alarm(self, code: str, subject: str) -> None:
        """Remove an alarm whose cause is gone."""
        ...

    def replace_registry_files(self, files: Iterable[RegistryFileRecord], keep: Iterable[str]) -> None:
        """Keep these files and the named ones held already, drop every other."""
        ...


class Store(StoreReader, Protocol):
    """A database: reads at any time, writes inside one transaction at a time."""

    def generation(self) -> int:
        """A number that is another one after each commit, unless only the query log and settings were written.

        Whoever keeps what was read asks for it before reading, and keeps that no longer than it stays the same. After a
        transaction that failed it is another one too: it may have been written all the same.
        """
        ...

    def transaction(self) -> AbstractContextManager[StoreTransaction]:
        """Commits durably on leaving, leaves nothing when the block raises. Raises DISK_FULL, DATABASE."""
        ...

    def close(self) -> None:
        """Release the database."""
        ...


class Writer(Protocol):
    """The one writer: runs steps one after another, each in its own transaction."""

    async def run(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:
        """Run a step and return its result after the commit.

        It changes nothing but the transaction: where another session stands in its way, it is run anew.
        """
        ...

    async def run_last(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:
        """Run a step that leads to no other one: nobody who waits is kept back for what might follow."""
        return await self.run(lane, step)


class HeadsSidecar(Protocol):
    """The largest heads this node has signed, outside the database and outside backups."""

    def read(self) -> tuple[str, Mapping[tuple[str, int], HeadAt]] | None:
        """(incarnation, heads by (channel, epoch)), None when it is missing or unreadable."""
        ...

    def write(self, incarnation: str, heads: Mapping[tuple[str, int], HeadAt]) -> None:
        """Replace it durably (fsync) before a signature over these heads leaves."""
        ...


# -- peers --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PushAnswer:
    """What a peer answers to one pushed entry."""

    channel: str
    epoch: int
    size: int
    refusal: envelope_pb2.Refusal | None
    receipt: envelope_pb2.Envelope | None


class Peer(Protocol):
    """One member as this node can call it. Every method raises XinqiaoError, WIRE_* when it cannot be reached."""

    async def hello(self, request: exchange_service_pb2.HelloRequest) -> exchange_service_pb2.HelloResponse:
        """Compare what both sides hold."""
        ...

    def pull(
        self, lane: Lane, channel: str, epoch: int, start: int, end: int | None = None
    ) -> AsyncIterator[SignedEntry]:
        """Entries in order of index; bodies are decoded within the limits."""
        ...

    def pull_acts(self, channel: str, epoch: int, start: int, end: int, size: int) -> AsyncGenerator[SignedEntry, None]:
        """The status entries alone of start..end-1, each with the proof that it stands in the log of a size."""
        ...

    def push(self, lane: Lane, entries: AsyncIterator[SignedEntry]) -> AsyncIterator[PushAnswer]:
        """Send entries and yield the answer to each, in order."""
        ...

    async def put_receipts(self, receipts: Sequence[envelope_pb2.Envelope]) -> Sequence[envelope_pb2.Refusal]:
        """Hand receipts over; the refusals of those not taken."""
        ...

    async def prove_consistency(self, channel: str, epoch: int, old_size: int, new_size: int) -> Sequence[bytes]:
        """The proof that one size of a log is a prefix of another (RFC 6962 2.1.2), as the peer gives it."""
        ...

    async def explain(self, node: str) -> registry_service_pb2.ExplainResponse:
        """Ask the peer's registry port how it sees a node."""
        ...


class Peers(Protocol):
    """How to reach members."""

    def peer(self, node: str) -> Peer | None:
        """The peer, None while no endpoint or certificate of it is known."""
        ...
