"""Admission: how a verified entry enters the store and takes effect, whoever brought it.

Publishing and receiving both end here, inside one transaction:

    (1) a node outside the audience keeps the header alone
    (2) the entry is appended (compare-and-swap on the head), without slots that are erased already
    (3) what it erases is erased, and what it does to records, or lifts of a list, is kept, in whatever order it and
        its target arrived
    (4) a manifest that drops this node from the audience erases its copy
    (5) the fold goes on as far as complete entries reach, a step at a time
    (6) freshness follows what is applied

A crash before the commit leaves nothing of it; after the commit everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from node.core.audience import manifest_defect
from node.core.channel import HeadAt, Log
from node.core.entry import (
    WHOLE_ENTRY,
    AheadEntry,
    VerifiedBody,
    VerifiedEntry,
    erased_in,
    fill_slots,
    open_body,
    origin_of,
)
from node.core.envelope import parse
from node.core.heartbeat import ChannelEpoch
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_fold import FoldedList, is_list
from node.core.membership import Member
from node.core.state import Judgement, Unfolded, acts_in, erasures_in, fold
from node.list_standing import compare, digest_of, fold_on_list, keep_narrowing, settle
from node.pb import channel_pb2
from node.ports import HeldChannel, HeldEntry, Lane, StoreReader, StoreTransaction, View

FOLD_STEP_RECORDS = 1024
"""Where a step ends. Its records take some 15 ms of one processor where they were judged ahead, else some 35."""
FOLD_ENTRY_WEIGHT = 4
"""What an entry costs beside its records, in records."""
LIST_SLOT_WEIGHT = 3
"""What a slot of a list's entry costs, in records."""
HEADERS_READ_BACK = 256
NOTHING_JUDGED: Mapping[int, Judgement] = {}


def header_of(entry: HeldEntry) -> channel_pb2.EntryHeader:
    """The header of a stored entry, whose signature was checked when it came in."""
    return parse(channel_pb2.EntryHeader, entry.envelope.payload)


def root_at(store: StoreReader, log: Log, size: int) -> bytes | None:
    """The root over the first entries of a log, None beyond its end; headers sign the roots before them."""
    if size == log.size:
        return log.root
    found = store.entries(log.channel, log.epoch, size, size + 1, with_bodies=False) if size < log.size else iter(())
    entry = next(found, None)
    return header_of(entry).prev_root if entry is not None else None


