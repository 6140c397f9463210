"""The contract of node.ports.Store, as tests that every store must pass; test_store_contract.py runs them.

The fixture `store` is an empty store with the limits SMALL; `writer` signs the entries of one channel.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pytest

from node.core import merkle
from node.core.channel import HeadAt, Log, conflict
from node.core.entry import WHOLE_ENTRY, VerifiedEntry, erase_slots, open_body
from node.core.errors import XinqiaoError
from node.core.holds import HoldState
from node.core.limits import NUMBERS_END, Limits
from node.core.officers import OfficerBook
from node.core.quality import Corrections
from node.core.record import Defect, content_hash
from node.core.state import (
    APPLIED,
    CORRECT,
    DUPLICATE,
    REJECTED,
    REPAIR,
    SUSPEND,
    Act,
    Applied,
    Erasure,
    HeldKey,
    Place,
)
from node.held_decisions import HeldRow
from node.pb import channel_pb2
from node.ports import HeldAlarm, HeldReceipt, HeldRecord, LinkState, RegistryFileRecord, Store
from tests.builders import (
    NETWORK,
    NOW_MS,
    ChannelWriter,
    SigningNode,
    as_signed,
    erasure_of,
    key_of,
    make_address,
    make_heartbeat,
    make_receipt,
    put_in_force,
    whole_of,
)
from tests.officers import adding, make_keys, statement

SMALL = Limits(max_alarms_kept=3, max_equivocations_kept=2)
"""The limits of every store under this contract."""

CHANNEL = "310000/penalties"
HUGE = (1 << 64) - 1  # the largest number a peer can send


def keep(store: Store, *entries: VerifiedEntry, complete: bool = True) -> None:
    """Append entries, each in its own transaction."""
    for entry in entries:
        with store.transaction() as tx:
            tx.append(entry, NOW_MS, complete)


def apply(store: Store, *applied: Applied) -> None:
    """Apply, each in its own transaction."""
    for each in applied:
        with store.transaction() as tx:
            tx.apply(each)


def keep_and_apply(store: Store, *entries: VerifiedEntry) -> None:
    """Append entries and put all of their records in force."""
    for entry in entries:
        keep(store, entry)
        apply(store, put_in_force(entry))


def contents(records: Iterator[HeldRecord] | Sequence[HeldRecord]) -> list[bytes]:
    return [record.record for record in records]


@contextmanager
def refused(code: str) -> Iterator[None]:
    with pytest.raises(XinqiaoError) as caught:
        yield
    assert caught.value.code == code


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


class StatementContract:
    """Heartbeats, receipts, addresses and proofs: the largest counts, and every change has a number."""

    def test_the_newest_heartbeat_is_kept(self, store: Store, shanghai: SigningNode) -> None:
        heads = {(f"310000/{name}", 0): HeadAt(1, name.encode() * 32) for name in "abc"}
        narrow = make_heartbeat(shanghai, heads, NOW_MS, shown=["310000/b"])
        wide = make_heartbeat(shanghai, heads, NOW_MS, shown=["310000/b", "310000/c"])
        older, newer = make_heartbeat(shanghai, heads, NOW_MS - 1), make_heartbeat(shanghai, {}, NOW_MS + 1)
        steps = ((narrow, True), (older, False), (narrow, False), (wide, True), (narrow, False), (newer, True))
        last = 0
        for heartbeat, is_news in steps:
            with store.transaction() as tx:
                assert tx.put_heartbeat(heartbeat) is is_news
            held = store.heartbeat("310000")
            assert held is not None
            assert (held.sequence > last) is is_news
            last = held.sequence
            if is_news:
                assert (held.node, held.time_ms, held.view) == ("310000", heartbeat.time_ms, heartbeat.view)
        assert store.heartbeat("310115") is None

    def test_a_heartbeat_whose_date_is_forgotten_is_held_until_any_other_takes_its_place(
        self, store: Store, shanghai: SigningNode, pudong: SigningNode
    ) -> None:
        heads = {(f"310000/{name}", 0): HeadAt(1, name.encode() * 32) for name in "abc"}
        ahead = make_heartbeat(shanghai, heads, NOW_MS + 9)
        with store.transaction() as tx:
            tx.put_heartbeat(make_heartbeat(pudong, {}, NOW_MS))
            tx.put_heartbeat(ahead)
        told = store.heartbeats_since(0)[-1].sequence
        for latest_ms, time_ms in ((NOW_MS + 9, NOW_MS + 9), (NOW_MS + 8, 0)):
            with store.transaction() as tx:
                tx.forget_dates(latest_ms)
            held = store.heartbeat("310000")
            assert held is not None
            assert (held.time_ms, held.sequence, held.view) == (time_ms, told, ahead.view)
        assert [held.time_ms for held in store.heartbeats_since(0)] == [NOW_MS, 0]
        # Who was told of all there was is told of the one that takes its place, too.
        with store.transaction() as tx:
            assert tx.put_heartbeat(make_heartbeat(shanghai, {}, NOW_MS))
        assert [(held.node, held.time_ms) for held in store.heartbeats_since(told)] == [("310000", NOW_MS)]

    def test_changed_heartbeats_are_listed_in_order(
        self, store: Store, shanghai: SigningNode, pudong: SigningNode
    ) -> None:
        for node, time_ms in ((shanghai, NOW_MS), (pudong, NOW_MS), (shanghai, NOW_MS + 1)):
            with store.transaction() as tx:
                tx.put_heartbeat(make_heartbeat(node, {}, time_ms))
        changed = store.heartbeats_since(0)
        assert [held.node for held in changed] == ["310115", "310000"]
        assert list(store.heartbeats_since(changed[0].sequence)) == [changed[1]]
        assert list(store.heartbeats_since(changed[1].sequence)) == []

    def test_the_largest_receipt_is_kept_over_all_epochs(
        self, store: Store, writer: ChannelWriter, pudong: SigningNode
    ) -> None:
        writer.manifest()
        small = make_receipt(pudong, writer.log, 0)
        applied = make_receipt(pudong, writer.log, 1)
        later = make_receipt(pudong, writer.log, 1, observed_at_unix_ms=NOW_MS + 1)
        next_epoch = make_receipt(pudong, ChannelWriter(writer.node, CHANNEL, 1).log)
        steps = ((small, True), (applied, True), (small, False), (applied, False), (later, True), (next_epoch, True))
        largest = small
        for receipt, is_news in (*steps, (later, False)):
            with store.transaction() as tx:
                assert tx.put_receipt(receipt) is is_news
            largest = receipt if is_news else largest
            held = store.receipt(CHANNEL, "310115")
            assert held is not None
            assert held.receipt == largest
        assert store.receipt(CHANNEL, "310000") is None

    def test_receipts_are_found_by_channel_by_subscriber_and_by_change(
        self, store: Store, shanghai: SigningNode, pudong: SigningNode
    ) -> None:
        a, b = ChannelWriter(shanghai, "310000/a").log, ChannelWriter(shanghai, "310000/b").log
        for receipt in (make_receipt(shanghai, b), make_receipt(pudong, b), make_receipt(pudong, a)):
            with store.transaction() as tx:
                tx.put_receipt(receipt)

        def named(held: Sequence[HeldReceipt]) -> list[tuple[str, str]]:
            return [(each.receipt.message.channel[-1], each.receipt.message.subscriber) for each in held]

        assert named(store.receipts("310000/b")) == [("b", "310000"), ("b", "310115")]
        assert named(store.receipts_of("310115")) == [("a", "310115"), ("b", "310115")]
        assert named(store.receipts_since(0, 2)) == [("b", "310000"), ("b", "310115")]
        changed = store.receipts_since(0, 10)
        assert named(store.receipts_since(changed[1].sequence, 10)) == [("a", "310115")]

    def test_receipts_with_the_largest_numbers_are_kept(
        self, store: Store, writer: ChannelWriter, pudong: SigningNode
    ) -> None:
        most = NUMBERS_END - 1
        huge = make_receipt(pudong, replace(writer.log, epoch=most, size=most))
        with store.transaction() as tx:
            assert tx.put_receipt(huge)
        assert [held.receipt for held in store.receipts(CHANNEL)] == [huge]

    def test_the_newest_address_is_kept(self, store: Store, shanghai: SigningNode, pudong: SigningNode) -> None:
        kept = make_address(shanghai, 2)
        for sequence, is_news in ((2, True), (1, False), (2, False), (HUGE, True), (HUGE - 1, False)):
            offered = make_address(shanghai, sequence, f"127.0.0.1:{sequence % 60000}")
            with store.transaction() as tx:
                assert tx.put_address(*offered) is is_news
            kept = offered if is_news else kept
            held = store.address("310000")
            assert held is not None
            assert (held.record, held.envelope) == kept
        with store.transaction() as tx:
            tx.put_address(*make_address(pudong, 1))
        changed = store.addresses_since(0)
        assert [held.record.node for held in changed] == ["310000", "310115"]
        assert list(store.addresses_since(changed[0].sequence)) == [changed[1]]
        assert store.address("national") is None

    def test_the_first_proofs_of_two_histories_are_kept_up_to_the_limit(
        self, store: Store, writer: ChannelWriter
    ) -> None:
        rival = ChannelWriter(writer.node, CHANNEL)
        proof = conflict(writer.manifest().envelope, rival.manifest(title="other").envelope)
        other = conflict(rival.entries[0].envelope, writer.entries[0].envelope)
        assert proof is not None
        assert other is not None
        steps = ((proof, 0, True), (other, 0, False), (proof, HUGE, True), (proof, 1, False))
        for found, index, is_news in steps:
            with store.transaction() as tx:
                assert tx.put_equivocation(CHANNEL, 0, index, found) is is_news
        kept = store.equivocations_since(0)
        assert [(held.channel, held.epoch, held.proof) for held in kept] == [(CHANNEL, 0, proof)] * 2
        assert list(store.equivocations_since(kept[0].sequence)) == [kept[1]]


def held_row(hold: str, key: bytes = b"key", **changes: object) -> HeldRow:
    """A row that waits for officers."""
    reasons = (Defect("RULE_PROHIBITED_WORDS", "CF_SY", {"rule": "R-INC-2", "article": "x", "title": "违法事实"}),)
    row = HeldRow(
        *(hold, CHANNEL, HoldState.PENDING, key, b"hash", b"record", b"salt", reasons, "2026.1", "a.csv", 7),
        *(NOW_MS, NOW_MS + 1000),
    )
    return replace(row, **changes)  # type: ignore[arg-type]


class DecisionContract:
    """What officers sign is appended once, in order, and stays; what waits for them goes when it is settled."""

    def test_a_held_row_is_kept_whole_and_listed_without_its_content(self, store: Store) -> None:
        rows = [held_row("b", held_at_ms=NOW_MS + 1), held_row("a"), held_row("c", channel="310000/other")]
        for row in rows:
            with store.transaction() as tx:
                tx.add_hold(row)
        assert store.hold("a") == rows[1]
        assert store.hold("a").digest == rows[1].digest  # type: ignore[union-attr]
        assert store.hold("x") is None
        assert [(each.id, each.record, each.salt) for each in store.holds()] == [
            ("a", None, None),
            ("c", None, None),
            ("b", None, None),
        ]
        assert [each.id for each in store.find_holds(CHANNEL, [b"key", b"none", b"key"])] == ["a", "b"]
        assert store.find_holds(CHANNEL, []) == []

    def test_the_content_of_a_held_row_goes_when_it_waits_no_more_and_the_row_later(self, store: Store) -> None:
        with store.transaction() as tx:
            tx.add_hold(held_row("a"))
            tx.add_hold(held_row("b"))
            tx.change_hold("a", HoldState.APPROVED, NOW_MS + 5, b"fault")
        approved = store.hold("a")
        assert approved == held_row("a", state=HoldState.APPROVED, fault=b"fault")
        assert [each.id for each in store.holds(HoldState.PENDING)] == ["b"]
        assert [each.id for each in store.holds(HoldState.APPROVED, HoldState.PENDING)] == ["a", "b"]
        with store.transaction() as tx:
            tx.change_hold("a", HoldState.PUBLISHED, NOW_MS + 9)
            tx.change_hold("a", HoldState.EXPIRED, NOW_MS + 99)
        gone = store.hold("a")
        assert gone is not None
        assert (gone.state, gone.record, gone.salt, gone.settled_at_ms) == (HoldState.PUBLISHED, None, None, NOW_MS + 9)
        for before_ms, left in ((NOW_MS + 9, ["a", "b"]), (NOW_MS + 10, ["b"])):
            with store.transaction() as tx:
                tx.forget_holds(before_ms)
            assert [each.id for each in store.holds()] == left

    def test_statements_are_read_by_kind_and_subject_in_the_order_they_were_taken(self, store: Store) -> None:
        book = OfficerBook(NETWORK, "310000")
        key, own = make_keys(2)
        first = book.verified(*adding("li", key, own), [own.public])
        book = book.after(first)
        acts = [("hold.release", "b"), ("hold.refuse", "a"), ("holds.other", "a"), ("hold.release", "a")]
        for act, subject in acts:
            with store.transaction() as tx:
                tx.add_statement(book.verified(statement(act, subject, bytes(32), key), b"", []))
        with store.transaction() as tx:
            assert tx.add_statement(first) == len(acts) + 1
        found = store.statements("hold")
        assert [(each.act, each.subject) for each in found] == [acts[0], acts[1], acts[3]]
        assert [each.sequence for each in found] == [1, 2, 4]
        assert [each.act for each in store.statements("hold", "a")] == ["hold.refuse", "hold.release"]
        (only,) = store.statements("officer")
        assert (only.envelope, only.content) == (first.envelope, first.content)

    def test_a_statement_is_taken_once_and_a_failed_transaction_takes_none(self, store: Store) -> None:
        key, own = make_keys(2)
        first = OfficerBook(NETWORK, "310000").verified(*adding("li", key, own), [own.public])

        def fail_at_the_end() -> None:
            with store.transaction() as tx:
                tx.add_statement(first)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail_at_the_end()
        assert store.statements("officer") == []
        with store.transaction() as tx:
            assert tx.add_statement(first) == 1
        with refused("OFFICER_STATEMENT"), store.transaction() as tx:
            tx.add_statement(first)


class SurroundingsContract:
    """Links, alarms and registry files."""

    def test_a_link_is_fresh_until_something_is_known(self, store: Store) -> None:
        assert store.link("310115") == LinkState("310115")
        for state in (LinkState("310115", 3, 10, 5, -20, b"why"), LinkState("310115", last_success_ms=30)):
            with store.transaction() as tx:
                tx.put_link(state)
            assert store.link("310115") == state

    def test_an_alarm_is_raised_once_and_counts_its_sightings(self, store: Store) -> None:
        for now_ms, detail in ((100, "一"), (200, "二")):
            with store.transaction() as tx:
                tx.raise_alarm("HEARTBEAT", "310000", {"detail": detail}, now_ms)
        assert list(store.alarms()) == [HeldAlarm("HEARTBEAT", "310000", {"detail": "二"}, 100, 200, 2)]
        with store.transaction() as tx:
            tx.clear_alarm("HEARTBEAT", "310000")
            tx.clear_alarm("HEARTBEAT", "never raised")
        assert list(store.alarms()) == []

    def test_alarms_come_newest_first_and_the_oldest_go_beyond_the_limit(self, store: Store) -> None:
        for now_ms, subject in ((1, "a"), (2, "b"), (3, "c"), (4, "a"), (5, "d")):
            with store.transaction() as tx:
                tx.raise_alarm("CODE", subject, {}, now_ms)
        assert [alarm.subject for alarm in store.alarms()] == ["d", "a", "c"]

    def test_registry_files_are_replaced_as_one(self, store: Store) -> None:
        def put(files: dict[str, bytes], keep: Sequence[str]) -> None:
            with store.transaction() as tx:
                tx.replace_registry_files([RegistryFileRecord(*file) for file in files.items()], keep)

        put({"2.root.json": b"root 2", "1.root.json": b"root", "timestamp.json": b"1"}, [])
        put({"timestamp.json": b"2", "3.snapshot.json": b"snapshot"}, ["1.root.json", "never held"])
        assert list(store.registry_files()) == [
            RegistryFileRecord("1.root.json", b"root"),
            RegistryFileRecord("3.snapshot.json", b"snapshot"),
            RegistryFileRecord("timestamp.json", b"2"),
        ]
        assert store.registry_file("timestamp.json") == b"2"
        assert store.registry_file("2.root.json") is None
