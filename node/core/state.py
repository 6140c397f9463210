"""Asserted state: what the entries of ONE channel do to it, folded in order.

The fold knows no clock but the time the entry arrived, no local rule, no other channel. Every record of an
entry gets exactly one outcome, so the counts of a channel add up to the records its origin sent. An entry
that makes no sense has no effect and is counted rejected with the reason; it never stops the one behind it.
"""

from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property, lru_cache
from typing import Any, NamedTuple

from node.core import envelope as envelopes
from node.core.catalogue import Edition, Item, compile_identity
from node.core.entry import WHOLE_ENTRY, Slots, VerifiedBody
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, NUMBERS_END, Limits
from node.core.membership import Member
from node.core.merkle import HASH_BYTES
from node.core.particulars import are_complete, name_a_person
from node.core.record import content_hash, parse_record
from node.core.record_terms import SortedTerms
from node.core.rules import BARRING_CODES, VERSION_1, Judge, compile_rules
from node.core.rules_edition import Effect, RulesEdition
from node.core.sound import SoundReader, compile_sound_reader
from node.core.validation import Validator, compile_validator
from node.core.workdays import CHINA_STANDARD_TIME
from node.pb import channel_pb2, record_pb2


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """The place of one record within its channel."""

    epoch: int
    index: int
    position: int


@dataclass(frozen=True, slots=True)
class HeldKey:
    """The record in force under a natural key."""

    place: Place
    content_hash: bytes


class RecordInForce(NamedTuple):
    """A record that takes effect. replaces is the record of the same key it supersedes, if any."""

    position: int
    key: bytes
    content_hash: bytes
    subject: str
    replaces: Place | None = None


class _Rows(Sequence[Any]):
    """What is held by columns, row by row for whoever asks for rows."""

    __hash__ = None  # type: ignore[assignment]

    @property
    @abstractmethod
    def _rows(self) -> Sequence[Any]: ...

    def __getitem__(self, at: Any) -> Any:
        return self._rows[at]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self._rows) == list(other)


@dataclass(frozen=True, eq=False)
class NewRecords(_Rows):
    """Records of one entry, in order, that take effect and replace nothing: RecordInForce, by columns."""

    positions: Sequence[int]
    keys: Sequence[bytes]
    content_hashes: Sequence[bytes]
    subjects: Sequence[str]
    terms: SortedTerms

    def __len__(self) -> int:
        return len(self.positions)

    @cached_property
    def _rows(self) -> Sequence[RecordInForce]:
        return list(map(RecordInForce, self.positions, self.keys, self.content_hashes, self.subjects))


@dataclass(frozen=True, slots=True)
class Applied:
    """What one entry does to the state of its channel: the only thing the fold writes.

    behind are records that a later one of their key is in force over; their replaces means nothing.
    barred are positions whose content must not be kept.
    counts are the outcomes of the entry's own records: (RecordOutcome, code) -> count.
    """

    channel: str
    epoch: int
    index: int
    in_force: Sequence[RecordInForce] = ()
    barred: Sequence[int] = ()
    counts: Mapping[tuple[int, str], int] = field(default_factory=dict)
    behind: Sequence[RecordInForce] = ()


@dataclass(frozen=True, slots=True)
class Erasure:
    """A verified erasure entry's word that a slot is erased; it may arrive before its target.

    At the position WHOLE_ENTRY it names all slots of an entry, and commitment is the entry's records_root.
    """

    place: Place
    commitment: bytes


@dataclass(frozen=True, slots=True, order=True)
class Act:
    """What a status operation does to a record without taking its content away; see node.core.acts.

    place is that of the operation, particulars the position of decision and reason in the same entry. at_ms is its
    date. replacement is the record that holds the right values; only a correction has one.
    """

    place: Place
    kind: int
    target: Place
    at_ms: int
    particulars: int
    replacement: Place | None = None


FindKeys = Callable[[Sequence[bytes]], Mapping[bytes, HeldKey]]
OutcomeKey = tuple[int, str]

APPLIED: int = channel_pb2.RECORD_OUTCOME_APPLIED
DUPLICATE: int = channel_pb2.RECORD_OUTCOME_DUPLICATE
SUPERSEDED: int = channel_pb2.RECORD_OUTCOME_SUPERSEDED
REJECTED: int = channel_pb2.RECORD_OUTCOME_REJECTED
ERASED: int = channel_pb2.RECORD_OUTCOME_ERASED