class Admission:
    """Brings verified entries and bodies into the store; every method runs inside one transaction."""

    def __init__(self, view: View, limits: Limits = DEFAULT_LIMITS) -> None:
        self._view = view
        self._limits = limits

    def admit(
        self, tx: StoreTransaction, entry: VerifiedEntry, now_ms: int, judgement: Judgement | None = None
    ) -> HeldChannel:
        """Append an entry and let it take effect; judgement is one of it made before. Raises HEAD_MOVED."""
        self.enter(tx, entry, now_ms)
        # (5) fold, (6) freshness
        judgements = NOTHING_JUDGED if judgement is None else {entry.header.index: judgement}
        return self.fold_on(tx, entry.channel, entry.header.epoch, [entry], judgements)

    def enter_run(self, tx: StoreTransaction, run: Sequence[VerifiedEntry], now_ms: int) -> None:
        """Append entries that came together, with all that does not wait for the fold; raises HEAD_MOVED.

        Of their manifests the last one decides: whom an earlier one drops, and this one names, has not left. What came
        with them is not thrown away: its origin may be gone before it could be asked for once more.
        """
        last = next((entry for entry in reversed(run) if entry.manifest is not None), None)
        end = last.header.index if last is not None and self._is_named(last.origin, last.manifest) else -1
        for entry in run:
            self.enter(tx, entry, now_ms, stays=entry.header.index <= end)

    def enter(self, tx: StoreTransaction, entry: VerifiedEntry, now_ms: int, *, stays: bool = False) -> None:
        """Append an entry, with all that does not wait for the fold; raises HEAD_MOVED.

        stays: a later entry of this transaction names this node, whatever the manifests before it say.
        """
        header = entry.header
        before = tx.channel(header.channel, header.epoch)
        if stays and before is not None and before.left_at is not None:
            tx.set_left(*before.key, None)
            before = tx.channel(*before.key)
        # (1) outside the audience nothing but the header is kept, and nothing is missing
        is_outside = before is not None and before.left_at is not None
        entry = replace(entry, body=None) if is_outside else entry
        # (2) append; what is erased already is stored without its content
        erased = tx.erasures(header.channel, header.epoch, header.index)
        held = tx.append(entry, now_ms, complete=is_outside or _is_complete(header, entry.body, erased))
        if header.issued_at_unix_ms > now_ms + self._limits.max_clock_skew_ms:
            _tell_of_future(tx, header, now_ms)
        # (3) erasures, acts, and what is in favour of the subjects of a list
        self._erase(tx, header, entry.body)
        self._act(tx, header, entry.body)
        keep_narrowing(tx, header, entry.body, self._limits)
        # (4) audience
        if entry.manifest is not None and not stays:
            self._follow_audience(tx, held, header.index)

    def take_ahead(self, tx: StoreTransaction, entries: Sequence[AheadEntry]) -> None:
        """Let status entries of one log take effect before it is their turn; then they do nothing more.

        Nothing is kept by a node that has left the audience since they were on their way.
        """
        for entry in entries:
            held = tx.channel(entry.header.channel, entry.header.epoch)
            if held is not None and held.left_at is None:
                self._erase(tx, entry.header, entry.body)
                self._act(tx, entry.header, entry.body)

    def supply(self, tx: StoreTransaction, channel: str, epoch: int, index: int, serialized: bytes) -> HeldChannel:
        """Complete the body of a stored entry from another copy; raises ENTRY_SIZE, ENTRY_BODY.

        Nothing is kept by a node that has left the audience since the body was on its way.
        """
        entry, held = tx.entry(channel, epoch, index), tx.channel(channel, epoch)
        is_inside = held is not None and held.left_at is None
        if entry is not None and is_inside and not entry.complete:
            header = header_of(entry)
            erased = tx.erasures(channel, epoch, index)
            body = open_body(header, serialized, self._limits)
            if entry.body is not None:
                body = fill_slots(open_body(header, entry.body, self._limits), body, sorted(erased_in(body, erased)))
            tx.put_body(channel, epoch, index, body, _is_complete(header, body, erased))
            self._erase(tx, header, body)
            self._act(tx, header, body)
            keep_narrowing(tx, header, body, self._limits)
        return self.fold_on(tx, channel, epoch)

    def _erase(self, tx: StoreTransaction, header: channel_pb2.EntryHeader, body: VerifiedBody | None) -> None:
        """Erase what an entry says, and go on with folds of earlier epochs that waited for nothing else."""
        erasures = erasures_in(header, body)
        tx.put_erasures(header.channel, erasures)
        for epoch in sorted({erasure.place.epoch for erasure in erasures} - {header.epoch}):
            if tx.channel(header.channel, epoch) is not None:
                self.fold_on(tx, header.channel, epoch)

    def _act(self, tx: StoreTransaction, header: channel_pb2.EntryHeader, body: VerifiedBody | None) -> None:
        """Keep what a status entry does to records; without its decision it does nothing."""
        if header.kind == channel_pb2.ENTRY_KIND_STATUS and body is not None:
            gone = erased_in(body, tx.erasures(header.channel, header.epoch, header.index))
            acts = acts_in(header, body, gone, self._limits)
            if acts:
                tx.put_acts(header.channel, acts)

    def fold_on(
        self,
        tx: StoreTransaction,
        channel: str,
        epoch: int,
        entered: Sequence[VerifiedEntry] = (),
        judgements: Mapping[int, Judgement] = NOTHING_JUDGED,
    ) -> HeldChannel:
        """Apply entries in order until one is incomplete or waits for its catalogue edition, or a step is done.

        A step is short, so that no removal waits long for the writer: who has more to fold calls again. The bodies of
        entries that this transaction has entered are open already; judgements are those of them made ahead, by index.
        """
        opened = {entry.header.index: entry.body for entry in entered if entry.body is not None}
        held = tx.channel(channel, epoch)
        assert held is not None
        origin = self._view.members.get(held.origin)
        if held.left_at is not None or origin is None:
            return held
        manifest, weight = self._manifest_at(tx, held, held.applied_size), 0
        for entry in tx.entries(channel, epoch, held.applied_size):
            header = header_of(entry)
            if not entry.complete or weight >= FOLD_STEP_RECORDS:
                break
            manifest = manifest if manifest_defect(header, self._limits) else header.manifest
            unfolded = self._unfolded(origin, manifest, header, entry, opened.get(entry.index))
            if unfolded.body is not None and unfolded.body is opened.get(entry.index):
                unfolded = replace(unfolded, judgement=judgements.get(entry.index))
            folded = self._fold(tx, unfolded)
            if folded is None:
                break
            self._act(tx, header, unfolded.body)
            held = tx.apply(folded.applied)
            if folded.operations:
                tx.put_operations(channel, folded.operations)
            compare(tx, held, header)
            weight += FOLD_ENTRY_WEIGHT + header.record_count * (LIST_SLOT_WEIGHT if folded.operations else 1)
        settle(tx, channel)
        self._refresh(tx, held)
        return held

    def _fold(self, tx: StoreReader, entry: Unfolded) -> FoldedList | None:
        if entry.header.kind == channel_pb2.ENTRY_KIND_LIST:
            return fold_on_list(tx, entry, self._limits)
        applied = fold(entry, lambda keys: tx.find_keys(entry.header.channel, keys), self._limits)
        return FoldedList(applied) if applied is not None else None

    def digest_after(self, tx: StoreTransaction, header: channel_pb2.EntryHeader, serialized: bytes | None) -> bytes:
        """The digest of a list after an entry of ours; empty for other channels.

        It is found by doing what the entry does: the transaction must go on to append it, and doing it once more
        changes nothing.
        """
        held = tx.channel(header.channel, header.epoch)
        body = open_body(header, serialized, self._limits) if serialized is not None else None
        if is_list(header.channel) and held is not None:
            self._erase(tx, header, body)
            while held.applied_size < (held := self.fold_on(tx, *held.key)).applied_size:
                pass
            origin = self._view.members.active(self._view.me)
            manifest = self._manifest_at(tx, held, held.log.size)
            entry = Unfolded(header, body, manifest, origin, self._view.editions, True, self._view.rules)
            folded = fold_on_list(tx, entry, self._limits) if header.kind == channel_pb2.ENTRY_KIND_LIST else None
            if folded is not None and folded.operations:
                tx.put_operations(header.channel, folded.operations)
        return digest_of(tx, header.channel)

    def _manifest_at(self, tx: StoreTransaction, held: HeldChannel, index: int) -> channel_pb2.Manifest:
        """The manifest in force before an entry, which may be an earlier one than that at the head."""
        if held.manifest_index < index or held.applied_size == held.log.size:
            return held.manifest
        for end in range(index, 0, -HEADERS_READ_BACK):
            entries = tx.entries(*held.key, max(end - HEADERS_READ_BACK, 0), end, with_bodies=False)
            found = [header.manifest for header in map(header_of, entries) if not manifest_defect(header, self._limits)]
            if found:
                return found[-1]
        return channel_pb2.Manifest()

    def _unfolded(
        self,
        origin: Member,
        manifest: channel_pb2.Manifest,
        header: channel_pb2.EntryHeader,
        entry: HeldEntry,
        opened: VerifiedBody | None,
    ) -> Unfolded:
        return Unfolded(
            header=header,
            body=self._body(header, entry, opened),
            manifest=manifest,
            origin=origin,
            editions=self._view.editions,
            settled=self._view.read_at_ms > entry.received_at_ms,
            rules=self._view.rules,
        )

    def _body(
        self, header: channel_pb2.EntryHeader, entry: HeldEntry, opened: VerifiedBody | None
    ) -> VerifiedBody | None:
        """What is stored, which may be less than what was opened: what is erased was not kept."""
        if entry.body is None or (opened is not None and opened.serialized == entry.body):
            return opened if entry.body is not None else None
        return open_body(header, entry.body, self._limits)

    def _follow_audience(self, tx: StoreTransaction, held: HeldChannel, index: int) -> None:
        """A leaver keeps the log up to the manifest that dropped it, without bodies; a returner folds again."""
        channel, epoch = held.key
        named = self._is_named(held.origin, held.manifest)
        if not named and held.left_at is None:
            tx.erase_bodies(channel, epoch)
            tx.set_left(channel, epoch, index)
        elif named and held.left_at is not None:
            tx.set_left(channel, epoch, None)

    def _is_named(self, origin: str, manifest: channel_pb2.Manifest | None) -> bool:
        """Whether a manifest names this node: a member that is suspended for a while has not been dropped."""
        return manifest is not None and self._view.members.names(self._view.me, origin, manifest.audience)

    def _refresh(self, tx: StoreTransaction, held: HeldChannel) -> None:
        heartbeat = tx.heartbeat(held.origin)
        head = heartbeat_head(heartbeat.view, held.key) if heartbeat is not None else None
        if heartbeat is None or head is None or not heartbeat.time_ms or head.size > held.applied_size:
            return
        if root_at(tx, held.log, head.size) == head.root:
            tx.set_fresh(*held.key, heartbeat.time_ms)


