"""Acts on records: what may follow what, whose word counts, and what their reasons may say."""

from itertools import permutations

import pytest

from node.core.acts import TRANSITIONS, Condition, RecordState, condition
from node.core.entry import VerifiedEntry, open_body
from node.core.identifiers import resident_id_fault
from node.core.limits import DEFAULT_LIMITS
from node.core.particulars import are_complete, fault_of, name_a_person
from node.core.state import (
    ACTING,
    APPLIED,
    CORRECT,
    REJECTED,
    REPAIR,
    RESUME,
    SUSPEND,
    WITHDRAW,
    Act,
    Place,
    Unfolded,
    acts_in,
    fold,
)
from node.pb import channel_pb2, record_pb2
from tests.builders import NOW_MS, ChannelWriter, make_manifest, make_node

ORIGIN = make_node("310000")
CHANNEL = "310000/penalties"
TARGET = Place(0, 1, 0)
TOLD = record_pb2.StatusParticulars(decision="沪更〔2026〕1号", reason="数据有误")


def act(kind: int, index: int, target: Place = TARGET, at_ms: int = NOW_MS) -> Act:
    replacement = Place(0, index - 1, 0) if kind == CORRECT else None
    return Act(Place(0, index, 0), kind, target, at_ms, 1, replacement)


def stands(*acts: Act, place: Place = TARGET) -> Condition:
    return condition(place, acts, NOW_MS)


# --- The table ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kinds", "state"),
    [
        ((), RecordState.IN_FORCE),
        ((REPAIR,), RecordState.REPAIRED),
        ((WITHDRAW,), RecordState.WITHDRAWN),
        ((SUSPEND,), RecordState.SUSPENDED),
        ((RESUME,), RecordState.IN_FORCE),
        ((SUSPEND, RESUME), RecordState.IN_FORCE),
        ((SUSPEND, RESUME, SUSPEND), RecordState.SUSPENDED),
        ((SUSPEND, REPAIR, RESUME), RecordState.REPAIRED),
        ((REPAIR, SUSPEND, RESUME), RecordState.REPAIRED),
        ((REPAIR, WITHDRAW), RecordState.WITHDRAWN),
        ((WITHDRAW, REPAIR, SUSPEND, RESUME), RecordState.WITHDRAWN),
    ],
)
def test_what_may_follow_what(kinds: tuple[int, ...], state: RecordState) -> None:
    assert stands(*(act(kind, 2 + at) for at, kind in enumerate(kinds))).state is state


def test_nothing_follows_a_withdrawal_and_only_a_suspension_is_resumed() -> None:
    assert not [kind for state, kind in TRANSITIONS if state is RecordState.WITHDRAWN]
    assert [state for state, kind in TRANSITIONS if kind == RESUME] == [RecordState.SUSPENDED]
    assert {kind for _, kind in TRANSITIONS} == ACTING


def test_the_order_of_arrival_does_not_matter() -> None:
    acts = [act(kind, 2 + at) for at, kind in enumerate((SUSPEND, CORRECT, RESUME, REPAIR))]
    assert {stands(*order) for order in permutations(acts)} == {stands(*acts)}


def test_an_act_that_may_not_follow_is_passed_over() -> None:
    found = stands(act(RESUME, 2), act(REPAIR, 3), act(REPAIR, 4))
    assert (found.state, found.acts) == (RecordState.REPAIRED, (act(REPAIR, 3),))


def test_a_correction_holds_for_the_values_it_names_and_those_before_them() -> None:
    acts = [act(CORRECT, 4, Place(0, 2, 0))]
    states = [stands(*acts, place=place).state for place in (TARGET, Place(0, 2, 0), Place(0, 3, 0))]
    assert states == [RecordState.CORRECTED, RecordState.CORRECTED, RecordState.IN_FORCE]
    suspended = [*acts, act(SUSPEND, 5, Place(0, 3, 0))]
    assert stands(*suspended, place=Place(0, 3, 0)).state is RecordState.SUSPENDED


