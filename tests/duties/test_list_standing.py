"""How a list that is held stands beside what its origin has signed: a difference is found, told, and lifts nothing."""

import asyncio
from dataclasses import replace

import pytest

from node.core import muhash
from node.core.channel import head_leaf
from node.core.entry import WHOLE_ENTRY, VerifiedEntry, erase_slots
from node.core.listing import ListState
from node.core.membership import Cut
from node.core.receipt import claim_of
from node.core.state import ERASED, REJECTED, Erasure, Place
from node.held_lists import DigestStatus
from node.pb import channel_pb2
from node.storage.memory import MemoryStore
from tests.builders import EVERYONE, NOW_MS, as_signed, erasure_of, make_members, make_node, whole_of
from tests.duties.list_reader import READER, Reader
from tests.duties.rows import manifest
from tests.list_writer import (
    LIST,
    ListWriter,
    amend,
    enter,
    leave,
    listing_node,
    resume,
    states_of,
    subject_of,
    suspend,
)
from tests.lists import make_list_manifest
from tests.wire import Network

MATCH, MISMATCH, UNKNOWN = DigestStatus.MATCH, DigestStatus.MISMATCH, DigestStatus.UNKNOWN


@pytest.fixture
def writer() -> ListWriter:
    made = ListWriter()
    made.manifest()
    return made


@pytest.fixture
def reader() -> Reader:
    return Reader(MemoryStore())


def taken(reader: Reader, writer: ListWriter, start: int = 0) -> Reader:
    for entry in writer.entries[start:]:
        reader.take(entry)
    return reader


def answered(reader: Reader, place: Place) -> ListState:
    held = reader.store.listing(LIST, place)
    assert held is not None
    return held.answered


# --- Agreement -------------------------------------------------------------------------------------------------


def test_a_list_without_entries_matches_its_manifest(reader: Reader, writer: ListWriter) -> None:
    taken(reader, writer)
    assert (reader.status, reader.state.digest) == (MATCH, muhash.digest(muhash.EMPTY))


def test_every_operation_leaves_the_members_that_the_origin_has_signed(reader: Reader, writer: ListWriter) -> None:
    _, (first, second) = writer.change(enter(1), enter(2))
    taken(reader, writer)
    for said in (suspend(first), amend(second), resume(first), leave(first), leave(first, 3), leave(second, 2)):
        writer.change(said)
        reader.take(writer.entries[-1])
        assert (reader.status, reader.state.digest) == (MATCH, writer.model.digest())
        assert states_of(reader.store.listings(LIST, None, 10)) == writer.model.states()
    assert reader.state.digest == muhash.digest(muhash.EMPTY)


def test_the_origin_finds_the_digest_of_an_entry_before_it_signs_it(writer: ListWriter) -> None:
    entry, (first, second, lost) = writer.change(enter(1), enter(2), enter(3))
    writer.change(suspend(first), amend(second), leave(Place(0, 1, 6)))
    writer.change(amend(second, measures=["NOT-THEIRS"]), void=[0])
    del writer.model.operations[lost]
    writer.erase(erasure_of(entry, 4))
    writer.manifest(audience=EVERYONE)
    writer.change(leave(first), leave(second))
    origin = Reader(MemoryStore(), listing_node())
    for entry in writer.entries:
        body = entry.body.serialized if entry.body is not None else None
        with origin.store.transaction() as tx:
            assert origin.admission.digest_after(tx, entry.header, body) == entry.header.state_digest
            origin.admission.admit(tx, entry, NOW_MS)
        assert (origin.status, origin.state.digest) == (MATCH, entry.header.state_digest)


def test_the_origin_of_another_channel_signs_no_digest() -> None:
    async def scenario() -> None:
        network = Network("310000", "310115")
        held = await network["310000"].publishing.create_channel("base", manifest())
        entry = network["310000"].world.store.entry(*held.key, 0)
        assert entry is not None
        assert claim_digest(entry.envelope.payload) == b""

    asyncio.run(scenario())


def claim_digest(payload: bytes) -> bytes:
    return channel_pb2.EntryHeader.FromString(payload).state_digest


def test_a_receipt_for_a_list_carries_the_digest_of_what_was_applied(writer: ListWriter) -> None:
    async def scenario() -> None:
        network = Network("310000", "330100")
        network.signing["310000"] = listing_node()
        await network.publish_registry()
        _, (place,) = writer.change(enter(1))
        digests = []
        for entry in writer.entries:
            taken = await network["330100"].receive([as_signed(entry)])
            assert taken.receipt is not None
            claim = claim_of(taken.receipt)
            digests.append((claim.applied_size, claim.state_digest))
        assert digests == [(1, muhash.digest(muhash.EMPTY)), (2, writer.model.digest())]
        held = network["330100"].world.store.listing(LIST, place)
        assert held is not None
        assert held.subject == subject_of(1)

    asyncio.run(scenario())