BARRED_CODES = BARRING_CODES | {"FIELD_NEVER_PUBLIC", "FIELD_RESIDENT_ID_PUBLIC", "VERDICT_REASON"}
"""Defects whose content the law bars: a receiver keeps only the commitment and never relays the record."""

ERASING = frozenset({record_pb2.STATUS_KIND_ERASE, record_pb2.STATUS_KIND_ERASE_ENTRY})
"""The status operations that take content away."""

CORRECT: int = record_pb2.STATUS_KIND_CORRECT
REPAIR: int = record_pb2.STATUS_KIND_REPAIR
WITHDRAW: int = record_pb2.STATUS_KIND_WITHDRAW
SUSPEND: int = record_pb2.STATUS_KIND_SUSPEND
RESUME: int = record_pb2.STATUS_KIND_RESUME
REVIEW: int = record_pb2.STATUS_KIND_REVIEW
ACTING = frozenset({CORRECT, REPAIR, WITHDRAW, SUSPEND, RESUME, REVIEW})
"""The status operations that say how a record is to be answered, and leave the content where it is."""


@dataclass(frozen=True, slots=True)
class Unfolded:
    """An entry whose every slot is there or erased, with what judging it needs.

    manifest is the one in force at the entry. editions are those of the catalogue known here, rules those of the
    rules; settled tells that the registry was read after the entry arrived, so that an edition still unknown does not
    exist. judgement is one of this body that was made before, if any.
    """

    header: channel_pb2.EntryHeader
    body: VerifiedBody | None
    manifest: channel_pb2.Manifest
    origin: Member
    editions: Mapping[str, Edition]
    settled: bool
    rules: Mapping[str, RulesEdition] = field(default_factory=lambda: {VERSION_1.version: VERSION_1})
    judgement: "Judgement | None" = None


def fold(entry: Unfolded, find_keys: FindKeys, limits: Limits = DEFAULT_LIMITS) -> Applied | None:
    """What the next entry does to the state of its channel; None while an edition that it names is on its way."""
    header = entry.header
    if header.issued_at_unix_ms > limits.max_time_unix_ms:
        return _without_effect(header, "VERDICT_FUTURE")
    if header.kind == channel_pb2.ENTRY_KIND_MANIFEST:
        return _without_effect(header, "VERDICT_MANIFEST")
    if header.kind == channel_pb2.ENTRY_KIND_STATUS:
        return _fold_status(entry, limits)
    if header.kind != channel_pb2.ENTRY_KIND_RECORDS:
        return _without_effect(header, "VERDICT_KIND")
    edition = entry.editions.get(header.catalogue_version)
    if edition is None:
        return _without_effect(header, "VERDICT_CATALOGUE") if entry.settled else None
    rules = entry.rules.get(header.rules_version or VERSION_1.version)
    if rules is None:
        return _without_effect(header, "VERDICT_RULES") if entry.settled else None
    return _fold_records(entry, edition, rules, find_keys, limits)


def _without_effect(header: channel_pb2.EntryHeader, code: str) -> Applied:
    counts = {(REJECTED, code): header.record_count} if header.record_count else {}
    return Applied(header.channel, header.epoch, header.index, counts=counts)


def _slots(entry: Unfolded) -> Slots:
    """The content of each slot, None where it is erased; an entry that is erased as a whole has no body."""
    return entry.body.records if entry.body is not None else (None,) * entry.header.record_count


# --- Records ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standard:
    """By what the records of an entry are judged: as of the day on which it was issued, by the law of its origin."""

    item: Item
    disclosure: str
    as_of: str
    rules: RulesEdition
    division: str


class Judged(NamedTuple):
    """One record that may take effect, if its origin speaks for the authority that it names."""

    position: int
    key: bytes
    content_hash: bytes
    subject: str
    authority: str


Verdict = Judged | str | None
"""What becomes of the content of a slot: the code by which it is refused; None where it is erased."""


@dataclass(frozen=True, eq=False)
class Verdicts(_Rows):
    """The verdicts on all slots of a body, by columns: of the records that may take effect, in order, and the others.

    refused has the code of each one that is refused, by its position.
    """

    slots: int
    positions: Sequence[int]
    keys: Sequence[bytes]
    content_hashes: Sequence[bytes]
    subjects: Sequence[str]
    authorities: Sequence[str]
    refused: Mapping[int, str]
    terms: SortedTerms

    def __len__(self) -> int:
        return self.slots

    @cached_property
    def _rows(self) -> Sequence[Verdict]:
        verdicts: list[Verdict] = [None] * self.slots
        for judged in map(Judged, self.positions, self.keys, self.content_hashes, self.subjects, self.authorities):
            verdicts[judged.position] = judged
        for position, code in self.refused.items():
            verdicts[position] = code
        return verdicts