def test_what_favours_the_subject_has_effect_at_once_and_what_does_not_waits_for_its_date() -> None:
    far = NOW_MS + 1
    assert stands(act(SUSPEND, 2, at_ms=far)).state is RecordState.SUSPENDED
    acts = [act(SUSPEND, 2), act(RESUME, 3, at_ms=far)]
    assert stands(*acts).state is RecordState.SUSPENDED
    assert condition(TARGET, acts, far).state is RecordState.IN_FORCE


# --- Whose word counts --------------------------------------------------------------------------------------


def op(kind: int = REPAIR, channel: str = CHANNEL, index: int = 1, slot: int = 2, **fields: object) -> bytes:
    """A slot with an operation, on the record of entry 1 unless told otherwise."""
    target = record_pb2.RecordRef(channel=channel, index=index)
    made = record_pb2.StatusOp(target=target, particulars_slot=slot, **fields)  # type: ignore[arg-type]
    made.kind = kind  # type: ignore[assignment]
    return record_pb2.StatusSlot(op=made).SerializeToString()


def told(**changes: str) -> bytes:
    particulars = record_pb2.StatusParticulars(**{"decision": TOLD.decision, "reason": TOLD.reason} | changes)
    return record_pb2.StatusSlot(particulars=particulars).SerializeToString()


def written(*slots: bytes, **header: int) -> VerifiedEntry:
    writer = ChannelWriter(ORIGIN, CHANNEL)
    writer.manifest()
    writer.records([b"one"])
    return writer.write(channel_pb2.ENTRY_KIND_STATUS, slots, **header)


def outcomes(entry: VerifiedEntry, disclosure: int = channel_pb2.DISCLOSURE_CLASS_A) -> tuple[object, ...]:
    manifest = make_manifest(disclosure=disclosure)
    found = fold(Unfolded(entry.header, entry.body, manifest, ORIGIN.member, {}, True), lambda _: {})
    assert found is not None
    assert sum(found.counts.values()) == entry.header.record_count
    return dict(found.counts), list(found.barred)


REF = record_pb2.RecordRef


@pytest.mark.parametrize("kind", sorted(ACTING - {CORRECT}))
def test_an_act_with_its_decision_is_applied(kind: int) -> None:
    entry = written(op(kind), told())
    assert acts_in(entry.header, entry.body) == [Act(Place(0, 2, 0), kind, TARGET, entry.header.issued_at_unix_ms, 1)]
    assert outcomes(entry) == ({(APPLIED, ""): 2}, [])


def test_a_correction_names_its_replacement_and_a_date_of_its_own_counts() -> None:
    replacement = REF(channel=CHANNEL, index=1, position=7)
    entry = written(op(CORRECT, replacement=replacement, effective_at_unix_ms=5), told())
    assert acts_in(entry.header, entry.body) == [Act(Place(0, 2, 0), CORRECT, TARGET, 5, 1, Place(0, 1, 7))]


