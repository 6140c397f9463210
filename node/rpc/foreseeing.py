"""Foreseeing: what ends or fills up at a serving node, and at its peers as far as the registry and their calls tell.

One place for `xinqiao forecast` and for `xinqiao doctor`: both tell the same dates.
"""

import json
import shutil
from collections.abc import Iterator, Mapping
from typing import Protocol

from node.core import forecast
from node.core.editions import Dated
from node.core.errors import XinqiaoError
from node.core.forecast import Ending, Sizes, Space
from node.core.membership import Member, Standing, spki_hash
from node.core.workdays import china_day
from node.home import Home
from node.keys import KeyRing, State
from node.keys.certificate import expires_ms
from node.node import Node
from node.pb import registry_pb2
from node.ports import HeldChannel, StoreReader, StoreTransaction
from node.rpc.registry_chain import chain_of

SIZES_SETTING = "disk.sizes"
STALE_AFTER_S = 86_400
SILENT_AFTER_MS = 3_600_000
BEHIND_AFTER_MS = 3_600_000
"""A peer reads the registry every few minutes; one that is behind for an hour cannot."""


class Place(Protocol):
    """Where the database of a home is."""

    @property
    def name(self) -> str:
        """What people are told of where it is."""
        ...

    @property
    def is_here(self) -> bool:
        """Whether it lies on the disk of the home."""
        ...

    def size_bytes(self) -> int:
        """What it takes; raises FILE_ACCESS, DATABASE_*."""
        ...


class Foreseeing:
    """Knows the dates of one serving node."""

    def __init__(self, node: Node, home: Home, ring: KeyRing, database: Place) -> None:
        self._node = node
        self._home = home
        self._database = database
        self._ring = ring

    def within(self, days: int) -> list[Ending]:
        """All that ends or fills up within some days, and what has ended, by date; raises FILE_ACCESS."""
        found = [*self.validity(days), *self._disk(), *self._channels(), *self._links(), *self._peers_registries()]
        return forecast.within([*found, *self._records(), *self._node.terms.endings()], self._now_ms(), days)

    def validity(self, days: int = forecast.FORESEEN_DAYS) -> Iterator[Ending]:
        """When what is signed ends: keys, roles of the registry, what members may do, calendar, editions and rules."""
        yield from self._own_keys()
        for role, ends_ms in self._roles().items():
            yield forecast.role_end(role, ends_ms)
        for member in self._node.membership.members.by_id.values():
            if member.standing is Standing.ACTIVE:
                yield from self._of_member(member)
        yield from self._signed_data(days)

    def _now_ms(self) -> int:
        return self._node.world.clock.now_ms()

    def _roles(self) -> dict[str, int]:
        return chain_of(self._node.membership.state.files).expiries()

    # -- keys and members ---------------------------------------------------------------------------------

    def _own_keys(self) -> Iterator[Ending]:
        for record in self._ring.records:
            if record.state is State.CURRENT:
                me = self._node.membership.me
                yield forecast.key_end(me, record.use.value, record.key_id, record.not_after_ms)

    def _of_member(self, member: Member) -> Iterator[Ending]:
        """The keys of another member, and until when each may speak for its public bodies."""
        if member.id != self._node.membership.me:
            yield from _peer_keys(member)
        for authority in member.descriptor.message.authorities:
            if authority.to_unix_ms > self._now_ms():
                yield forecast.authority_end(member.id, authority.uscc, authority.to_unix_ms)

    # -- what the registry publishes as data --------------------------------------------------------------

    def _signed_data(self, days: int) -> Iterator[Ending]:
        view, today = self._node.membership, china_day(self._now_ms())
        calendar = forecast.calendar_end(view.calendar, today, days)
        if calendar is not None:
            yield calendar
        published: dict[str, Mapping[str, Dated]] = {"catalogue": view.editions, "rules": view.rules}
        published |= {"measures": view.measures, "matters": view.matters}
        for kind, editions in published.items():
            begins = {version: edition.in_force_from for version, edition in editions.items()}
            yield from forecast.edition_changes(kind, begins, today)
        own = view.members.get(view.me)
        yield from forecast.rule_ends(view.rules_in_force, own.division if own is not None else "", today)

    # -- the disk -----------------------------------------------------------------------------------------

    def _disk(self) -> Iterator[Ending]:
        if not self._database.is_here:
            return  # nobody here knows how much room a server has
        measured = space(self._home, self._database, sizes(self._node.world.store))
        found = forecast.disk_fills(self._node.membership.me, self._home.path, measured, self._now_ms())
        if found is not None:
            yield found

    def keep_size(self, tx: StoreTransaction) -> None:
        """Note how large the database is now, once a day."""
        taken = self._database.size_bytes()
        tx.set_setting(SIZES_SETTING, json.dumps(forecast.sampled(sizes(tx), self._now_ms(), taken)))

    # -- what others keep alive ---------------------------------------------------------------------------

    def _channels(self) -> Iterator[Ending]:
        answering = self._node.answering
        for held in answering.channels():
            if answering.state_of(held) == "open" and not answering.is_own(held):
                at = (held.fresh_at_ms, limit_s(held), self._now_ms())
                found = forecast.channel_stales(held.log.channel, held.origin, *at)
                if found is not None:
                    yield found

    def _records(self) -> Iterator[Ending]:
        today = china_day(self._now_ms())
        origins = {held.log.channel: held.origin for held in self._node.answering.channels()}
        for channel, origin in sorted(origins.items()):
            yield from forecast.records_end(channel, origin, self._node.measuring.ends(channel), today)

    def _links(self) -> Iterator[Ending]:
        for peer in self._node.delivery.linked:
            seen_ms = max(self._node.world.store.link(peer).last_success_ms, self._node.called_at_ms.get(peer, 0))
            found = forecast.link_silent(peer, seen_ms, SILENT_AFTER_MS, self._now_ms())
            if found is not None:
                yield found

    def _peers_registries(self) -> Iterator[Ending]:
        """Peers that show an older timestamp than ours: theirs expires no later."""
        ours, ends_ms = self._node.membership.versions.timestamp_version, self._roles()["timestamp"]
        for peer, (version, since_ms) in sorted(dict(self._node.behind_registry).items()):
            if self._now_ms() - since_ms >= BEHIND_AFTER_MS:
                yield forecast.peer_registry_end(peer, (version, ours), ends_ms)


