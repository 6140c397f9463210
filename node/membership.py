"""Membership: the duty that keeps the verified state of the registry and says who may speak.

Trust ages in stages. FRESH: everything applies. STALE: exchange with known members goes on and only what
narrows applies (suspensions, removals, cuts). EXPIRED: the same, and answers say so. A registry that is
unreachable, rolled back, frozen or two-faced changes nothing that was verified before.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from node.core import ageing
from node.core import envelope as envelopes
from node.core.catalogue import Edition, in_force, parse_edition
from node.core.channel import HeadAt, head_leaf
from node.core.editions import Dated, latest
from node.core.errors import XinqiaoError, from_refusal
from node.core.matters import MattersEdition, parse_matters
from node.core.measures import MeasuresEdition, parse_measures
from node.core.membership import Member, Members, Standing, VerifiedDescriptor
from node.core.registry_targets import (
    CALENDAR_FOLDER,
    CATALOGUE_FOLDER,
    MATTERS_FOLDER,
    MEASURES_FOLDER,
    RULES_FOLDER,
    decided_at_ms,
    node_path,
)
from node.core.rules import VERSION_1
from node.core.rules_edition import RulesEdition, edition_in_force, parse_rules
from node.core.workdays import WEEKENDS_ONLY, Calendar, china_day, parse_calendar
from node.pb import registry_pb2
from node.ports import (
    Clock,
    Lane,
    Registry,
    RegistryFileRecord,
    RegistryNews,
    RegistryState,
    Signer,
    Stage,
    Store,
    StoreTransaction,
    Writer,
)

REPORT_AGAIN_MS = 3_600_000
REGISTRY_CODES = (
    "REGISTRY_EXPIRED",
    "REGISTRY_INVALID",
    "REGISTRY_ROLLBACK",
    "REGISTRY_TWO_FACES",
    "REGISTRY_UNREACHABLE",
)


D = TypeVar("D", bound=Dated)


class Membership:
    """Holds the registry's verified state; the other duties read it as a View."""

    def __init__(
        self,
        *,
        me: str,
        state: RegistryState,
        registry: Registry,
        store: Store,
        writer: Writer,
        signer: Callable[[], Signer],
        clock: Clock,
        grace_ms: int,
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._me = me
        self._state = state
        self._registry = registry
        self._store = store
        self._writer = writer
        self._signer = signer
        self._clock = clock
        self._grace_ms = grace_ms
        self._changed = changed
        self._read_at_ms = 0
        self._reported: tuple[list[registry_pb2.OriginHeads], int] = ([], 0)
        self._read_targets()
        self._refreshing = asyncio.Lock()
        self._narrowed = False
        self._stage_seen = self.stage

    # -- the view -----------------------------------------------------------------------------------

    @property
    def network(self) -> str:
        """The network as signed messages name it."""
        return self._state.network

    @property
    def me(self) -> str:
        """This node's id."""
        return self._me

    @property
    def members(self) -> Members:
        """All members."""
        return self._state.members

    @property
    def editions(self) -> Mapping[str, Edition]:
        """The catalogue editions by version."""
        return self._editions

    @property
    def edition_in_force(self) -> Edition | None:
        """The edition of the catalogue that has come into force last, then the highest version."""
        return in_force(self._editions.values(), china_day(self._clock.now_ms()).isoformat())

    @property
    def rules(self) -> Mapping[str, RulesEdition]:
        """The rules editions by version, with the one that this software always has.

        One that this version cannot read counts as not there: what was judged by it waits for a newer version.
        """
        return self._rules

    @property
    def rules_in_force(self) -> RulesEdition:
        """The edition of the rules that has come into force last, then the highest version."""
        return edition_in_force(self._rules.values(), china_day(self._clock.now_ms()).isoformat()) or VERSION_1

    @property
    def measures(self) -> Mapping[str, MeasuresEdition]:
        """The editions of the measures by version; one that this version cannot read counts as not there."""
        return self._measures

    def measures_in_force(self, now_ms: int) -> MeasuresEdition | None:
        """The edition of the measures that came into force last by a time, then the highest version."""
        return latest(self._measures.values(), china_day(now_ms).isoformat())

    @property
    def matters(self) -> Mapping[str, MattersEdition]:
        """The editions of the matters by version; one that this version cannot read counts as not there."""
        return self._matters

    def matters_in_force(self, now_ms: int) -> MattersEdition | None:
        """The edition of the matters that came into force last by a time, then the highest version."""
        return latest(self._matters.values(), china_day(now_ms).isoformat())

    @property
    def calendar(self) -> Calendar:
        """The calendar of working days issued last, then of the highest version; by weekends alone where there is none.

        One that this version cannot read counts as not there, and deadlines are provisional: better than no node.
        """
        return self._calendar

    @property
    def versions(self) -> registry_pb2.RegistryVersions:
        """The versions of the registry's files held."""
        return self._state.versions

    @property
    def read_at_ms(self) -> int:
        """When the registry was last read to the end without a fault."""
        return self._read_at_ms

    @property
    def stage(self) -> Stage:
        """How old the trust in the registry's word is."""
        return self._stage(self._state)

    def listed_at_ms(self, node: str) -> int:
        """When the officers decided last on a node, in Unix ms; 0 where its listing is not held."""
        content = self._state.targets.get(node_path(node))
        return decided_at_ms(content) if content is not None else 0

    @property
    def state(self) -> RegistryState:
        """The verified state in force."""
        return self._state

    # -- refreshing ---------------------------------------------------------------------------------

    async def refresh(self) -> bool:
        """Ask the sources once; returns whether anything changed."""
        async with self._refreshing:
            now_ms = self._clock.now_ms()
            news = await self._registry.refresh(self._state, now_ms)
            await self._note_faults(news, now_ms)
            if news.state is None:
                return await self._note_stage()
            self._read_at_ms = now_ms
            changed = news.state.versions != self._state.versions
            # A clock put right can make fresh what was narrowed as stale.
            if changed or (self._narrowed and self._stage(news.state) is Stage.FRESH):
                await self._take(news.state)
        if changed or await self._note_stage():
            await self._changed()
            return True
        return False

    def is_behind(self, versions: registry_pb2.RegistryVersions) -> bool:
        """Whether a peer holds newer files than this node."""
        held = self._state.versions
        return (versions.root_version, versions.timestamp_version) > (held.root_version, held.timestamp_version)

    async def compare(self, peer: str, versions: registry_pb2.RegistryVersions) -> None:
        """Alarm where a peer was shown another snapshot under the version held here."""
        held = self._state.versions
        same = versions.snapshot_version == held.snapshot_version and versions.root_version == held.root_version
        if same and versions.snapshot_hash and versions.snapshot_hash != held.snapshot_hash:
            found = {"role": f"snapshot (at {peer})", "version": str(held.snapshot_version)}
            await self._raise("REGISTRY_TWO_FACES", f"snapshot {peer}", found)

    async def _take(self, state: RegistryState) -> None:
        """Put a newer verified state in force, narrowed while it is not fresh; files are kept as verified."""
        fresh = self._stage(state) is Stage.FRESH
        self._narrowed = not fresh
        members = state.members if fresh else _narrowed(self._state.members, state.members)
        records = [RegistryFileRecord(name, content) for name, content in sorted(state.files.items())]
        await self._writer.run(Lane.CONTROL, lambda tx: tx.replace_registry_files(records, keep=()))
        self._state = replace(state, members=members)
        self._read_targets()

    def _read_targets(self) -> None:
        self._editions = _read_editions(self._state)
        self._calendar = _read_calendar(self._state)
        self._rules = {VERSION_1.version: VERSION_1}
        self._rules |= _readable(self._state, RULES_FOLDER, parse_rules, self._rules)
        self._measures = _readable(self._state, MEASURES_FOLDER, parse_measures)
        self._matters = _readable(self._state, MATTERS_FOLDER, parse_matters)

    def _stage(self, state: RegistryState) -> Stage:
        return Stage(ageing.stage(state.expires_ms, self._clock.now_ms(), self._grace_ms))

    async def _note_faults(self, news: RegistryNews, now_ms: int) -> None:
        named = [(source, from_refusal(refusal)) for source, refusal in news.faults]
        # A member that is down is no fault of the registry's, as long as anybody shows its files.
        faults = [
            (source, error)
            for source, error in named
            if news.state is None or error.code != "REGISTRY_UNREACHABLE" or source not in self.members.by_id
        ]
        standing = {(error.code, source) for source, error in faults}

        def note(tx: StoreTransaction) -> None:
            for source, error in faults:
                tx.raise_alarm(error.code, source, error.parameters, now_ms)
            for alarm in tx.alarms() if news.state is not None else ():
                if alarm.code in REGISTRY_CODES and (alarm.code, alarm.subject) not in standing:
                    tx.clear_alarm(alarm.code, alarm.subject)

        if faults or any(alarm.code in REGISTRY_CODES for alarm in self._store.alarms()):
            await self._writer.run(Lane.CONTROL, note)

    async def _note_stage(self) -> bool:
        seen, self._stage_seen = self._stage_seen, self.stage
        return seen is not self._stage_seen

    async def _raise(self, code: str, subject: str, parameters: Mapping[str, str]) -> None:
        now_ms = self._clock.now_ms()
        await self._writer.run(Lane.CONTROL, lambda tx: tx.raise_alarm(code, subject, parameters, now_ms))

    # -- what this node tells the registry, and peers about others -----------------------------------

    async def report_heads(self) -> None:
        """Sign up to where this node holds each origin's logs, and hand it to the registry; raises WIRE_*.

        What has not changed is handed over again after REPORT_AGAIN_MS only.
        """
        heads, now_ms = self._origin_heads(), self._clock.now_ms()
        if heads == self._reported[0] and now_ms < self._reported[1] + REPORT_AGAIN_MS:
            return
        report = registry_pb2.HeadReport(network=self.network, reporter=self._me, time_unix_ms=now_ms, origins=heads)
        await self._registry.report_heads(
            envelopes.seal(report.SerializeToString(), envelopes.HEAD_REPORT, self._signer())
        )
        self._reported = (heads, now_ms)

    def _origin_heads(self) -> list[registry_pb2.OriginHeads]:
        leaves: dict[str, list[bytes]] = {}
        for held in self._store.channels():
            head, cut = HeadAt(held.log.size, held.log.root), held.log.cut
            if cut is not None and cut.size < head.size:
                # What lies above a cut must not come back with the next one.
                head = cut
            if head.size == 0:
                continue
            leaves.setdefault(held.origin, []).append(head_leaf(*held.key, head))
        return [registry_pb2.OriginHeads(origin=node, head_leaves=sorted(leaves[node])) for node in sorted(leaves)]

    def explain(self, node: str) -> XinqiaoError | None:
        """What a call of that node would be refused with, None when it would be taken."""
        try:
            self.members.active(node)
        except XinqiaoError as error:
            return error
        return None


def _read_editions(state: RegistryState) -> dict[str, Edition]:
    editions = [
        parse_edition(content) for path, content in sorted(state.targets.items()) if path.startswith(CATALOGUE_FOLDER)
    ]
    return {edition.version: edition for edition in editions}


def _read_calendar(state: RegistryState) -> Calendar:
    found = [WEEKENDS_ONLY]
    for path, content in sorted(state.targets.items()):
        if path.startswith(CALENDAR_FOLDER):
            with suppress(XinqiaoError):
                found.append(parse_calendar(content))
    return max(found, key=lambda calendar: (calendar.issued_on, calendar.version))


def _readable(
    state: RegistryState, folder: str, parse: Callable[[bytes], D], taken: Collection[str] = ()
) -> dict[str, D]:
    """The editions in a folder by version, without those this software cannot read; of one version the first path's."""
    found: dict[str, D] = {}
    for path, content in sorted(state.targets.items()):
        if path.startswith(folder):
            with suppress(XinqiaoError):
                edition = parse(content)
                if edition.version not in taken:
                    found.setdefault(edition.version, edition)
    return found


def _narrowed(held: Members, news: Members) -> Members:
    """The members held, with only those changes that narrow: a lower standing, a cut, a closed epoch, a revoked key."""
    return Members(held.network, {node: _narrower(member, news.get(node)) for node, member in held.by_id.items()})


_RANK = {Standing.ACTIVE: 0, Standing.SUSPENDED: 1, Standing.REMOVED: 2}


def _narrower(held: Member, news: Member | None) -> Member:
    if news is None or _RANK[news.standing] < _RANK[held.standing]:
        return held
    return replace(
        held,
        descriptor=_without_revoked(held.descriptor, news.descriptor),
        standing=news.standing,
        reason=news.reason,
        cut=news.cut or held.cut,
        open_epoch=max(held.open_epoch, news.open_epoch),
    )


def _without_revoked(held: VerifiedDescriptor, news: VerifiedDescriptor) -> VerifiedDescriptor:
    """The descriptor held, with those of its keys revoked that the news revokes; no key is added."""
    state = registry_pb2.KEY_STATE_REVOKED
    revoked = {key.public.key_id for key in news.signing_keys if key.state == state}
    keys = tuple(replace(key, state=state) if key.public.key_id in revoked else key for key in held.signing_keys)
    return replace(held, signing_keys=keys)
