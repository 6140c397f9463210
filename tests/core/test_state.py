"""The fold: every record of an entry gets one outcome, whatever it holds, and the sums are the records sent."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.catalogue import parse_edition
from node.core.entry import WHOLE_ENTRY, open_body
from node.core.limits import NUMBERS_END, Limits
from node.core.record import build_record
from node.core.state import (
    APPLIED,
    DUPLICATE,
    ERASED,
    REJECTED,
    SUPERSEDED,
    Applied,
    Erasure,
    HeldKey,
    Place,
    Unfolded,
    day_of,
    disclosure_letter,
    erasures_in,
    fold,
)
from node.pb import channel_pb2, record_pb2
from tests.builders import ChannelWriter, make_manifest, make_node
from tests.duties.rows import row
from tests.wire import EDITION

EDITIONS = {"2026.1": parse_edition(EDITION.read_bytes())}
ORIGIN = make_node("310000")
CHANNEL = "310000/base"
MANIFEST = make_manifest(item="registration.base")


def unfolded(records: list[bytes], *, erased: tuple[int, ...] = (), at: int = 1, **fields: object) -> Unfolded:
    """An entry of these records as it waits to be folded."""
    writer = ChannelWriter(ORIGIN, CHANNEL)
    for _ in range(at):
        writer.manifest(item="registration.base")
    header = {"catalogue_version": "2026.1", **{name: fields.pop(name) for name in list(fields) if name in HEADER}}
    entry = writer.write(header.pop("kind", channel_pb2.ENTRY_KIND_RECORDS), records, **header)  # type: ignore[arg-type]
    body = entry.body
    if body is not None and erased:
        slots = channel_pb2.EntryBody.FromString(body.serialized)
        for position in erased:
            slots.slots[position].CopyFrom(channel_pb2.Slot(commitment=body.commitments[position]))
        body = open_body(entry.header, slots.SerializeToString())
    found = Unfolded(entry.header, body, MANIFEST, ORIGIN.member, EDITIONS, True)
    return replace(found, **fields)  # type: ignore[arg-type]


HEADER = {"kind", "issued_at_unix_ms", "catalogue_version"}


def applied(entry: Unfolded, held: dict[bytes, HeldKey] | None = None) -> Applied:
    found = fold(entry, lambda keys: {key: held[key] for key in keys if key in (held or {})} if held else {})
    assert found is not None
    assert sum(found.counts.values()) == entry.header.record_count
    return found


def test_records_take_effect_under_their_keys() -> None:
    found = applied(unfolded([row(1).record, row(2).record]))
    assert found.counts == {(APPLIED, ""): 2}
    assert [(each.position, each.key, each.subject) for each in found.in_force] == [
        (at, row(at + 1).key, row(at + 1).subject) for at in range(2)
    ]


def test_of_equal_keys_the_last_counts_and_what_is_in_force_already_is_a_duplicate() -> None:
    entry = unfolded([row(1).record, row(1, "改名").record, row(1, "改名").record, row(2).record])
    held = {row(2).key: HeldKey(Place(0, 0, 9), row(2).content_hash)}
    found = applied(entry, held)
    assert found.counts == {(SUPERSEDED, ""): 1, (APPLIED, ""): 1, (DUPLICATE, ""): 2}
    # The last one counts also where it says nothing new: whoever comes late may know of no other.
    assert [(each.position, each.replaces) for each in found.in_force] == [(2, None), (3, Place(0, 0, 9))]
    assert [each.position for each in found.behind] == [0, 1]


def test_a_revision_names_the_record_it_replaces() -> None:
    held = {row(1).key: HeldKey(Place(0, 0, 9), row(1).content_hash)}
    assert applied(unfolded([row(1, "改名").record]), held).in_force[0].replaces == Place(0, 0, 9)


def test_what_a_later_epoch_put_in_force_stays_when_an_earlier_one_is_folded_after_it() -> None:
    held = {row(1).key: HeldKey(Place(1, 1, 0), row(1, "后来").content_hash)}
    found = applied(unfolded([row(1).record, row(2).record]), held)
    assert found.counts == {(SUPERSEDED, ""): 1, (APPLIED, ""): 1}
    assert [each.key for each in found.in_force] == [row(2).key]
    assert [each.key for each in found.behind] == [row(1).key]


@given(
    st.lists(st.tuples(st.integers(1, 3), st.sampled_from(["甲", "乙", "丙"]), st.booleans()), min_size=1, max_size=8)
)
def test_folding_any_rows_leaves_the_last_row_of_each_subject_in_force(rows: list[tuple[int, str, bool]]) -> None:
    records = [row(serial, name).record for serial, name, _ in rows]
    gone = tuple(at for at, (_, _, erased) in enumerate(rows) if erased)
    found = applied(unfolded(records, erased=gone))
    last = {row(serial).key: row(serial, name).content_hash for serial, name, erased in rows if not erased}
    assert {each.key: each.content_hash for each in found.in_force} == last
    positions = sorted(each.position for each in (*found.in_force, *found.behind))
    assert positions == [at for at in range(len(rows)) if at not in gone]
    assert found.counts.get((ERASED, ""), 0) == len(gone)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
ODD_RECORDS = st.one_of(
    st.binary(max_size=60),
    st.builds(
        build_record,
        st.sampled_from(["registration.base", "penalty.2018", "nonsense"]),
        st.dictionaries(st.integers(1, 60), TEXTS, max_size=6),
    ),
)


@given(st.lists(ODD_RECORDS, max_size=5))
def test_g2_no_record_however_odd_stops_the_fold(records: list[bytes]) -> None:
    found = applied(unfolded(records))
    assert all(code for (outcome, code), _ in found.counts.items() if outcome == REJECTED)


@given(
    kind=st.integers(0, 20),
    issued_at=st.integers(1, 2**62),
    version=st.sampled_from(["2026.1", "", "9999.9"]),
    manifest=st.builds(
        channel_pb2.Manifest,
        item=st.sampled_from(["registration.base", "penalty.2018", "nonsense", ""]),
        disclosure=st.integers(0, 9),
    ),
)
def test_g2_no_header_however_odd_stops_the_fold(
    kind: int, issued_at: int, version: str, manifest: channel_pb2.Manifest
) -> None:
    entry = unfolded([row(1).record, b"?"], kind=kind, issued_at_unix_ms=issued_at, catalogue_version=version)
    applied(replace(entry, manifest=manifest))


def codes(entry: Unfolded) -> set[tuple[int, str]]:
    return set(applied(entry).counts)


def test_what_an_entry_may_not_do_is_counted_with_the_reason() -> None:
    late = Limits().max_time_unix_ms
    assert codes(unfolded([row(1).record], issued_at_unix_ms=late)) == {(APPLIED, "")}
    assert codes(unfolded([row(1).record], issued_at_unix_ms=late + 1)) == {(REJECTED, "VERDICT_FUTURE")}
    assert codes(unfolded([row(1).record], kind=4)) == {(REJECTED, "VERDICT_KIND")}
    assert codes(unfolded([row(1).record], kind=1)) == {(REJECTED, "VERDICT_MANIFEST")}
    assert codes(unfolded([b"\xff"])) == {(REJECTED, "VERDICT_RECORD")}
    other = build_record("penalty.2018", {1: "x"})
    assert codes(unfolded([other])) == {(REJECTED, "VERDICT_RECORD")}
    secret = make_manifest(item="registration.base", disclosure=99)
    assert codes(unfolded([row(1).record], manifest=secret)) == {(REJECTED, "CATALOGUE_DISCLOSURE")}
    assert applied(unfolded([])).counts == {}


def test_an_unknown_edition_is_waited_for_until_the_registry_has_been_read() -> None:
    entry = unfolded([row(1).record], catalogue_version="2027.1")
    assert fold(replace(entry, settled=False), lambda _: {}) is None
    assert codes(entry) == {(REJECTED, "VERDICT_CATALOGUE")}


# --- Status operations --------------------------------------------------------------------------------------


def erase(**changes: object) -> bytes:
    target = {"channel": CHANNEL, "epoch": 0, "index": 0, "position": 3}
    fields = {"kind": record_pb2.STATUS_KIND_ERASE, "commitment": b"\x01" * 32}
    op = {name: changes.pop(name, value) for name, value in fields.items()}
    ref = record_pb2.RecordRef(**(target | changes))  # type: ignore[arg-type]
    return record_pb2.StatusSlot(op=record_pb2.StatusOp(**op, target=ref)).SerializeToString()  # type: ignore[arg-type]


def erasures(*slots: bytes) -> list[Erasure]:
    entry = unfolded(list(slots), kind=channel_pb2.ENTRY_KIND_STATUS)
    found = erasures_in(entry.header, entry.body)
    assert applied(entry).counts.get((APPLIED, ""), 0) == len(found)
    return found


def test_g9_an_erasure_names_an_earlier_slot_of_its_own_channel() -> None:
    assert erasures(erase()) == [Erasure(Place(0, 0, 3), b"\x01" * 32)]


def test_g9_an_entry_is_erased_as_a_whole_under_its_records_root() -> None:
    whole = erase(kind=record_pb2.STATUS_KIND_ERASE_ENTRY, position=0)
    assert erasures(whole) == [Erasure(Place(0, 0, WHOLE_ENTRY), b"\x01" * 32)]


@pytest.mark.parametrize("kind", [channel_pb2.ENTRY_KIND_RECORDS, channel_pb2.ENTRY_KIND_STATUS])
def test_every_record_of_an_entry_that_is_erased_as_a_whole_is_counted_so(kind: int) -> None:
    entry = replace(unfolded([row(1).record, row(2).record], kind=kind), body=None)
    found = applied(entry)
    assert (found.counts, [*found.in_force, *found.behind]) == ({(ERASED, ""): 2}, [])


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": record_pb2.STATUS_KIND_ERASE_ENTRY},  # its position is not 0
        {"channel": "310000/other"},
        {"channel": "310115/base"},
        {"index": 1},
        {"index": 2},
        {"epoch": 1},
        {"kind": record_pb2.STATUS_KIND_UNSPECIFIED},
        {"commitment": b"\x01" * 31},
        {"commitment": b""},
        {"index": NUMBERS_END},
    ],
)
def test_g9_an_erasure_of_anything_else_has_no_effect(changes: dict[str, object]) -> None:
    assert erasures(erase(**changes)) == []


def test_only_status_entries_erase_and_an_unreadable_slot_does_not_stop_the_next() -> None:
    assert erasures(b"\xff", b"", erase()) == [Erasure(Place(0, 0, 3), b"\x01" * 32)]
    entry = unfolded([erase()])
    assert erasures_in(entry.header, entry.body) == []


def test_an_erasure_in_an_earlier_epoch_is_bounded_in_its_numbers() -> None:
    writer = ChannelWriter(ORIGIN, CHANNEL, epoch=1)
    slots = [erase(index=7), erase(index=NUMBERS_END), erase(index=(1 << 64) - 1)]
    entry = writer.write(channel_pb2.ENTRY_KIND_STATUS, slots)
    assert erasures_in(entry.header, entry.body) == [Erasure(Place(0, 7, 3), b"\x01" * 32)]


def test_days_are_those_of_china_and_classes_have_letters() -> None:
    assert [day_of(time) for time in (0, 57_599_999, 57_600_000)] == ["1970-01-01", "1970-01-01", "1970-01-02"]
    assert [disclosure_letter(value) for value in range(5)] == ["", "A", "B", "C", ""]