JudgeRecord = Callable[[int, bytes], Judged | str]


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of each slot of a body by a standard."""

    standard: Standard
    verdicts: Sequence[Verdict]


def standard_of(
    header: channel_pb2.EntryHeader,
    manifest: channel_pb2.Manifest,
    division: str,
    edition: Edition,
    rules: RulesEdition,
) -> Standard:
    """By what the records of an entry are judged; raises RECORD_ITEM_UNKNOWN."""
    item = edition.item(manifest.item)
    disclosure = disclosure_letter(manifest.disclosure)
    return Standard(item, disclosure, day_of(header.issued_at_unix_ms), rules, division)


def judge_slots(standard: Standard, slots: Slots, limits: Limits = DEFAULT_LIMITS) -> Judgement:
    """Judge each record of a body; raises ITEM_DISCLOSURE and what else compile_validator raises."""
    return Judgement(standard, _judged_by(judge_for(standard, limits), slots))


def _judged_by(judge: JudgeRecord, slots: Slots) -> list[Verdict]:
    return [judge(position, slot[1]) if slot is not None else None for position, slot in enumerate(slots)]


def _fold_records(
    entry: Unfolded, edition: Edition, rules: RulesEdition, find_keys: FindKeys, limits: Limits
) -> Applied:
    verdicts = _verdicts(entry, edition, rules, limits)
    if isinstance(verdicts, Verdicts) and (applied := _fold_new(entry, verdicts, find_keys)) is not None:
        return applied
    counts: Counter[OutcomeKey] = Counter()
    judged: list[Judged] = []
    barred: list[int] = []
    may_speak = _speaks(entry)
    for position, verdict in enumerate(verdicts):
        if verdict is None:
            counts[ERASED, ""] += 1
        elif isinstance(verdict, str):
            counts[REJECTED, verdict] += 1
            if verdict in BARRED_CODES:
                barred.append(position)
        elif not may_speak(verdict.authority):
            counts[REJECTED, "VERDICT_AUTHORITY"] += 1
        else:
            judged.append(verdict)
    header = entry.header
    held = find_keys([record.key for record in judged])
    in_force, behind = _take_effect((header.epoch, header.index), judged, held, counts)
    return Applied(header.channel, header.epoch, header.index, in_force, barred, dict(counts), behind)


def _fold_new(entry: Unfolded, verdicts: Verdicts, find_keys: FindKeys) -> Applied | None:
    """What _fold_records comes to where each good record has a key of its own that is not held yet; else None.

    Nearly all records of a first load are that, and looking at each of them takes longer than all the rest of the fold.
    """
    keys, may_speak = verdicts.keys, _speaks(entry)
    if len(set(keys)) < len(keys) or not all(map(may_speak, set(verdicts.authorities))) or find_keys(keys):
        return None
    counts = Counter({(REJECTED, code): count for code, count in Counter(verdicts.refused.values()).items()})
    counts[APPLIED, ""] = len(keys)
    counts[ERASED, ""] = verdicts.slots - len(keys) - len(verdicts.refused)
    barred = sorted(position for position, code in verdicts.refused.items() if code in BARRED_CODES)
    new = NewRecords(verdicts.positions, keys, verdicts.content_hashes, verdicts.subjects, verdicts.terms)
    header = entry.header
    return Applied(header.channel, header.epoch, header.index, new, barred, dict(+counts), [])


def _verdicts(entry: Unfolded, edition: Edition, rules: RulesEdition, limits: Limits) -> Sequence[Verdict]:
    """The verdict on each slot: that of a judgement made before, where it was by the same standard."""
    try:
        standard = standard_of(entry.header, entry.manifest, entry.origin.division, edition, rules)
        if entry.judgement is not None and entry.judgement.standard == standard:
            return entry.judgement.verdicts
        judge = judge_for(standard, limits)
    except XinqiaoError as error:
        return [error.code if slot is not None else None for slot in _slots(entry)]
    return _judged_by(judge, _slots(entry))


def _speaks(entry: Unfolded) -> Callable[[str], bool]:
    issued_at_ms = entry.header.issued_at_unix_ms
    return cache(lambda authority: not authority or entry.origin.may_speak_for(authority, issued_at_ms))


def judge_for(standard: Standard, limits: Limits) -> JudgeRecord:
    """The function that says what becomes of one record, at a position; raises what compile_validator raises."""
    item, most_bytes = standard.item, limits.max_record_bytes
    read_sound, validate, identify = _sound_reader(standard), _compiled(standard), _identity(standard.item)

    def judge(position: int, record: bytes) -> Judged | str:
        values = read_sound(record) if len(record) <= most_bytes else None
        if values is None:
            try:
                parsed = parse_record(record, limits)
            except XinqiaoError as error:
                return error.code
            if parsed.item != item.id:
                return "VERDICT_RECORD"
            values, defects = parsed.values, validate(parsed.values)
            if defects:
                # What must not be kept counts as that, whatever else is wrong beside it.
                return next((each.code for each in defects if each.code in BARRED_CODES), defects[0].code)
        key, subject, authority = identify(values)
        return Judged(position, key, content_hash(record), subject, authority)

    return judge


def _take_effect(
    at: tuple[int, int], judged: Sequence[Judged], held: Mapping[bytes, HeldKey], counts: "Counter[OutcomeKey]"
) -> tuple[list[RecordInForce], list[RecordInForce]]:
    """The last record of a key is in force, and the others stay behind it; one that changes nothing is a duplicate.

    So what is in force depends on which records there are, not on the order in which they were folded: an earlier
    epoch may be folded after a later one, and a record may be gone, erased, before or after it was folded.
    """
    latest: dict[bytes, Judged] = {}
    changed: dict[bytes, None] = {}
    behind: list[Judged] = []
    for record in judged:
        before = latest.get(record.key)
        known = held.get(record.key)
        if known is not None and (known.place.epoch, known.place.index) > at:
            counts[SUPERSEDED, ""] += 1
            behind.append(record)
            continue
        if before is not None:
            behind.append(before)
        current = before.content_hash if before else known.content_hash if known else None
        if record.content_hash == current:
            counts[DUPLICATE, ""] += 1
        else:
            counts[SUPERSEDED if record.key in changed else APPLIED, ""] += 1
            changed[record.key] = None
        latest[record.key] = record
    return [_row(record, held.get(record.key)) for record in latest.values()], [_row(record) for record in behind]


def _row(record: Judged, replaced: HeldKey | None = None) -> RecordInForce:
    place = replaced.place if replaced is not None else None
    return RecordInForce(record.position, record.key, record.content_hash, record.subject, place)


def validator_for(
    edition: Edition, item: str, disclosure: str, as_of: str, rules: RulesEdition = VERSION_1, division: str = ""
) -> Validator:
    """The compiled validator of an item, the same one at every receiver: rules that reject, of the origin's region."""
    return _compiled(Standard(edition.item(item), disclosure, as_of, rules, division))


