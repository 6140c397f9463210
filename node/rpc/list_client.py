"""How the command line reaches the joint lists of the node it serves: the list service on its admin socket."""

from pathlib import Path

from node.pb import list_service_pb2 as pb
from node.pb import list_service_pb2_grpc
from node.rpc.decision_client import DecisionClient


class ListClient(DecisionClient):
    """Calls the list service of a running node; raises ADMIN_UNREACHABLE when none runs."""

    def __init__(self, home: Path, socket: Path) -> None:
        super().__init__(home, socket)
        self._lists = list_service_pb2_grpc.ListServiceStub(self._channel)

    def define(self, request: pb.DefineListRequest) -> pb.DefineListResponse:
        """State what a list is."""
        return self._call(pb.DefineListResponse, self._lists.DefineList, request)

    def lists(self, name: str = "") -> pb.ListListsResponse:
        """The lists held, or one of them; raises LIST_UNKNOWN."""
        return self._call(pb.ListListsResponse, self._lists.ListLists, pb.ListListsRequest(list=name))
