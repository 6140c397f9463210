"""Withdrawals of single records: status entries in a channel of records, which travels as bulk does."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from node.bench.load import ITEM, is_covered, write_rows
from node.bench.network import Network, wait_until
from node.bench.removal import Order
from node.bench.rows import Plan, example_uscc
from node.pb import admin_service_pb2 as pb
from node.pb import record_pb2
from node.rpc.admin_client import AdminClient


@dataclass
class Withdrawals:
    """Records of a small channel of their own, withdrawn one after another by status entries."""

    network: Network
    owner: AdminClient
    channel: str = ""
    _left: list[record_pb2.RecordRef] = field(default_factory=list)
    _plans: Iterator[int] = field(default_factory=lambda: count(1))

    def prepare(self, number: int) -> None:
        """Publish as many records as are to be withdrawn."""
        node, name = self.network.owner, "bench-withdrawals"
        if not self.channel:
            self.channel = f"{node}/{name}"
            self.network.run(
                *(node, "channel", "create", name, "--item", ITEM, "--audience", "everyone", "--disclosure", "C")
            )
        file = self.network.programs.work / f"withdrawals-{next(self._plans)}.csv"
        plan = Plan(ITEM, number, 1, file.stem.replace("withdrawals-", "319"), example_uscc("11", node, 1))
        write_rows(self.owner.catalogue().item(ITEM), plan, file)
        self.network.run(node, "publish", self.channel, str(file))
        wait_until(lambda: is_covered(self.owner.channel(self.channel), self.network.readers), "all receipts", 120.0)
        held = self.owner.records(pb.ListRecordsRequest(channel=self.channel))
        self._left = [each.ref for each in held]

    def order(self) -> Order:
        """Withdraw the next record."""
        request = pb.ActOnRecordRequest(
            ref=self._left.pop(),
            kind=record_pb2.STATUS_KIND_WITHDRAW,
            decision="示撤〔2026〕1号",
            reason="原决定已撤销",
        )
        return lambda: self.owner.act(request).head.size - 1
