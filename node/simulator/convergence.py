"""Where a quiet network must end: everybody holds and has applied what it may read, and all stores say the same."""

from collections.abc import Iterator, Mapping
from functools import cache

from node.core.entry import origin_of
from node.core.limits import DEFAULT_LIMITS
from node.core.membership import Members
from node.core.state import Place
from node.node import Node
from node.pb import channel_pb2
from node.ports import HeldChannel, Store
from node.simulator.holdings import Holder, Holding
from node.simulator.list_watch import ListWatch, is_list
from node.simulator.observing import Violation
from node.simulator.records import in_force_of
from node.simulator.truth import LogKey, Truth, WrittenLog, WrittenSlot

REASONS_MAX = 50


class Convergence:
    """Compares every honest node with what was written, at the end of a run."""

    def __init__(self, truth: Truth, holders: Mapping[str, Holder], lists: ListWatch) -> None:
        self._truth = truth
        self._holders = holders
        self._lists = lists

    # -- whether it is quiet ----------------------------------------------------------------------------

    def reasons(self, instances: Mapping[str, Node], stores: Mapping[str, Store]) -> list[str]:
        """Why the network has not converged; empty when it has. Stores are read only when the logs are there."""
        up = {label: self._holders[label] for label in sorted(instances) if self._counts(label)}
        members = _newest_members(up)
        if members is None:
            return ["no honest node is up"]
        found = self._first(self._unequal_logs(up, members))
        if found:
            return found
        found = self._first(self._missing_receipts(up, members, stores))
        found = found or self._first(self._unequal_records(up, members, stores))
        return found or self._first(self._unequal_lists(up, members, stores))

    def _first(self, reasons: Iterator[str]) -> list[str]:
        return [reason for reason, _ in zip(reasons, range(REASONS_MAX), strict=False)]

    def _counts(self, label: str) -> bool:
        """Whether a node is held to anything: a copy, and who has written two histories, are not."""
        holder = self._holders.get(label)
        return holder is not None and not holder.is_copy and holder.node not in self._truth.dishonest

    def _logs(self, members: Members) -> Iterator[tuple[WrittenLog, int]]:
        """Every log of an honest origin, and up to where it must be everywhere; none whose cut is not known."""
        for key, log in sorted(self._truth.logs.items()):
            origin = members.get(origin_of(key[0]))
            if not self._truth.is_true(key[0]) or origin is None:
                continue
            cut = log.cut_of(origin)
            if cut is not None:
                yield log, min(cut, self._recoverable(log))

    def _recoverable(self, log: WrittenLog) -> int:
        """How much of a log can still be there: what an origin lost, and no honest reader has, is gone for good."""
        origin = self._holders.get(origin_of(log.key[0]))
        if origin is not None and not origin.was_restored:
            return log.size
        honest = [holder for label, holder in self._holders.items() if self._counts(label)]
        logs = [holder.logs[log.key] for holder in honest if log.key in holder.logs]
        return max((held.size for held in logs if held.left_at is None), default=0)

    def _reads(self, node: str, log: WrittenLog, size: int, members: Members, held: Holding | None) -> bool:
        """Whether a node must have a log: by the manifest there, and by what it or the origin has above a cut.

        A manifest above a cut is what the next epoch begins with; until then its origin gives nobody more than it says.
        """
        origin = origin_of(log.key[0])
        copies = [each for each in (held, self._held_by(origin, log)) if each is not None and each.size > size]
        above = [channel_pb2.Manifest(audience=each.manifests[-1].audience) for each in copies if each.manifests]
        manifests = [log.manifest(size), *above]
        return all(each is not None and members.reads(node, origin, each.audience) for each in manifests)

    def _held_by(self, node: str, log: WrittenLog) -> Holding | None:
        holder = self._holders.get(node)
        return holder.logs.get(log.key) if holder is not None else None

    def _unequal_logs(self, up: Mapping[str, Holder], members: Members) -> Iterator[str]:
        for log, size in self._logs(members):
            if size == 0:
                continue
            for holder in up.values():
                held = holder.logs.get(log.key)
                if self._reads(holder.node, log, size, members, held):
                    applies = self._hears_on(holder.node, log, members)
                    yield from _lacking(holder, log, size, held, size if applies else 0)
                elif held is not None and self._must_leave(holder, log, size, members, held):
                    yield f"{holder.label} still has {_name(log.key)}, whose audience it has left"

    def _hears_on(self, node: str, log: WrittenLog, members: Members) -> bool:
        """Whether a reader of a closed epoch may read those after it, too.

        They may erase what the closed one holds. Who was dropped by then is given bare records and never learns why,
        so that it cannot apply them, and is not to: they are gone.
        """
        channel, epoch = log.key
        origin = members.get(origin_of(channel))
        later = [self._truth.logs[channel, each] for each in self._truth.epochs.get(channel, ()) if each > epoch]
        manifests = [each.manifest(each.cut_of(origin) or 0) for each in later if origin is not None]
        return all(each is None or members.reads(node, origin_of(channel), each.audience) for each in manifests)

    def _must_leave(self, holder: Holder, log: WrittenLog, size: int, members: Members, held: Holding) -> bool:
        """Whether a holder that was dropped must have erased its copy.

        Not who is suspended, nor where the log is closed; nor who lost the order to erase with its database, as its
        peers have its receipt that it had it.
        """
        origin, manifest = members.get(origin_of(log.key[0])), log.manifest(size)
        if origin is None or manifest is None or holder.was_restored or size < log.size or held.left_at is not None:
            return False
        members_now = holder.node in members.audience(holder.node, channel_pb2.Audience())
        is_open = origin.open_epoch == log.key[1] and log.key not in holder.cuts
        named = members.reads(holder.node, origin.id, manifest.audience)
        return members_now and is_open and not named and held.size > 0

    def _missing_receipts(
        self, up: Mapping[str, Holder], members: Members, stores: Mapping[str, Store]
    ) -> Iterator[str]:
        for log, size in self._logs(members):
            origin = origin_of(log.key[0])
            if size == 0 or origin not in up or not _is_newest(up[origin], log.key):
                continue
            if origin not in members.audience(origin, channel_pb2.Audience()):
                continue  # nobody talks to a suspended origin
            receipts = {held.receipt.message.subscriber: held.receipt for held in stores[origin].receipts(log.key[0])}
            for holder in up.values():
                is_reader = self._reads(holder.node, log, size, members, holder.logs.get(log.key))
                if holder.node == origin or not is_reader:
                    continue
                receipt = receipts.get(holder.node)
                told = (receipt.message.epoch, receipt.message.size, receipt.message.applied_size) if receipt else None
                if told is None or told < (log.key[1], size, size):
                    yield f"{origin} has a receipt of {holder.label} for {_name(log.key)} of {told}, {size} is due"

    def _unequal_records(
        self, up: Mapping[str, Holder], members: Members, stores: Mapping[str, Store]
    ) -> Iterator[str]:
        due = dict(self._due_records(up, members))
        for (label, channel), places in sorted(due.items()):
            found = {held.place: held.record for held in stores[label].records(channel=channel)}
            for place in sorted(found.keys() - places):
                yield f"{label} answers {channel} {_at(place)}, which is erased, replaced or cut"
            for place in sorted(places - found.keys()):
                yield f"{label} does not answer {channel} {_at(place)}"
            for place in sorted(places & found.keys()):
                slot = self._truth.slot(channel, place)
                if slot is None or slot.content is None or slot.content[1] != found[place]:
                    yield f"{label} answers {channel} {_at(place)} with other bytes"

    def _sizes(self, up: Mapping[str, Holder], members: Members) -> Mapping[tuple[str, str], dict[LogKey, int]]:
        """Up to where each node answers from the logs of each channel."""
        sizes: dict[tuple[str, str], dict[LogKey, int]] = {}
        for log, size in self._logs(members):
            for label, holder in up.items():
                answered = self._answered(holder, log, size, members)
                if answered is not None and self._hears_on(holder.node, log, members):
                    sizes.setdefault((label, log.key[0]), {})[log.key] = answered
        return sizes

    def _unequal_lists(self, up: Mapping[str, Holder], members: Members, stores: Mapping[str, Store]) -> Iterator[str]:
        for (label, channel), read in sorted(self._sizes(up, members).items()):
            held = [log for key, log in self._holders[label].logs.items() if key[0] == channel and log.size]
            # Who lost the order to leave with its database keeps of a list what nobody completes any more.
            is_whole = all(log.key in read or log.left_at is not None for log in held)
            if is_list(channel) and is_whole:
                yield from self._lists.unequal(self._holders[label], stores[label], channel, read)

    def _due_records(
        self, up: Mapping[str, Holder], members: Members
    ) -> Iterator[tuple[tuple[str, str], frozenset[Place]]]:
        sizes = self._sizes(up, members)

        @cache
        def reduced(read: tuple[tuple[LogKey, int], ...], gone: frozenset[Place]) -> frozenset[Place]:
            return frozenset(in_force_of(self._truth, dict(read), gone).values())

        for (label, channel), read in sizes.items():
            if all(slot.key for slot in self._record_slots(read)):
                # What was erased above a cut, before that was known, is gone for good where it was erased.
                gone = (
                    self._truth.erasures.get(channel, {}).keys() & self._holders[label].erased.get(channel, {}).keys()
                )
                yield (label, channel), reduced(tuple(sorted(read.items())), frozenset(gone))

    def _answered(self, holder: Holder, log: WrittenLog, size: int, members: Members) -> int | None:
        """Up to where a node answers from a log: all it must hold, or what it has and need not give up.

        That is a copy which only a manifest above the cut has called for; and a log that is closed while nobody knows
        of a cut: it stands as it is until the next epoch cites one.
        """
        held = holder.logs.get(log.key)
        if self._reads(holder.node, log, size, members, held):
            return size
        if held is None or held.left_at is not None:
            return None
        return min(held.applied, size) if log.key in holder.cuts else held.applied

    def _record_slots(self, read: Mapping[LogKey, int]) -> Iterator[WrittenSlot]:
        for key, size in read.items():
            for entry in self._truth.logs[key].entries[:size]:
                if entry.header.kind == channel_pb2.ENTRY_KIND_RECORDS and not entry.rejected:
                    yield from entry.slots

    # -- what every store must hold in the end ------------------------------------------------------------

    def check_end(self, stores: Mapping[str, Store]) -> None:
        """Compare every honest store, whole, with what was followed and written; raises Violation."""
        for label in sorted(stores):
            if self._counts(label):
                self._check_store(self._holders[label], stores[label])
        self._check_proven(stores)

    def _check_store(self, holder: Holder, store: Store) -> None:
        for held in store.channels():
            log = holder.log(held.key)
            self._check_log(holder, log, held)
            self._check_outcomes(holder, store, log, held)
            if self._truth.is_true(held.log.channel):
                self._check_entries(holder, store, log)
        self._check_answers(holder, store)
        for proof in store.equivocations_since(0):
            if self._truth.is_true(proof.channel):
                raise Violation("G6", holder.label, f"the honest origin of {proof.channel} is accused")
        if len(store.alarms()) > DEFAULT_LIMITS.max_alarms_kept:
            raise Violation("G12", holder.label, f"{len(store.alarms())} alarms are kept")
        if len(store.equivocations_since(0)) > DEFAULT_LIMITS.max_equivocations_kept:
            raise Violation("G12", holder.label, "more proofs than the limit are kept")

    def _check_log(self, holder: Holder, log: Holding, held: HeldChannel) -> None:
        found = (held.log.size, held.log.root, held.applied_size, held.left_at)
        due = (log.size, log.roots[-1], log.applied, log.left_at)
        if found != due:
            raise Violation("G2", holder.label, f"{_name(log.key)} is stored as {_shown(found)}, not as {_shown(due)}")

    def _check_outcomes(self, holder: Holder, store: Store, log: Holding, held: HeldChannel) -> None:
        counted = sum(store.outcomes(*log.key).values())
        due = sum(log.record_counts[: held.applied_size])
        if counted != due:
            raise Violation("G3", holder.label, f"{_name(log.key)} has {counted} outcomes for {due} records")

    def _check_entries(self, holder: Holder, store: Store, log: Holding) -> None:
        written, channel, epoch = self._truth.log(log.key), *log.key
        erased = holder.erased.get(channel, {})
        for entry in store.entries(channel, epoch, 0):
            if entry.index >= written.size or entry.envelope.payload != written.entries[entry.index].payload:
                raise Violation("G1", holder.label, f"{_name(log.key)}/{entry.index} is not what its origin wrote")
            slots = channel_pb2.EntryBody.FromString(entry.body or b"").slots
            if entry.body is not None and log.left_at is not None:
                raise Violation("G8", holder.label, f"the body of {_name(log.key)}/{entry.index} is still there")
            for position, slot in enumerate(slots):
                place = Place(epoch, entry.index, position)
                due = written.entries[entry.index].slots[position]
                if not slot.commitment and place in erased:
                    raise Violation("G9", holder.label, f"the content of {channel} {_at(place)} is still there")
                if not slot.commitment and (slot.salt, slot.record) != due.content:
                    raise Violation("G1", holder.label, f"{channel} {_at(place)} is not what its origin wrote")

    def _check_answers(self, holder: Holder, store: Store) -> None:
        answered: dict[str, set[Place]] = {}
        for held in store.records():
            answered.setdefault(held.channel, set()).add(held.place)
            if self._truth.is_true(held.channel) and held.place in holder.erased.get(held.channel, {}):
                raise Violation("G4", holder.label, f"{held.channel} {_at(held.place)} is answered after its erasure")
        for channel, rows in sorted(holder.records.items()):
            found, due = answered.get(channel, set()), set(rows.in_force.values())
            if channel not in holder.untracked and self._truth.is_true(channel) and found != due:
                other = ", ".join(_at(place) for place in sorted(found ^ due)[:5])
                raise Violation("G3", holder.label, f"the records of {channel} in force are not those applied: {other}")

    def _check_proven(self, stores: Mapping[str, Store]) -> None:
        """An origin with two histories is known as such wherever two holders of them have compared."""
        for origin in sorted(self._truth.dishonest):
            holding = [
                (label, log)
                for label in sorted(stores)
                if self._counts(label)
                for key, log in sorted(self._holders[label].logs.items())
                if origin_of(key[0]) == origin
            ]
            for label, log in holding:
                self._check_known(label, log, [other for who, other in holding if who != label], stores[label])

    def _check_known(self, label: str, log: Holding, others: list[Holding], store: Store) -> None:
        holder = self._holders[label]
        member = holder.member(origin_of(log.key[0]))
        held = store.channel(*log.key)
        # Once the officers have cut, or a key has gone, there is one history again, and no proof to be had.
        if member is None or held is None or held.log.cut is not None or log.left_at is not None:
            return
        if member.open_epoch != log.key[1] or len(member.all_keys) > 1:
            return
        proofs = [proof for proof in store.equivocations_since(0) if origin_of(proof.channel) == member.id]
        for other in others:
            size = min(log.size, other.size) if other.key == log.key and other.left_at is None else 0
            if size and log.roots[size] != other.roots[size] and not (proofs or held.log.quarantined):
                raise Violation("G6", label, f"{member.id} has written {_name(log.key)} twice, and that is not known")


