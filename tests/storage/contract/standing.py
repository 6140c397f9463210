"""Audience, quarantine, freshness and cuts: what of a log is answered."""

from collections.abc import Sequence
from dataclasses import replace

from node.core import merkle
from node.core.channel import HeadAt
from node.core.record import content_hash
from node.core.state import Place
from node.ports import Store
from tests.builders import ChannelWriter, SigningNode, erasure_of, key_of, put_in_force
from tests.storage.contract.steps import CHANNEL, HUGE, apply, contents, keep, keep_and_apply


class StandingContract:
    """What the registry and the peers say of a log: left, quarantined, cut, covered, fresh."""

    def test_a_leaver_keeps_headers_and_nothing_else(self, store: Store, writer: ChannelWriter) -> None:
        keep_and_apply(store, writer.manifest(), writer.records([b"one"]))
        keep(store, replace(writer.records([b"two"]), body=None), complete=False)
        with store.transaction() as tx:
            tx.erase_bodies(CHANNEL, 0)
            tx.set_left(CHANNEL, 0, 2)
        held = store.channel(CHANNEL)
        assert held is not None
        assert (held.left_at, held.log, held.applied_size) == (2, writer.log, 2)
        assert (held.records, held.incomplete_bodies, list(store.records())) == (0, 0, [])
        assert [entry.body for entry in store.entries(CHANNEL, 0, 0)] == [None] * 3
        assert all(entry.complete for entry in store.entries(CHANNEL, 0, 0))

    def test_who_comes_back_fetches_the_bodies_and_folds_again(self, store: Store, writer: ChannelWriter) -> None:
        first, second = writer.manifest(), writer.records([b"one"])
        assert second.body is not None
        keep_and_apply(store, first, second)
        with store.transaction() as tx:
            tx.erase_bodies(CHANNEL, 0)
            tx.set_left(CHANNEL, 0, 1)
        with store.transaction() as tx:
            tx.set_left(CHANNEL, 0, None)
        held = store.channel(CHANNEL)
        assert held is not None
        assert (held.left_at, held.applied_size, dict(store.outcomes(CHANNEL, 0))) == (None, 0, {})
        assert list(store.incomplete_entries(CHANNEL, 0, 10)) == [1]
        with store.transaction() as tx:
            tx.put_body(CHANNEL, 0, 1, second.body, complete=True)
        apply(store, put_in_force(first), put_in_force(second))
        assert contents(store.records()) == [b"one"]
        assert store.record_count() == 1

    def test_staying_in_the_audience_changes_nothing(self, store: Store, writer: ChannelWriter) -> None:
        keep_and_apply(store, writer.manifest(), writer.records([b"one"]))
        before = store.channel(CHANNEL)
        with store.transaction() as tx:
            tx.set_left(CHANNEL, 0, None)
        assert store.channel(CHANNEL) == before

    def test_a_quarantine_closes_all_logs_of_an_origin_and_no_other(
        self, store: Store, shanghai: SigningNode, pudong: SigningNode
    ) -> None:
        for node, name in ((shanghai, "310000/a"), (shanghai, "310000/b"), (pudong, "310115/a")):
            keep(store, ChannelWriter(node, name).manifest())

        def closed() -> list[bool]:
            return [held.log.quarantined for held in store.channels()]

        with store.transaction() as tx:
            tx.set_quarantined("310000", True)
        assert closed() == [True, True, False]
        assert store.log("310000/a", 0).quarantined
        assert store.log("310000/not yet begun", 0).quarantined
        keep(store, ChannelWriter(shanghai, "310000/c").manifest(), ChannelWriter(shanghai, "310000/a", 1).manifest())
        # a log that begins later is closed too; the epoch after the registry's cut is not
        assert closed() == [True, False, True, True, False]
        with store.transaction() as tx:
            tx.set_quarantined("310000", False)
        assert closed() == [False] * 5

    def test_covered_only_grows(self, store: Store, writer: ChannelWriter) -> None:
        keep(store, writer.manifest())
        heads = [HeadAt(5, b"5" * 32), HeadAt(3, b"3" * 32), HeadAt(5, b"x" * 32), HeadAt(9, b"9" * 32)]
        for head, expected in zip(heads, (heads[0], heads[0], heads[0], heads[3]), strict=True):
            with store.transaction() as tx:
                tx.set_covered(CHANNEL, 0, head)
            assert store.log(CHANNEL, 0).covered == expected

    def test_fresh_only_grows(self, store: Store, writer: ChannelWriter) -> None:
        keep(store, writer.manifest())
        for time_ms, expected in ((5, 5), (3, 5), (7, 7)):
            with store.transaction() as tx:
                tx.set_fresh(CHANNEL, 0, time_ms)
                tx.set_fresh("310000/unknown", 0, time_ms)
            held = store.channel(CHANNEL)
            assert held is not None
            assert held.fresh_at_ms == expected
        assert store.channel("310000/unknown") is None

    def test_freshness_after_a_time_is_forgotten_and_grows_again_from_nothing(
        self, store: Store, writer: ChannelWriter, shanghai: SigningNode
    ) -> None:
        other = ChannelWriter(shanghai, "310000/permits")
        keep(store, writer.manifest(), other.manifest())

        def fresh() -> list[int]:
            return [held.fresh_at_ms for held in store.channels()]

        with store.transaction() as tx:
            tx.set_fresh(CHANNEL, 0, 9)
            tx.set_fresh("310000/permits", 0, 8)
            tx.set_covered(CHANNEL, 0, HeadAt(5, b"5" * 32))
        for latest_ms, expected in ((9, [9, 8]), (8, [0, 8]), (8, [0, 8])):
            with store.transaction() as tx:
                tx.forget_dates(latest_ms)
            assert fresh() == expected
        with store.transaction() as tx:
            tx.set_fresh(CHANNEL, 0, 3)
        assert fresh() == [3, 8]
        assert store.log(CHANNEL, 0).covered == HeadAt(5, b"5" * 32)

    def test_bounds_may_be_known_before_the_first_entry(self, store: Store, writer: ChannelWriter) -> None:
        covered, cut = HeadAt(4, b"c" * 32), HeadAt(HUGE, b"k" * 32)
        with store.transaction() as tx:
            tx.set_covered(CHANNEL, 0, covered)
            tx.set_cut(CHANNEL, 0, cut)
        log = store.log(CHANNEL, 0)
        assert log.cut is not None
        assert (log.size, log.root, log.covered, log.cut.root) == (0, merkle.EMPTY_ROOT, covered, cut.root)
        assert (store.channel(CHANNEL), list(store.channels())) == (None, [])
        keep(store, writer.manifest())
        assert store.log(CHANNEL, 0).covered == covered
        assert [held.key for held in store.channels()] == [(CHANNEL, 0)]

    def test_records_above_the_cut_are_not_answered(self, store: Store, writer: ChannelWriter) -> None:
        keep_and_apply(store, writer.records([b"one"]), writer.records([b"two"]), writer.records([b"three"]))
        cut_at(store, writer, 1)
        assert contents(store.records()) == [b"one"]
        assert (store.record(CHANNEL, Place(0, 1, 0)), store.record_count(CHANNEL)) == (None, 1)
        assert dict(store.find_keys(CHANNEL, [key_of(f"{CHANNEL} 0/2/0")])) == {}
        cut_at(store, writer, 2)  # a peer knew of a larger head that the registry lists
        assert contents(store.records()) == [b"one", b"two"]
        held = store.channel(CHANNEL)
        assert held is not None
        assert held.log.cut is not None
        assert (held.records, held.log.size, held.log.cut.size) == (2, 3, 2)

    def test_a_cut_brings_back_what_was_replaced_above_it(self, store: Store, writer: ChannelWriter) -> None:
        write_revisions(store, writer, [b"first", b"second", b"third"])
        cut_at(store, writer, 1)
        assert contents(store.records()) == [b"first"]
        assert store.find_keys(CHANNEL, [key_of("a")])[key_of("a")].content_hash == content_hash(b"first")
        cut_at(store, writer, 3)
        assert (contents(store.records()), store.record_count()) == ([b"third"], 1)

    def test_a_cut_does_not_bring_back_what_was_erased(self, store: Store, writer: ChannelWriter) -> None:
        write_revisions(store, writer, [b"first", b"second", b"third"])
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure_of(writer.entries[1], 0)])
        cut_at(store, writer, 2)
        assert (contents(store.records()), store.record_count()) == ([b"first"], 1)
        with store.transaction() as tx:
            tx.put_erasures(CHANNEL, [erasure_of(writer.entries[0], 0)])
        cut_at(store, writer, 1)
        assert (contents(store.records()), store.record_count()) == ([], 0)

    def test_the_epoch_after_a_cut_publishes_the_same_record_again(self, store: Store, writer: ChannelWriter) -> None:
        write_revisions(store, writer, [b"first", b"second"])
        cut_at(store, writer, 1)
        resumed = ChannelWriter(writer.node, CHANNEL, 1)
        again = resumed.records([b"second"])
        held = store.find_keys(CHANNEL, [key_of("a")])[key_of("a")]
        keep(store, again)
        apply(store, put_in_force(again, {0: "a"}, replaces={0: held.place}))
        assert contents(store.records()) == [b"second"]
        assert [held.records for held in store.channels()] == [0, 1]
        cut_at(store, writer, 2)  # the earlier epoch turns out longer; the later one still counts
        assert contents(store.records()) == [b"second"]
        cut_at(store, resumed, 0)
        assert [held.records for held in store.channels()] == [1, 0]
        assert [record.place for record in store.records()] == [Place(0, 1, 0)]

    def test_an_entry_applied_above_the_cut_has_no_effect(self, store: Store, writer: ChannelWriter) -> None:
        first, second = writer.records([b"first"]), writer.records([b"second"])
        keep(store, first, second)
        apply(store, put_in_force(first, {0: "a"}))
        cut_at(store, writer, 1)
        apply(store, put_in_force(second, {0: "a"}, replaces={0: Place(0, 0, 0)}))
        assert (contents(store.records()), store.record_count()) == ([b"first"], 1)


def cut_at(store: Store, writer: ChannelWriter, size: int) -> None:
    with store.transaction() as tx:
        tx.set_cut(CHANNEL, writer.log.epoch, HeadAt(size, merkle.root([e.leaf for e in writer.entries[:size]])))


def write_revisions(store: Store, writer: ChannelWriter, records: Sequence[bytes]) -> None:
    """Write records of one natural key, each in force in place of the one before."""
    for at, record in enumerate(records):
        entry = writer.records([record])
        keep(store, entry)
        apply(store, put_in_force(entry, {0: "a"}, replaces={0: Place(0, at - 1, 0)} if at else None))
