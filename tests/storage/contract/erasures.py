"""Erasures: what is erased goes, whenever it is said, and nothing else does."""

from dataclasses import replace

import pytest

from node.core.entry import WHOLE_ENTRY, erase_slots, open_body
from node.core.quality import Corrections
from node.core.state import Erasure, Place
from node.ports import Store
from tests.builders import ChannelWriter, erasure_of, key_of, put_in_force, whole_of
from tests.storage.contract.steps import CHANNEL, HUGE, apply, contents, keep, keep_and_apply


class ErasureContract:
    """Erased is erased: before its target arrives, after it was applied, and when somebody sends it again."""

    def test_a_slot_is_erased_with_its_record(self, store: Store, writer: ChannelWriter) -> None:
        entry = writer.records([b"stays", b"secret"])
        keep_and_apply(store, entry)
        erasure = erasure_of(entry, 1)
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure])
        held = store.entry(CHANNEL, 0, 0)
        assert held is not None
        assert held.body is not None
        assert b"secret" not in held.body
        assert open_body(entry.header, held.body).bare == (1,)  # and every proof still holds
        assert held.complete
        assert dict(store.erasures(CHANNEL, 0, 0)) == {1: erasure.commitment}
        assert contents(store.records()) == [b"stays"]
        assert (store.record(CHANNEL, Place(0, 0, 1)), store.record_count(CHANNEL)) == (None, 1)
        assert len(store.find_keys(CHANNEL, [key_of(f"{CHANNEL} 0/0/{at}") for at in range(2)])) == 1

    def test_an_erasure_holds_before_its_target_arrives(self, store: Store, writer: ChannelWriter) -> None:
        first, second = writer.manifest(), writer.records([b"stays", b"secret"])
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure_of(second, 1)])
        assert store.channel(CHANNEL) is None
        assert set(store.erasures(CHANNEL, 0, 1)) == {1}
        keep(store, first, second)
        held = store.entry(CHANNEL, 0, 1)
        assert held is not None
        assert held.body is not None
        assert b"secret" not in held.body
        assert held.complete

    def test_what_is_erased_stays_so_when_it_is_sent_again(self, store: Store, writer: ChannelWriter) -> None:
        entry = writer.records([b"stays", b"secret"])
        assert entry.body is not None
        keep(store, entry)
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure_of(entry, 1)])
            tx.put_body(CHANNEL, 0, 0, entry.body, complete=True)
            tx.put_erasures(CHANNEL, [erasure_of(entry, 1)])
        held = store.entry(CHANNEL, 0, 0)
        assert held is not None
        assert held.body is not None
        assert b"secret" not in held.body

    def test_a_withheld_slot_becomes_complete_when_its_erasure_is_known(
        self, store: Store, writer: ChannelWriter
    ) -> None:
        entry = writer.records([b"one", b"two", b"three"])
        assert entry.body is not None
        keep(store, replace(entry, body=erase_slots(entry.body, [0, 2])), complete=False)
        for position, missing in ((0, [0]), (2, [])):
            with store.transaction() as tx:
                tx.put_erasures(CHANNEL, [erasure_of(entry, position)])
            assert list(store.incomplete_entries(CHANNEL, 0, 10)) == missing

    @pytest.mark.parametrize("before", [True, False])
    def test_an_erasure_of_other_content_is_void(self, store: Store, writer: ChannelWriter, before: bool) -> None:
        entry = writer.records([b"one"])
        false = Erasure(Place(0, 0, 0), bytes(32))
        if not before:
            keep_and_apply(store, entry)
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [false, Erasure(Place(0, 0, 7), bytes(32))])
        if before:
            keep_and_apply(store, entry)
        held = store.entry(CHANNEL, 0, 0)
        assert held is not None
        assert entry.body is not None
        assert held.body == entry.body.serialized
        assert dict(store.erasures(CHANNEL, 0, 0)) == {}
        assert contents(store.records()) == [b"one"]

    def test_erasures_of_places_beyond_any_log_harm_nobody(self, store: Store, writer: ChannelWriter) -> None:
        entry = writer.records([b"one"])
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [Erasure(Place(HUGE, HUGE, 1), bytes(32))])
        keep_and_apply(store, entry)
        assert contents(store.records()) == [b"one"]

    @pytest.mark.parametrize("before", [True, False])
    def test_an_entry_erased_as_a_whole_is_complete_without_a_body(
        self, store: Store, writer: ChannelWriter, before: bool
    ) -> None:
        entry = writer.records([b"one", b"two"])
        erasure = whole_of(entry)
        if before:
            with store.transaction() as tx:
                tx.put_erasures(CHANNEL, [erasure])
        keep(store, replace(entry, body=None), complete=before)
        if not before:
            with store.transaction() as tx:
                tx.put_erasures(CHANNEL, [erasure])
        held = store.channel(CHANNEL)
        assert held is not None
        assert (held.incomplete_bodies, list(store.incomplete_entries(CHANNEL, 0, 10))) == (0, [])
        assert dict(store.erasures(CHANNEL, 0, 0)) == {WHOLE_ENTRY: erasure.commitment}

    def test_an_entry_erased_as_a_whole_keeps_its_commitments_and_no_record(
        self, store: Store, writer: ChannelWriter
    ) -> None:
        first, second = writer.records([b"old"]), writer.records([b"new", b"other"])
        keep(store, first, second)
        apply(store, put_in_force(first, {0: "a"}))
        apply(store, put_in_force(second, {0: "a", 1: "b"}, replaces={0: Place(0, 0, 0)}))
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [whole_of(second)])
        held = store.entry(CHANNEL, 0, 1)
        assert held is not None
        assert held.body is not None
        assert open_body(second.header, held.body).bare == (0, 1)
        assert (held.complete, contents(store.records()), store.record_count()) == (True, [b"old"], 1)
        assert second.body is not None
        with store.transaction() as tx:  # nor is anything of it kept that comes later
            tx.put_body(CHANNEL, 0, 1, second.body, complete=True)
        held = store.entry(CHANNEL, 0, 1)
        assert held is not None
        assert open_body(second.header, held.body or b"").bare == (0, 1)

    @pytest.mark.parametrize("before", [True, False])
    @pytest.mark.parametrize("has_body", [True, False])
    def test_an_erasure_of_another_entry_as_a_whole_is_void(
        self, store: Store, writer: ChannelWriter, before: bool, has_body: bool
    ) -> None:
        entry = writer.records([b"one"])
        kept = entry if has_body else replace(entry, body=None)
        if not before:
            keep(store, kept, complete=has_body)
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [replace(whole_of(entry), commitment=bytes(32))])
        if before:
            keep(store, kept, complete=has_body)
        held = store.entry(CHANNEL, 0, 0)
        assert held is not None
        assert (held.complete, dict(store.erasures(CHANNEL, 0, 0))) == (has_body, {})
        assert held.body == (entry.body.serialized if has_body and entry.body is not None else None)

    def test_who_comes_back_does_not_wait_for_an_entry_erased_as_a_whole(
        self, store: Store, writer: ChannelWriter
    ) -> None:
        lost, other = writer.records([b"one"]), writer.records([b"two"])
        keep(store, replace(lost, body=None), replace(other, body=None), complete=False)
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [whole_of(lost)])
            tx.erase_bodies(CHANNEL, 0)
            tx.set_left(CHANNEL, 0, 1)
        with store.transaction() as tx:
            tx.set_left(CHANNEL, 0, None)
        assert list(store.incomplete_entries(CHANNEL, 0, 10)) == [1]

    def test_it_does_not_matter_when_an_erasure_came(self, store: Store, writer: ChannelWriter) -> None:
        first, second = writer.records([b"old"]), writer.records([b"new"])
        keep(store, first, second)
        apply(store, put_in_force(first, {0: "a"}))
        apply(store, put_in_force(second, {0: "a"}, replaces={0: Place(0, 0, 0)}))
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure_of(second, 0)])
        # Who comes now gets the first record alone, and cannot know that there was another one.
        assert (contents(store.records()), store.record_count()) == ([b"old"], 1)
        assert store.find_keys(CHANNEL, [key_of("a")])[key_of("a")].place == Place(0, 0, 0)

    def test_erasing_what_is_above_a_cut_changes_nothing_below(self, store: Store, writer: ChannelWriter) -> None:
        first = writer.records([b"old"])
        cut = writer.head
        second, third = writer.records([b"new"]), writer.records([b"newer"])
        keep(store, first, second, third)
        apply(store, put_in_force(first, {0: "a"}))
        apply(store, put_in_force(second, {0: "a"}, replaces={0: Place(0, 0, 0)}))
        apply(store, put_in_force(third, {0: "a"}, replaces={0: Place(0, 1, 0)}))
        with store.transaction() as tx:
            tx.set_cut(CHANNEL, 0, cut)
            tx.put_erasures(CHANNEL, [erasure_of(third, 0)])
        assert contents(store.records()) == [b"old"]
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure_of(first, 0)])
        assert (contents(store.records()), store.record_count()) == ([], 0)  # "new" stays above the cut

    def test_all_revisions_of_a_record_are_known_by_any_of_them(self, store: Store, writer: ChannelWriter) -> None:
        later = ChannelWriter(writer.node, CHANNEL, epoch=1)
        entries = [writer.records([b"a1", b"b"]), writer.records([b"a2", b"a3"])]
        cut = writer.head
        entries += [writer.records([b"a4"]), later.records([b"a5"])]
        keep(store, *entries)
        apply(store, put_in_force(entries[0], {0: "a", 1: "b"}))
        twice = put_in_force(entries[1], {0: "a", 1: "a"}, replaces={1: Place(0, 0, 0)})
        apply(store, replace(twice, in_force=twice.in_force[1:], behind=twice.in_force[:1]))
        apply(store, put_in_force(entries[2], {0: "a"}, replaces={0: Place(0, 1, 1)}))
        with store.transaction() as tx:
            tx.set_cut(CHANNEL, 0, cut)
        apply(store, put_in_force(entries[3], {0: "a"}, replaces={0: Place(0, 1, 1)}))
        places = [Place(0, 0, 0), Place(0, 1, 0), Place(0, 1, 1), Place(0, 2, 0), Place(1, 0, 0)]
        assert [list(store.revisions(CHANNEL, place)) for place in places] == [places] * 5
        assert list(store.revisions(CHANNEL, Place(0, 0, 1))) == [Place(0, 0, 1)]
        assert list(store.revisions(CHANNEL, Place(0, 9, 9))) == []
        assert list(store.revisions("310000/other", places[0])) == []
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure_of(entries[0], 0), erasure_of(entries[3], 0)])
        assert list(store.revisions(CHANNEL, places[1])) == places[1:4]
        assert sorted(contents(store.records())) == [b"a3", b"b"]

    def test_what_came_after_another_record_of_its_key_is_known_and_what_reads_otherwise_is_counted(
        self, store: Store, writer: ChannelWriter
    ) -> None:
        entries = [writer.records([b"a1", b"b"]), writer.records([b"a2", b"c"]), writer.records([b"b"])]
        keep(store, *entries)
        apply(store, put_in_force(entries[0], {0: "a", 1: "b"}))
        apply(store, put_in_force(entries[1], {0: "a", 1: "c"}, replaces={0: Place(0, 0, 0)}))
        # The same content once more corrects nothing.
        apply(store, put_in_force(entries[2], {0: "b"}, replaces={0: Place(0, 0, 1)}))
        assert [set(store.revisions_in(CHANNEL, 0, index)) for index in range(4)] == [set(), {0}, {0}, set()]
        assert store.corrections(CHANNEL, 0, 0, 3) == Corrections(1, 0)
        assert store.corrections(CHANNEL, 0, 1, 3) == Corrections(0, 0)
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure_of(entries[1], 1), erasure_of(entries[0], 0)])
        assert store.corrections(CHANNEL, 0, 0, 3) == Corrections(0, 2)
        assert store.corrections(CHANNEL, 0, 1, 2) == Corrections(0, 1)
        assert set(store.revisions_in(CHANNEL, 0, 1)) == set()
        assert store.corrections(CHANNEL, 1, 0, 3) == store.corrections("310000/other", 0, 0, 3) == Corrections()

    def test_an_entry_that_is_erased_as_a_whole_counts_all_of_its_records(
        self, store: Store, writer: ChannelWriter
    ) -> None:
        entry = writer.records([b"one", b"two", b"three"])
        keep_and_apply(store, entry)
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [whole_of(entry)])
        assert store.corrections(CHANNEL, 0, 0, 1) == Corrections(0, 3)

    def test_erasing_a_replaced_record_leaves_its_revision(self, store: Store, writer: ChannelWriter) -> None:
        first, second = writer.records([b"old"]), writer.records([b"new"])
        keep(store, first, second)
        apply(store, put_in_force(first, {0: "a"}))
        apply(store, put_in_force(second, {0: "a"}, replaces={0: Place(0, 0, 0)}))
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure_of(first, 0)])
        assert (contents(store.records()), store.record_count()) == ([b"new"], 1)

    def test_a_key_can_be_used_again_after_its_record_was_erased(self, store: Store, writer: ChannelWriter) -> None:
        first, second = writer.records([b"old"]), writer.records([b"new"])
        keep(store, first, second)
        apply(store, put_in_force(first, {0: "a"}))
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure_of(first, 0)])
        assert dict(store.find_keys(CHANNEL, [key_of("a")])) == {}
        apply(store, put_in_force(second, {0: "a"}))
        assert contents(store.records()) == [b"new"]