@lru_cache(maxsize=64)
def _compiled(standard: Standard) -> Validator:
    return compile_validator(standard.item, standard.disclosure, standard.as_of, bars_of(standard))


@lru_cache(maxsize=16)
def _sound_reader(standard: Standard) -> SoundReader:
    return compile_sound_reader(standard.item, standard.disclosure, standard.as_of, bars_of(standard))


_identity = lru_cache(maxsize=16)(compile_identity)


def bars_of(standard: Standard) -> Judge:
    """The rules that reject a record by a standard."""
    where = (standard.disclosure, standard.as_of, (standard.division,))
    return compile_rules(standard.rules, standard.item, *where, effects={Effect.REJECT})


DISCLOSURE_LETTERS: Mapping[int, str] = {
    channel_pb2.DISCLOSURE_CLASS_A: "A",
    channel_pb2.DISCLOSURE_CLASS_B: "B",
    channel_pb2.DISCLOSURE_CLASS_C: "C",
}


def disclosure_letter(disclosure: int) -> str:
    """A, B or C; empty for none."""
    return DISCLOSURE_LETTERS.get(disclosure, "")


def day_of(time_ms: int) -> str:
    """The day in China Standard Time, YYYY-MM-DD."""
    return datetime.fromtimestamp(time_ms / 1000, tz=CHINA_STANDARD_TIME).date().isoformat()


# --- Status operations --------------------------------------------------------------------------------------


def _fold_status(entry: Unfolded, limits: Limits) -> Applied:
    counts: Counter[OutcomeKey] = Counter()
    header = entry.header
    acts = {act.place.position for act in acts_in(header, entry.body, limits=limits)}
    is_public = entry.manifest.disclosure == channel_pb2.DISCLOSURE_CLASS_A
    barred: list[int] = []
    for position, slot in enumerate(_slots(entry)):
        outcome = _status_outcome(header, slot[1], position in acts, is_public) if slot is not None else (ERASED, "")
        counts[outcome] += 1
        if outcome[1] in BARRED_CODES:
            barred.append(position)
    return Applied(header.channel, header.epoch, header.index, barred=barred, counts=dict(counts))


