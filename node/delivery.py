"""Delivery: the duty that keeps every link in step, whichever side dials.

For each link two tasks run, one for each lane, so that what matters most never waits behind bulk:

    control   Hello at every interval and whenever something changed; then the control channels, receipts,
              and news of heartbeats, addresses and proofs
    bulk      the record channels that Hello found larger on one side

Push on append is for latency, Hello and Pull are for certainty: a lost push is found by the next Hello. What a
peer claims in Hello only says what to fetch; nothing unsigned is ever stored or compared.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from node.admission import is_own, lane_of, root_at
from node.core.channel import HeadAt
from node.core.delivery import choose_links, retry_delay_s
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError, from_refusal, to_refusal
from node.core.heartbeat import ChannelEpoch, shared_digest
from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import channel_pb2, envelope_pb2, exchange_service_pb2, registry_pb2
from node.ports import Clock, Entropy, Lane, LinkState, Peer, Peers, Store, View, Writer
from node.sharing import Sharing, head_messages

RUN_ENTRIES = 64
RUN_BYTES = 2 * 1024 * 1024
MISSING_BODIES_PER_SYNC = 4096


class Receiver(Protocol):
    """What delivery hands over to the receiving duty."""

    async def receive(self, run: Sequence[SignedEntry]) -> "TakenEntries": ...
    async def take_heartbeat(self, view: channel_pb2.HeartbeatView) -> None: ...
    async def take_address(self, envelope: envelope_pb2.Envelope) -> None: ...
    async def take_equivocation(self, proof: channel_pb2.Equivocation) -> None: ...
    async def take_receipts(self, envelopes_in: Sequence[envelope_pb2.Envelope]) -> list[envelope_pb2.Refusal]: ...
    async def resolve_cuts(self, claimed: Sequence[channel_pb2.Head] = ()) -> None: ...


class TakenEntries(Protocol):
    """What the receiving duty answers."""

    @property
    def size(self) -> int: ...


@dataclass(slots=True)
class Link:
    """One link: what is known of the peer and what there is to do, all of it rebuilt by the next Hello."""

    node: str
    known: dict[ChannelEpoch, int] = field(default_factory=dict)
    dirty: dict[ChannelEpoch, None] = field(default_factory=dict)
    bulk: dict[ChannelEpoch, "Work"] = field(default_factory=dict)
    told: exchange_service_pb2.Cursor = field(default_factory=exchange_service_pb2.Cursor)
    heard: exchange_service_pb2.Cursor = field(default_factory=exchange_service_pb2.Cursor)
    control_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    bulk_wanted: asyncio.Event = field(default_factory=asyncio.Event)
    hello_due: bool = True


@dataclass(frozen=True, slots=True)
class Work:
    """A log to pull from a peer, or to push to it, from an index on."""

    pulls: bool
    start: int


class Delivery:
    """Runs the links."""

    def __init__(
        self,
        *,
        view: View,
        store: Store,
        writer: Writer,
        peers: Peers,
        receiver: Receiver,
        sharing: Sharing,
        clock: Clock,
        entropy: Entropy,
        registry_seen: Callable[[str, registry_pb2.RegistryVersions], Awaitable[None]],
        peer_answered: Callable[[str], None],
        interval_s: float,
        links_further: int = 8,
        retry_cap_s: float = 1800.0,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._view = view
        self._store = store
        self._writer = writer
        self._peers = peers
        self._receiver = receiver
        self._sharing = sharing
        self._clock = clock
        self._entropy = entropy
        self._registry_seen = registry_seen
        self._peer_answered = peer_answered
        self._interval_s = interval_s
        self._links_further = links_further
        self._retry_cap_s = retry_cap_s
        self._limits = limits
        self._links: dict[str, Link] = {}
        self._tasks: dict[str, tuple[asyncio.Task[None], ...]] = {}
        self._relink_wanted = asyncio.Event()
        self.refused_news = 0

    # -- links --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep a link with every member chosen, until cancelled."""
        try:
            while True:
                self._relink_wanted.clear()
                await self._relink()
                await self._relink_wanted.wait()
        finally:
            await self._cancel(list(self._tasks))

    def relink(self) -> None:
        """Choose the links anew: members, channels or audiences have changed."""
        self._relink_wanted.set()

    def wake(self, channel: str, epoch: int) -> None:
        """Send what was appended to every link whose peer may read it."""
        held = self._store.channel(channel, epoch)
        if held is None:
            return
        if held.manifest_index + 1 == held.log.size:
            self.relink()
        for link in list(self._links.values()):
            if self._sharing.extent(link.node, held).size:
                link.dirty[held.key] = None
                (link.control_wanted if lane_of(held.manifest) is Lane.CONTROL else link.bulk_wanted).set()

    def beat(self) -> None:
        """Compare with every peer now: a heartbeat was signed."""
        for link in list(self._links.values()):
            link.hello_due = True
            link.control_wanted.set()

    async def peer_called(self, node: str) -> None:
        """An authenticated call of a peer ends its backoff."""
        state = self._store.link(node)
        if state.retry_at_ms:
            await self._keep(LinkState(node, 0, 0, state.last_success_ms, state.clock_skew_ms, b""))
            link = self._links.get(node)
            if link is not None:
                link.hello_due = True
                link.control_wanted.set()

    @property
    def linked(self) -> tuple[str, ...]:
        """The members a link is kept with."""
        return tuple(self._links)

    async def _relink(self) -> None:
        chosen = self._choose()
        await self._cancel([node for node in self._links if node not in chosen])
        for node in chosen:
            if node not in self._links:
                link = self._links[node] = Link(node)
                loops = (self._run_control(link), self._run_bulk(link))
                self._tasks[node] = tuple(asyncio.create_task(loop) for loop in loops)

    def _choose(self) -> tuple[str, ...]:
        channels = self._store.channels()
        members = self._view.members
        origins = [held.origin for held in channels]
        own = [held for held in channels if is_own(self._view, held.log.channel)]
        readers = [node for held in own for node in members.audience(held.origin, held.manifest.audience)]
        chosen = choose_links(members, self._view.me, origins, readers, self._links_further)
        return tuple(node for node in chosen if not self._only_dials_out(node))

    def _only_dials_out(self, node: str) -> bool:
        """Whether a member has said that nobody can call it: it calls us, and fetches and sends what there is."""
        address = self._store.address(node)
        return address is not None and not address.record.exchange_endpoint

    async def _cancel(self, nodes: Sequence[str]) -> None:
        tasks = [task for node in nodes for task in self._tasks.pop(node, ())]
        for node in nodes:
            self._links.pop(node, None)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # -- the two tasks of a link ----------------------------------------------------------------------

    async def _run_control(self, link: Link) -> None:
        while True:
            await self._wait_for_backoff(link)
            try:
                await self._control_round(link)
                await self._note_success(link)
            except XinqiaoError as error:
                await self._note_failure(link, error)
                continue
            if not link.control_wanted.is_set():
                await self._wait(link.control_wanted, self._interval_s * self._entropy.uniform(0.8, 1.2))
                link.hello_due = link.hello_due or not link.control_wanted.is_set()
            link.control_wanted.clear()

    async def _control_round(self, link: Link) -> None:
        if link.hello_due:
            link.hello_due = False
            await self.sync(link.node)
        await self._push_dirty(link, Lane.CONTROL)

    async def _run_bulk(self, link: Link) -> None:
        while True:
            if not link.bulk_wanted.is_set():
                await link.bulk_wanted.wait()
            link.bulk_wanted.clear()
            await self._wait_for_backoff(link)
            try:
                await self._bulk_round(link)
            except XinqiaoError as error:
                await self._note_failure(link, error)
                link.hello_due = True

    async def _bulk_round(self, link: Link) -> None:
        while link.bulk:
            key = next(iter(link.bulk))
            work = link.bulk.pop(key)
            await self._do(link, Lane.BULK, key, work)
        await self._push_dirty(link, Lane.BULK)

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        try:
            await asyncio.wait_for(event.wait(), seconds)
        except TimeoutError:
            return

    async def _wait_for_backoff(self, link: Link) -> None:
        while True:
            remaining_ms = self._store.link(link.node).retry_at_ms - self._clock.now_ms()
            # A pause longer than any we make was noted by a clock that has been set back since.
            if not 0 < remaining_ms <= self._retry_cap_s * 1000:
                return
            await self._wait(link.control_wanted, min(remaining_ms / 1000, self._retry_cap_s))
            link.control_wanted.clear()

    async def _note_success(self, link: Link) -> None:
        state = self._store.link(link.node)
        await self._keep(LinkState(link.node, 0, 0, self._clock.now_ms(), state.clock_skew_ms, b""))

    async def _note_failure(self, link: Link, error: XinqiaoError) -> None:
        """Back off, longer each time; a peer that is only busy is not counted as down."""
        error = await self._explained(link, error)
        state = self._store.link(link.node)
        busy = error.spec.status == "RESOURCE_EXHAUSTED"
        failures = state.failures if busy else state.failures + 1
        delay_s = retry_delay_s(max(failures, 1), self._entropy.uniform(0.0, 1.0), self._retry_cap_s)
        retry_at_ms = self._clock.now_ms() + int(delay_s * 1000)
        refusal = to_refusal(error).SerializeToString()
        link.hello_due = True
        link.known.clear()
        await self._keep(
            LinkState(link.node, failures, retry_at_ms, state.last_success_ms, state.clock_skew_ms, refusal)
        )

    async def _explained(self, link: Link, error: XinqiaoError) -> XinqiaoError:
        """A closed handshake says nothing: ask the peer's registry port how it sees this node."""
        peer = self._peers.peer(link.node)
        if error.code not in ("WIRE_UNREACHABLE", "WIRE_REFUSED") or peer is None:
            return error
        try:
            answer = await peer.explain(self._view.me)
        except XinqiaoError:
            return error
        await self._registry_seen(link.node, answer.registry)
        return from_refusal(answer.refusal) if answer.refusal.code else error

    async def _keep(self, state: LinkState) -> None:
        await self._writer.run(Lane.CONTROL, lambda tx: tx.put_link(state))

    async def sync_once(self, node: str) -> None:
        """One whole round with a peer, both lanes, outside the links' own rhythm; raises WIRE_*, CLOCK_SKEW."""
        link = self._links.setdefault(node, Link(node))
        await self.sync(node)
        await self._push_dirty(link, Lane.CONTROL)
        await self._bulk_round(link)
        await self._fetch_missing(link)
        await self._put_receipts(link)

    # -- one comparison -------------------------------------------------------------------------------

    async def sync(self, node: str) -> None:
        """Compare everything shared with one peer, then fetch and send what differs; raises WIRE_*, CLOCK_SKEW."""
        link = self._links.get(node) or Link(node)
        peer = self._reach(node)
        request, told = self._hello(link)
        response = await peer.hello(request)
        await self._check_skew(node, response.time_unix_ms)
        await self._take_news(response.heartbeats, response.addresses, response.equivocations)
        await self._receiver.take_receipts(response.receipts)
        link.told, link.heard = told, response.cursor
        await self._registry_seen(node, response.registry)
        if response.in_step or await self._reconcile(link, response.heads):
            self._peer_answered(node)
        await self._fetch_missing(link)
        await self._put_receipts(link)

    def _reach(self, node: str) -> Peer:
        peer = self._peers.peer(node)
        if peer is None:
            raise XinqiaoError("WIRE_UNREACHABLE", peer=node, address="-", detail="no address of it is known yet")
        return peer

    def _hello(self, link: Link) -> tuple[exchange_service_pb2.HelloRequest, exchange_service_pb2.Cursor]:
        told = exchange_service_pb2.Cursor(receipts=link.told.receipts)
        beats, told.heartbeats = self._sharing.heartbeats_since(link.node, link.told.heartbeats)
        addresses, told.addresses = self._sharing.addresses_since(link.node, link.told.addresses)
        proofs, told.equivocations = self._sharing.equivocations_since(link.node, link.told.equivocations)
        request = exchange_service_pb2.HelloRequest(
            network=self._view.network,
            time_unix_ms=self._clock.now_ms(),
            shared_digest=shared_digest(self._sharing.heads(link.node)),
            heartbeats=beats,
            addresses=addresses,
            equivocations=proofs,
            registry=self._view.versions,
            cursor=link.heard,
        )
        return request, told

    async def _check_skew(self, node: str, their_time_ms: int) -> None:
        skew_ms = their_time_ms - self._clock.now_ms()
        state = self._store.link(node)
        if abs(skew_ms - state.clock_skew_ms) > 1000:
            await self._keep(
                LinkState(node, state.failures, state.retry_at_ms, state.last_success_ms, skew_ms, state.failure)
            )
        check_skew(self._view.me, node, skew_ms, self._limits)

    async def _take_news(
        self,
        beats: Sequence[channel_pb2.HeartbeatView],
        addresses: Sequence[envelope_pb2.Envelope],
        proofs: Sequence[channel_pb2.Equivocation],
    ) -> None:
        """Take what a peer relays piece by piece: one piece that is refused does not hold up the others."""
        calls: list[Awaitable[None]] = []
        calls += [self._receiver.take_heartbeat(view) for view in beats[: self._limits.max_heartbeats_per_hello]]
        calls += [self._receiver.take_address(item) for item in addresses[: self._limits.max_addresses_per_hello]]
        calls += [self._receiver.take_equivocation(p) for p in proofs[: self._limits.max_equivocations_per_hello]]
        self.refused_news += await count_refused(calls)

    async def take_addresses(self, addresses: Sequence[envelope_pb2.Envelope]) -> None:
        """Take the addresses that a registry port hands out, and try the peers that had none."""
        await self._take_news((), addresses, ())
        for link in list(self._links.values()):
            state = self._store.link(link.node)
            if state.retry_at_ms and not state.last_success_ms and self._peers.peer(link.node) is not None:
                await self.peer_called(link.node)

    async def _reconcile(self, link: Link, heads: Sequence[channel_pb2.Head]) -> bool:
        """Fetch and send what differs; whether the peer holds nothing of ours that we lack."""
        claimed = heads[: self._limits.max_heads_per_hello]
        await self._receiver.resolve_cuts(claimed)
        theirs = {(head.channel, head.epoch): HeadAt(head.size, head.root) for head in claimed}
        ours = dict(self._sharing.heads(link.node))
        lacks_nothing = True
        for key in sorted(theirs.keys() | ours.keys()):
            work = self._compare(key, ours.get(key), theirs.get(key))
            lacks_nothing = lacks_nothing and not (work and work.pulls and is_own(self._view, key[0]))
            link.known[key] = theirs[key].size if key in theirs else 0
            if work is None:
                continue
            if self._lane(key) is Lane.CONTROL:
                await self._do(link, Lane.CONTROL, key, work)
            else:
                link.bulk[key] = work
                link.bulk_wanted.set()
        return lacks_nothing

    def _compare(self, key: ChannelEpoch, ours: HeadAt | None, theirs: HeadAt | None) -> Work | None:
        if theirs is None:
            return Work(pulls=False, start=0)
        if ours is None:
            held = self._store.channel(*key)
            size = held.log.size if held is not None else 0
            return Work(pulls=True, start=size) if theirs.size > size else None
        if theirs == ours:
            return None
        if theirs.size > ours.size:
            return Work(pulls=True, start=ours.size)
        held = self._store.channel(*key)
        if held is not None and root_at(self._store, held.log, theirs.size) == theirs.root:
            return Work(pulls=False, start=theirs.size)
        return Work(pulls=True, start=max(theirs.size - 1, 0))

    def _lane(self, key: ChannelEpoch) -> Lane:
        held = self._store.channel(*key)
        return lane_of(held.manifest) if held is not None else Lane.BULK

    async def _do(self, link: Link, lane: Lane, key: ChannelEpoch, work: Work) -> None:
        if work.pulls:
            await self._pull(link, lane, key, work.start, None)
        else:
            await self._push(link, lane, key, work.start)

    # -- moving entries -------------------------------------------------------------------------------

    async def _pull(self, link: Link, lane: Lane, key: ChannelEpoch, start: int, end: int | None) -> None:
        """Take entries in runs, each one transaction; a refused entry ends this log's turn, not the link."""
        run: list[SignedEntry] = []
        held_bytes = 0
        try:
            async for signed in self._reach(link.node).pull(lane, key[0], key[1], start, end):
                run.append(signed)
                held_bytes += len(signed.body or b"")
                if len(run) >= RUN_ENTRIES or held_bytes >= RUN_BYTES:
                    await self._receiver.receive(run)
                    run, held_bytes = [], 0
            if run:
                await self._receiver.receive(run)
        except XinqiaoError as error:
            await self._note_refusal(link, key, error)

    async def _note_refusal(self, link: Link, key: ChannelEpoch, error: XinqiaoError) -> None:
        if error.code.startswith(("WIRE_", "DISK_", "DATABASE", "MEMBER_", "RATE_")):
            raise error
        now_ms = self._clock.now_ms()
        subject = f"{key[0]} {key[1]} from {link.node}"
        await self._writer.run(Lane.CONTROL, lambda tx: tx.raise_alarm(error.code, subject, error.parameters, now_ms))

    async def _push_dirty(self, link: Link, lane: Lane) -> None:
        for key in [key for key in link.dirty if self._lane(key) is lane]:
            del link.dirty[key]
            if key in link.known:
                await self._push(link, lane, key, link.known[key])
            else:
                link.hello_due = True
                link.control_wanted.set()

    async def _push(self, link: Link, lane: Lane, key: ChannelEpoch, start: int) -> None:
        """Send entries from an index on; the answers say how far the peer holds the log."""
        receipts: list[envelope_pb2.Envelope] = []
        async for answer in self._reach(link.node).push(lane, self._outgoing(link.node, key, start)):
            if answer.refusal is not None:
                await self._note_refusal(link, key, from_refusal(answer.refusal))
                link.known.pop(key, None)
                break
            link.known[key] = answer.size
            if answer.receipt is not None:
                receipts = [answer.receipt]
        if receipts:
            await self._receiver.take_receipts(receipts)

    async def _outgoing(self, node: str, key: ChannelEpoch, start: int) -> AsyncIterator[SignedEntry]:
        for signed in self._sharing.entries(node, key[0], key[1], start, None):
            yield signed

    async def _fetch_missing(self, link: Link) -> None:
        """Ask this peer for bodies that others did not have."""
        for held in self._store.channels():
            if (
                held.incomplete_bodies == 0
                or held.left_at is not None
                or not self._sharing.may_read(link.node, held.log.channel)
            ):
                continue
            for start, end in _ranges(self._store.incomplete_entries(*held.key, MISSING_BODIES_PER_SYNC)):
                await self._pull(link, lane_of(held.manifest), held.key, start, end)

    async def _put_receipts(self, link: Link) -> None:
        while True:
            receipts, cursor = self._sharing.receipts_since(link.node, link.told.receipts)
            if receipts:
                await self._reach(link.node).put_receipts(receipts)
            if cursor == link.told.receipts:
                return
            link.told.receipts = cursor

    # -- answering a Hello ------------------------------------------------------------------------------

    async def answer_hello(
        self, peer: str, request: exchange_service_pb2.HelloRequest
    ) -> exchange_service_pb2.HelloResponse:
        """Answer a member's comparison; raises HELLO_NETWORK, CLOCK_SKEW."""
        if request.network != self._view.network:
            raise XinqiaoError("HELLO_NETWORK", peer=peer, found=request.network[:80], network=self._view.network)
        check_skew(self._view.me, peer, request.time_unix_ms - self._clock.now_ms(), self._limits)
        await self._take_news(request.heartbeats, request.addresses, request.equivocations)
        await self._registry_seen(peer, request.registry)
        return self._hello_answer(peer, request)

    def _hello_answer(
        self, peer: str, request: exchange_service_pb2.HelloRequest
    ) -> exchange_service_pb2.HelloResponse:
        heads = self._sharing.heads(peer)
        in_step = shared_digest(heads) == request.shared_digest
        incarnation = self._store.incarnation()
        after = request.cursor if request.cursor.incarnation == incarnation else exchange_service_pb2.Cursor()
        cursor = exchange_service_pb2.Cursor(incarnation=incarnation)
        beats, cursor.heartbeats = self._sharing.heartbeats_since(peer, after.heartbeats)
        addresses, cursor.addresses = self._sharing.addresses_since(peer, after.addresses)
        receipts, cursor.receipts = self._sharing.receipts_since(peer, after.receipts)
        proofs, cursor.equivocations = self._sharing.equivocations_since(peer, after.equivocations)
        return exchange_service_pb2.HelloResponse(
            time_unix_ms=self._clock.now_ms(),
            in_step=in_step,
            heads=[] if in_step else head_messages(heads),
            held_receipts=[] if in_step else self._sharing.receipts_of(peer),
            heartbeats=beats,
            addresses=addresses,
            receipts=receipts,
            equivocations=proofs,
            registry=self._view.versions,
            cursor=cursor,
        )


def _ranges(indexes: Sequence[int]) -> list[tuple[int, int]]:
    """Ascending indexes as ranges [start, end)."""
    found: list[tuple[int, int]] = []
    for index in indexes:
        if found and found[-1][1] == index:
            found[-1] = (found[-1][0], index + 1)
        else:
            found.append((index, index + 1))
    return found


def check_skew(me: str, peer: str, skew_ms: int, limits: Limits) -> None:
    """Refuse to exchange with a clock too far away; raises CLOCK_SKEW, which names both sides."""
    if abs(skew_ms) > limits.max_clock_skew_ms:
        raise XinqiaoError(
            "CLOCK_SKEW", node=me, peer=peer, skew_s=skew_ms // 1000, limit_s=limits.max_clock_skew_ms // 1000
        )


async def count_refused(calls: Sequence[Awaitable[None]]) -> int:
    """Await calls one after another; how many of them were refused."""
    refused = 0
    for call in calls:
        try:
            await call
        except XinqiaoError:
            refused += 1
    return refused
