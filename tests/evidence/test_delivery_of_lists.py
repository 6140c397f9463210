"""A delivery report on an entry of a joint list: it shows what was decided, and names nobody."""

from functools import cache

import pytest

from node.core.audience import parse_audience
from node.core.entry import SALT_BYTES, SignedEntry, build_body, commitment
from node.core.errors import XinqiaoError
from node.evidence.delivery_explanation import delivery_document, explain_delivery
from node.evidence.delivery_report import build_report
from node.evidence.delivery_verify import serialize_report, verify_delivery
from node.pb import channel_pb2, delivery_pb2, listing_pb2, record_pb2
from node.ports import HeldChannel, Lane
from scripts.xq_generate import example_uscc
from tests.evidence.network import MINUTE_MS, NATIONAL, ORIGIN, OTHER, WITNESS, Network
from tests.lists import make_list_manifest, make_list_type

SUBJECT = example_uscc("91", ORIGIN, 7)
LIST = f"{ORIGIN}/lists/serious-tax"
ENTERED = record_pb2.RecordRef(channel=LIST, epoch=0, index=1, position=0)
OPS = (
    listing_pb2.ListOp(act=listing_pb2.LIST_ACT_ENTER, decided_on="2026-09-18", particulars_slot=2),
    listing_pb2.ListOp(
        act=listing_pb2.LIST_ACT_EXIT,
        entry=ENTERED,
        decided_on="2026-09-20",
        ground=listing_pb2.EXIT_GROUND_REPAIRED,
        particulars_slot=2,
    ),
)


def write(made: Network, op: listing_pb2.ListOp) -> None:
    """Write an entry of the list with one operation, its particulars and a warrant that nobody signed."""
    words = listing_pb2.ListParticulars(subject=SUBJECT, decision="示例决定", reason="示例理由")
    slots = [listing_pb2.ListSlot(op=op), listing_pb2.ListSlot(particulars=words)]
    slots.append(listing_pb2.ListSlot(warrant=listing_pb2.ListWarrant(change="0" * 16, batches=1)))
    records = [slot.SerializeToString() for slot in slots]

    def compose(_: HeldChannel, header: channel_pb2.EntryHeader) -> bytes:
        body, header.records_root = build_body(records, [bytes([at + 1]) * SALT_BYTES for at in range(3)])
        header.record_count, header.uncompressed_bytes_max = len(records), len(body)
        return body

    made.clock.at_ms += MINUTE_MS
    made.run(made.nodes[ORIGIN].publishing.write(LIST, channel_pb2.ENTRY_KIND_LIST, compose, Lane.CONTROL))


def carry(made: Network, node: str) -> None:
    made.clock.at_ms += MINUTE_MS
    entries = made.nodes[ORIGIN].world.store.entries(LIST, 0, 0)
    run = [SignedEntry(LIST, 0, entry.index, entry.envelope, entry.body) for entry in entries]
    receipt = made.run(made.nodes[node].receive(run)).receipt
    for other in made.nodes.values():
        made.run(other.take_receipts([receipt]))


@cache
def network() -> Network:
    made = Network()
    manifest = make_list_manifest(list=make_list_type(measures=[]), audience=parse_audience("everyone"))
    made.run(made.nodes[ORIGIN].publishing.declare(LIST, manifest))
    for op in OPS:
        write(made, op)
    for node in (WITNESS, NATIONAL):
        carry(made, node)
    made.beat()
    made.clock.at_ms += MINUTE_MS
    return made


def report(index: int = 2) -> bytes:
    node, now_ms = network().nodes[ORIGIN], network().clock.at_ms
    signer = network().keys[ORIGIN].signer
    return build_report(node.world.store, node.membership.state, (LIST, 0, index), ORIGIN, signer, now_ms)


def test_a_report_on_a_removal_says_what_it_takes_off_the_list_and_names_no_subject() -> None:
    found = verify_delivery(report(), network().fingerprint)
    assert [(each.position, each.op) for each in found.operations] == [(0, OPS[1])]
    assert [each.node for each in found.missing] == [OTHER]
    document = delivery_document(found)
    assert document["removals"] == [{"channel": LIST, "epoch": 0, "index": 1, "position": 0}]
    assert (document["applied"], document["total"], document["missing"]) == (3, 4, [OTHER])
    text = explain_delivery(found)
    for fact in (
        f"VERIFIED: 3 of 4 nodes have applied this entry of {LIST}.",
        f"off the list: {LIST}#0/1/0, decided on 2026-09-20",
        f"{ORIGIN} (示例{ORIGIN}): it wrote the entry",
        f"{WITNESS} (示例{WITNESS}): applied, 3 entries held, 3 applied at",
        f"{OTHER} (示例{OTHER}): no receipt",
        network().fingerprint.hex(),
    ):
        assert fact in text, fact
    for secret in (SUBJECT, "示例决定", "示例理由"):
        assert secret.encode() not in report()


def test_an_entering_is_shown_without_whom_it_enters() -> None:
    found = verify_delivery(report(1), network().fingerprint)
    assert [each.op.act for each in found.operations] == [listing_pb2.LIST_ACT_ENTER]
    assert "enter, decided on 2026-09-18" in explain_delivery(found)
    assert SUBJECT.encode() not in report(1)


@pytest.mark.parametrize(
    ("at", "slot", "step"),
    [
        # hidden, what is about to be shown
        (0, None, "8 (statement)"),
        # shown, what is to be hidden
        (1, listing_pb2.ListSlot(particulars=listing_pb2.ListParticulars(subject=SUBJECT)), "5 (entry signature)"),
        (0, listing_pb2.ListSlot(op=OPS[0]), "5 (entry signature)"),
    ],
)
def test_a_body_that_shows_more_less_or_other_than_the_operations_is_refused(
    at: int, slot: listing_pb2.ListSlot | None, step: str
) -> None:
    altered = delivery_pb2.DeliveryReport.FromString(report())
    body = channel_pb2.EntryBody.FromString(altered.body)
    before = body.slots[at]
    if slot is None:
        body.slots[at].CopyFrom(channel_pb2.Slot(commitment=commitment(before.salt, before.record)))
    else:
        body.slots[at].CopyFrom(channel_pb2.Slot(salt=b"s" * SALT_BYTES, record=slot.SerializeToString()))
    altered.body = body.SerializeToString(deterministic=True)
    with pytest.raises(XinqiaoError) as refused:
        verify_delivery(serialize_report(altered), network().fingerprint)
    assert refused.value.parameters["step"] == step
