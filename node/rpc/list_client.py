"""How the command line reaches the joint lists of the node it serves: the list service on its admin socket."""

from collections.abc import Iterator
from pathlib import Path

from node.pb import list_service_pb2 as pb
from node.pb import list_service_pb2_grpc, record_pb2
from node.rpc.admin_client import PIECE_BYTES
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

    def listings(self, request: pb.ListListingsRequest) -> Iterator[pb.ListingLine]:
        """Who is on a list, or was at a time."""
        for answer in self._stream(pb.ListListingsResponse, self._lists.ListListings, request):
            yield from answer.listings

    def listing(self, entry: record_pb2.RecordRef) -> pb.GetListingResponse:
        """The whole history of one entry."""
        return self._call(pb.GetListingResponse, self._lists.GetListing, pb.GetListingRequest(entry=entry))

    # -- changes

    def draft_entries(self, first: pb.DraftEntriesRequest, file: Path | None) -> Iterator[pb.DraftEntriesResponse]:
        """Draft a change that enters one subject, or the rows of a file."""
        yield from self._stream(pb.DraftEntriesResponse, self._lists.DraftEntries, _pieces(first, file))

    def draft_change(self, request: pb.DraftChangeRequest) -> str:
        """Draft a change of one entry; returns its id."""
        return self._call(pb.DraftChangeResponse, self._lists.DraftChange, request).change

    def drop_draft(self, change: str) -> None:
        """Forget a draft."""
        self._call(pb.DropDraftResponse, self._lists.DropDraft, pb.DropDraftRequest(change=change))

    def changes(self, *, everything: bool = False) -> pb.ListChangesResponse:
        """The changes that wait for officers, or all that are remembered."""
        return self._call(pb.ListChangesResponse, self._lists.ListChanges, pb.ListChangesRequest(all=everything))

    def change(self, change: str) -> Iterator[pb.GetChangeResponse]:
        """One change: its line, then its batches."""
        yield from self._stream(pb.GetChangeResponse, self._lists.GetChange, pb.GetChangeRequest(id=change))

    def change_line(self, change: str) -> pb.ChangeLine:
        """How one change stands."""
        request = pb.GetChangeRequest(id=change, head_only=True)
        (answer,) = self._stream(pb.GetChangeResponse, self._lists.GetChange, request)
        return answer.change


def _pieces(first: pb.DraftEntriesRequest, file: Path | None) -> Iterator[pb.DraftEntriesRequest]:
    yield first
    if file is not None:
        with file.open("rb") as opened:
            while piece := opened.read(PIECE_BYTES):
                yield pb.DraftEntriesRequest(data=piece)
