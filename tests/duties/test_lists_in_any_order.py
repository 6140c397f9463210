"""G3, G4: whatever way the entries of a list come, crashes included, everybody ends with the same list and digest.

Epochs interleave, bodies come late and in any order, a cut becomes known early or late, transactions end in a crash
and are tried again, entries are brought twice. What was lifted is answered as lifted from the moment its body is here.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.core.channel import HeadAt
from node.core.entry import VerifiedEntry
from node.core.errors import XinqiaoError
from node.core.listing import EXIT, SUSPEND, ListState
from node.core.state import Place
from node.held_lists import DigestStatus
from node.ports import Store
from node.storage.memory import MemoryStore
from tests.duties.list_reader import Reader
from tests.list_writer import (
    LIST,
    ListWriter,
    Said,
    amend,
    enter,
    leave,
    resume,
    states_of,
    suspend,
)

STEPS: dict[str, Callable[[Place], Said]] = {
    "amend": amend,
    "suspend": suspend,
    "resume": resume,
    "exit": leave,
    "repair": lambda place: leave(place, 2),
    "annul": lambda place: leave(place, 3),
    "measure": lambda place: amend(place, measures=["NOT-THEIRS"]),
    "dates": lambda place: amend(place, until="2025-01-01"),
}
VOID = frozenset({"measure", "dates"})
LATE, CUT = -1, -2  # beside the numbers of epochs


def write(draw: st.DrawFn, writer: ListWriter, entered: list[Place], entries: int) -> None:
    """Write entries of a few operations each, on whoever was entered before; some of them void."""
    for _ in range(entries):
        said: list[Said] = []
        void: list[int] = []
        for _ in range(draw(st.integers(1, 3))):
            name = draw(st.sampled_from(["enter", *STEPS])) if entered else "enter"
            if name in VOID:
                void.append(len(said))
            said.append(enter(len(entered)) if name == "enter" else STEPS[name](draw(st.sampled_from(entered))))
        warrant = draw(st.integers(0, 7)) > 0
        _, places = writer.change(*said, void=void, warrant=warrant)
        entered += [place for place, each in zip(places, said, strict=True) if not each.op.HasField("entry")]


@dataclass(frozen=True)
class History:
    """A list of one epoch or two, and where the first is cut, None while it is open."""

    writers: list[ListWriter]
    cut: HeadAt | None

    @property
    def model(self) -> Any:
        return self.writers[-1].model


@st.composite
def histories(draw: st.DrawFn) -> History:
    first, entered = ListWriter(), list[Place]()
    first.manifest()
    heads = [first.head]
    for _ in range(draw(st.integers(1, 4))):
        write(draw, first, entered, 1)
        heads.append(first.head)
    if not draw(st.booleans()):
        return History([first], None)
    cut = draw(st.sampled_from(heads))
    second = ListWriter(epoch=1, model=replace(first.model, cuts={0: cut.size}))
    second.resume_after(0, cut)
    # What stands above the cut was written by an origin that lost it: the next epoch does not know it.
    write(draw, second, [place for place in entered if place.index < cut.size], draw(st.integers(0, 3)))
    return History([first, second], cut)


def bring(data: st.DataObject, reader: Reader, history: History) -> None:
    """Bring everything in some order; each epoch's headers in theirs."""
    due = {writer.log.epoch: list(writer.entries) for writer in history.writers}
    late: list[VerifiedEntry] = []
    cut = history.cut
    while late or cut or any(due.values()):
        ready = [epoch for epoch, entries in due.items() if entries]
        choice = data.draw(st.sampled_from([*ready, *([LATE] if late else []), *([CUT] if cut else [])]))
        crashes = data.draw(st.booleans())
        if choice == CUT:
            assert cut is not None
            reader.cut(cut, crashes=crashes)
            cut = None
        elif choice == LATE:
            entry = late.pop(data.draw(st.integers(0, len(late) - 1)))
            for _ in range(data.draw(st.integers(1, 2))):
                reader.supply(entry, crashes=crashes)
        else:
            entry = due[choice].pop(0)
            is_late = entry.body is not None and data.draw(st.booleans())
            late += [entry] if is_late else []
            brought = replace(entry, body=None) if is_late else entry
            reader.take(brought, crashes=crashes)
            with pytest.raises(XinqiaoError, match="HEAD_MOVED"):
                reader.take(brought)
        assert_lifted(reader.store, history, [*late, *(entry for entries in due.values() for entry in entries)])


