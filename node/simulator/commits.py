"""What a committed transaction may hold: the guarantees over everything that a node stores.

Only entries of honest origins are held against what was written. Of an origin with two histories each node follows
one, and nothing but the shape of that one log is looked at.
"""

from collections.abc import Iterable, Mapping, Sequence

from node.core.channel import HeadAt, head_leaf
from node.core.entry import WHOLE_ENTRY, VerifiedBody, VerifiedEntry, origin_of
from node.core.heartbeat import VerifiedHeartbeat
from node.core.limits import DEFAULT_LIMITS
from node.core.query_log import LoggedQuery
from node.core.receipt import VerifiedReceipt
from node.core.state import REJECTED, Applied, Erasure, Place
from node.pb import channel_pb2
from node.ports import LinkState
from node.simulator.holdings import RACE_MS, Holder, Holding, is_active
from node.simulator.list_watch import ListWatch
from node.simulator.observing import Violation, Write
from node.simulator.truth import LogKey, Truth, WrittenEntry, WrittenLog


class Commits:
    """Follows the transactions of every node; raises Violation at the first write that must not be."""

    def __init__(self, truth: Truth, holders: Mapping[str, Holder], lists: ListWatch) -> None:
        self._truth = truth
        self._holders = holders
        self._lists = lists
        self._now_ms = 0
        self.appended: list[tuple[Holder, LogKey, int]] = []
        self.rested: list[tuple[str, str]] = []

    def committed(self, at: Holder, writes: Sequence[Write], now_ms: int) -> None:
        """Take one transaction, write by write."""
        self._now_ms = now_ms
        for write in writes:
            check = getattr(self, f"_{write.method}", None)
            if check is not None:
                check(at, write.result, *write.arguments)

    # -- entries --------------------------------------------------------------------------------------

    def _append(
        self,
        at: Holder,
        _held: object,
        entry: VerifiedEntry,
        _received_ms: int,
        complete: bool,
    ) -> None:
        header = entry.header
        key, index = (header.channel, header.epoch), header.index
        held = at.log(key)
        # (1) gapless and in order
        if (index, header.prev_root) != (held.size, held.roots[-1]):
            raise Violation("G2", at.label, f"{_at(key, index)} is stored where entry {held.size} is due")
        # (2) what the origin wrote
        if self._truth.is_true(header.channel):
            self._check_written(at, entry, key)
            self._check_open(at, key, index)
        held.add(header, entry.envelope.payload, entry.root, self._now_ms)
        # (3) its content
        self._take_body(at, held, index, entry.body, complete=complete)
        self.appended.append((at, key, index))

    def _check_written(self, at: Holder, entry: VerifiedEntry, key: LogKey) -> None:
        log, index, payload = self._truth.log(key), entry.header.index, entry.envelope.payload
        is_own = at.node == entry.origin
        known = log.entries[index] if index < log.size else None
        if known is not None and known.payload != payload and is_own:
            self._check_second(at, log, index)
            self._truth.forget(key, index)
            known = None
        if known is None and is_own:
            assert at.instance is not None
            self._check_fresh_content(at, self._truth.write(entry, at.instance.membership.editions), key)
            self._lists.written_by_origin(at, key, index)
        elif known is None or known.payload != payload:
            raise Violation("G1", at.label, f"{_at(key, index)} is stored, which its origin has not written")
        elif is_own:
            at.returned[key] = index + 1

    def _write_sidecar(self, at: Holder, _result: object, _incarnation: str, heads: Mapping[LogKey, HeadAt]) -> None:
        at.noted = heads

    def _check_second(self, at: Holder, log: WrittenLog, index: int) -> None:
        """Whether an origin may write another entry where it has written one before, after it lost its database.

        With its sidecar it knows what it signed: only an entry that never left may be written otherwise. Without, it
        asks every active member: only what none of them holds is lost for good.
        """
        if not at.was_restored or (not at.sidecar_lost and index < log.left_size):
            raise Violation("G7", at.label, f"a second {_at(log.key, index)} is signed; the first one had left")
        payload = log.entries[index].payload
        for other in self._holders.values():
            held = other.logs.get(log.key)
            knows = held is not None and index < held.size and held.payloads[index] == payload
            if other is not at and not other.is_copy and knows and is_active(at.member(other.node)):
                raise Violation(
                    "G7", at.label, f"a second {_at(log.key, index)} is signed; {other.label} has the first"
                )

    def put_back(self, at: Holder) -> None:
        """An origin is on a backup: where it once wrote otherwise, and nobody has either end, that is its log again."""
        for key, held in at.logs.items():
            if origin_of(key[0]) == at.node and self._truth.is_true(key[0]):
                others = [other for other in self._holders.values() if other is not at and not other.is_copy]
                most = max((other.logs[key].size for other in others if key in other.logs), default=0)
                written = self._truth.log(key).entries[:most]
                if [entry.payload for entry in written] == held.payloads[:most]:
                    self._truth.put_back(key, held.payloads)
        self._lists.put_back(at)

    def _check_fresh_content(self, at: Holder, written: WrittenEntry, key: LogKey) -> None:
        """An origin writes no record again whose very content is in force: it was counted a duplicate.

        But for one that a clock which was ahead had dated in the future: nobody is answered it yet.
        """
        if key[0] in at.untracked:
            return
        rows, latest_ms = at.rows(key[0]), written.header.issued_at_unix_ms + DEFAULT_LIMITS.max_clock_skew_ms
        for position, slot in enumerate(written.slots):
            if not slot.key or rows.content_of(slot.key) != slot.content_hash:
                continue
            place = rows.in_force[slot.key]
            before = self._truth.log((key[0], place.epoch)).entries[place.index]
            if before.header.issued_at_unix_ms <= latest_ms:
                raise Violation("G3", at.label, f"{_at(key, written.header.index)}/{position} is in force already")

    def _check_open(self, at: Holder, key: LogKey, index: int) -> None:
        """Above a cut, and while a closed log has none, nothing is taken.

        What was judged before the cut was known may still be stored a moment later: then it has no effect.
        """
        cut, known_ms = at.cuts.get(key, (None, self._now_ms))
        if cut is not None and index < cut.size:
            return
        if cut is not None and known_ms < self._now_ms - RACE_MS:
            raise Violation("G1", at.label, f"{_at(key, index)} is stored above the cut at {cut.size}")
        member = at.member(origin_of(key[0]))
        is_open = is_active(member) and member is not None and key[1] == member.open_epoch
        if member is not None and at.is_settled(self._now_ms) and not is_open:
            raise Violation("G1", at.label, f"{_at(key, index)} is stored, and that log is closed here")

    def _put_body(
        self,
        at: Holder,
        _result: object,
        channel: str,
        epoch: int,
        index: int,
        body: VerifiedBody,
        complete: bool,
    ) -> None:
        self._take_body(at, at.log((channel, epoch)), index, body, complete=complete)

    def _take_body(self, at: Holder, held: Holding, index: int, body: VerifiedBody | None, *, complete: bool) -> None:
        channel = held.key[0]
        is_true = self._truth.is_true(channel)
        if body is not None and is_true:
            self._check_slots(at, held.key, index, body)
        if body is not None and held.left_at is not None:
            raise Violation("G8", at.label, f"the body of {_at(held.key, index)} is stored after this node has left")
        missing = self._missing(at, held, index, body)
        if complete and missing != set() and is_true and held.left_at is None:
            raise Violation("G9", at.label, f"{_at(held.key, index)} counts as complete, and its origin erased nothing")
        if body is not None:
            held.bodies.add(index)
            if is_true:
                self._lists.stored(at, held.key, index, body)
        if missing == set():
            held.missing.pop(index, None)
        else:
            held.missing[index] = missing

    def _check_slots(self, at: Holder, key: LogKey, index: int, body: VerifiedBody) -> None:
        written = self._truth.log(key).entries[index].slots
        if len(written) != len(body.records):
            raise Violation("G1", at.label, f"the body of {_at(key, index)} has {len(body.records)} slots")
        for position, (slot, content, commitment) in enumerate(
            zip(written, body.records, body.commitments, strict=True)
        ):
            if commitment != slot.commitment or content not in (None, slot.content):
                raise Violation("G1", at.label, f"{_at(key, index)}/{position} is not what its origin wrote")

    def _missing(self, at: Holder, held: Holding, index: int, body: VerifiedBody | None) -> set[int] | None:
        """The slots whose content neither came nor is erased, as far as this node knows; None for all."""
        erased = at.erased.get(held.key[0], {})
        if Place(held.key[1], index, WHOLE_ENTRY) in erased:
            return set()
        if body is None:
            return None if held.record_counts[index] else set()
        return {position for position in body.bare if Place(held.key[1], index, position) not in erased}

    # -- erasure and leaving ----------------------------------------------------------------------------

    def _put_erasures(self, at: Holder, _result: object, channel: str, erasures: Iterable[Erasure]) -> None:
        is_true = self._truth.is_true(channel)
        for erasure in erasures:
            place = erasure.place
            if is_true and self._truth.erasures.get(channel, {}).get(place) != erasure.commitment:
                raise Violation("G9", at.label, f"{_at_place(channel, place)} is erased without its origin's word")
            if place.position == WHOLE_ENTRY:
                self._erase_whole(at, channel, erasure)
                continue
            slot = self._truth.slot(channel, place)
            if is_true and (slot is None or slot.commitment != erasure.commitment):
                continue  # void: it names other content than stands there
            self._erase_slot(at, channel, place)
            held = at.logs.get((channel, place.epoch))
            missing = held.missing.get(place.index) if held is not None else None
            if held is not None and missing is not None:
                missing.discard(place.position)
                if not missing:
                    del held.missing[place.index]

    def _erase_slot(self, at: Holder, channel: str, place: Place) -> None:
        at.erased.setdefault(channel, {}).setdefault(place, self._now_ms)
        at.rows(channel).erase(place, at.cut_sizes(channel))

    def _erase_whole(self, at: Holder, channel: str, erasure: Erasure) -> None:
        """An entry that is erased as a whole lacks nothing, also where its body is not there."""
        slots = self._truth.slots_under(channel, erasure)
        if self._truth.is_true(channel) and not slots:
            return  # void: it names another entry than stands there
        for place in (erasure.place, *slots):
            self._erase_slot(at, channel, place)
        held = at.logs.get((channel, erasure.place.epoch))
        if held is not None:
            held.missing.pop(erasure.place.index, None)

    def _erase_bodies(self, at: Holder, _result: object, channel: str, epoch: int) -> None:
        at.log((channel, epoch)).drop_bodies()
        at.rows(channel).drop(epoch)

    def _set_left(self, at: Holder, _result: object, channel: str, epoch: int, left_at: int | None) -> None:
        held = at.log((channel, epoch))
        if left_at is not None:
            if held.bodies:
                found = f"with {len(held.bodies)} bodies of {channel} {epoch} still there"
                raise Violation("G8", at.label, f"it leaves at {left_at} {found}")
            held.left_at = left_at
        elif held.left_at is not None:
            held.refold(at.erased.get(channel, {}))
            at.rows(channel).drop(epoch)

    # -- the fold ---------------------------------------------------------------------------------------

    def _apply(self, at: Holder, _held: object, applied: Applied) -> None:
        key, index = (applied.channel, applied.epoch), applied.index
        held = at.log(key)
        # (1) each entry once, in order, with all its content
        if index != held.applied or index >= held.size:
            raise Violation("G3", at.label, f"{_at(key, index)} is applied where entry {held.applied} is due")
        if index in held.missing:
            raise Violation("G3", at.label, f"{_at(key, index)} is applied without its content")
        # (2) each record has one outcome
        if sum(applied.counts.values()) != held.record_counts[index]:
            found = f"{sum(applied.counts.values())} outcomes for {held.record_counts[index]} records"
            raise Violation("G3", at.label, f"{_at(key, index)} has {found}")
        # (3) the outcome is the right one
        if self._truth.is_true(key[0]):
            self._check_effect(at, held, applied)
        held.applied = index + 1
        held.most_applied = max(held.most_applied, held.applied)

    def _check_effect(self, at: Holder, held: Holding, applied: Applied) -> None:
        written = self._truth.log(held.key).entries[applied.index]
        rejected = {code: count for (outcome, code), count in applied.counts.items() if outcome == REJECTED}
        self._check_rejected(at, held, applied, rejected, written)
        if not rejected and written.header.kind == channel_pb2.ENTRY_KIND_RECORDS:
            self._check_reduced(at, held, applied, written)
        self._put_rows(at, held, applied, written)

    def _check_rejected(
        self, at: Holder, held: Holding, applied: Applied, rejected: Mapping[str, int], written: WrittenEntry
    ) -> None:
        """What an origin judged good, everybody does."""
        if at.node == origin_of(held.key[0]) and written.rejected is None:
            written.rejected = rejected
        other = {code for code in rejected if code not in (written.rejected or {})}
        if other and written.rejected is not None:
            raise Violation("G3", at.label, f"{_at(held.key, applied.index)} is rejected here alone: {sorted(other)}")

    def _check_reduced(self, at: Holder, held: Holding, applied: Applied, written: WrittenEntry) -> None:
        if held.key[0] in at.untracked or not all(slot.key for slot in written.slots):
            return
        erased = at.erased.get(held.key[0], {})
        places = [Place(applied.epoch, applied.index, position) for position in range(len(written.slots))]
        slots = [None if at_ in erased else slot for at_, slot in zip(places, written.slots, strict=True)]
        due = at.rows(held.key[0]).effect_of(applied.epoch, applied.index, slots)
        counts = {outcome: count for (outcome, _), count in applied.counts.items()}
        found_at = [frozenset(record.position for record in each) for each in (applied.in_force, applied.behind)]
        if found_at != [due.in_force, due.behind] or counts != due.counts:
            found = f"{_names(counts)} is counted, {_names(due.counts)} is due"
            raise Violation("G3", at.label, f"of {_at(held.key, applied.index)} {found}")

    def _put_rows(self, at: Holder, held: Holding, applied: Applied, written: WrittenEntry) -> None:
        channel, erased = held.key[0], at.erased.get(held.key[0], {})
        cut, _ = at.cuts.get(held.key, (None, 0))
        in_force = cut is None or applied.index < cut.size
        last = {record.position for record in applied.in_force} if in_force else set()
        for record in (*applied.in_force, *applied.behind):
            place = Place(applied.epoch, applied.index, record.position)
            if place in erased:
                raise Violation("G4", at.label, f"{_at_place(channel, place)} takes effect after its erasure")
            slot = written.slots[record.position]
            if (slot.key and slot.key != record.key) or slot.content_hash != record.content_hash:
                raise Violation("G1", at.label, f"{_at_place(channel, place)} takes effect as another record")
            at.rows(channel).put(place, record.key, record.content_hash, in_force=record.position in last)

    # -- what closes a log --------------------------------------------------------------------------------

    def _set_cut(self, at: Holder, _result: object, channel: str, epoch: int, cut: HeadAt) -> None:
        key = (channel, epoch)
        before, _ = at.cuts.get(key, (None, 0))
        at.cuts[key] = (cut, self._now_ms)
        # Size 0 is the cut of a log that no officer's leaf names, and of a copy that is another history.
        if self._truth.is_true(channel) and cut.size:
            if self._truth.log(key).root(cut.size) != cut.root:
                raise Violation("G1", at.label, f"{channel} {epoch} is cut at {cut.size}, in another history")
            member = at.member(origin_of(channel))
            leaves = member.cut.head_leaves if member is not None and member.cut is not None else frozenset()
            if at.is_settled(self._now_ms) and head_leaf(channel, epoch, cut) not in leaves:
                raise Violation(
                    "G1", at.label, f"{channel} {epoch} is cut at {cut.size}, which the registry does not say"
                )
        size_before = before.size if before is not None else None
        at.rows(channel).cut(epoch, size_before, cut.size, at.cut_sizes(channel))

    def _set_covered(self, at: Holder, _result: object, channel: str, epoch: int, head: HeadAt) -> None:
        if self._truth.is_true(channel) and not self._truth.has_signed_head((channel, epoch), head):
            raise Violation(
                "G1", at.label, f"{channel} {epoch} is covered up to {head.size}, which its origin never said"
            )

    def _set_quarantined(self, at: Holder, _result: object, origin: str, quarantined: bool) -> None:
        if quarantined and origin not in self._truth.dishonest:
            raise Violation("G6", at.label, f"the honest {origin} is taken for one with two histories")
        concerned = {key for key in at.logs if origin_of(key[0]) == origin}
        at.quarantined = at.quarantined | concerned if quarantined else at.quarantined - concerned

    def _add_query(self, at: Holder, _result: object, entry: LoggedQuery) -> None:
        at.asked.add(entry.query.question.ground)

    def _put_equivocation(
        self, at: Holder, _kept: object, channel: str, epoch: int, index: int, _proof: object
    ) -> None:
        if self._truth.is_true(channel):
            raise Violation("G6", at.label, f"the honest origin of {channel} is accused at {epoch}/{index}")

    def _put_link(self, at: Holder, _result: object, state: LinkState) -> None:
        if state.retry_at_ms:
            self.rested.append((at.node, state.node))

    # -- heartbeats and receipts --------------------------------------------------------------------------

    def _put_heartbeat(self, at: Holder, _kept: object, heartbeat: VerifiedHeartbeat) -> None:
        if heartbeat.node in self._truth.dishonest:
            return
        if heartbeat.node == at.node:
            self._check_own_heads(at, heartbeat)
            self._truth.sign_heartbeat(heartbeat)
            return
        signed = self._truth.heads_in(heartbeat.node, heartbeat.view.heartbeat.payload)
        if signed is None:
            raise Violation("G1", at.label, f"a heartbeat of {heartbeat.node} is kept that it has not signed")
        for key, head in heartbeat.heads.items():
            if signed.get(key) != head:
                raise Violation("G1", at.label, f"a heartbeat of {heartbeat.node} is kept with a head it does not hold")

    def _check_own_heads(self, at: Holder, heartbeat: VerifiedHeartbeat) -> None:
        for key, head in heartbeat.heads.items():
            held = at.log(key)
            if head.size > held.size or held.roots[head.size] != head.root:
                raise Violation("G2", at.label, f"a heartbeat is signed over {key[0]} up to {head.size} of {held.size}")

    def _set_fresh(self, at: Holder, _result: object, channel: str, epoch: int, fresh_ms: int) -> None:
        """A log is as fresh as a heartbeat of its origin over what is applied here.

        An origin's own heartbeat makes its own log fresh at once: it is the word that others wait for.
        """
        key, origin = (channel, epoch), origin_of(channel)
        at.fresh[key] = fresh_ms
        if origin in self._truth.dishonest or origin == at.node:
            return
        held = at.logs.get(key)
        heads = self._truth.heads_at(origin, fresh_ms, key)
        fits = [head for head in heads if held is not None and head.size <= held.applied]
        if not any(held is not None and held.roots[head.size] == head.root for head in fits):
            applied = held.applied if held is not None else 0
            found = f"with {applied} applied; the heartbeat of that time says {sorted(head.size for head in heads)}"
            raise Violation("G5", at.label, f"{channel} {epoch} counts as fresh at {fresh_ms} {found}")

    def _put_receipt(self, at: Holder, _kept: object, receipt: VerifiedReceipt) -> None:
        message, payload = receipt.message, receipt.envelope.payload
        subscriber = message.subscriber
        if subscriber in self._truth.dishonest or self._truth.has_signed_receipt(subscriber, payload):
            return
        if subscriber != at.node and subscriber in self._truth.liars:
            return
        if subscriber != at.node:
            raise Violation("G1", at.label, f"a receipt of {subscriber} is kept that it has not signed")
        self._check_own_receipt(at, message)
        self._truth.sign_receipt(subscriber, payload)

    def _check_own_receipt(self, at: Holder, message: channel_pb2.Receipt) -> None:
        held = at.log((message.channel, message.epoch))
        name = f"{message.channel} {message.epoch}"
        if message.size > held.size or message.applied_size > held.most_applied:
            found = f"{message.size} and {message.applied_size} where {held.size} and {held.most_applied} are durable"
            raise Violation("G2", at.label, f"a receipt for {name} is signed for {found}")
        if held.roots[message.size] != message.root:
            raise Violation("G1", at.label, f"a receipt for {name} is signed over another root")
        counted = sum(item.count for item in message.outcomes)
        due = sum(held.record_counts[: message.applied_size])
        is_whole = len(message.outcomes) < DEFAULT_LIMITS.max_outcome_codes_per_receipt
        if is_whole and counted != due:
            raise Violation("G3", at.label, f"a receipt for {name} counts {counted} outcomes for {due} records")
        self._lists.receipted(at, message)


def _at(key: LogKey, index: int) -> str:
    return f"{key[0]} {key[1]}/{index}"


def _at_place(channel: str, place: Place) -> str:
    return f"{channel} {place.epoch}/{place.index}/{place.position}"


def _names(counts: Mapping[int, int]) -> str:
    return ", ".join(
        f"{channel_pb2.RecordOutcome.Name(outcome).removeprefix('RECORD_OUTCOME_').lower()} {count}"
        for outcome, count in sorted(counts.items())
    )
