"""What every store keeps of joint lists: operations, listings, and one number for their members."""

from collections.abc import Sequence

import pytest

from node.core import muhash
from node.core.channel import HeadAt
from node.core.entry import erase_slots
from node.core.list_fold import JudgedOperation
from node.core.listing import AMEND, CONDITIONS_MET, ENTER, EXIT, SUSPEND, Listing, ListOperation, ListState
from node.core.state import Applied, Place
from node.held_lists import DigestStatus, HeldListing, HeldListState, HeldOperation
from node.ports import Store
from tests.builders import NOW_MS, ChannelWriter, SigningNode, erasure_of, whole_of
from tests.storage.contract.steps import CHANNEL, HUGE, keep

EMPTY = muhash.digest(muhash.EMPTY)


def operation(place: Place, act: int = ENTER, target: Place | None = None, until: str = "") -> ListOperation:
    """An operation; one that enters or amends has a last day and measures."""
    renews = act in (ENTER, AMEND)
    return ListOperation(
        place=place,
        act=act,
        target=target or place,
        at_ms=NOW_MS,
        decided_on="2026-01-05",
        until=until or ("2028-12-31" if renews else ""),
        measures=("M-1", "M-2") if renews else (),
        ground=CONDITIONS_MET if act == EXIT else 0,
        particulars=place.position + 1,
    )


def at(index: int, position: int = 0, epoch: int = 0) -> Place:
    return Place(epoch, index, position)


def put(
    store: Store,
    *operations: ListOperation,
    valid: bool | None = True,
    subject: str | None = "S",
    channel: str = CHANNEL,
) -> None:
    """Keep operations, each in its own transaction."""
    for each in operations:
        with store.transaction() as tx:
            tx.put_operations(channel, [JudgedOperation(each, valid, subject if each.act == ENTER else None)])


def digest(store: Store, channel: str = CHANNEL) -> bytes:
    held = store.list_state(channel)
    return held.digest if held is not None else EMPTY


def digest_over(*members: str) -> bytes:
    """The digest over members, written as `epoch/index/position state until`."""
    elements = []
    for member in members:
        place, state, until = member.split()
        elements.append(f"xinqiao/list-member/v1\n{place}\n{state}\n{until}\nM-1,M-2\n".encode())
    return muhash.digest(muhash.change(muhash.EMPTY, elements))


def states(store: Store) -> list[tuple[Place, str, str]]:
    """(place, asserted, answered) of every listing."""
    held = store.listings(CHANNEL, None, 100)
    return [(each.listing.place, each.listing.state.value, each.answered.value) for each in held]


