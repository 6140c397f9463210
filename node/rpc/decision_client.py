"""How the command line hands over what officers have signed: the decision service on the node's admin socket."""

from pathlib import Path

from node.pb import decision_service_pb2 as pb
from node.pb import decision_service_pb2_grpc
from node.rpc.admin_client import AdminClient


class DecisionClient(AdminClient):
    """Calls the decision service of a running node; raises ADMIN_UNREACHABLE when none runs."""

    def __init__(self, home: Path, socket: Path) -> None:
        super().__init__(home, socket)
        self._decisions = decision_service_pb2_grpc.DecisionServiceStub(self._channel)

    def officers(self) -> pb.ListOfficersResponse:
        """The officers of the node."""
        return self._call(pb.ListOfficersResponse, self._decisions.ListOfficers, pb.ListOfficersRequest())

    def submit(self, request: pb.SubmitStatementRequest) -> pb.SubmitStatementResponse:
        """Hand a signed statement over; what it decides is durable then."""
        return self._call(pb.SubmitStatementResponse, self._decisions.SubmitStatement, request)

    def holds(self, *, everything: bool = False) -> pb.ListHoldsResponse:
        """The rows that wait for review, or all that are remembered."""
        request = pb.ListHoldsRequest(all=everything)
        return self._call(pb.ListHoldsResponse, self._decisions.ListHolds, request)

    def hold(self, hold: str) -> pb.GetHoldResponse:
        """One held row with its content."""
        return self._call(pb.GetHoldResponse, self._decisions.GetHold, pb.GetHoldRequest(id=hold))