def test_a_receipt_says_no_digest_while_an_earlier_epoch_is_missing_and_says_it_then(writer: ListWriter) -> None:
    async def scenario() -> None:
        network = Network("310000", "330100")
        writer.change(enter(1))
        second = ListWriter(epoch=1, model=replace(writer.model, cuts={0: writer.head.size}))
        second.resume_after(0, writer.head)
        leaf = head_leaf(LIST, 0, writer.head)
        network.signing["310000"] = listing_node().listed_as(open_epoch=1, cut=Cut(frozenset({leaf})))
        await network.publish_registry()
        reader, said = network["330100"], []
        head = channel_pb2.Head(channel=LIST, epoch=0, size=writer.head.size, root=writer.head.root)
        for entries in (second.entries, writer.entries):
            await reader.receive([as_signed(entry) for entry in entries])
            await reader.receiving.resolve_cuts([head])
            held = reader.world.store.receipt(LIST, "330100")
            assert held is not None
            said.append(held.receipt.message.state_digest)
        assert said == [b"", b""]
        network.clock.time_ms += 1000
        await reader.receiving.fold_waiting()
        held = reader.world.store.receipt(LIST, "330100")
        assert held is not None
        assert (held.receipt.message.epoch, held.receipt.message.state_digest) == (1, writer.model.digest())
        before = held
        network.clock.time_ms += 1000
        await reader.receiving.fold_waiting()
        assert reader.world.store.receipt(LIST, "330100") == before

    asyncio.run(scenario())


def test_who_has_left_the_audience_says_no_digest_of_a_list_that_is_gone(writer: ListWriter) -> None:
    async def scenario() -> None:
        network = Network("310000", "330100")
        network.signing["310000"] = listing_node()
        await network.publish_registry()
        writer.change(enter(1))
        listed = writer.model.digest()
        writer.manifest(audience=channel_pb2.Audience(terms=[channel_pb2.AudienceTerm(node_ids=["310115"])]))
        said = []
        for entry in writer.entries:
            taken = await network["330100"].receive([as_signed(entry)])
            assert taken.receipt is not None
            claim = claim_of(taken.receipt)
            said.append((claim.size, claim.applied_size, claim.state_digest))
        assert said[1:] == [(2, 2, listed), (3, 2, b"")]

    asyncio.run(scenario())


# --- Differences -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("digest", [b"", b"d" * 32])
def test_a_missing_or_different_digest_is_told_with_its_place(
    reader: Reader, writer: ListWriter, digest: bytes
) -> None:
    _, (place,) = writer.change(enter(1))
    writer.change(amend(place), state_digest=digest)
    writer.change(suspend(place), state_digest=digest)
    taken(reader, writer)
    assert (reader.status, reader.state.differs) == (MISMATCH, Place(0, 2, 0))
    assert reader.alarmed == [{"channel": LIST, "origin": "310000", "epoch": "0", "index": "2"}]


def test_a_manifest_without_a_digest_is_a_difference_too(reader: Reader) -> None:
    writer = ListWriter()
    writer.write(1, manifest=make_list_manifest(), state_digest=b"")
    taken(reader, writer)
    assert (reader.status, reader.state.differs) == (MISMATCH, Place(0, 0, 0))


def test_what_lifts_is_applied_though_the_members_differ(reader: Reader, writer: ListWriter) -> None:
    _, (place,) = writer.change(enter(1), state_digest=b"d" * 32)
    writer.change(leave(place), state_digest=b"e" * 32)
    taken(reader, writer)
    assert (reader.status, answered(reader, place)) == (MISMATCH, ListState.EXITED)


def test_an_entry_that_says_what_is_held_ends_the_difference(reader: Reader, writer: ListWriter) -> None:
    _, (place,) = writer.change(enter(1), state_digest=b"d" * 32)
    taken(reader, writer)
    assert reader.alarmed
    writer.change(amend(place))
    reader.take(writer.entries[-1])
    assert (reader.status, reader.state.differs, reader.alarmed) == (MATCH, None, [])