def assert_lifted(store: Store, history: History, missing: list[VerifiedEntry]) -> None:
    """What was lifted by an operation whose body is here is not answered as listed."""
    absent = {(entry.header.epoch, entry.header.index) for entry in missing}
    for place, op in history.model.operations.items():
        if op.act == EXIT and (place.epoch, place.index) not in absent:
            held = store.listing(LIST, Place(op.entry.epoch, op.entry.index, op.entry.position))
            assert held is None or held.answered not in (ListState.LISTED, ListState.SUSPENDED)


def assert_agrees(store: Store, history: History) -> None:
    """The store holds what the model says, in listings and digest, and knows that it does."""
    states = history.model.states()
    assert states_of(store.listings(LIST, None, 1_000)) == states
    held = store.list_state(LIST)
    assert held is not None
    assert (held.digest, held.status, held.differs) == (history.model.digest(), DigestStatus.MATCH, None)
    assert not [alarm for alarm in store.alarms() if alarm.code == "LIST_DIGEST"]
    for place in states:
        listing = store.listing(LIST, place)
        assert listing is not None
        assert listing.subject is not None
        assert place in [each.listing.place for each in store.listings_of(listing.subject)]


@settings(max_examples=60, deadline=None)
@given(history=histories(), data=st.data())
def test_g3_a_list_comes_out_the_same_in_whatever_order_it_came(history: History, data: st.DataObject) -> None:
    reader = Reader(MemoryStore())
    bring(data, reader, history)
    reader.fold_rest()
    assert_agrees(reader.store, history)


@settings(max_examples=15, deadline=None)
@given(history=histories(), data=st.data())
def test_g3_a_list_is_the_same_when_it_is_rebuilt(history: History, data: st.DataObject) -> None:
    reader = Reader(MemoryStore())
    bring(data, reader, history)
    before = list(reader.store.listings(LIST, None, 1_000))
    reader.run(lambda tx: tx.rebuild_list(LIST, "again"))
    assert list(reader.store.listings(LIST, None, 1_000)) == before
    assert_agrees(reader.store, history)


def test_an_exit_lifts_though_an_earlier_body_is_missing() -> None:
    writer = ListWriter()
    writer.manifest()
    _, (place,) = writer.change(enter(1))
    writer.change(enter(2))
    writer.change(leave(place))
    reader = Reader(MemoryStore())
    for entry in writer.entries:
        reader.take(replace(entry, body=None) if entry.header.index == 2 else entry)
    held = reader.store.listing(LIST, place)
    assert held is not None
    assert (held.listing.state, held.answered) == (ListState.LISTED, ListState.EXITED)
    state = reader.store.list_state(LIST)
    assert state is not None
    assert state.status is DigestStatus.UNKNOWN
    reader.supply(writer.entries[2])
    assert_agrees(reader.store, History([writer], None))


def test_an_exit_above_the_cut_lifts_and_what_burdens_above_it_does_not() -> None:
    writer = ListWriter()
    writer.manifest()
    _, (place, other) = writer.change(enter(1), enter(2))
    cut = writer.head
    writer.change(leave(place), amend(other, measures=["SHR-31-2"]))
    _, (later,) = writer.change(enter(3))
    reader = Reader(MemoryStore())
    for entry in writer.entries:
        reader.take(entry)
    reader.cut(cut)
    writer.model.cuts[0] = cut.size
    assert_agrees(reader.store, History([writer], cut))
    lifted, kept = (reader.store.listing(LIST, each) for each in (place, other))
    assert lifted is not None
    assert kept is not None
    assert (lifted.listing.state, lifted.answered) == (ListState.LISTED, ListState.EXITED)
    assert (kept.answered, kept.listing.measures) == (ListState.LISTED, ("SHR-31-1",))
    assert reader.store.listing(LIST, later) is None
    assert {each.operation.act for each in reader.store.list_operations(LIST, place)} == {1, EXIT}
    assert SUSPEND not in {each.operation.act for each in reader.store.list_operations(LIST, place)}
