"""How the command line follows where entries stand: the ledger service on the node's admin socket."""

from collections.abc import Iterator
from pathlib import Path

from node.pb import ledger_service_pb2 as pb
from node.pb import ledger_service_pb2_grpc
from node.rpc.admin_client import AdminClient


class LedgerClient(AdminClient):
    """Calls the ledger service of a running node; raises ADMIN_UNREACHABLE when none runs."""

    def __init__(self, home: Path, socket: Path) -> None:
        super().__init__(home, socket)
        self._ledgers = ledger_service_pb2_grpc.LedgerServiceStub(self._channel)

    def delivery(self, request: pb.WatchDeliveryRequest) -> Iterator[pb.DeliveryLedger]:
        """Where an entry stands, and again at every change where it is watched; raises LIST_UNKNOWN and more."""
        for response in self._stream(pb.WatchDeliveryResponse, self._ledgers.WatchDelivery, request):
            yield response.ledger

    def report(self, request: pb.ReportDeliveryRequest) -> bytes:
        """A signed report of where an entry stands; raises EVIDENCE_UNAVAILABLE and more."""
        return self._call(pb.ReportDeliveryResponse, self._ledgers.ReportDelivery, request).report