def test_members_that_were_worked_out_wrongly_are_worked_out_anew_once(reader: Reader, writer: ListWriter) -> None:
    _, (place, _) = writer.change(enter(1), enter(2))
    taken(reader, writer)
    wrong = muhash.to_bytes(muhash.change(muhash.EMPTY, [b"somebody else"]))
    with reader.store.transaction() as tx:
        tx._put_list_state(replace(reader.state, accumulator=wrong))  # type: ignore[attr-defined]
    writer.change(suspend(place))
    reader.take(writer.entries[-1])
    assert (reader.status, reader.alarmed, bool(reader.state.rebuilt)) == (MATCH, [], True)
    assert reader.state.digest == writer.model.digest()


# --- What is missing ---------------------------------------------------------------------------------------------


def test_nothing_is_said_while_a_body_is_missing(reader: Reader, writer: ListWriter) -> None:
    writer.change(enter(1))
    writer.change(enter(2))
    reader.take(writer.entries[0])
    reader.take(replace(writer.entries[1], body=None))
    reader.take(writer.entries[2])
    assert (reader.status, reader.alarmed) == (UNKNOWN, [])
    reader.supply(writer.entries[1])
    assert reader.status is MATCH


def test_nothing_is_said_while_an_earlier_epoch_is_missing(reader: Reader, writer: ListWriter) -> None:
    writer.change(enter(1))
    second = ListWriter(epoch=1, model=replace(writer.model, cuts={0: writer.head.size}))
    second.resume_after(0, writer.head)
    taken(reader, second)
    assert (reader.status, reader.alarmed) == (UNKNOWN, [])
    taken(reader, writer)
    reader.cut(writer.head)
    assert (reader.status, reader.state.digest) == (MATCH, writer.model.digest())


def test_what_is_done_to_a_listing_of_an_epoch_that_is_missing_is_not_rejected(
    reader: Reader, writer: ListWriter
) -> None:
    _, (place,) = writer.change(enter(1))
    second = ListWriter(epoch=1, model=replace(writer.model, cuts={0: writer.head.size}))
    second.resume_after(0, writer.head)
    second.change(suspend(place))
    taken(reader, second)
    assert not [code for outcome, code in reader.store.outcomes(LIST, 1) if outcome == REJECTED]
    taken(reader, writer)
    reader.cut(writer.head)
    assert (reader.status, answered(reader, place)) == (MATCH, ListState.SUSPENDED)


def test_an_entry_waits_while_the_registry_may_yet_list_the_authority(writer: ListWriter) -> None:
    _, (place,) = writer.change(enter(1))
    without = replace(listing_node(), member=make_node("310000").member)
    early = Reader(MemoryStore(), members=make_members(without, READER), read_at_ms=0)
    for entry in writer.entries[:1]:
        early.take(entry)
    early.take(writer.entries[1])
    assert early.status is UNKNOWN
    assert early.store.listing(LIST, place) is None
    later = Reader(early.store)
    later.fold_rest()
    assert (later.status, answered(later, place)) == (MATCH, ListState.LISTED)


def test_what_its_origin_may_not_determine_lists_nobody(writer: ListWriter) -> None:
    _, (place,) = writer.change(enter(1))
    without = replace(listing_node(), member=make_node("310000").member)
    reader = taken(Reader(MemoryStore(), members=make_members(without, READER)), writer)
    assert reader.store.listing(LIST, place) is None
    assert reader.store.outcomes(LIST, 0)[REJECTED, "VERDICT_LIST_AUTHORITY"] == 1
    assert reader.status is MISMATCH


def test_a_cut_ends_a_difference_above_it(reader: Reader, writer: ListWriter) -> None:
    writer.change(enter(1))
    cut = writer.head
    writer.change(enter(2), state_digest=b"d" * 32)
    taken(reader, writer)
    assert reader.status is MISMATCH
    reader.cut(cut)
    assert (reader.status, reader.state.differs, reader.alarmed) == (MATCH, None, [])


def test_nothing_is_said_of_an_epoch_that_was_written_over_another_cut(reader: Reader, writer: ListWriter) -> None:
    writer.change(enter(1))
    cited = writer.head
    writer.change(enter(2))
    taken(reader, writer)
    reader.cut(writer.head)
    assert reader.status is MATCH
    second = ListWriter(epoch=1, model=replace(writer.model, cuts={0: cited.size}))
    second.resume_after(0, cited)
    taken(reader, second)
    assert (reader.status, reader.alarmed) == (UNKNOWN, [])
    second.model.cuts[0] = writer.head.size
    second.change(enter(3))
    reader.take(second.entries[-1])
    assert reader.status is MATCH