def _peer_keys(member: Member) -> Iterator[Ending]:
    """The certificate of a member that ends last, as the next one takes over from the current one, and its keys."""
    try:
        ends = {spki_hash(each).hex(): expires_ms(each) for each in member.descriptor.tls_certificates}
    except (XinqiaoError, ValueError):
        ends = {}
    if ends:
        key_id, ends_ms = max(ends.items(), key=lambda pair: (pair[1], pair[0]))
        yield forecast.peer_key_end(member.id, "tls", key_id, ends_ms)
    for key in member.descriptor.signing_keys:
        if key.state == registry_pb2.KEY_STATE_ACTIVE and key.not_after_ms:
            yield forecast.peer_key_end(member.id, "signing", key.public.key_id, key.not_after_ms)


def limit_s(held: HeldChannel) -> int:
    """After how many seconds without a heartbeat a channel is stale."""
    return held.manifest.staleness_limit_s or STALE_AFTER_S


def sizes(store: StoreReader) -> Sizes:
    """The sizes of the database that were noted, the oldest first."""
    return tuple((at_ms, size) for at_ms, size in json.loads(store.setting(SIZES_SETTING) or "[]"))


def space(home: Home, database: Place, history: Sizes = ()) -> Space:
    """The space under a home, and what its database takes there or elsewhere; raises FILE_ACCESS, DATABASE_*."""
    try:
        free = shutil.disk_usage(home.path).free
    except OSError as error:
        raise XinqiaoError("FILE_ACCESS", file=home.path, detail=error.strerror or error) from error
    return Space(free, database.size_bytes(), history if database.is_here else ())