def _lacking(holder: Holder, log: WrittenLog, size: int, held: Holding | None, applied_due: int) -> Iterator[str]:
    name = _name(log.key)
    if held is None or held.size < size:
        yield f"{holder.label} holds {held.size if held is not None else 0} of {size} entries of {name}"
    elif held.left_at is not None:
        yield f"{holder.label} has left {name}, which it may read"
    elif held.applied < applied_due:
        lacking = sorted(index for index in held.missing if index < size)
        yield f"{holder.label} has applied {held.applied} of {size} entries of {name}; without body: {lacking[:5]}"


def _newest_members(up: Mapping[str, Holder]) -> Members | None:
    known = [(holder.versions, label) for label, holder in up.items() if holder.members() is not None]
    return up[max(known)[1]].members() if known else None


def _is_newest(holder: Holder, key: LogKey) -> bool:
    newest = holder.newest(key[0])
    return newest is not None and newest.key == key


def _name(key: LogKey) -> str:
    return f"{key[0]} {key[1]}"


def _at(place: Place) -> str:
    return f"{place.epoch}/{place.index}/{place.position}"


def _shown(state: tuple[int, bytes, int, int | None]) -> str:
    size, root, applied, left_at = state
    return f"size {size}, root {root.hex()[:8]}, applied {applied}, left at {left_at}"