def _status_outcome(header: channel_pb2.EntryHeader, content: bytes, acts: bool, is_public: bool) -> OutcomeKey:
    slot = _status_slot(content)
    if slot is None:
        return REJECTED, "VERDICT_STATUS"
    if slot.HasField("particulars"):
        return (REJECTED, "VERDICT_REASON") if is_public and name_a_person(slot.particulars) else (APPLIED, "")
    return (APPLIED, "") if acts or _erasure(header, slot.op) is not None else (REJECTED, "VERDICT_STATUS")


def erasures_in(header: channel_pb2.EntryHeader, body: VerifiedBody | None) -> list[Erasure]:
    """What an authentic status entry erases: slots of earlier entries of its own channel.

    They hold from the moment the entry is stored, also for targets that are not here yet.
    """
    if header.kind != channel_pb2.ENTRY_KIND_STATUS or body is None:
        return []
    slots = [_status_slot(slot[1]) for slot in body.records if slot is not None]
    found = [_erasure(header, slot.op) for slot in slots if slot is not None and slot.HasField("op")]
    return [erasure for erasure in found if erasure is not None]


def _status_slot(content: bytes) -> record_pb2.StatusSlot | None:
    try:
        slot = envelopes.parse(record_pb2.StatusSlot, content)
    except XinqiaoError:
        return None
    return slot if slot.WhichOneof("content") else None


def _erasure(header: channel_pb2.EntryHeader, op: record_pb2.StatusOp) -> Erasure | None:
    target = _earlier(header, op.target)
    if op.kind not in ERASING or target is None or len(op.commitment) != HASH_BYTES:
        return None
    if op.kind == record_pb2.STATUS_KIND_ERASE:
        return Erasure(target, op.commitment)
    return Erasure(Place(target.epoch, target.index, WHOLE_ENTRY), op.commitment) if not target.position else None


def acts_in(
    header: channel_pb2.EntryHeader,
    body: VerifiedBody | None,
    gone: Collection[int] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> list[Act]:
    """What an authentic status entry does to earlier records of its own channel, in the order of its slots.

    Acts hold from the moment the entry is stored, as erasures do. gone are the positions whose content was taken away
    by right, all that are bare where it is None: decision and reason may be erased, and must else be there.
    """
    is_status = header.kind == channel_pb2.ENTRY_KIND_STATUS and header.issued_at_unix_ms <= limits.max_time_unix_ms
    if not is_status or body is None:
        return []
    slots = [_status_slot(slot[1]) if slot is not None else None for slot in body.records]
    lawful = set(body.bare if gone is None else gone)
    lawful |= {at for at, slot in enumerate(slots) if slot is not None and are_complete(slot.particulars, limits)}
    ops = [(at, slot.op) for at, slot in enumerate(slots) if slot is not None and slot.HasField("op")]
    acts = [act_of(header, at, op, limits) for at, op in ops if op.particulars_slot - 1 in lawful]
    return [act for act in acts if act is not None]


def act_of(
    header: channel_pb2.EntryHeader, position: int, op: record_pb2.StatusOp, limits: Limits = DEFAULT_LIMITS
) -> Act | None:
    """What one operation at a position of an entry does; None where it is none. Its particulars are not looked at."""
    is_dated = 0 <= op.effective_at_unix_ms <= limits.max_time_unix_ms
    target = _earlier(header, op.target)
    replacement = _earlier(header, op.replacement) if op.HasField("replacement") else None
    names_another = op.HasField("replacement") and replacement not in (None, target)
    if op.kind not in ACTING or not is_dated or op.commitment or target is None:
        return None
    if names_another != (op.kind == CORRECT) or op.HasField("replacement") != names_another:
        return None
    at_ms = op.effective_at_unix_ms or header.issued_at_unix_ms
    place = Place(header.epoch, header.index, position)
    return Act(place, op.kind, target, at_ms, op.particulars_slot - 1, replacement)


def _earlier(header: channel_pb2.EntryHeader, ref: record_pb2.RecordRef) -> Place | None:
    """The place of a record of the same channel before an entry; None for any other."""
    if ref.channel != header.channel or (ref.epoch, ref.index) >= (header.epoch, header.index):
        return None
    return Place(ref.epoch, ref.index, ref.position) if ref.index < NUMBERS_END else None
