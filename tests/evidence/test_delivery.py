"""A delivery report against everything that can be done to it: each alteration is refused, and the step is named."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

import pytest

from node.core import envelope as envelopes
from node.core.delivery import Delivery
from node.core.entry import build_body
from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.core.membership import Standing
from node.evidence.bundle import serialize
from node.evidence.delivery_report import build_report
from node.evidence.delivery_verify import (
    STEPS,
    VerifiedDelivery,
    is_delivery_report,
    receipt_hash,
    serialize_report,
    verify_delivery,
)
from node.pb import channel_pb2, delivery_pb2, registry_pb2
from tests.evidence.network import CHANNEL, DAY_MS, MINUTE_MS, NATIONAL, ORIGIN, OTHER, WITNESS, Network

ROOT = Path(__file__).resolve().parents[2]
Report = delivery_pb2.DeliveryReport
Statement = delivery_pb2.DeliveryStatement


def report_of(made: Network, index: int = 2, at: str = ORIGIN, epoch: int = 0) -> bytes:
    node = made.nodes[at]
    key = (CHANNEL, epoch, index)
    signer = made.keys[at].signer
    return build_report(node.world.store, node.membership.state, key, at, signer, made.clock.at_ms)


@cache
def network() -> Network:
    """Three entries; witness and national node have applied all, the other one lacks the last. Never changed."""
    made = Network()
    made.publish(2)
    made.append(1)
    made.carry(WITNESS, NATIONAL)
    made.beat()
    made.clock.at_ms += MINUTE_MS
    return made


@cache
def sound() -> bytes:
    return report_of(network())


def sound_report() -> Report:
    return Report.FromString(sound())


def verified(content: bytes) -> VerifiedDelivery:
    return verify_delivery(content, network().fingerprint)


def refusal(content: bytes, limits: Limits | None = None) -> tuple[int, str]:
    """The step that refuses these bytes, and why."""
    with pytest.raises(XinqiaoError) as refused:
        verify_delivery(content, network().fingerprint, limits or Limits())
    assert refused.value.code == "EVIDENCE_INVALID"
    step = refused.value.parameters["step"]
    number = int(step.partition(" ")[0])
    assert step == f"{number} ({STEPS[number]})"
    return number, refused.value.parameters["detail"]


def altered(change: Callable[[Report], object]) -> tuple[int, str]:
    report = sound_report()
    change(report)
    assert serialize_report(report) != sound()
    return refusal(serialize_report(report))


def restated(change: Callable[[Report, Statement], object], by: str = ORIGIN) -> tuple[int, str]:
    """What becomes of a report that a node signs anew, with another word: forged by one who has a member's key."""
    report = sound_report()
    statement = Statement.FromString(report.statement.payload)
    change(report, statement)
    payload = statement.SerializeToString(deterministic=True)
    report.statement.CopyFrom(envelopes.seal(payload, envelopes.DELIVERY_STATEMENT, network().keys[by].signer))
    return refusal(serialize_report(report))


# --- What a sound report says -------------------------------------------------------------------------------


def test_a_sound_report_says_who_has_applied_the_entry_and_who_has_not() -> None:
    found = verified(sound())
    assert (found.log.channel, found.log.epoch, found.log.index) == (CHANNEL, 0, 2)
    assert (found.origin.id, found.reporter.id, found.cut_size) == (ORIGIN, ORIGIN, None)
    assert [(each.node, each.delivery, each.is_origin) for each in found.nodes] == [
        (ORIGIN, Delivery.APPLIED, True),
        (OTHER, Delivery.SENT, False),
        (WITNESS, Delivery.APPLIED, False),
        (NATIONAL, Delivery.APPLIED, False),
    ]
    assert [each.node for each in found.missing] == [OTHER]
    assert [each.size for each in found.nodes] == [0, 2, 3, 3]
    assert found.observed_at_ms == found.as_of_ms == network().clock.at_ms
    assert found.operations == ()


def test_it_agrees_with_the_ledger_of_the_node_that_made_it() -> None:
    for at in (ORIGIN, WITNESS):
        found = verified(report_of(network(), at=at))
        told = network().nodes[at].ledgers.of(CHANNEL, (0, 2))
        assert {each.node: each.delivery for each in found.nodes} == {row.node: row.delivery for row in told.rows}
        assert found.reporter.id == at


def test_an_earlier_entry_is_applied_by_all() -> None:
    found = verified(report_of(network(), index=1))
    assert found.missing == []


