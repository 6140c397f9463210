"""Records in force, acts on them, and what a quality report counts."""

from dataclasses import replace

from node.core.channel import HeadAt
from node.core.entry import open_body
from node.core.quality import Corrections
from node.core.record import content_hash
from node.core.state import APPLIED, CORRECT, DUPLICATE, REJECTED, REPAIR, SUSPEND, Act, Applied, HeldKey, Place
from node.ports import HeldRecord, Store
from tests.builders import NOW_MS, ChannelWriter, SigningNode, erasure_of, key_of, put_in_force
from tests.storage.contract.steps import CHANNEL, apply, contents, keep, keep_and_apply, refused


class FoldContract:
    """Applying entries: records in force, one for each key, counted."""

    def test_entries_are_applied_in_order_and_once(self, store: Store, writer: ChannelWriter) -> None:
        first, second = writer.manifest(), writer.records([b"one"])
        keep(store, first, second)
        for wrong in (put_in_force(second), replace(put_in_force(first), channel="310000/unknown")):
            with refused("HEAD_MOVED"), store.transaction() as tx:
                tx.apply(wrong)
        apply(store, put_in_force(first), put_in_force(second))
        for wrong in (put_in_force(second), Applied(CHANNEL, 0, 2)):
            with refused("HEAD_MOVED"), store.transaction() as tx:
                tx.apply(wrong)
        held = store.channel(CHANNEL)
        assert held is not None
        assert (held.applied_size, held.records, store.record_count()) == (2, 1, 1)

    def test_records_in_force_are_found_with_their_bytes(self, store: Store, writer: ChannelWriter) -> None:
        entry = writer.records([b"one", b"two", b"three"])
        keep(store, entry)
        apply(store, put_in_force(entry, {0: "a", 2: "c"}, subject="91310000MA1K000000"))
        found = list(store.records("91310000MA1K000000"))
        assert found == list(store.records()) == list(store.records(channel=CHANNEL))
        assert found == [
            HeldRecord(CHANNEL, Place(0, 0, 0), b"one", NOW_MS, NOW_MS),
            HeldRecord(CHANNEL, Place(0, 0, 2), b"three", NOW_MS, NOW_MS),
        ]
        assert store.record(CHANNEL, Place(0, 0, 2)) == found[1]
        assert store.record(CHANNEL, Place(0, 0, 1)) is None
        assert store.record("310000/unknown", Place(0, 0, 0)) is None
        assert list(store.records("somebody else")) == []
        assert list(store.records(channel="310000/unknown")) == []

    def test_records_come_by_channel_and_place_up_to_the_limit(
        self, store: Store, shanghai: SigningNode, pudong: SigningNode
    ) -> None:
        for node, name in ((pudong, "310115/b"), (shanghai, "310000/z"), (shanghai, "310000/a")):
            channel = ChannelWriter(node, name)
            for at in range(2):
                entry = channel.records([f"{name} {at}/{position}".encode() for position in range(2)])
                keep(store, entry)
                apply(store, put_in_force(entry, subject="S" if at else "T"))
        places = [f"{at}/{position}" for at in range(2) for position in range(2)]
        everything = [f"{name} {place}".encode() for name in ("310000/a", "310000/z", "310115/b") for place in places]
        assert contents(store.records()) == everything
        assert contents(store.records(limit=5)) == everything[:5]
        assert contents(store.records(limit=0)) == []
        assert contents(store.records("S")) == [record for record in everything if b" 1/" in record]
        assert contents(store.records("S", "310000/z", 1)) == [b"310000/z 1/0"]
        assert (store.record_count(), store.record_count("310000/a"), store.record_count("310000/b")) == (12, 4, 0)

    def test_more_records_than_a_page_holds_are_all_read(self, store: Store, writer: ChannelWriter) -> None:
        expected = []
        for at in range(3):
            records = [f"{at}/{position}".encode() for position in range(1500)]
            keep_and_apply(store, writer.records(records))
            expected += records
        assert contents(store.records()) == expected
        assert store.record_count(CHANNEL) == 4500

    def test_keys_are_found_where_they_are_in_force(self, store: Store, writer: ChannelWriter) -> None:
        entry = writer.records([b"one", b"two"])
        keep(store, entry)
        apply(store, put_in_force(entry, {0: "a"}))
        found = store.find_keys(CHANNEL, [key_of("a"), key_of("b")])
        assert dict(found) == {key_of("a"): HeldKey(Place(0, 0, 0), content_hash(b"one"))}
        assert dict(store.find_keys("310000/unknown", [key_of("a")])) == {}
        assert dict(store.find_keys(CHANNEL, [])) == {}

    def test_many_keys_are_found_at_once(self, store: Store, writer: ChannelWriter) -> None:
        entry = writer.records([b"%d" % at for at in range(1200)])
        keep(store, entry)
        apply(store, put_in_force(entry, {at: f"key {at}" for at in range(1200)}))
        keys = [key_of(f"key {at}") for at in range(1300)]
        assert store.find_keys(CHANNEL, keys).keys() == set(keys[:1200])

    def test_a_revision_takes_the_place_of_the_record_it_replaces(self, store: Store, writer: ChannelWriter) -> None:
        first, second = writer.records([b"old", b"other"]), writer.records([b"new"])
        keep(store, first, second)
        apply(store, put_in_force(first, {0: "a", 1: "b"}, "S"))
        apply(store, put_in_force(second, {0: "a"}, "S", replaces={0: Place(0, 0, 0)}))
        assert contents(store.records("S")) == [b"other", b"new"]
        assert store.find_keys(CHANNEL, [key_of("a")])[key_of("a")].place == Place(0, 1, 0)
        assert store.record(CHANNEL, Place(0, 0, 0)) is None
        assert store.record_count(CHANNEL) == 2

    def test_a_second_record_in_force_under_one_key_is_refused(self, store: Store, writer: ChannelWriter) -> None:
        first, second = writer.records([b"old"]), writer.records([b"new"])
        keep(store, first, second)
        apply(store, put_in_force(first, {0: "a"}))
        with refused("DATABASE"), store.transaction() as tx:
            tx.apply(put_in_force(second, {0: "a"}))
        assert contents(store.records()) == [b"old"]

    def test_equal_keys_of_two_channels_do_not_meet(self, store: Store, shanghai: SigningNode) -> None:
        for name in ("310000/a", "310000/b"):
            entry = ChannelWriter(shanghai, name).records([name.encode()])
            keep(store, entry)
            apply(store, put_in_force(entry, {0: "same"}))
        assert contents(store.records()) == [b"310000/a", b"310000/b"]

    def test_outcomes_add_up_over_the_applied_entries(self, store: Store, writer: ChannelWriter) -> None:
        first, second = writer.records([b"1", b"2", b"3"]), writer.records([b"4", b"5"])
        keep(store, first, second)
        one = replace(put_in_force(first, {0: "a"}), counts={(APPLIED, ""): 1, (REJECTED, "RULE_MINOR"): 2})
        two = replace(put_in_force(second, {1: "b"}), counts={(APPLIED, ""): 1, (DUPLICATE, ""): 1})
        apply(store, one, two)
        assert dict(store.outcomes(CHANNEL, 0)) == {
            (APPLIED, ""): 2,
            (DUPLICATE, ""): 1,
            (REJECTED, "RULE_MINOR"): 2,
        }
        assert dict(store.outcomes(CHANNEL, 1)) == {}

    def test_barred_content_is_not_kept_and_never_comes_back(self, store: Store, writer: ChannelWriter) -> None:
        entry = writer.records([b"kept", b"barred"])
        assert entry.body is not None
        keep(store, entry)
        apply(store, put_in_force(entry, {0: "a"}, barred=[1]))
        for _ in range(2):
            held = store.entry(CHANNEL, 0, 0)
            assert held is not None
            assert held.body is not None
            assert b"barred" not in held.body
            assert held.complete
            assert open_body(entry.header, held.body).bare == (1,)
            with store.transaction() as tx:  # a peer supplies the whole body again
                tx.put_body(CHANNEL, 0, 0, entry.body, complete=True)
        assert contents(store.records()) == [b"kept"]


