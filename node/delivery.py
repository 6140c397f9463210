"""Delivery: the duty that keeps every link in step, whichever side dials.

For each link two tasks run, one for each lane, so that what matters most never waits behind bulk:

    control   Hello with every heartbeat and whenever something changed; then the control channels, receipts,
              and news of heartbeats, addresses and proofs
    bulk      the record channels that Hello found larger on one side: first what takes records of them back, then
              the logs, each from one peer at a time, those that lack least first

Of a log that is new here the control lane takes the first entry: that says in which lane the others travel.

A node that nobody can call also visits the members it has no link with, a few at a time: who would have to tell it
of a channel may be one of them.

Push on append is for latency, Hello and Pull are for certainty: a lost push is found by the next Hello. What a
peer claims in Hello only says what to fetch; nothing unsigned is ever stored or compared.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Protocol

from node.admission import is_own, lane_of
from node.arrivals import Arrivals
from node.comparing import can_be, compare
from node.core import heartbeat as heartbeats
from node.core.channel import HeadAt
from node.core.delivery import choose_links
from node.core.errors import XinqiaoError, from_refusal
from node.core.heartbeat import ChannelEpoch
from node.core.limits import DEFAULT_LIMITS, Limits
from node.hellos import Hellos
from node.links import Link, LinkStates, Work, check_skew, count_refused, ended, wait
from node.missing import Missing
from node.pb import channel_pb2, envelope_pb2, exchange_service_pb2, registry_pb2
from node.ports import Clock, Entropy, Lane, Peer, Peers, Store, View, Writer
from node.refusals import ASK_AGAIN_MS, Extent, Refusals, registry_seen
from node.regained import Regained
from node.removals import Removals
from node.sharing import Sharing
from node.sources import SENDING_S, Sources
from node.transfers import LINK_CODES, EntryReceiver, Given, Transfers
from node.visiting import Visiting

LOCAL_PAUSE_S = 1.0
ALONE = (1.25, 1.5)
"""After how many intervals without a heartbeat a link compares by itself; ticks are up to a tenth off the beat."""


class Receiver(EntryReceiver, Protocol):
    """What delivery hands over to the receiving duty."""

    async def take_heartbeat(self, view: channel_pb2.HeartbeatView) -> None: ...
    async def take_address(self, envelope: envelope_pb2.Envelope) -> None: ...
    async def take_equivocation(self, proof: channel_pb2.Equivocation) -> None: ...
    async def resolve_cuts(self, claimed: Sequence[channel_pb2.Head] = ()) -> None: ...


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
        own_heartbeat_returned: Callable[[channel_pb2.HeartbeatView], None],
        regained: Regained,
        also_linked: Callable[[], Iterable[str]],
        arrivals: Arrivals,
        turned: Callable[[], None],
        interval_s: float,
        links_further: int = 8,
        retry_cap_s: float = 1800.0,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._view, self._store = view, store
        self._peers, self._receiver = peers, receiver
        self._sharing = sharing
        self._clock, self._entropy = clock, entropy
        self._registry_seen = registry_seen
        self._peer_answered, self._own_heartbeat_returned = peer_answered, own_heartbeat_returned
        self._regained, self._also_linked, self._turned = regained, also_linked, turned
        self._interval_s, self._links_further = interval_s, links_further
        # Another one after every start: peers tell again what a restored database has forgotten.
        session = f"{store.incarnation()}.{entropy.bytes(8).hex()}"
        self._hellos = Hellos(view, sharing, clock, session, interval_s / 2, limits)
        self._limits = limits
        self._states = LinkStates(store, writer, clock, entropy, retry_cap_s)
        self._links: dict[str, Link] = {}
        self._tasks: dict[str, tuple[asyncio.Task[None], ...]] = {}
        self._relink_wanted = asyncio.Event()
        self._missing = Missing(
            view=view,
            store=store,
            sharing=sharing,
            clock=clock,
            only_dials_out=self._only_dials_out,
            again_ms=ASK_AGAIN_MS,
        )
        self.sources = Sources(view.me, store, clock, self._source_freed)
        self.removals = Removals(view, store, writer, clock, peers, limits)
        self._transfers = self._moving(writer, arrivals)
        self._refusals = Refusals(view=view, store=store, clock=clock, first_ms=int(interval_s * 1000))
        self.refused_news = 0
        self.visiting = self._visits()

    def _moving(self, writer: Writer, arrivals: Arrivals) -> Transfers:
        return Transfers(
            store=self._store,
            writer=writer,
            receiver=self._receiver,
            sharing=self._sharing,
            clock=self._clock,
            reach=self._reach,
            arrivals=arrivals,
            moved=self.sources.moved,
        )

    def _visits(self) -> Visiting:
        return Visiting(
            view=self._view,
            entropy=self._entropy,
            interval_s=self._interval_s,
            only_dials_out=self._only_dials_out,
            linked=lambda: self._links,
            meet=self._meet,
            carry=self._carry,
            report=_report_fault,
        )

    # -- links --------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep a link with every member chosen, until cancelled."""
        visiting = asyncio.create_task(self.visiting.run())
        try:
            while True:
                self._relink_wanted.clear()
                await self._relink()
                await self._relink_wanted.wait()
        finally:
            visiting.cancel()
            await ended(visiting)
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
                link.want(lane_of(held.manifest))

    def beat(self) -> None:
        """Compare with every peer now: a heartbeat was signed."""
        for link in list(self._links.values()):
            link.want_hello()

    def hear_again(self) -> None:
        """Ask every peer for all its news once more: what an older registry refused may be good now."""
        for link in [*self._links.values(), *self.visiting.links.values()]:
            link.heard = exchange_service_pb2.Cursor()

    async def peer_called(self, node: str) -> None:
        """A call of a peer that was answered ends its backoff soon."""
        if await self._states.called(node) and node in self._links:
            self._links[node].want_hello()

    @property
    def linked(self) -> tuple[str, ...]:
        """The members a link is kept with."""
        return tuple(self._links)

    @property
    def links(self) -> Mapping[str, Link]:
        """The links that are kept, and those of visits."""
        return {**self.visiting.links, **self._links}

    async def _relink(self) -> None:
        chosen = self._choose()
        await self._cancel([node for node in self._links if node not in chosen])
        for node in chosen:
            if node not in self._links:
                link = self._links[node] = Link(node)
                turns = (self._control_turn, self._bulk_turn)
                self._tasks[node] = tuple(asyncio.create_task(self._keep_going(link, turn)) for turn in turns)

    def _choose(self) -> tuple[str, ...]:
        channels = self._store.channels()
        members = self._view.members
        origins = [held.origin for held in channels]
        own = [held for held in channels if is_own(self._view, held.log.channel)]
        readers = [node for held in own for node in members.audience(held.origin, held.manifest.audience)]
        near = [*readers, *self._also_linked()]
        chosen = choose_links(members, self._view.me, origins, near, self._links_further)
        return tuple(node for node in chosen if not self._only_dials_out(node))

    def _only_dials_out(self, node: str) -> bool:
        """Whether a member has said that nobody can call it: it calls us, and fetches and sends what there is."""
        address = self._store.address(node)
        return address is not None and not address.record.exchange_endpoint

    def taking(self, node: str, key: ChannelEpoch) -> AbstractContextManager[None]:
        """While a peer takes a log itself, it is not pushed to it as well."""
        return self._links[node].taking(key) if node in self._links else nullcontext()

    def is_moving(self) -> bool:
        """Whether logs are being taken just now, by this node or from it."""
        return self.sources.is_moving() or any(link.is_taken_from for link in self._links.values())

    async def _cancel(self, nodes: Sequence[str]) -> None:
        tasks = [task for node in nodes for task in self._tasks.pop(node, ())]
        for node in nodes:
            self._links.pop(node, None)
        for task in tasks:
            task.cancel()
        await ended(*tasks)

    # -- the two tasks of a link ----------------------------------------------------------------------

    async def _keep_going(self, link: Link, turn: Callable[[Link], Awaitable[None]]) -> None:
        """Call the turns of a link one after another: whatever fails ends a turn, never the link."""
        while True:
            try:
                await self._wait_for_backoff(link)
                await turn(link)
            except XinqiaoError as error:
                await self._back_off(link, error)
            except Exception as error:  # noqa: BLE001 - a fault of ours shows in log and status, and in no dead link
                _report_fault(link.node, error)
                await self._back_off(link, XinqiaoError("LINK_FAULT", peer=link.node, detail=type(error).__name__))

    async def _control_turn(self, link: Link) -> None:
        link.control_wanted.clear()
        if link.hello_due:
            link.hello_due = False
            await self._sync(link)
        elif link.receipts_due:
            await self._transfers.put_receipts(link)
        await self._push_dirty(link, Lane.CONTROL)
        await self._states.succeeded(link.node)
        if not link.control_wanted.is_set():
            # Every heartbeat of ours wants a comparison; where none comes the link sees to it.
            await wait(link.control_wanted, self._interval_s * self._entropy.uniform(*ALONE))
            link.hello_due = link.hello_due or not link.control_wanted.is_set()

    async def _bulk_turn(self, link: Link) -> None:
        if not link.bulk_wanted.is_set():
            # What others bring is looked at again soon: it may have broken off.
            await (wait(link.bulk_wanted, SENDING_S) if link.bulk else link.bulk_wanted.wait())
            await self._wait_for_backoff(link)
        link.bulk_wanted.clear()
        await self._bulk_round(link)

    async def _bulk_round(self, link: Link) -> None:
        for key, work in list(link.bulk.items()):
            await self._fetch_removals(link, key, work)
            if not work.pulls and self.sources.is_to_be_compared(link.node, key):
                link.bulk.pop(key, None)
                link.want_hello()
        self._turned()
        while (due := self.sources.next(link)) is not None:
            work = link.bulk.pop(due)
            with self.sources.bringing(link, due) if work.pulls else nullcontext():
                await self._do(link, Lane.BULK, due, work)
        await self._push_dirty(link, Lane.BULK)
        await self._fetch_missing(link, Lane.BULK)
        link.want_receipts()

    async def _fetch_removals(self, link: Link, key: ChannelEpoch, work: Work) -> None:
        """What takes records back goes ahead of them; where that fails it comes in its turn."""
        if not work.pulls or work.probes or work.theirs is None or self._is_closed(key, work):
            return
        try:
            await self.removals.fetch(self._reach(link.node), key, work.theirs)
        except XinqiaoError as error:
            if error.code.startswith(LINK_CODES):
                raise
            if error.code != "AUDIENCE":
                await self._transfers.alarm(link, key, error)

    def _source_freed(self) -> None:
        for link in list(self._links.values()):
            if link.bulk:
                link.want(Lane.BULK)

    async def _wait_for_backoff(self, link: Link) -> None:
        while (seconds := self._states.pause_s(link.node)) > 0:
            await wait(link.roused, seconds)

    async def _back_off(self, link: Link, error: XinqiaoError) -> None:
        """Note a failure; where even that fails, this machine is at fault and is given a moment."""
        link.hello_due = True
        link.known.clear()
        try:
            await self._states.failed(link.node, await self._explained(link, error))
        except XinqiaoError:
            await self._clock.sleep(LOCAL_PAUSE_S)

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

    async def sync_once(self, node: str) -> None:
        """One whole round with a peer, both lanes, outside the links' own rhythm; raises WIRE_*, CLOCK_SKEW."""
        await self._round(self._links.setdefault(node, Link(node)))

    async def _round(self, link: Link) -> None:
        await self._meet(link)
        await self._carry(link)

    async def _meet(self, link: Link) -> None:
        await self._sync(link)
        await self._push_dirty(link, Lane.CONTROL)

    async def _carry(self, link: Link) -> None:
        await self._bulk_round(link)
        await self._transfers.put_receipts(link)

    # -- one comparison -------------------------------------------------------------------------------

    async def sync(self, node: str) -> None:
        """Compare everything shared with one peer, then fetch and send what differs; raises WIRE_*, CLOCK_SKEW."""
        await self._sync(self._links.get(node) or Link(node))

    async def _sync(self, link: Link) -> None:
        node = link.node
        peer = self._reach(node)
        heads = self._sharing.heads(node)
        request, told = self._hellos.request(link, heads)
        response = await peer.hello(request)
        skew_ms = response.time_unix_ms - self._clock.now_ms()
        await self._states.skewed(node, skew_ms)
        check_skew(self._view.me, node, skew_ms, self._limits)
        await self._take_news(response.heartbeats, response.addresses, response.equivocations)
        await self._receiver.take_receipts(response.receipts)
        self._regained.given_back(response.held_receipts)
        rest = self._hellos.compared(link, heads, (request, told), response)
        if rest is not None:
            await peer.hello(rest)
            self._hellos.rest_told(link, rest)
        link.has_read(registry_seen(response.registry))
        await self._registry_seen(node, response.registry)
        if response.in_step:
            # As they stood in the request: meanwhile this node may have appended.
            link.in_step(heads)
            self._regained.shown(node, heads)
        if response.in_step or await self._reconcile(link, response.heads):
            self._peer_answered(node)
        await self._fetch_missing(link, Lane.CONTROL)
        self._turned()
        link.bulk_wanted.set()
        await self._transfers.put_receipts(link)

    def _reach(self, node: str) -> Peer:
        peer = self._peers.peer(node)
        if peer is None:
            raise XinqiaoError("WIRE_UNREACHABLE", peer=node, address="-", detail="no address of it is known yet")
        return peer

    async def _take_news(
        self,
        beats: Sequence[channel_pb2.HeartbeatView],
        addresses: Sequence[envelope_pb2.Envelope],
        proofs: Sequence[channel_pb2.Equivocation],
    ) -> None:
        """Take what a peer relays piece by piece: one piece that is refused does not hold up the others."""
        receiver, limits = self._receiver, self._limits
        calls: list[Callable[[], Awaitable[None]]] = []
        calls += [partial(self._take_heartbeat, view) for view in beats[: limits.max_heartbeats_per_hello]]
        calls += [partial(receiver.take_address, item) for item in addresses[: limits.max_addresses_per_hello]]
        calls += [partial(receiver.take_equivocation, proof) for proof in proofs[: limits.max_equivocations_per_hello]]
        self.refused_news += await count_refused(calls)

    async def _take_heartbeat(self, view: channel_pb2.HeartbeatView) -> None:
        if heartbeats.node_of(view, self._limits) == self._view.me:
            self._own_heartbeat_returned(view)
        else:
            await self._receiver.take_heartbeat(view)

    async def take_addresses(self, addresses: Sequence[envelope_pb2.Envelope]) -> None:
        """Take the addresses that a registry port hands out, and try the peers that had none."""
        await self._take_news((), addresses, ())
        for link in list(self._links.values()):
            state = self._store.link(link.node)
            if state.retry_at_ms and not state.last_success_ms and self._peers.peer(link.node) is not None:
                await self.peer_called(link.node)

    async def _reconcile(self, link: Link, heads: Sequence[channel_pb2.Head]) -> bool:
        """Fetch and send what differs; whether the peer gave all it claims to hold of our own logs."""
        claimed = await self._take_claims(heads)
        theirs = {(head.channel, head.epoch): HeadAt(head.size, head.root) for head in claimed}
        self._regained.shown(link.node, theirs.items())
        ours = dict(self._sharing.heads(link.node))
        keys = sorted(theirs.keys() | ours.keys())
        # What is known of the peer is what it says now, so that it cannot grow from one Hello to the next.
        link.known = {key: theirs[key].size if key in theirs else link.answered.get(key, 0) for key in keys}
        link.refused = {key: link.refused[key] for key in keys if key in link.refused}
        link.bulk = {}
        await self._tell_cuts(link, ours)
        gave_all, new = True, []
        for key in keys:
            work = compare(self._store, key, ours.get(key), theirs.get(key))
            if work is None or (not work.pulls and link.known.get(key, 0) >= ours[key].size):
                continue
            is_lost = work.pulls and is_own(self._view, key[0])
            if is_lost or self._lane(key) is Lane.CONTROL:
                was_given = await self._do(link, Lane.CONTROL, key, work)
                gave_all = gave_all and (was_given or not is_lost)
            elif work.pulls and self._store.channel(*key) is None:
                new.append(key)
            else:
                link.bulk[key] = work
        for key in new:
            await self._begin(link, key, theirs[key])
        return gave_all

    async def _begin(self, link: Link, key: ChannelEpoch, theirs: HeadAt) -> None:
        """Take the first entry of a log that is new here at once, and the others in the lane that it names.

        In the bulk a list that is new to this node, or goes on in a new epoch, would wait behind every other log.
        """
        if self._store.channel(*key) is None:
            await self._do(link, Lane.CONTROL, key, Work(pulls=True, start=0, end=1, theirs=theirs))
        held = self._store.channel(*key)
        if held is None or held.log.size >= theirs.size:
            return
        rest = Work(pulls=True, start=held.log.size, theirs=theirs)
        if lane_of(held.manifest) is Lane.CONTROL:
            await self._do(link, Lane.CONTROL, key, rest)
        else:
            link.bulk[key] = rest

    async def _take_claims(self, heads: Sequence[channel_pb2.Head]) -> list[channel_pb2.Head]:
        """The claims that can be; where they are heads that the registry's cuts list, they say where logs are cut."""
        claimed = [
            head for head in heads[: self._limits.max_heads_per_hello] if can_be(head, self._view.members, self._limits)
        ]
        await self._receiver.resolve_cuts(claimed)
        return claimed

    async def _tell_cuts(self, link: Link, ours: Mapping[ChannelEpoch, HeadAt]) -> None:
        """Name the heads of closed logs that the peer holds less of: it takes nothing above the cut that it has found.

        A node learns up to where a log is cut from the answers to its own calls, and this peer may be unable to call.
        """
        ahead = [(key, head) for key, head in ours.items() if link.known[key] < head.size and self._is_cut(key)]
        if ahead:
            closed = ahead[: self._limits.max_heads_per_hello]
            request = self._hellos.claims(link, list(ours.items()), closed)
            await self._reach(link.node).hello(request)

    def _is_cut(self, key: ChannelEpoch) -> bool:
        held = self._store.channel(*key)
        return held is not None and held.log.cut is not None

    def _lane(self, key: ChannelEpoch) -> Lane:
        held = self._store.channel(*key)
        return lane_of(held.manifest) if held is not None else Lane.BULK

    async def _do(self, link: Link, lane: Lane, key: ChannelEpoch, work: Work) -> bool:
        """Do what a comparison found; whether the peer gave what it claims, and we took it.

        Time may have passed since: what has come or gone meanwhile does not move again. Nor does what would be refused.
        """
        if self._is_closed(key, work):
            return True
        standing = self._refusals.standing(link, key, work)
        extent = self._refusals.extent(link, lane, key, standing)
        if extent is Extent.NOTHING:
            return False
        is_taken = await (self._fetch if work.pulls else self._offer)(link, lane, key, work, extent)
        if not is_taken:
            self._refusals.note(link, key, standing)
        return is_taken

    def _is_closed(self, key: ChannelEpoch, work: Work) -> bool:
        """Whether nothing of a log of another node is taken here, as no cut of it is known."""
        if not work.pulls or is_own(self._view, key[0]) or not self._refusals.awaits_cut(key):
            return False
        # A probe may prove two histories, which closes all logs of their origin.
        return self._store.log(*key).quarantined or not work.probes

    async def _fetch(self, link: Link, lane: Lane, key: ChannelEpoch, work: Work, extent: Extent) -> bool:
        held = self._store.channel(*key)
        start = work.start if work.probes or held is None else max(work.start, held.log.size)
        first_end = work.end if extent is Extent.ALL else start + 1
        given = await self._transfers.pull(link, lane, key, start, first_end)
        if first_end is not None and given.refusal is not None and _is_open(given.refusal, extent):
            given = await self._transfers.pull(link, lane, key, start, None)
        elif first_end is not None and given == Given(1) and work.end is None:
            start += 1
            given = await self._transfers.pull(link, lane, key, start, None)
        if given == Given(0) and not work.probes and start == work.start:
            false = XinqiaoError("HEAD_FALSE", peer=link.node, channel=key[0], epoch=key[1])
            await self._transfers.alarm(link, key, false)
        return given.refusal is None

    async def _offer(self, link: Link, lane: Lane, key: ChannelEpoch, work: Work, extent: Extent) -> bool:
        start = link.known.get(key, work.start)
        if extent is not Extent.ALL:
            first = self._transfers.outgoing(link, key, start, start + 1)
            refusal = await self._transfers.push(link, lane, key, first)
            if refusal is not None and not _is_open(refusal, extent):
                return False
            start = link.known.get(key, start)
        return await self._transfers.push(link, lane, key, self._transfers.outgoing(link, key, start)) is None

    # -- what moves besides ---------------------------------------------------------------------------

    async def _push_dirty(self, link: Link, lane: Lane) -> None:
        for key in [key for key in link.dirty if self._lane(key) is lane]:
            del link.dirty[key]
            if lane is Lane.BULK and (key in link.bulk or self.sources.is_on_the_way(link.node, key)):
                link.bulk.setdefault(key, Work(pulls=False, start=link.known.get(key, 0)))
            elif key in link.known:
                # The log has grown: whatever was refused before is offered with what is new.
                await self._do(link, lane, key, Work(pulls=False, start=link.known[key]))
            else:
                link.want_hello()

    async def _fetch_missing(self, link: Link, lane: Lane) -> None:
        """Ask this peer for bodies that others did not have, and bring those that it cannot ask for."""
        for key, start, end in self._missing.wanted(link, lane):
            await self._transfers.pull(link, lane, key, start, end)
        for key, entries in self._missing.brought(link, lane):
            await self._transfers.push(link, lane, key, entries)

    def has_answered(self, node: str, key: ChannelEpoch, index: int) -> bool:
        """Whether a member was asked for the body of an entry of our own, and has given what it has."""
        return self._missing.has_answered(node, key, index)

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
        if request.closed_heads:
            await self._take_claims(request.closed_heads)
        answer = self._hellos.answer(peer, request)
        if answer.in_step:
            heads = self._sharing.heads(peer)
            self._regained.shown(peer, heads)
            if peer in self._links:
                self._links[peer].in_step(heads)
            # Who has not heard of this start yet has not told all its news again.
            if self._hellos.has_heard(request):
                self._peer_answered(peer)
        return answer


def _is_open(refusal: XinqiaoError, extent: Extent) -> bool:
    """Whether an entry that was refused alone may be taken together with those that follow it."""
    return extent is not Extent.ONE and refusal.code == "ENTRY_UNCONFIRMED"


def _report_fault(node: str, error: Exception) -> None:
    told = {"message": f"a turn of the link with {node} failed", "exception": error}
    asyncio.get_running_loop().call_exception_handler(told)