@pytest.mark.parametrize(
    "slots",
    [
        pytest.param((op(channel="330100/penalties"), told()), id="a record of another member"),
        pytest.param((op(channel="310000/other"), told()), id="a record of another channel"),
        pytest.param((op(index=2), told()), id="a record that is not earlier"),
        pytest.param((op(index=1 << 63), told()), id="a place that nobody can keep"),
        pytest.param((op(slot=0), told()), id="no decision named"),
        pytest.param((op(slot=9), told()), id="a decision that is not there"),
        pytest.param((op(slot=1), told()), id="no decision but itself"),
        pytest.param((op(), told(decision=" ")), id="a blank decision"),
        pytest.param((op(), told(reason="")), id="no reason"),
        pytest.param((op(), told(reason="因" * 501)), id="too long a reason"),
        pytest.param((op(), told(decision="号" * 129)), id="too long a decision"),
        pytest.param((op(), told(reason="一\n二")), id="a reason of two lines"),
        pytest.param((op(CORRECT), told()), id="a correction without replacement"),
        pytest.param((op(CORRECT, replacement=REF(channel=CHANNEL, index=1)), told()), id="replaced by itself"),
        pytest.param((op(CORRECT, replacement=REF(channel=CHANNEL, index=5)), told()), id="replaced by what comes"),
        pytest.param((op(CORRECT, replacement=REF(channel="330100/x")), told()), id="replaced by another member's"),
        pytest.param((op(REPAIR, replacement=REF(channel=CHANNEL)), told()), id="a repair with a replacement"),
        pytest.param((op(commitment=b"\x01" * 32), told()), id="a repair with a commitment"),
        pytest.param((op(effective_at_unix_ms=-1), told()), id="a date before time"),
        pytest.param((op(effective_at_unix_ms=1 << 62), told()), id="a date beyond every calendar"),
        pytest.param((op(99), told()), id="a kind that nobody knows"),
        pytest.param((op(0), told()), id="no kind"),
    ],
)
def test_what_is_no_act_has_no_effect_and_is_counted_rejected(slots: tuple[bytes, ...]) -> None:
    entry = written(*slots)
    assert acts_in(entry.header, entry.body) == []
    assert outcomes(entry) == ({(REJECTED, "VERDICT_STATUS"): 1, (APPLIED, ""): 1}, [])


def test_an_entry_dated_beyond_every_calendar_does_nothing() -> None:
    entry = written(op(), told(), issued_at_unix_ms=DEFAULT_LIMITS.max_time_unix_ms + 1)
    assert acts_in(entry.header, entry.body) == []


def test_an_act_outlives_its_reason_where_that_was_erased_but_not_where_it_is_withheld() -> None:
    entry = written(op(), told())
    assert entry.body is not None
    body = channel_pb2.EntryBody.FromString(entry.body.serialized)
    body.slots[1].CopyFrom(channel_pb2.Slot(commitment=entry.body.commitments[1]))
    bare = open_body(entry.header, body.SerializeToString())
    assert len(acts_in(entry.header, bare, gone={1})) == 1
    assert acts_in(entry.header, bare, gone=()) == []


# --- What a reason may say ----------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["{}", "对{}的处罚", "({})", "身份证：{}，"])
def test_the_identity_number_of_a_person_is_barred_from_a_public_channel_alone(form: str) -> None:
    for number in (PERSON, PERSON.translate(WIDE)):
        entry = written(op(), told(reason=form.format(number)))
        assert outcomes(entry) == ({(APPLIED, ""): 1, (REJECTED, "VERDICT_REASON"): 1}, [1])
        assert outcomes(entry, channel_pb2.DISCLOSURE_CLASS_C) == ({(APPLIED, ""): 2}, [])
        # The record is repaired all the same.
        assert len(acts_in(entry.header, entry.body)) == 1


# Of a division that was never given out.
PERSON = next(f"31019919000101001{end}" for end in "0123456789X" if not resident_id_fault(f"31019919000101001{end}"))
WIDE = {ord(each): ord(each) + 0xFEE0 for each in "0123456789X"}


@pytest.mark.parametrize("text", ["沪市监修〔2026〕12345号", "123456789012345678", "9131000074491234XK", "编号1" * 18])
def test_other_numbers_may_stand_in_a_reason(text: str) -> None:
    assert not name_a_person(record_pb2.StatusParticulars(decision=text, reason=text))


def test_decision_and_reason_are_one_line_each_within_the_limits() -> None:
    assert are_complete(TOLD)
    assert fault_of("号" * 128, 128) == ""
    assert fault_of("\u3000沪\u3000", 128) == ""
    assert [bool(fault_of(text, 3)) for text in ("", " \u3000", "四个字符", "a\tb", "\u202e12")] == [True] * 5