class ActsContract:
    """What status operations do to records: kept in whatever order they and their targets came."""

    def test_acts_are_found_by_any_revision_of_their_record_in_order(self, store: Store, writer: ChannelWriter) -> None:
        entries = [writer.records([b"a1", b"b"]), writer.records([b"a2"])]
        later = Act(Place(0, 3, 0), REPAIR, Place(0, 1, 0), NOW_MS + 1, 1)
        other = Act(Place(0, 4, 0), CORRECT, Place(0, 0, 1), NOW_MS, 1, replacement=Place(0, 1, 0))
        earlier = Act(Place(0, 2, 1), SUSPEND, Place(0, 0, 0), NOW_MS, 0)
        with store.transaction() as tx:
            tx.put_acts(CHANNEL, [later, other])
            tx.put_acts("310000/other", [replace(earlier, kind=REPAIR)])
        assert list(store.acts(CHANNEL, Place(0, 1, 0))) == [later]
        assert dict(store.acts_in_force(CHANNEL)) == {}
        keep(store, *entries)
        apply(store, put_in_force(entries[0], {0: "a", 1: "b"}))
        apply(store, put_in_force(entries[1], {0: "a"}, replaces={0: Place(0, 0, 0)}))
        with store.transaction() as tx:
            tx.put_acts(CHANNEL, [earlier])
            assert list(tx.acts(CHANNEL, Place(0, 0, 0))) == [earlier, later]
        assert list(store.acts(CHANNEL, Place(0, 1, 0))) == [earlier, later]
        assert list(store.acts(CHANNEL, Place(0, 0, 1))) == [other]
        assert dict(store.acts_in_force(CHANNEL)) == {Place(0, 0, 1): [other], Place(0, 1, 0): [earlier, later]}
        assert list(store.acts("310000/none", Place(0, 0, 0))) == []

    def test_a_record_that_a_correction_names_is_counted_once_and_a_repair_corrects_nothing(
        self, store: Store, writer: ChannelWriter
    ) -> None:
        entry = writer.records([b"wrong", b"right", b"repaired"])
        keep_and_apply(store, entry)
        named = [
            Act(Place(0, index, 0), CORRECT, Place(0, 0, 0), NOW_MS, 1, replacement=Place(0, 0, 1)) for index in (1, 2)
        ]
        with store.transaction() as tx:
            tx.put_acts(CHANNEL, [*named, Act(Place(0, 3, 0), REPAIR, Place(0, 0, 2), NOW_MS, 1)])
        assert store.corrections(CHANNEL, 0, 0, 1) == Corrections(1, 0)
        assert store.corrections(CHANNEL, 0, 1, 9) == Corrections()

    def test_an_act_that_is_known_changes_nothing(self, store: Store, writer: ChannelWriter) -> None:
        keep_and_apply(store, writer.records([b"a"]))
        act = Act(Place(0, 1, 0), SUSPEND, Place(0, 0, 0), NOW_MS, 1)
        for again in (act, replace(act, kind=REPAIR)):
            with store.transaction() as tx:
                tx.put_acts(CHANNEL, [again])
        assert list(store.acts(CHANNEL, Place(0, 0, 0))) == [act]
        assert contents(store.records()) == [b"a"]

    def test_acts_stay_when_a_log_is_left_and_when_their_record_is_erased(
        self, store: Store, writer: ChannelWriter
    ) -> None:
        entry = writer.records([b"a"])
        keep_and_apply(store, entry)
        act = Act(Place(0, 1, 0), REPAIR, Place(0, 0, 0), NOW_MS, 1)
        with store.transaction() as tx:
            tx.put_acts(CHANNEL, [act])
            tx.put_erasures(CHANNEL, [erasure_of(entry, 0)])
            tx.erase_bodies(CHANNEL, 0)
        assert list(store.acts(CHANNEL, Place(0, 0, 0))) == [act]
        assert dict(store.acts_in_force(CHANNEL)) == {}

    def test_an_act_on_what_stands_above_a_cut_is_one_on_what_is_in_force_below(
        self, store: Store, writer: ChannelWriter
    ) -> None:
        entries = [writer.records([b"old"]), writer.records([b"new"])]
        keep(store, *entries)
        apply(store, put_in_force(entries[0], {0: "a"}))
        apply(store, put_in_force(entries[1], {0: "a"}, replaces={0: Place(0, 0, 0)}))
        act = Act(Place(0, 2, 0), REPAIR, Place(0, 1, 0), NOW_MS, 1)
        with store.transaction() as tx:
            tx.put_acts(CHANNEL, [act])
            tx.set_cut(CHANNEL, 0, HeadAt(1, entries[0].root))
        assert contents(store.records()) == [b"old"]
        assert dict(store.acts_in_force(CHANNEL)) == {Place(0, 0, 0): [act]}
