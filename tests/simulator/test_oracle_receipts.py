"""The oracle on receipts of joint lists: their digest is that of what was applied when they were signed."""

from dataclasses import replace
from pathlib import Path

import pytest

from node.core import muhash
from node.core.receipt import VerifiedReceipt
from node.pb import channel_pb2
from node.simulator.driving import DrivenNetwork
from node.simulator.list_watch import digest_of
from node.simulator.observing import Write
from tests.simulator.test_lists import LIST, A, B, C, driven
from tests.simulator.violations import violated

NOBODY = muhash.digest(muhash.EMPTY)


@pytest.fixture
def network(tmp_path: Path) -> DrivenNetwork:
    return driven(tmp_path)


def signed(network: DrivenNetwork, node: str) -> VerifiedReceipt:
    held = network[node].world.store.receipt(LIST, node)
    assert held is not None
    return held.receipt


def keep(network: DrivenNetwork, receipt: VerifiedReceipt, digest: bytes) -> None:
    """Let the oracle see a receipt of the same extent that its node signed a moment later."""
    message = channel_pb2.Receipt()
    message.CopyFrom(receipt.message)
    message.observed_at_unix_ms, message.state_digest = message.observed_at_unix_ms + 1, digest
    envelope = type(receipt.envelope)(payload=message.SerializeToString())
    kept = replace(receipt, message=message, envelope=envelope)
    network._simulation._oracle.committed(message.subscriber, [Write("put_receipt", (kept,), result=True)])


def test_g3_a_digest_that_is_not_that_of_what_is_applied(network: DrivenNetwork) -> None:
    with network:
        receipt = signed(network, B)
        assert receipt.message.state_digest not in (NOBODY, b"")
        keep(network, receipt, receipt.message.state_digest)
        for wrong in (NOBODY, b"", b"wrong".ljust(32)):
            with violated("G3", "a receipt for"):
                keep(network, receipt, wrong)


def test_g3_a_receipt_that_was_signed_before_its_node_left_the_audience_may_be_kept_after_that(
    network: DrivenNetwork,
) -> None:
    with network:
        before = signed(network, B)
        network.do("set_audience", A, channel=LIST, audience=C)
        network.run_for(minutes=2)
        after = signed(network, B)
        assert after.message.size > before.message.size
        assert (after.message.applied_size, after.message.state_digest) == (before.message.applied_size, b"")
        keep(network, before, before.message.state_digest)
        for receipt in (before, after):
            with violated("G3", "a receipt for"):
                keep(network, receipt, NOBODY)
        network.settle()


def test_g3_a_receipt_that_was_signed_before_the_next_epoch_began_may_be_kept_after_that(
    network: DrivenNetwork,
) -> None:
    with network:
        before = signed(network, B)
        network.do("suspend", A, for_ms=20_000)
        network.run_for(minutes=2)
        network.do("change_list", A, channel=LIST, operations=2, exits=0, seed=8)
        network.run_for(minutes=1)
        after = signed(network, B)
        assert (before.message.epoch, after.message.epoch) == (0, 1)
        keep(network, before, before.message.state_digest)
        keep(network, after, after.message.state_digest)
        for receipt, wrong in ((before, after), (after, before)):
            with violated("G3", "a receipt for"):
                keep(network, receipt, wrong.message.state_digest)
        network.settle()


def test_g3_a_digest_is_said_while_an_earlier_epoch_is_missing(network: DrivenNetwork) -> None:
    with network:
        network.do("suspend", A, for_ms=20_000)
        network.run_for(minutes=2)
        network.do("change_list", A, channel=LIST, operations=2, exits=0, seed=8)
        network.run_for(minutes=1)
        receipt, oracle = signed(network, B), network._simulation._oracle
        alone = digest_of(oracle._lists.written((LIST, 1), receipt.message.applied_size))
        assert alone not in (NOBODY, receipt.message.state_digest)
        holder = oracle._holder(B)
        del holder.logs[LIST, 0]
        holder.epochs[LIST].remove(0)
        keep(network, receipt, b"")
        with violated("G3", "a receipt for"):
            keep(network, receipt, alone)