def test_the_first_difference_is_looked_for_in_the_newest_epoch(reader: Reader, writer: ListWriter) -> None:
    writer.change(enter(1), state_digest=b"d" * 32)
    second = ListWriter(epoch=1, model=replace(writer.model, cuts={0: writer.head.size}))
    second.resume_after(0, writer.head)
    second.change(enter(2))
    reader.take(second.entries[0])
    taken(reader, writer)
    reader.cut(writer.head)
    assert reader.status is MATCH
    second.change(enter(3), state_digest=b"e" * 32)
    taken(reader, second, start=1)
    assert (reader.status, reader.state.differs) == (MISMATCH, Place(1, 2, 0))


# --- Erasure and leaving -----------------------------------------------------------------------------------------


def erased(reader: Reader, writer: ListWriter, *erasures: Erasure) -> VerifiedEntry:
    entry = writer.erase(*erasures)
    reader.take(entry)
    return entry


def test_an_erased_subject_is_named_no_more_and_the_digest_still_holds(reader: Reader, writer: ListWriter) -> None:
    entry, (place,) = writer.change(enter(1))
    taken(reader, writer)
    erased(reader, writer, erasure_of(entry, 1))
    held = reader.store.listing(LIST, place)
    assert held is not None
    assert (held.subject, held.answered, reader.status) == (None, ListState.LISTED, MATCH)
    assert list(reader.store.listings_of(subject_of(1))) == []
    late = Reader(MemoryStore())
    late.take(writer.entries[0])
    assert entry.body is not None
    late.take(replace(entry, body=erase_slots(entry.body, [1])))
    assert late.status is UNKNOWN
    late.take(writer.entries[2])
    assert (late.status, late.state.digest) == (MATCH, reader.state.digest)
    assert late.store.outcomes(LIST, 0)[ERASED, ""] == 1


@pytest.mark.parametrize("slots", [[0], [2], [0, 1, 2], [WHOLE_ENTRY]])
def test_who_comes_after_an_erasure_holds_the_same_members(
    reader: Reader, writer: ListWriter, slots: list[int]
) -> None:
    _, (kept,) = writer.change(enter(1))
    entry, (place,) = writer.change(enter(2))
    taken(reader, writer)
    del writer.model.operations[place]
    named = [whole_of(entry) if slot == WHOLE_ENTRY else erasure_of(entry, slot) for slot in slots]
    erased(reader, writer, *named)
    assert (reader.status, reader.state.digest) == (MATCH, writer.model.digest())
    assert entry.body is not None
    gone = [0, 1, 2] if WHOLE_ENTRY in slots else slots
    late = Reader(MemoryStore())
    for each in writer.entries:
        late.take(replace(each, body=erase_slots(entry.body, gone)) if each is entry else each)
    assert (late.status, late.state.digest, late.alarmed) == (MATCH, writer.model.digest(), [])
    assert [each.listing.place for each in late.store.listings(LIST, None, 9)] == [kept]


def test_an_exit_whose_operation_was_erased_still_lifts(reader: Reader, writer: ListWriter) -> None:
    _, (place,) = writer.change(enter(1))
    entry, (end,) = writer.change(leave(place))
    taken(reader, writer)
    del writer.model.operations[end]
    erased(reader, writer, erasure_of(entry, 0))
    assert (answered(reader, place), reader.status) == (ListState.EXITED, MATCH)


def test_who_leaves_the_audience_forgets_the_list_and_a_returner_has_all_of_it(
    reader: Reader, writer: ListWriter
) -> None:
    _, (place, other) = writer.change(enter(1), enter(2))
    writer.change(leave(place))
    others = channel_pb2.Audience(terms=[channel_pb2.AudienceTerm(node_ids=["310115"])])
    writer.manifest(audience=others)
    taken(reader, writer)
    assert list(reader.store.listings(LIST, None, 9)) == []
    assert list(reader.store.listings_of(subject_of(2))) == []
    assert (reader.status, reader.state.digest) == (UNKNOWN, muhash.digest(muhash.EMPTY))
    writer.change(suspend(other))
    reader.take(writer.entries[-1])
    writer.manifest()
    reader.take(writer.entries[-1])
    assert reader.status is UNKNOWN
    for entry in writer.entries:
        if entry.body is not None:
            reader.supply(entry)
    assert (reader.status, reader.state.digest) == (MATCH, writer.model.digest())
    assert (answered(reader, place), answered(reader, other)) == (ListState.EXITED, ListState.SUSPENDED)
