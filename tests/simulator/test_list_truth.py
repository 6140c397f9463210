"""The oracle's own fold of joint lists: it says what the protocol says, and what production says, in its own words."""

from random import Random

import pytest

from node.core import muhash
from node.core.listing import AMEND, ENTER, EXIT, RESUME, SUSPEND, ListOperation, listing_of, member_element
from node.core.state import Place
from node.pb import channel_pb2, listing_pb2, record_pb2
from node.simulator.list_truth import TrueOperation, digest_by, listings_by, operations_written

CHANNEL = "310000/lists/serious"
GROUNDS = (1, 2, 3)


def drawn(random: Random, count: int) -> list[TrueOperation]:
    """Operations on a few listings, in an order in which many may not follow."""
    targets = [Place(0, number, 0) for number in range(4)]
    found: list[TrueOperation] = []
    for index in range(count):
        target, act = random.choice(targets), random.choice((ENTER, AMEND, SUSPEND, RESUME, EXIT, EXIT))
        place = target if act == ENTER else Place(random.randint(0, 2), 10 + index, 0)
        renews = act in (ENTER, AMEND)
        ground = random.choice(GROUNDS) if act == EXIT else 0
        until, measures = (f"2027-01-{10 + index}", (f"SHR-31-{index % 4}",)) if renews else ("", ())
        if place not in [each.place for each in found]:
            found.append(TrueOperation(place, target, act, 1, ground, until, measures, f"S{target.index}", 1))
    return found


def as_production(operation: TrueOperation) -> ListOperation:
    """The same operation as the node has it."""
    day = "2026-01-05"
    said = (operation.until, operation.measures, operation.ground, operation.particulars)
    return ListOperation(operation.place, operation.act, operation.target, 1, day, *said)


@pytest.mark.parametrize("seed", range(300))
def test_it_agrees_with_the_fold_of_the_node_on_any_operations(seed: int) -> None:
    random = Random(seed)
    operations = drawn(random, random.randint(1, 16))
    random.shuffle(operations)
    by_target: dict[Place, list[ListOperation]] = {}
    for operation in operations:
        by_target.setdefault(operation.target, []).append(as_production(operation))
    due = {place: listing for place, each in by_target.items() if (listing := listing_of(each)) is not None}
    found = listings_by(operations)
    assert {place: (each.state, each.until, each.measures) for place, each in found.items()} == {
        place: (str(each.state), each.until, each.measures) for place, each in due.items()
    }
    elements = [element for each in due.values() if (element := member_element(each)) is not None]
    assert digest_by(found) == muhash.digest(muhash.change(muhash.EMPTY, elements))


def test_it_reads_operations_with_the_subject_they_name() -> None:
    op = listing_pb2.ListOp(act=listing_pb2.LIST_ACT_ENTER, until="2027-01-01", measures=["A"], particulars_slot=3)
    out = listing_pb2.ListOp(
        act=listing_pb2.LIST_ACT_EXIT,
        entry=record_pb2.RecordRef(channel=CHANNEL, epoch=0, index=3, position=1),
        ground=listing_pb2.EXIT_GROUND_REPAIRED,
        particulars_slot=3,
    )
    words = listing_pb2.ListParticulars(subject="S1", subject_name="N", decision="D", reason="R")
    slots = [listing_pb2.ListSlot(op=op), listing_pb2.ListSlot(op=out), listing_pb2.ListSlot(particulars=words)]
    header = channel_pb2.EntryHeader(channel=CHANNEL, epoch=1, index=7, kind=channel_pb2.ENTRY_KIND_LIST)
    found = operations_written(header, [slot.SerializeToString() for slot in slots])
    assert [(each.place, each.target, each.subject) for each in found] == [
        (Place(1, 7, 0), Place(1, 7, 0), "S1"),
        (Place(1, 7, 1), Place(0, 3, 1), ""),
    ]
    assert [each.ends for each in found] == [each.favours for each in found] == [False, True]
    header.kind = channel_pb2.ENTRY_KIND_RECORDS
    assert operations_written(header, []) == ()


def test_what_has_ended_stays_ended_and_may_only_be_annulled() -> None:
    place = Place(0, 1, 0)
    enter = TrueOperation(place, place, ENTER, 1, 0, "2027-01-01", (), "S", 1)

    def then(index: int, act: int, ground: int = 0) -> TrueOperation:
        return TrueOperation(Place(0, index, 0), place, act, 1, ground, "", (), "", 1)

    assert listings_by([enter, then(2, EXIT, 1), then(3, RESUME)])[place].state == "exited"
    assert listings_by([enter, then(2, SUSPEND), then(3, EXIT, 2), then(4, EXIT, 3)])[place].state == "annulled"
    assert listings_by([enter, then(2, EXIT, 3), then(3, EXIT, 1)])[place].state == "annulled"
    assert listings_by([then(2, EXIT, 1)]) == {}