class ListContract:
    """Listings follow from their operations, whatever order these come in."""

    @pytest.fixture
    def begun(self, store: Store, writer: ChannelWriter) -> Store:
        """A store that holds a log of eight entries, with six slots each."""
        for index in range(8):
            keep(store, writer.records([b"%d/%d" % (index, position) for position in range(6)]))
        return store

    def test_nothing_is_known_of_a_list_before_anything_is_kept(self, store: Store) -> None:
        assert store.listing(CHANNEL, at(1)) is None
        assert list(store.listings(CHANNEL, None, 10)) == []
        assert list(store.listings_of("S")) == []
        assert list(store.list_operations(CHANNEL, at(1))) == []
        assert store.list_state(CHANNEL) is None
        assert store.listing(CHANNEL, Place(HUGE, HUGE, 0)) is None

    def test_who_was_entered_is_found_by_place_and_by_subject(self, begun: Store) -> None:
        entered = operation(at(1))
        put(begun, entered)
        listing = Listing(
            place=at(1),
            state=ListState.LISTED,
            until="2028-12-31",
            measures=("M-1", "M-2"),
            decided_on="2026-01-05",
            at_ms=NOW_MS,
            last=at(1),
            operations=(entered,),
        )
        held = HeldListing(CHANNEL, listing, ListState.LISTED, "S")
        assert begun.listing(CHANNEL, at(1)) == held
        assert list(begun.listings_of("S")) == list(begun.listings(CHANNEL, None, 10)) == [held]
        assert list(begun.list_operations(CHANNEL, at(1))) == [HeldOperation(entered, True, True)]
        assert digest(begun) == digest_over("0/1/0 listed 2028-12-31")
        assert begun.listing("310000/unknown", at(1)) is None
        assert begun.listing(CHANNEL, at(1, 1)) is None
        assert list(begun.listings_of("somebody else")) == []

    def test_the_operations_about_many_subjects_are_found_at_once_and_as_about_each(self, begun: Store) -> None:
        subjects = {at(1): "S", at(1, 1): "T", at(2): "S", at(3): "U"}
        for place, subject in subjects.items():
            put(begun, operation(place), subject=subject)
        put(begun, operation(at(4), SUSPEND, at(1)), operation(at(5), EXIT, at(3)))
        asked = [*(f"nobody {number}" for number in range(1_200)), "S", "U"]
        found = begun.operations_about(asked)
        assert set(found) == {"S", "U"}
        for subject, entries in found.items():
            places = [(each.channel, each.operations[0].operation.target) for each in entries]
            assert places == [(held.channel, held.listing.place) for held in begun.listings_of(subject)]
            assert [each.operations for each in entries] == [begun.list_operations(*place) for place in places]
        assert len(found["S"][0].operations) == 2
        assert begun.operations_about([]) == {}

    def test_listings_come_in_the_order_of_their_places_page_by_page(self, begun: Store) -> None:
        places = [at(index, position) for index in (3, 1, 2) for position in (4, 0)]
        put(begun, *(operation(place) for place in places))
        ordered = sorted(places)
        assert [each.listing.place for each in begun.listings(CHANNEL, None, 100)] == ordered
        found: list[Place] = []
        while page := begun.listings(CHANNEL, found[-1] if found else None, 4):
            assert len(page) <= 4
            found += [each.listing.place for each in page]
        assert found == ordered
        assert list(begun.listings(CHANNEL, None, 0)) == []

    def test_every_state_is_a_step_of_the_digest(self, begun: Store) -> None:
        place = at(1)
        steps = [
            (operation(place), ["0/1/0 listed 2028-12-31"]),
            (operation(at(2), SUSPEND, place), ["0/1/0 suspended 2028-12-31"]),
            (operation(at(3), AMEND, place, "2027-06-30"), ["0/1/0 suspended 2027-06-30"]),
            (operation(at(4), EXIT, place), []),
        ]
        for step, members in steps:
            put(begun, step)
            assert digest(begun) == digest_over(*members)
        assert states(begun) == [(place, "exited", "exited")]

    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0), (2, 0, 1)])
    def test_the_order_in_which_operations_come_changes_nothing(self, begun: Store, order: Sequence[int]) -> None:
        place = at(1)
        given = [operation(place), operation(at(2), SUSPEND, place), operation(at(3), AMEND, place, "2027-06-30")]
        put(begun, *(given[number] for number in order))
        put(begun, *given)
        assert states(begun) == [(place, "suspended", "suspended")]
        assert digest(begun) == digest_over("0/1/0 suspended 2027-06-30")
        assert [each.operation for each in begun.list_operations(CHANNEL, place)] == given

    def test_void_operations_are_kept_and_do_nothing(self, begun: Store) -> None:
        put(begun, operation(at(1)))
        put(begun, operation(at(2), EXIT, at(1)), operation(at(3)), valid=False)
        assert states(begun) == [(at(1), "listed", "listed")]
        assert [each.is_valid for each in begun.list_operations(CHANNEL, at(1))] == [True, False]
        assert list(begun.list_operations(CHANNEL, at(3))) == [HeldOperation(operation(at(3)), False, False)]
        assert digest(begun) == digest_over("0/1/0 listed 2028-12-31")

    def test_what_favours_the_subject_is_answered_before_it_is_folded(self, begun: Store) -> None:
        put(begun, operation(at(2), EXIT, at(1)), valid=None)
        put(begun, operation(at(1)))
        assert states(begun) == [(at(1), "listed", "exited")]
        assert digest(begun) == digest_over("0/1/0 listed 2028-12-31")
        put(begun, operation(at(2), EXIT, at(1)))
        assert (states(begun), digest(begun)) == ([(at(1), "exited", "exited")], EMPTY)
        put(begun, operation(at(2), EXIT, at(1)), valid=None)  # it comes once more
        assert states(begun) == [(at(1), "exited", "exited")]

    def test_what_is_found_void_is_answered_no_more(self, begun: Store) -> None:
        put(begun, operation(at(1)))
        put(begun, operation(at(2), SUSPEND, at(1)), valid=None)
        assert states(begun) == [(at(1), "listed", "suspended")]
        put(begun, operation(at(2), SUSPEND, at(1)), valid=False)
        assert states(begun) == [(at(1), "listed", "listed")]

    def test_what_burdens_counts_only_once_it_is_folded(self, begun: Store) -> None:
        put(begun, operation(at(1)), valid=None)
        assert (states(begun), digest(begun)) == ([], EMPTY)
        put(begun, operation(at(1)))
        assert states(begun) == [(at(1), "listed", "listed")]

    def test_an_operation_judged_again_counts_as_judged_last(self, begun: Store) -> None:
        put(begun, operation(at(1)))
        put(begun, operation(at(1)), valid=False)
        assert (states(begun), digest(begun), list(begun.listings_of("S"))) == ([], EMPTY, [])

    def test_a_cut_takes_back_what_burdens_above_it_and_nothing_else(self, begun: Store) -> None:
        put(begun, operation(at(1)), operation(at(2)), operation(at(5)))
        put(begun, operation(at(6), EXIT, at(1)), operation(at(6, 2), AMEND, at(2), "2027-06-30"))
        for size, expected, members in (
            (5, [(at(1), "listed", "exited"), (at(2), "listed", "listed")], ["0/1/0", "0/2/0"]),
            (6, [(at(1), "listed", "exited"), (at(2), "listed", "listed"), (at(5), "listed", "listed")], None),
            (1, [], []),
        ):
            with begun.transaction() as tx:
                tx.set_cut(CHANNEL, 0, HeadAt(size, b"r" * 32))
            assert states(begun) == expected
            named = members if members is not None else ["0/1/0", "0/2/0", "0/5/0"]
            assert digest(begun) == digest_over(*(f"{place} listed 2028-12-31" for place in named))
        with begun.transaction() as tx:
            tx.set_cut(CHANNEL, 0, HeadAt(8, b"r" * 32))
        assert [state for _, state, _ in states(begun)] == ["exited", "listed", "listed"]
        found = begun.listing(CHANNEL, at(2))
        assert found is not None
        assert (found.listing.until, found.subject) == ("2027-06-30", "S")

    def test_a_cut_that_is_known_first_holds_for_what_comes_later(self, begun: Store) -> None:
        with begun.transaction() as tx:
            tx.set_cut(CHANNEL, 0, HeadAt(2, b"r" * 32))
        put(begun, operation(at(1)), operation(at(3)), operation(at(4), EXIT, at(1)))
        assert states(begun) == [(at(1), "listed", "exited")]
        assert digest(begun) == digest_over("0/1/0 listed 2028-12-31")

    def test_erased_words_leave_a_listing_without_a_name(self, begun: Store, writer: ChannelWriter) -> None:
        put(begun, operation(at(1)), operation(at(1, 2)))
        with begun.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure_of(writer.entries[1], 1)])
        assert [each.subject for each in begun.listings(CHANNEL, None, 9)] == [None, "S"]
        assert [each.listing.place for each in begun.listings_of("S")] == [at(1, 2)]
        assert digest(begun) == digest_over("0/1/0 listed 2028-12-31", "0/1/2 listed 2028-12-31")

    def test_an_erased_operation_is_gone_unless_it_favours_the_subject(
        self, begun: Store, writer: ChannelWriter
    ) -> None:
        put(begun, operation(at(1)), operation(at(1, 2)))
        put(begun, operation(at(2), EXIT, at(1)), operation(at(2, 2), AMEND, at(1, 2), "2027-06-30"))
        for position in (0, 2):
            with begun.transaction() as tx:
                tx.put_erasures(CHANNEL, [erasure_of(writer.entries[2], position)])
        assert states(begun) == [(at(1), "listed", "exited"), (at(1, 2), "listed", "listed")]
        assert digest(begun) == digest_over("0/1/0 listed 2028-12-31", "0/1/2 listed 2028-12-31")
        with begun.transaction() as tx:
            tx.put_erasures(CHANNEL, [whole_of(writer.entries[1])])
        assert (states(begun), digest(begun), list(begun.listings_of("S"))) == ([], EMPTY, [])
        assert [each.operation.act for each in begun.list_operations(CHANNEL, at(1))] == [EXIT]

    def test_without_its_warrant_an_entry_asserts_nothing(self, begun: Store, writer: ChannelWriter) -> None:
        put(begun, operation(at(1)))
        put(begun, operation(at(2)), operation(at(2, 2), SUSPEND, at(1)))
        with begun.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure_of(writer.entries[2], 5)])
        assert states(begun) == [(at(1), "listed", "suspended")]
        assert digest(begun) == digest_over("0/1/0 listed 2028-12-31")

    def test_who_leaves_forgets_an_epoch_but_not_what_it_lifted_elsewhere(
        self, begun: Store, shanghai: SigningNode
    ) -> None:
        second = ChannelWriter(shanghai, CHANNEL, epoch=1)
        for _ in range(3):
            keep(begun, second.records([b"one"]))
        put(begun, operation(at(1)), operation(at(2)), operation(at(1, epoch=1)))
        put(begun, operation(at(2, epoch=1), EXIT, at(1)), operation(at(2, 2, 1), AMEND, at(2), "2027-06-30"))
        with begun.transaction() as tx:
            tx.put_comparison(CHANNEL, DigestStatus.MATCH, None)
            tx.erase_bodies(CHANNEL, 1)
            tx.set_left(CHANNEL, 1, 2)
        assert states(begun) == [(at(1), "listed", "exited"), (at(2), "listed", "listed")]
        assert digest(begun) == digest_over("0/1/0 listed 2028-12-31", "0/2/0 listed 2028-12-31")
        state = begun.list_state(CHANNEL)
        assert state is not None
        assert state.status is DigestStatus.UNKNOWN
        with begun.transaction() as tx:
            tx.erase_bodies(CHANNEL, 0)
        assert (states(begun), digest(begun), list(begun.listings_of("S"))) == ([], EMPTY, [])
        assert [each.operation.act for each in begun.list_operations(CHANNEL, at(1))] == [EXIT]

    def test_a_returner_folds_again_from_nothing(self, begun: Store) -> None:
        with begun.transaction() as tx:
            for index in range(3):
                tx.apply(Applied(CHANNEL, 0, index))
        put(begun, operation(at(1)), operation(at(2), SUSPEND, at(1)))
        for left_at in (2, None):
            with begun.transaction() as tx:
                tx.set_left(CHANNEL, 0, left_at)
        assert (states(begun), digest(begun), list(begun.list_operations(CHANNEL, at(1)))) == ([], EMPTY, [])

    def test_how_a_list_compares_is_kept_beside_its_members(self, begun: Store) -> None:
        with begun.transaction() as tx:
            tx.put_comparison(CHANNEL, DigestStatus.MISMATCH, at(3))
        put(begun, operation(at(1)))
        state = begun.list_state(CHANNEL)
        assert state is not None
        assert (state.status, state.differs, state.rebuilt) == (DigestStatus.MISMATCH, at(3), "")
        assert state.digest == digest_over("0/1/0 listed 2028-12-31")

    def test_members_are_worked_out_anew_from_the_operations(self, begun: Store) -> None:
        put(begun, *(operation(at(index, position)) for index in range(1, 5) for position in (0, 2)))
        put(begun, operation(at(6), EXIT, at(1)))
        before, members = begun.list_state(CHANNEL), states(begun)
        assert before is not None
        with begun.transaction() as tx:
            tx._put_list_state(HeldListState(CHANNEL))  # type: ignore[attr-defined]
            tx.rebuild_list(CHANNEL, "7")
        after = begun.list_state(CHANNEL)
        assert after is not None
        assert (after.accumulator, after.rebuilt, states(begun)) == (before.accumulator, "7", members)

    def test_an_error_leaves_the_members_as_they_were(self, begun: Store) -> None:
        put(begun, operation(at(1)))
        with pytest.raises(ZeroDivisionError), begun.transaction() as tx:
            tx.put_operations(CHANNEL, [JudgedOperation(operation(at(2)), True, "T"), *_failing()])
        assert (states(begun), list(begun.listings_of("T"))) == ([(at(1), "listed", "listed")], [])
        assert digest(begun) == digest_over("0/1/0 listed 2028-12-31")

    def test_lists_are_kept_apart(self, begun: Store, shanghai: SigningNode) -> None:
        other = ChannelWriter(shanghai, "310000/lists/red")
        keep(begun, other.records([b"one"]))
        put(begun, operation(at(0)), channel=other.log.channel)
        put(begun, operation(at(0)), operation(at(1), EXIT, at(0)))
        assert [(each.channel, each.answered.value) for each in begun.listings_of("S")] == [
            ("310000/lists/red", "listed"),
            (CHANNEL, "exited"),
        ]
        assert (digest(begun), digest(begun, other.log.channel)) == (EMPTY, digest_over("0/0/0 listed 2028-12-31"))

    def test_bare_slots_say_nothing_of_what_was_kept(self, begun: Store, writer: ChannelWriter) -> None:
        put(begun, operation(at(1)))
        body = writer.entries[1].body
        assert body is not None
        with begun.transaction() as tx:
            tx.put_body(CHANNEL, 0, 1, erase_slots(body, [0, 1]), complete=False)
        assert states(begun) == [(at(1), "listed", "listed")]


def _failing() -> Sequence[JudgedOperation]:
    return [1 // 0]  # type: ignore[list-item]
