"""Diagnosing: tries in earnest what a serving node lives on, with its own keys, links and database.

What comes first explains most of what comes after it: clocks, then keys, the registry, calls, the disk, the exchange.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from node import files
from node.config import Config
from node.core import diagnosis
from node.core.diagnosis import Check, Finding, Severity
from node.core.errors import XinqiaoError, from_refusal
from node.core.forecast import REGISTRY, Ending, What
from node.core.heartbeat import shared_digest
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_change import ChangeState
from node.core.membership import Standing, VerifiedDescriptor, fingerprint_of, spki_hash
from node.home import Home
from node.keys import KeyRing
from node.list_changes import fault_of
from node.node import Node
from node.pb import envelope_pb2, exchange_service_pb2
from node.ports import HeldAddress, HeldChannel, Lane, Peer
from node.rpc import registry_client
from node.rpc.foreseeing import Foreseeing, Place, limit_s, sizes, space
from node.rpc.registry_chain import chain_of
from node.rpc.tls import shown_certificate

CALLS_AT_ONCE = 8
COMMITS = 3
UNREACHABLE = ("WIRE_UNREACHABLE", "WIRE_IDLE")
NOT_CONNECTED = (*UNREACHABLE, "WIRE_REFUSED")
CERTIFICATE_WITHIN_S = 5.0
MAX_NAME_CHARS = 100
THE_REGISTRY = "the registry"


@dataclass(frozen=True, slots=True)
class _Called:
    """What the calls of one peer brought: its clock, what refused us, how it sees us."""

    clock: Finding | None
    out: Finding
    back: Finding | None


class Diagnosing:
    """Examines one serving node."""

    def __init__(
        self,
        node: Node,
        home: Home,
        config: Config,
        ring: KeyRing,
        database: Place,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._node = node
        self._home = home
        self._config = config
        self._ring = ring
        self._limits = limits
        self._me = node.membership.me
        self._place = database
        self._foreseeing = Foreseeing(node, home, ring, database)

    async def findings(self, peer: str) -> AsyncIterator[Finding]:
        """Everything found, with peer only of that one; raises MEMBER_UNKNOWN, MEMBER_SUSPENDED, MEMBER_REMOVED."""
        called = await self._call_all([self._node.membership.members.active(peer).id] if peer else self._reachable())
        registry = await self._call_registry()
        for clock in (*(each.clock for each in called), registry.clock):
            if clock is not None:
                yield clock
        for finding in (*self._keys(), *self._membership(), registry.out, self._registry_age()):
            yield finding
        for each in called:
            yield each.out
            if each.back is not None:
                yield each.back
        exchanged = [*await self._storage(), *self._exchange(peer), *(() if peer else self._undecided())]
        for finding in [*exchanged, *self._validity(peer), *self._alarms()]:
            yield finding

    # -- calls --------------------------------------------------------------------------------------------

    def _reachable(self) -> list[str]:
        """The active members that can be called, and those that have called."""
        members = self._node.membership.members
        active = [node for node, member in members.by_id.items() if member.standing is Standing.ACTIVE]
        return sorted(node for node in active if node != self._me and (self._endpoint(node) or self._called_at(node)))

    def _address(self, node: str) -> HeldAddress | None:
        return self._node.world.store.address(node)

    def _endpoint(self, node: str) -> str:
        held = self._address(node)
        return held.record.exchange_endpoint if held is not None else ""

    def _called_at(self, node: str) -> int:
        return self._node.called_at_ms.get(node, 0)

    async def _call_all(self, nodes: Iterable[str]) -> list[_Called]:
        turn = asyncio.Semaphore(CALLS_AT_ONCE)

        async def call(node: str) -> _Called:
            async with turn:
                return await self._call(node)

        return await asyncio.gather(*map(call, nodes))

    async def _call(self, node: str) -> _Called:
        """Compare with a peer, ask how it sees us, and take its clock from whichever is answered."""
        peer = self._node.world.peers.peer(node)
        if peer is None:
            return self._not_callable(node)
        skew_ms, out = await self._hello(node, peer)
        explained_ms, back = await self._explain(node, peer)
        skew_ms = explained_ms if skew_ms is None else skew_ms
        clock = None if skew_ms is None else diagnosis.clock(self._me, node, skew_ms, self._limits)
        return _Called(clock, out, back)

    def _not_callable(self, node: str) -> _Called:
        """A member without an address: as it should be for one that says so, and has called."""
        called_ms = self._called_at(node)
        back = diagnosis.fine(Check.CALLS_IN, node, called_at_ms=called_ms) if called_ms else None
        if self._address(node) is not None:
            return _Called(None, diagnosis.fine(Check.CALLS_OUT, node, only_dials_out=True), back)
        detail = "no address or certificate of it is known"
        error = XinqiaoError("PEER_UNREACHABLE", peer=node, address="", detail=detail)
        return _Called(None, diagnosis.doubtful(Check.CALLS_OUT, node, error), back)

    async def _hello(self, node: str, peer: Peer) -> tuple[int | None, Finding]:
        """(its clock minus ours, the finding) of a whole comparison over mutual TLS that changes nothing."""
        clock, heads = self._node.world.clock, self._node.sharing.heads(node)
        began_s, sent_ms = clock.monotonic_s(), clock.now_ms()
        request = exchange_service_pb2.HelloRequest(
            network=self._node.membership.network,
            time_unix_ms=sent_ms,
            shared_digest=shared_digest(heads),
            registry=self._node.membership.versions,
        )
        try:
            answer = await peer.hello(request)
        except XinqiaoError as error:
            return None, diagnosis.fault(Check.CALLS_OUT, node, await self._plain(node, error))
        took_ms = int((clock.monotonic_s() - began_s) * 1000)
        figures = {"took_ms": took_ms, "channels": len(heads), "in_step": answer.in_step}
        return answer.time_unix_ms - sent_ms - took_ms // 2, diagnosis.fine(Check.CALLS_OUT, node, **figures)

    async def _explain(self, node: str, peer: Peer) -> tuple[int | None, Finding | None]:
        """(its clock minus ours, the finding) of how the peer sees this node and when it has called; none invented."""
        clock, called_ms = self._node.world.clock, self._called_at(node)
        held = self._address(node)
        known = diagnosis.fine(Check.CALLS_IN, node, called_at_ms=called_ms) if called_ms else None
        if held is None or not held.record.registry_endpoint:
            return None, known
        began_s, sent_ms = clock.monotonic_s(), clock.now_ms()
        try:
            answer = await peer.explain(self._me)
        except XinqiaoError:
            return None, known
        skew_ms = answer.time_unix_ms - sent_ms - int((clock.monotonic_s() - began_s) * 500)
        if answer.refusal.code:
            return skew_ms, diagnosis.fault(Check.CALLS_IN, node, from_refusal(answer.refusal), called_at_ms=called_ms)
        return skew_ms, diagnosis.fine(Check.CALLS_IN, node, called_at_ms=called_ms, takes_us=True)

    async def _plain(self, node: str, error: XinqiaoError) -> XinqiaoError:
        """Where nobody answers, or somebody else does, say whom to ask: the link itself just tries again."""
        if error.code not in NOT_CONNECTED:
            return error
        other = await self._other_certificate(node)
        if other is not None or error.code not in UNREACHABLE:
            return other or error
        detail = error.parameters.get("detail", error.text)
        return XinqiaoError("PEER_UNREACHABLE", peer=node, address=self._endpoint(node), detail=detail)

    async def _other_certificate(self, node: str) -> XinqiaoError | None:
        """PEER_CERTIFICATE where the peer's address shows a certificate that the registry does not list for it."""
        address, member = self._endpoint(node), self._node.membership.members.get(node)
        shown = await asyncio.to_thread(shown_certificate, address, CERTIFICATE_WITHIN_S)
        if shown is None or member is None:
            return None
        found = spki_hash(shown.public_bytes(Encoding.DER))
        if found in member.descriptor.own_spki_hashes:
            return None
        named = {"holder": _name(shown.subject), "issuer": _name(shown.issuer)}
        return XinqiaoError("PEER_CERTIFICATE", peer=node, address=address, found=found.hex()[:16], **named)

    async def _call_registry(self) -> _Called:
        """Ask the registry itself how it sees this node."""
        if self._config.registry is None:
            none = XinqiaoError("REGISTRY_UNREACHABLE", detail="no registry is configured")
            return _Called(None, diagnosis.doubtful(Check.REGISTRY, "", none), None)
        clock, address = self._node.world.clock, str(self._config.registry)
        began_s, sent_ms = clock.monotonic_s(), clock.now_ms()
        try:
            answer = await registry_client.explain(address, self._me, limits=self._limits)
        except XinqiaoError as error:
            unreachable = XinqiaoError("REGISTRY_UNREACHABLE", detail=error.text)
            return _Called(None, diagnosis.doubtful(Check.REGISTRY, address, unreachable), None)
        took_ms = int((clock.monotonic_s() - began_s) * 1000)
        skew_ms = answer.time_unix_ms - sent_ms - took_ms // 2
        seen = diagnosis.clock(self._me, THE_REGISTRY, skew_ms, self._limits)
        if answer.refusal.code:
            return _Called(seen, diagnosis.fault(Check.REGISTRY, address, from_refusal(answer.refusal)), None)
        return _Called(seen, diagnosis.fine(Check.REGISTRY, address, took_ms=took_ms), None)

    # -- this node ----------------------------------------------------------------------------------------

    def _keys(self) -> Iterator[Finding]:
        """Open the keys anew from the disk, sign with them, and compare them with what the registry lists."""
        listed = self._listed()
        try:
            ring = self._ring.reopened()
            ring.signer.sign(b"xinqiao doctor")
            newest = fingerprint_of(self._home.descriptor())
            if listed is not None:
                ring.check_listed(listed.message)
        except XinqiaoError as error:
            yield diagnosis.fault(Check.KEYS, "", error)
            return
        yield diagnosis.fine(Check.KEYS, signing=ring.signer.key_id[:16], tls=ring.tls.key_id[:16])
        if listed is not None and newest != listed.fingerprint:
            pending = XinqiaoError("DESCRIPTOR_PENDING", node=self._me, found=newest, listed=listed.fingerprint)
            yield diagnosis.doubtful(Check.KEYS, "", pending)

    def _listed(self) -> VerifiedDescriptor | None:
        member = self._node.membership.members.get(self._me)
        return member.descriptor if member is not None else None

    def _membership(self) -> Iterator[Finding]:
        refused, blocked = self._node.membership.explain(self._me), self._node.publishing.blocked
        if refused is not None:
            yield diagnosis.fault(Check.MEMBERSHIP, "", refused)
        elif blocked is not None:
            yield diagnosis.fault(Check.MEMBERSHIP, "", blocked)
        else:
            yield diagnosis.fine(Check.MEMBERSHIP, network=self._node.membership.network)

    def _registry_age(self) -> Finding:
        membership = self._node.membership
        now_ms, expiries = self._now_ms(), chain_of(membership.state.files).expiries()
        return diagnosis.registry(expiries, membership.read_at_ms, now_ms, self._node.settings.grace_ms)

    def _now_ms(self) -> int:
        return self._node.world.clock.now_ms()

    # -- the disk -----------------------------------------------------------------------------------------

    async def _storage(self) -> list[Finding]:
        return [await asyncio.to_thread(self._disk), await self._database()]

    def _disk(self) -> Finding:
        """Write a file beside the database, durably, and see what space is left."""
        home = self._home.path
        try:
            took_ms = files.timed_write(home, self._node.world.clock.monotonic_s)
            measured = space(self._home, self._place, sizes(self._node.world.store))
            return diagnosis.disk(home, measured, took_ms, self._now_ms())
        except XinqiaoError as error:
            return diagnosis.fault(Check.DISK, "", error)

    async def _database(self) -> Finding:
        """Commit some transactions durably, the way everything is kept, and keep the slowest time."""
        clock, slowest_ms = self._node.world.clock, 0
        try:
            for _ in range(COMMITS):
                began_s = clock.monotonic_s()
                await self._node.world.writer.run(Lane.CONTROL, self._foreseeing.keep_size)
                slowest_ms = max(slowest_ms, int((clock.monotonic_s() - began_s) * 1000))
        except XinqiaoError as error:
            return diagnosis.fault(Check.DATABASE, "", error)
        return diagnosis.database(self._place.name, slowest_ms)

    # -- the exchange -------------------------------------------------------------------------------------

    def _exchange(self, peer: str) -> Iterator[Finding]:
        """Freshness and missing bodies of what others write, late receipts of what this node writes."""
        answering = self._node.answering
        newest = {held.log.channel: held for held in answering.channels()}
        for held in newest.values():
            if answering.state_of(held) != "open":
                continue
            if answering.is_own(held):
                yield from self._receipts(held, peer)
            elif peer in ("", held.origin):
                name, at = held.log.channel, (held.fresh_at_ms, limit_s(held), self._now_ms())
                yield diagnosis.freshness(name, held.origin, *at)
                yield diagnosis.bodies(name, held.origin, held.incomplete_bodies)

    def _receipts(self, held: HeldChannel, peer: str) -> Iterator[Finding]:
        total, (channel, epoch) = held.log.size, held.key
        for node, item in self._node.answering.deliveries(held):
            if peer not in ("", node):
                continue
            message = item.receipt.message if item is not None else None
            size = min(message.size, total) if message is not None and message.epoch == epoch else 0
            waiting = self._node.world.store.entry(channel, epoch, size) if size < total else None
            yield diagnosis.receipt(
                *(channel, node, size, total),
                waiting_since_ms=waiting.received_at_ms if waiting is not None else self._now_ms(),
                limit_s=limit_s(held),
                now_ms=self._now_ms(),
            )

    def _undecided(self) -> Iterator[Finding]:
        """Rows and changes of lists that officers have left undecided for long, and decisions that wait."""
        for channel, waiting in self._node.listing.changes.undecided().items():
            pending, fault = [each for each in waiting if each.state is ChangeState.PENDING], fault_of(waiting)
            oldest_ms, until_ms = (pending[0].drafted_at_ms, pending[0].until_ms) if pending else (0, 0)
            found = diagnosis.list_changes(channel, len(pending), oldest_ms, until_ms, fault, self._now_ms())
            if found is not None:
                yield found
        for channel, rows in self._node.holding.undecided().items():
            oldest = rows[0]
            finding = diagnosis.held_rows(channel, len(rows), oldest.held_at_ms, oldest.until_ms, self._now_ms())
            if finding is not None:
                yield finding

    # -- what ends soon -----------------------------------------------------------------------------------

    def _validity(self, peer: str) -> Iterator[Finding]:
        """The forecast, but for what signs itself again; of members only what ends soon."""
        known_days = True
        for each in self._foreseeing.validity():
            finding = diagnosis.ending(each, self._now_ms())
            known_days &= each.what is not What.CALENDAR
            if self._is_told(each, peer) and (finding.severity is not Severity.OK or each.node in (self._me, REGISTRY)):
                yield finding
        if known_days:
            yield diagnosis.fine(Check.CALENDAR, last_day=self._node.membership.calendar.last_day or "")

    def _is_told(self, ending: Ending, peer: str) -> bool:
        return ending.error.code != "REGISTRY_RENEWS" and (not peer or ending.node in (self._me, REGISTRY, peer))

    def _alarms(self) -> Iterator[Finding]:
        for held in self._node.answering.alarms():
            what = envelope_pb2.Refusal(code=held.code, parameters=held.parameters)
            figures = {"last_seen_ms": held.last_seen_ms, "count": held.count}
            yield diagnosis.doubtful(Check.ALARM, held.subject, from_refusal(what), **figures)


def _name(name: x509.Name) -> str:
    """A name in a certificate nobody has verified, as a terminal may show it."""
    text = name.rfc4514_string() or "-"
    return "".join(char if char.isprintable() else "?" for char in text[:MAX_NAME_CHARS])
