"""Logs of entries: what is appended in a transaction is read back exactly, and nothing else."""

import threading
from dataclasses import replace

import pytest

from node.core import merkle
from node.core.channel import Log
from node.core.entry import erase_slots
from node.core.state import REJECTED, Applied, Place
from node.pb import channel_pb2
from node.ports import Store
from tests.builders import NOW_MS, ChannelWriter, SigningNode, as_signed, put_in_force
from tests.storage.contract.steps import CHANNEL, HUGE, contents, keep, keep_and_apply, refused


class TransactionContract:
    """One writer, all or nothing, and readers that see only what is committed."""

    def test_an_error_inside_a_transaction_leaves_nothing(self, store: Store, writer: ChannelWriter) -> None:
        first = writer.manifest()

        def fail_at_the_end() -> None:
            with store.transaction() as tx:
                tx.append(first, NOW_MS, True)
                tx.apply(Applied(CHANNEL, 0, 0, counts={(REJECTED, "VERDICT_MANIFEST"): 1}))
                tx.set_setting("name", "value")
                tx.raise_alarm("CODE", "subject", {}, NOW_MS)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail_at_the_end()
        assert store.channel(CHANNEL) is None
        assert (list(store.channels()), store.setting("name"), list(store.alarms())) == ([], None, [])
        assert (dict(store.outcomes(CHANNEL, 0)), store.entry(CHANNEL, 0, 0)) == ({}, None)
        keep(store, first)  # and nothing stands in the way of the next attempt
        assert store.channel(CHANNEL) is not None

    def test_each_commit_makes_another_generation(self, store: Store, writer: ChannelWriter) -> None:
        seen = [store.generation()]
        for entry in (writer.manifest(), writer.records([b"one"])):
            keep(store, entry)
            seen.append(store.generation())
        with store.transaction() as tx:
            tx.raise_alarm("CODE", "subject", {}, NOW_MS)
            assert store.generation() == seen[-1]
        seen.append(store.generation())
        assert len(set(seen)) == len(seen)
        assert store.generation() == seen[-1]

    def test_a_commit_that_fails_makes_another_generation_as_it_may_have_been_written(
        self, store: Store, writer: ChannelWriter
    ) -> None:
        before, first = store.generation(), writer.manifest()

        def fail_at_the_end() -> None:
            with store.transaction() as tx:
                tx.append(first, NOW_MS, True)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail_at_the_end()
        assert store.generation() != before

    def test_a_transaction_reads_its_own_writes(self, store: Store, writer: ChannelWriter) -> None:
        first, second = writer.manifest(), writer.records([b"one"])
        with store.transaction() as tx:
            tx.append(first, NOW_MS, True)
            tx.append(second, NOW_MS, True)
            tx.apply(put_in_force(first))
            tx.apply(put_in_force(second, subject="S"))
            held = tx.channel(CHANNEL)
            assert held is not None
            assert (held.log.size, held.applied_size, held.records) == (2, 2, 1)
            assert contents(tx.records("S")) == [b"one"]
            assert merkle.read_root(2, tx.hashes(CHANNEL, 0)) == writer.log.root
            assert [entry.index for entry in tx.entries(CHANNEL, 0, 0)] == [0, 1]

    def test_another_thread_sees_the_old_state_until_the_commit(self, store: Store, writer: ChannelWriter) -> None:
        seen: list[int] = []

        def look() -> None:
            held = store.channel(CHANNEL)
            seen.append(held.log.size if held is not None else 0)
            seen.append(sum(1 for _ in store.entries(CHANNEL, 0, 0)))

        def look_from_another_thread() -> None:
            thread = threading.Thread(target=look)
            thread.start()
            thread.join(30)

        keep(store, writer.manifest())
        with store.transaction() as tx:
            tx.append(writer.records([b"one"]), NOW_MS, True)
            look_from_another_thread()
        look_from_another_thread()
        assert seen == [1, 1, 2, 2]

    def test_transactions_of_several_threads_take_turns(self, store: Store) -> None:
        def count_up() -> None:
            for _ in range(20):
                with store.transaction() as tx:
                    tx.set_setting("count", str(int(tx.setting("count") or "0") + 1))

        threads = [threading.Thread(target=count_up) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert store.setting("count") == "80"

    def test_the_incarnation_stays(self, store: Store) -> None:
        first = store.incarnation()
        with store.transaction() as tx:
            assert tx.incarnation() == first
        assert first
        assert store.incarnation() == first

    def test_settings_are_kept_and_replaced(self, store: Store) -> None:
        assert store.setting("network") is None
        for value in ("delta", "信桥"):
            with store.transaction() as tx:
                tx.set_setting("network", value)
            assert store.setting("network") == value


class LogContract:
    """Appending: compare-and-swap on the head, exactly the signed bytes, the hashes of every proof."""

    def test_what_is_appended_is_read_back_exactly(self, store: Store, writer: ChannelWriter) -> None:
        written = [writer.manifest(), writer.records([b"one", b"two"]), writer.records([b"three"])]
        keep(store, *written)
        held = list(store.entries(CHANNEL, 0, 0))
        assert [entry.index for entry in held] == [0, 1, 2]
        assert [entry.envelope for entry in held] == [entry.envelope for entry in written]
        assert [entry.body for entry in held] == [entry.body.serialized if entry.body else None for entry in written]
        assert [(entry.issued_at_ms, entry.received_at_ms) for entry in held] == [
            (NOW_MS + at, NOW_MS) for at in range(3)
        ]
        assert all(entry.complete for entry in held)
        assert store.entry(CHANNEL, 0, 2) == held[2]

    def test_the_log_held_is_the_one_to_advance(self, store: Store, writer: ChannelWriter) -> None:
        for size in range(1, 12):
            with store.transaction() as tx:
                after = tx.append(writer.records([b"%d" % size]), NOW_MS, True)
            assert after.log == writer.log == store.log(CHANNEL, 0)
            assert after == store.channel(CHANNEL) == store.channel(CHANNEL, 0)

    def test_every_proof_can_be_made_from_the_stored_hashes(self, store: Store, writer: ChannelWriter) -> None:
        leaves = [writer.records([b"%d" % at]).leaf for at in range(9)]
        keep(store, *writer.entries)
        reader = store.hashes(CHANNEL, 0)
        for size in range(1, 10):
            assert merkle.read_root(size, reader) == merkle.root(leaves[:size])
            for at in range(size):
                proof = merkle.prove_inclusion(at, size, reader)
                assert merkle.check_inclusion(leaves[at], at, size, proof, merkle.root(leaves[:size]))

    def test_hashes_that_are_not_stored_are_refused(self, store: Store, writer: ChannelWriter) -> None:
        keep(store, writer.manifest())
        assert list(store.hashes(CHANNEL, 0).read_hashes([])) == []
        for index in (1, HUGE):
            with pytest.raises(ValueError, match="does not store"):
                store.hashes(CHANNEL, 0).read_hashes([0, index])
        with pytest.raises(ValueError, match="does not store"):
            store.hashes("310000/unknown", 0).read_hashes([0])

    def test_many_hashes_are_read_in_the_order_asked(self, store: Store, writer: ChannelWriter) -> None:
        for at in range(400):
            writer.records([b"%d" % at])
        with store.transaction() as tx:
            for entry in writer.entries:
                tx.append(entry, NOW_MS, True)
        stored = [item for entry in writer.entries for item in entry.hashes]
        asked = [*range(len(stored) - 1, -1, -1), 7, 7]
        assert list(store.hashes(CHANNEL, 0).read_hashes(asked)) == [stored[at] for at in asked]

    def test_an_entry_that_does_not_continue_the_head_is_refused(self, store: Store, writer: ChannelWriter) -> None:
        keep(store, writer.manifest())
        other = ChannelWriter(writer.node, CHANNEL)
        other.manifest(title="another first entry")
        for late in (writer.entries[0], other.records([b"two"])):
            with refused("HEAD_MOVED"), store.transaction() as tx:
                tx.append(late, NOW_MS, True)
        with refused("HEAD_MOVED"), store.transaction() as tx:
            tx.append(ChannelWriter(writer.node, "310000/other").manifest(), NOW_MS, True)
            writer.records([b"skipped"])
            tx.append(writer.records([b"too far"]), NOW_MS, True)
        assert [held.key for held in store.channels()] == [(CHANNEL, 0)]
        keep(store, writer.entries[1])

    def test_of_two_writers_of_one_head_the_second_loses(self, store: Store, writer: ChannelWriter) -> None:
        rival = ChannelWriter(writer.node, CHANNEL)
        keep(store, writer.manifest(), writer.records([b"ours"]))
        rival.take(as_signed(writer.entries[0]))
        with refused("HEAD_MOVED"), store.transaction() as tx:
            tx.append(rival.records([b"theirs"]), NOW_MS, True)
        assert store.log(CHANNEL, 0) == writer.log
        assert store.entry(CHANNEL, 0, 1) is not None

    def test_a_manifest_entry_becomes_the_manifest_in_force(self, store: Store, writer: ChannelWriter) -> None:
        keep(store, writer.manifest(title="first"), writer.records([b"one"]), writer.manifest(title="second"))
        senseless = writer.manifest(disclosure=channel_pb2.DISCLOSURE_CLASS_UNSPECIFIED)
        keep(store, senseless)
        held = store.channel(CHANNEL)
        assert held is not None
        assert (held.manifest.title, held.manifest_index, held.origin) == ("second", 2, "310000")

    def test_channels_come_in_order_and_the_newest_epoch_is_found(
        self, store: Store, shanghai: SigningNode, pudong: SigningNode
    ) -> None:
        for node, name, epoch in (
            (pudong, "310115/z", 0),
            (shanghai, "310000/b", 0),
            (shanghai, "310000/a", 1),
            (shanghai, "310000/a", 0),
        ):
            keep(store, ChannelWriter(node, name, epoch).manifest())
        assert [held.key for held in store.channels()] == [
            ("310000/a", 0),
            ("310000/a", 1),
            ("310000/b", 0),
            ("310115/z", 0),
        ]
        newest = store.channel("310000/a")
        assert newest is not None
        assert newest.log.epoch == 1
        assert store.channel("310000/a", 2) is None
        assert store.channel("310000/unknown") is None

    def test_a_range_of_entries_is_read_with_or_without_bodies(self, store: Store, writer: ChannelWriter) -> None:
        keep(store, *(writer.records([b"%d" % at]) for at in range(5)))
        assert [entry.index for entry in store.entries(CHANNEL, 0, 1, 4)] == [1, 2, 3]
        assert [entry.index for entry in store.entries(CHANNEL, 0, 3)] == [3, 4]
        assert [entry.index for entry in store.entries(CHANNEL, 0, 4, 2)] == []
        assert [entry.body for entry in store.entries(CHANNEL, 0, 0, 2, with_bodies=False)] == [None, None]

    def test_numbers_beyond_any_log_find_nothing(self, store: Store, writer: ChannelWriter) -> None:
        keep(store, writer.manifest())
        assert list(store.entries(CHANNEL, 0, HUGE)) == []
        assert [entry.index for entry in store.entries(CHANNEL, 0, 0, HUGE)] == [0]
        assert list(store.entries(CHANNEL, HUGE, 0)) == []
        assert store.entry(CHANNEL, HUGE, HUGE) is None
        assert store.channel(CHANNEL, HUGE) is None
        assert store.log(CHANNEL, HUGE) == Log(CHANNEL, HUGE)
        assert store.record(CHANNEL, Place(HUGE, HUGE, HUGE)) is None
        assert dict(store.erasures(CHANNEL, HUGE, HUGE)) == {}
        assert list(store.heartbeats_since(HUGE)) == []


class BodyContract:
    """Bodies that come late, in parts, or not at all."""

    def test_a_body_may_come_after_its_header(self, store: Store, writer: ChannelWriter) -> None:
        entry = writer.records([b"one", b"two"])
        assert entry.body is not None
        keep(store, replace(entry, body=None), complete=False)
        held = store.channel(CHANNEL)
        assert held is not None
        assert held.incomplete_bodies == 1
        assert list(store.incomplete_entries(CHANNEL, 0, 10)) == [0]
        with store.transaction() as tx:
            tx.put_body(CHANNEL, 0, 0, entry.body, complete=True)
        kept = store.entry(CHANNEL, 0, 0)
        assert kept is not None
        assert (kept.body, kept.complete) == (entry.body.serialized, True)
        assert list(store.incomplete_entries(CHANNEL, 0, 10)) == []

    def test_a_body_can_be_replaced_by_a_fuller_one(self, store: Store, writer: ChannelWriter) -> None:
        entry = writer.records([b"one", b"two"])
        assert entry.body is not None
        keep(store, replace(entry, body=erase_slots(entry.body, [1])), complete=False)
        with store.transaction() as tx:
            tx.put_body(CHANNEL, 0, 0, entry.body, complete=True)
        kept = store.entry(CHANNEL, 0, 0)
        assert kept is not None
        assert (kept.body, kept.complete) == (entry.body.serialized, True)

    def test_incomplete_entries_come_in_order_up_to_the_limit(self, store: Store, writer: ChannelWriter) -> None:
        for at in range(6):
            entry = writer.records([b"%d" % at])
            keep(store, replace(entry, body=None) if at % 2 else entry, complete=at % 2 == 0)
        assert list(store.incomplete_entries(CHANNEL, 0, 10)) == [1, 3, 5]
        assert list(store.incomplete_entries(CHANNEL, 0, 2)) == [1, 3]

    def test_a_record_whose_slot_is_held_no_more_is_not_answered(self, store: Store, writer: ChannelWriter) -> None:
        entry = writer.records([b"one", b"two"])
        assert entry.body is not None
        keep_and_apply(store, entry)
        with store.transaction() as tx:
            tx.put_body(CHANNEL, 0, 0, erase_slots(entry.body, [0]), complete=False)
        assert contents(store.records()) == [b"two"]
        assert store.record(CHANNEL, Place(0, 0, 0)) is None

    def test_a_body_without_its_entry_is_refused(self, store: Store, writer: ChannelWriter) -> None:
        entry = writer.records([b"one"])
        assert entry.body is not None
        with pytest.raises(ValueError, match="no entry 0/0"), store.transaction() as tx:
            tx.put_body(CHANNEL, 0, 0, entry.body, complete=True)
        assert store.entry(CHANNEL, 0, 0) is None