def test_a_record_bundle_is_told_apart_from_a_report() -> None:
    assert is_delivery_report(sound())
    assert not is_delivery_report(serialize(network().bundle(index=1)))
    assert not is_delivery_report(b"\xff\xff\xff")


def test_verifying_imports_the_core_and_nothing_of_the_node() -> None:
    program = (
        "import sys; from node.evidence.delivery_verify import verify_delivery;"
        "found = verify_delivery(sys.stdin.buffer.read(), bytes.fromhex(sys.argv[1]));"
        "print(found.origin.id); print(*sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, network().fingerprint.hex()],
        input=sound(),
        capture_output=True,
        check=True,
        cwd=ROOT,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    origin, loaded = done.stdout.decode().splitlines()
    assert origin == ORIGIN
    ours = {name for name in loaded.split() if name.split(".")[0] in ("node", "registry", "certs", "tests")}
    permitted = ("node.core", "node.pb", "node.evidence")
    assert {name for name in ours if not name.startswith(permitted)} == {"node"}
    assert not any("_grpc" in name for name in ours)


# --- What is altered ----------------------------------------------------------------------------------------


def test_one_flipped_bit_fails_in_every_receipt_and_in_the_statement() -> None:
    report, random = sound_report(), Random(5)
    parts = [each.receipt.payload for each in report.receipts]
    parts += [each.receipt.signatures[0].sig for each in report.receipts]
    parts += [report.statement.payload, report.statement.signatures[0].sig, report.entry.payload]
    for part in parts:
        start = sound().index(part)
        for at in random.sample(range(start, start + len(part)), 6):
            content = bytearray(sound())
            content[at] ^= 1 << random.randrange(8)
            number, _ = refusal(bytes(content))
            assert number in STEPS


def test_one_flipped_bit_fails_wherever_it_is() -> None:
    random = Random(7)
    for at in random.sample(range(len(sound())), 60):
        content = bytearray(sound())
        content[at] ^= 1 << random.randrange(8)
        refusal(bytes(content))


@pytest.mark.long
def test_one_flipped_bit_fails_in_every_byte() -> None:
    random = Random(11)
    for at in range(len(sound())):
        content = bytearray(sound())
        content[at] ^= 1 << random.randrange(8)
        refusal(bytes(content))


def test_altering_one_receipt_fails_at_the_receipts() -> None:
    def change(report: Report) -> None:
        receipt = channel_pb2.Receipt.FromString(report.receipts[0].receipt.payload)
        receipt.applied_size += 1
        report.receipts[0].receipt.payload = receipt.SerializeToString()

    number, detail = altered(change)
    assert (number, detail) == (9, f"another receipt of {OTHER} was counted")


def test_dropping_or_doubling_a_receipt_that_is_counted_fails() -> None:
    number, detail = altered(lambda report: report.receipts.pop())
    assert (number, detail) == (9, "2 receipts are shown, and 3 are counted")
    number, _ = altered(lambda report: report.receipts.append(report.receipts[-1]))
    assert number == 9


def test_receipts_in_another_order_fail() -> None:
    def change(report: Report) -> None:
        report.receipts.reverse()

    assert altered(change)[0] == 9


def test_whoever_signs_the_report_cannot_claim_more_than_the_receipts_prove() -> None:
    def applied(_: Report, statement: Statement) -> None:
        statement.lines[1].state = delivery_pb2.DELIVERY_STATE_APPLIED

    assert restated(applied) == (9, f"the receipt of {OTHER} does not show what is said of it")

    def without(report: Report, statement: Statement) -> None:
        statement.lines[2].ClearField("receipt_sha256")
        del report.receipts[1]

    assert restated(without) == (9, f"without a receipt nothing is known of {WITNESS}")

    def exchanged(report: Report, statement: Statement) -> None:
        report.receipts[0].CopyFrom(report.receipts[1])
        statement.lines[1].receipt_sha256 = receipt_hash(report.receipts[1])
        statement.lines[1].state = delivery_pb2.DELIVERY_STATE_APPLIED

    assert restated(exchanged) == (9, f"the receipt of {WITNESS} is counted for {OTHER}")


def test_whoever_signs_the_report_cannot_say_it_of_another_entry_body_or_origin() -> None:
    def leaf(_: Report, statement: Statement) -> None:
        statement.entry_leaf = bytes(32)

    def network_of(_: Report, statement: Statement) -> None:
        statement.network = "delta:0123456789abcdef"

    def body(_: Report, statement: Statement) -> None:
        statement.body_sha256 = bytes(32)

    def order(_: Report, statement: Statement) -> None:
        statement.lines.reverse()

    def origin(_: Report, statement: Statement) -> None:
        statement.lines[1].state = delivery_pb2.DELIVERY_STATE_ORIGIN

    def left_out(report: Report, statement: Statement) -> None:
        del statement.lines[0]

    for change in (leaf, network_of, body, order, origin, left_out):
        assert restated(change)[0] == 8, change.__name__

    def index(_: Report, statement: Statement) -> None:
        statement.index = 1

    assert restated(index)[0] == 5


def test_a_report_signed_by_another_key_fails_at_the_statement() -> None:
    number, detail = restated(lambda _, __: None, by=WITNESS)
    assert (number, detail) == (8, f"it is not signed by a key of {ORIGIN} that is active")


def test_a_body_that_is_no_list_entrys_and_any_later_date_fail() -> None:
    body, _ = build_body([b"row"], [b"s" * 16])

    def shown(report: Report) -> None:
        report.body = body.SerializeToString() if hasattr(body, "SerializeToString") else body

    assert altered(shown) == (5, "only of a list's entry is anything shown")

    def later(report: Report) -> None:
        report.as_of_unix_ms += 1

    assert altered(later)[0] == 10


def test_a_file_that_nothing_needs_and_a_report_beyond_the_limits_fail() -> None:
    def more(report: Report) -> None:
        report.registry_files.add(name="zz.json", content=b"{}")

    number, detail = altered(more)
    assert (number, detail) == (3, "zz.json: nothing here needs it")
    for limits in (Limits(max_report_bytes=100), Limits(max_report_files=1), Limits(max_report_nodes=1)):
        assert refusal(sound(), limits)[0] in (1, 3)


def test_another_fingerprint_fails_at_the_root_chain() -> None:
    with pytest.raises(XinqiaoError) as refused:
        verify_delivery(sound(), hashlib.sha256(b"another").digest())
    assert refused.value.parameters["step"] == f"2 ({STEPS[2]})"


# --- What can be made ---------------------------------------------------------------------------------------


def refused(made: Network, **arguments: object) -> XinqiaoError:
    with pytest.raises(XinqiaoError) as caught:
        report_of(made, **arguments)  # type: ignore[arg-type]
    return caught.value


def test_an_entry_that_is_not_there_and_one_without_a_heartbeat_have_no_report() -> None:
    assert refused(network(), index=9).code == "LIST_ENTRY_UNKNOWN"
    made = Network()
    made.append(1)
    error = refused(made, index=1)
    assert error.code == "EVIDENCE_UNAVAILABLE"
    assert "no heartbeat" in error.parameters["detail"]


def test_a_suspended_reader_is_not_among_those_who_are_waited_for() -> None:
    made = Network()
    made.publish(1)
    made.suspend(OTHER)
    made.clock.at_ms += MINUTE_MS
    found = verify_delivery(report_of(made, index=1), made.fingerprint)
    assert [each.node for each in found.nodes] == [ORIGIN, WITNESS, NATIONAL]
    assert refused(made, index=1, at=OTHER).code == "EVIDENCE_UNAVAILABLE"


def test_the_receipt_of_a_revoked_key_is_not_counted_until_it_is_signed_again() -> None:
    made = Network()
    made.publish(1)
    made.change_key(OTHER, registry_pb2.KEY_STATE_REVOKED)
    made.clock.at_ms += MINUTE_MS
    found = verify_delivery(report_of(made, index=1), made.fingerprint)
    assert [each.node for each in found.missing] == [OTHER]


def test_of_a_closed_log_the_cut_is_shown() -> None:
    made = Network()
    made.publish(1)
    made.publish(1)
    made.suspend(ORIGIN, made.head())
    made.clock.at_ms += MINUTE_MS
    found = verify_delivery(report_of(made, index=1, at=WITNESS), made.fingerprint)
    assert (found.cut_size, found.origin.standing) == (3, Standing.SUSPENDED)
    assert [(each.node, each.delivery) for each in found.nodes] == [
        (OTHER, Delivery.APPLIED),
        (WITNESS, Delivery.APPLIED),
        (NATIONAL, Delivery.APPLIED),
    ]


def test_while_the_registrys_files_are_expired_no_report_can_be_made() -> None:
    made = Network()
    made.publish(1)
    made.clock.at_ms += 400 * DAY_MS
    assert refused(made, index=1).code == "EVIDENCE_UNAVAILABLE"
