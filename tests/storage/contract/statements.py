"""What nodes state, what officers decide, and the surroundings of a node."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from node.core.channel import HeadAt, conflict
from node.core.holds import HoldState
from node.core.limits import NUMBERS_END
from node.core.officers import OfficerBook
from node.core.record import Defect
from node.held_decisions import HeldRow
from node.ports import HeldAlarm, HeldReceipt, LinkState, RegistryFileRecord, Store
from tests.builders import NETWORK, NOW_MS, ChannelWriter, SigningNode, make_address, make_heartbeat, make_receipt
from tests.officers import adding, make_keys, statement
from tests.storage.contract.steps import CHANNEL, HUGE, refused


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
