"""Node: wires the five duties together, and is what every driving edge calls."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass

from node.answering import Answering
from node.arrivals import Arrivals
from node.aside import Aside, in_turn
from node.checking import Checking
from node.core import envelope as envelopes
from node.core.address import book_digest, open_address
from node.core.ageing import DEFAULT_GRACE_MS
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.heartbeat import ChannelEpoch
from node.core.ledger import Timers
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.query_log import SubjectKey
from node.dates import Dates
from node.deciding import Deciding
from node.delivery import Delivery
from node.examining import Examiner, Examining
from node.holding import Holding
from node.judging import Judging
from node.ledger import Contacts, Ledgers
from node.list_doubts import ListDoubts
from node.listing import Listing
from node.membership import Membership
from node.pb import channel_pb2, envelope_pb2, exchange_service_pb2, registry_pb2
from node.ports import (
    Clock,
    Entropy,
    HeadsSidecar,
    HeldAddress,
    Lane,
    Peers,
    Registry,
    RegistryState,
    Signer,
    Store,
    Writer,
)
from node.progress import Progress
from node.publishing import Publishing
from node.quality import Measuring
from node.querying import Querying
from node.receiving import Receiving, Taken
from node.regained import Regained
from node.sharing import Sharing
from node.terms import Terms
from node.transfers import RUN_ENTRIES, proofs_brought

FOLLOW_PAUSE_S = 5.0


BEAT_AFTER_APPEND_S = 2.0


@dataclass(frozen=True, slots=True)
class Settings:
    """What an operator may set of a node; intervals in seconds."""

    id: str
    heartbeat_interval_s: float = 60.0
    links_further: int = 8
    retry_cap_s: float = 1800.0
    grace_ms: int = DEFAULT_GRACE_MS
    list_late_s: float = 3600.0
    list_report_s: float = 86_400.0


@dataclass(frozen=True, slots=True)
class World:
    """The adapters a node lives on."""

    store: Store
    writer: Writer
    sidecar: HeadsSidecar
    peers: Peers
    registry: Registry
    signer: Callable[[], Signer]
    clock: Clock
    entropy: Entropy
    query_key: SubjectKey
    aside: Aside = in_turn
    examiner: Examiner | None = None


class Node:
    """One node over its ports; app.py gives it the real world, tests and the simulator another one."""

    def __init__(self, settings: Settings, state: RegistryState, world: World, limits: Limits = DEFAULT_LIMITS) -> None:
        self.settings, self.world, self._limits = settings, world, limits
        self._refresh_wanted, self._beat_wanted = asyncio.Event(), asyncio.Event()
        self._endpoints: tuple[str, str] | None = None
        self.refused_refreshes = Counter[str]()
        self.called_at_ms: dict[str, int] = {}
        self.behind_registry: dict[str, tuple[int, int]] = {}
        self.membership = Membership(
            me=settings.id,
            state=state,
            registry=world.registry,
            store=world.store,
            writer=world.writer,
            signer=world.signer,
            clock=world.clock,
            grace_ms=settings.grace_ms,
            changed=self._registry_changed,
        )
        view = self.membership
        dates = Dates(view, world.store, world.writer, world.clock, self._dates_forgotten, limits)
        self.publishing = Publishing(
            view=view,
            store=world.store,
            writer=world.writer,
            sidecar=world.sidecar,
            signer=world.signer,
            clock=world.clock,
            entropy=world.entropy,
            dates=dates,
            limits=limits,
            wake=self._woken,
            has_answered=self._has_answered,
        )
        self.sharing = Sharing(view, world.store, self.publishing.released, world.signer, limits)
        self._examining = Examining(view, world.store, world.examiner, limits)
        self.receiving = self._receiving(world, dates)
        self.arrivals, regained = Arrivals(world.store, world.clock), Regained(view, world.store, world.clock, limits)
        self.delivery = self._delivery(settings, world, regained)
        self.answering, self.judging = Answering(view, world.store, world.clock, limits), self._judging(world)
        self.measuring = self._measuring(world)
        self.terms = Terms(view, world.store, world.writer, world.clock, world.aside, self.measuring.published)
        self.ledgers = self._ledgers(settings, world)
        self.deciding = Deciding(view, world.store, world.writer, world.clock, limits)
        publish = self.publishing.publish_reviewed
        self.holding = Holding(view, world.store, world.writer, world.clock, self.deciding.book, publish, limits)
        self.listing = self._listing(world)
        self.deciding.rulings |= {**self.holding.rulings, **self.listing.changes.rulings}
        self.querying = Querying(world.store, world.writer, world.query_key, world.aside)
        self.checking = self._checking(world, regained)
        self.progress = self._progress(world)
        self.publishing.start()

    def _receiving(self, world: World, dates: Dates) -> Receiving:
        return Receiving(
            view=self.membership,
            store=world.store,
            writer=world.writer,
            signer=world.signer,
            clock=world.clock,
            dates=dates,
            own_entry_found=self._own_entry_found,
            own_entry_returned=self._own_entry_returned,
            log_begun=self._log_begun,
            examining=self._examining,
            limits=self._limits,
        )

    def _delivery(self, settings: Settings, world: World, regained: Regained) -> Delivery:
        return Delivery(
            view=self.membership,
            store=world.store,
            writer=world.writer,
            peers=world.peers,
            receiver=self.receiving,
            sharing=self.sharing,
            clock=world.clock,
            entropy=world.entropy,
            registry_seen=self._registry_seen,
            peer_answered=self._peer_answered,
            own_heartbeat_returned=self._own_heartbeat_returned,
            regained=regained,
            also_linked=lambda: self.publishing.unanswered,
            arrivals=self.arrivals,
            turned=self._turned,
            interval_s=settings.heartbeat_interval_s,
            links_further=settings.links_further,
            retry_cap_s=settings.retry_cap_s,
            limits=self._limits,
        )

    def _ledgers(self, settings: Settings, world: World) -> Ledgers:
        timers = Timers(int(settings.list_late_s * 1000), int(settings.list_report_s * 1000))
        contacts = Contacts(self.called_at_ms, self.behind_registry, self.membership.listed_at_ms)
        return Ledgers(self.membership, world.store, world.writer, world.clock, world.aside, contacts, timers)

    def _listing(self, world: World) -> Listing:
        return Listing(
            view=self.membership,
            store=world.store,
            writer=world.writer,
            clock=world.clock,
            entropy=world.entropy,
            book=self.deciding.book,
            declare=self.publishing.declare,
            write=self.publishing.write,
            limits=self._limits,
        )

    def _checking(self, world: World, regained: Regained) -> Checking:
        return Checking(
            view=self.membership,
            store=world.store,
            clock=world.clock,
            doubts=ListDoubts(self.membership, world.store, regained, self._is_recovering, self._limits),
            book=self.deciding.book,
            log=self.querying.log,
            log_batch=self.querying.log_batch,
            aside=world.aside,
            limits=self._limits,
        )

    def _measuring(self, world: World) -> Measuring:
        is_moving = self.delivery.is_moving
        return Measuring(self.membership, world.store, world.writer, world.clock, world.aside, is_moving, self._limits)

    def _judging(self, world: World) -> Judging:
        return Judging(self.membership, world.store, world.clock)

    def _progress(self, world: World) -> Progress:
        return Progress(
            view=self.membership,
            store=world.store,
            clock=world.clock,
            arrivals=self.arrivals,
            sources=self.delivery.sources,
            removals=self.delivery.removals,
            links=lambda: self.delivery.links,
            lists=self.checking.lists,
        )

    def _is_recovering(self) -> bool:
        """Whether entries of this node itself may be missing here."""
        blocked = self.publishing.blocked
        return blocked is not None and blocked.code == "RESTORED"

    def _woken(self, channel: str, epoch: int) -> None:
        self.delivery.wake(channel, epoch)
        self._beat_wanted.set()

    # -- what runs by itself ------------------------------------------------------------------------

    async def catch_up(self) -> None:
        """Fold what a migration or a crash left unfolded, before anybody asks, publishes or erases over half of it."""
        await self.receiving.fold_held()

    async def run(self) -> None:
        """Keep the links and follow the registry when a peer knows more, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.delivery.run())
            group.create_task(self._follow_registry())
            group.create_task(self._beat_after_appends())

    async def beat(self) -> None:
        """One tick of the heartbeat."""
        await self.publishing.beat()
        self.delivery.beat()
        await self.publishing.give_up_lost()
        await self.publishing.erase_again_above_cuts()

    async def _beat_after_appends(self) -> None:
        """What was appended is fresh, and can be proven, soon; a run of appends costs one heartbeat."""
        while True:
            await self._beat_wanted.wait()
            await self.world.clock.sleep(min(BEAT_AFTER_APPEND_S, self.settings.heartbeat_interval_s))
            self._beat_wanted.clear()
            with suppress(XinqiaoError):  # the regular tick tries again, and says why
                await self.beat()

    async def refresh_registry(self) -> None:
        """One tick of the registry, and of what waits for its word."""
        await self.membership.refresh()
        await self.receiving.resolve_cuts()
        await self.receiving.fold_waiting()
        self._go_on(self.publishing.registry_changed)
        await self._renew_address()

    async def report_heads(self) -> None:
        """One tick of the head report; a registry that is away is no fault."""
        try:
            await self.membership.report_heads()
        except XinqiaoError as error:
            if not error.code.startswith(("WIRE_", "REGISTRY_", "RATE_")):
                raise

    async def announce(self, exchange_endpoint: str, registry_endpoint: str) -> None:
        """Sign where this node can be reached, where that has changed."""
        self._endpoints = (exchange_endpoint, registry_endpoint)
        await self._renew_address()

    async def _renew_address(self) -> None:
        """Sign the address again where it has changed, or where its key has: newcomers take only an active one."""
        if self._endpoints is None:
            return
        me, signer = self.membership.me, self.world.signer()
        held = self.world.store.address(me)
        if held is not None and _says(held, self._endpoints, signer):
            return
        exchange_endpoint, registry_endpoint = self._endpoints
        record = registry_pb2.AddressRecord(
            network=self.membership.network,
            node=me,
            sequence=max(self.world.clock.now_ms(), held.record.sequence + 1 if held is not None else 0),
            exchange_endpoint=exchange_endpoint,
            registry_endpoint=registry_endpoint,
        )
        envelope = envelopes.seal(record.SerializeToString(), envelopes.ADDRESS, signer)
        await self.world.writer.run(Lane.CONTROL, lambda tx: tx.put_address(record, envelope))

    async def learn_addresses(self) -> None:
        """Introduce this node to the registry and take the addresses it hands out."""
        own = self.world.store.address(self.membership.me)
        if own is None:
            return
        found = await self.world.registry.share_addresses(own.envelope, self._address_digest())
        await self.delivery.take_addresses(found)

    async def share_addresses(
        self, address: envelope_pb2.Envelope, known_digest: bytes
    ) -> Sequence[envelope_pb2.Envelope]:
        """Take an active member's address and hand out all others held; raises ADDRESS, SIGNATURE, MEMBER_*."""
        record = open_address(address, self.membership.members, self._limits).record
        self.membership.members.active(record.node)
        await self.receiving.take_address(address)
        if known_digest == self._address_digest():
            return ()
        held = self.world.store.addresses_since(0)[: self._limits.max_addresses_per_hello]
        return [item.envelope for item in held if item.record.node != record.node]

    def _address_digest(self) -> bytes:
        return book_digest(item.record for item in self.world.store.addresses_since(0))

    async def _follow_registry(self) -> None:
        while True:
            await self._refresh_wanted.wait()
            self._refresh_wanted.clear()
            try:
                await self.refresh_registry()
            except XinqiaoError as error:
                # The tick of the registry tries it again, and says so.
                self.refused_refreshes[error.code] += 1
            # Claims of peers alone do not make this node ask the registry without end.
            await self.world.clock.sleep(FOLLOW_PAUSE_S)

    async def _registry_seen(self, peer: str, versions: registry_pb2.RegistryVersions) -> None:
        if self.membership.is_behind(versions):
            self._refresh_wanted.set()
        self._note_behind(peer, versions.timestamp_version)
        await self.membership.compare(peer, versions)

    def _note_behind(self, peer: str, version: int) -> None:
        """Remember which timestamp a peer shows that is older than ours, and since when it has shown none as new."""
        if version >= self.membership.versions.timestamp_version:
            self.behind_registry.pop(peer, None)
            return
        _, since_ms = self.behind_registry.get(peer, (0, self.world.clock.now_ms()))
        self.behind_registry[peer] = (version, since_ms)

    async def _registry_changed(self) -> None:
        await self.receiving.resolve_cuts()
        self.publishing.registry_changed()
        self.delivery.hear_again()
        self.delivery.relink()

    def _peer_answered(self, peer: str) -> None:
        self._go_on(lambda: self.publishing.peer_answered(peer))

    def _go_on(self, note: Callable[[], None]) -> None:
        """Note what may end a recovery, and have the links move what it held back."""
        before = self.publishing.blocked
        note()
        if before is not None and self.publishing.blocked is None:
            self.delivery.relink()

    def _has_answered(self, node: str, key: ChannelEpoch, index: int) -> bool:
        return self.delivery.has_answered(node, key, index)

    def _own_entry_found(self) -> None:
        self.publishing.own_entry_found()

    def _own_entry_returned(self) -> None:
        self.publishing.own_entry_returned()
        # A receipt that came before the log was back was for more than was written, and is good now.
        self.delivery.hear_again()
        self.delivery.relink()

    def _own_heartbeat_returned(self, view: channel_pb2.HeartbeatView) -> None:
        self.publishing.heartbeat_returned(view)
        # Where it shows a loss, every member is asked for what it holds.
        self.delivery.relink()

    def _dates_forgotten(self) -> None:
        # Where the clock was wrong that forgot them, peers can give back the heartbeats that were right.
        self.delivery.hear_again()

    def _turned(self) -> None:
        self.progress.note()

    def _log_begun(self) -> None:
        # Its origin is one to keep a link with.
        self.delivery.relink()

    # -- what members call ----------------------------------------------------------------------------

    def caller(self, tls_spki_sha256: bytes) -> str:
        """The active member that shows a certificate; raises MEMBER_UNKNOWN, MEMBER_SUSPENDED, MEMBER_REMOVED."""
        member = self.membership.members.by_tls_spki(tls_spki_sha256)
        if member is None:
            raise XinqiaoError("MEMBER_UNKNOWN", node="the caller")
        return self.membership.members.active(member.id).id

    async def hello(self, peer: str, request: exchange_service_pb2.HelloRequest) -> exchange_service_pb2.HelloResponse:
        """Answer a comparison."""
        answer = await self.delivery.answer_hello(peer, request)
        self.called_at_ms[peer] = self.world.clock.now_ms()
        await self.delivery.peer_called(peer)
        return answer

    async def pull(self, peer: str, request: exchange_service_pb2.PullRequest) -> AsyncGenerator[SignedEntry, None]:
        """The entries a member asks for; raises AUDIENCE where it may not know of the channel."""
        held = self.world.store.channel(request.channel, request.epoch)
        if held is None or self.sharing.extent(peer, held).size == 0:
            raise XinqiaoError("AUDIENCE", node=peer)
        key, end = (request.channel, request.epoch), request.end_index or None
        if request.acts_of_size:
            for found in self.sharing.acts(peer, *key, request.start_index, end, request.acts_of_size):
                if found is not None:
                    yield found
                await asyncio.sleep(0)
            return
        with self.delivery.taking(peer, key) if end is None else nullcontext():
            given = 0
            for signed in self.sharing.entries(peer, *key, request.start_index, end):
                yield signed
                given += 1
            if given > RUN_ENTRIES:
                self.delivery.sources.given(peer, key)

    def expect(self, signed: SignedEntry) -> None:
        """Begin with what needs no turn, of an entry that has arrived."""
        self._examining.expect(signed)

    async def receive(self, run: Sequence[SignedEntry], peer: str = "") -> Taken:
        """Take entries a member pushes."""
        key = (run[0].channel, run[0].epoch)
        await self.delivery.removals.before(peer, key)
        with self.arrivals.taking(run):
            taken = await self.receiving.receive(run, proofs_brought(run))
        self.delivery.sources.sent(peer, key)
        return taken

    async def take_receipts(self, receipts: Sequence[envelope_pb2.Envelope]) -> list[envelope_pb2.Refusal]:
        """Take receipts a member hands over."""
        return await self.receiving.take_receipts(receipts)

    def consistency_proof(self, peer: str, channel: str, epoch: int, old_size: int, new_size: int) -> list[bytes]:
        """Prove to a reader that one size of a log is a prefix of another."""
        self._check_given(peer, channel, epoch, new_size)
        return self.answering.consistency_proof(channel, epoch, old_size, new_size)

    def inclusion_proof(self, peer: str, channel: str, epoch: int, index: int, size: int) -> list[bytes]:
        """Prove to a reader that an entry stands in a log."""
        self._check_given(peer, channel, epoch, size)
        return self.answering.inclusion_proof(channel, epoch, index, size)

    def _check_given(self, peer: str, channel: str, epoch: int, size: int) -> None:
        held = self.world.store.channel(channel, epoch)
        if held is None or self.sharing.extent(peer, held).size < size:
            raise XinqiaoError("AUDIENCE", node=peer)


def _says(held: HeldAddress, endpoints: tuple[str, str], signer: Signer) -> bool:
    """Whether an address record names these endpoints under this key."""
    keys = {signature.keyid for signature in held.envelope.signatures}
    return (held.record.exchange_endpoint, held.record.registry_endpoint) == endpoints and signer.key_id in keys