def heartbeat_head(view: channel_pb2.HeartbeatView, key: ChannelEpoch) -> HeadAt | None:
    """The head a stored view shows for a log."""
    for item in view.heads:
        if (item.head.channel, item.head.epoch) == key:
            return HeadAt(item.head.size, item.head.root)
    return None


def raise_cut(tx: StoreTransaction, key: ChannelEpoch, cut: HeadAt) -> None:
    """Note up to where a log is cut, unless a larger cut was found since this one was looked for."""
    before = tx.log(*key).cut
    if before is None or before.size < cut.size:
        note_cut(tx, key, cut)


def note_cut(tx: StoreTransaction, key: ChannelEpoch, cut: HeadAt) -> None:
    """Note where a log is cut; what a list asserts then is compared again."""
    tx.set_cut(*key, cut)
    settle(tx, key[0])


def _tell_of_future(tx: StoreTransaction, header: channel_pb2.EntryHeader, now_ms: int) -> None:
    """Somebody's clock is wrong: what an entry brings is answered from its date on, which may be far away."""
    found = {"channel": header.channel, "epoch": str(header.epoch), "index": str(header.index)}
    tx.raise_alarm("ENTRY_FUTURE", header.channel, found | {"origin": origin_of(header.channel)}, now_ms)


def _is_complete(header: channel_pb2.EntryHeader, body: VerifiedBody | None, erased: Mapping[int, bytes]) -> bool:
    if body is None:
        return header.record_count == 0 or erased.get(WHOLE_ENTRY) == header.records_root
    return erased_in(body, erased).issuperset(body.bare)


def lane_of(manifest: channel_pb2.Manifest) -> Lane:
    """The lane a channel travels in."""
    return Lane.CONTROL if manifest.priority == channel_pb2.PRIORITY_CONTROL else Lane.BULK


def is_own(view: View, channel: str) -> bool:
    """Whether this node writes the channel."""
    return origin_of(channel) == view.me


def says_all(receipt: channel_pb2.Receipt, held: HeldChannel, digest: bytes) -> bool:
    """Whether a receipt says all that can be said; a smaller history than signed before is not signed again."""
    known = (receipt.epoch, receipt.size, receipt.applied_size)
    extent = (held.log.epoch, held.log.size, held.applied_size)
    return known > extent or (known == extent and digest in (b"", receipt.state_digest))
