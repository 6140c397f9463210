"""How the command line asks about subjects: the query service on the node's admin socket."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import grpc

from node.pb import query_service_pb2 as pb
from node.pb import query_service_pb2_grpc
from node.rpc.admin_client import AdminClient

SUBJECTS_PER_MESSAGE = 1_000


class QueryClient(AdminClient):
    """Calls the query service of a running node; raises ADMIN_UNREACHABLE when none runs."""

    def __init__(self, home: Path, socket: Path) -> None:
        super().__init__(home, socket)
        self._queries = query_service_pb2_grpc.QueryServiceStub(self._channel)

    def check(self, question: pb.QueryQuestion, subject: str) -> pb.SubjectAnswer:
        """What is answered of one subject."""
        request = pb.CheckRequest(question=question, subject=subject)
        return self._call(pb.CheckResponse, self._queries.Check, request).answer

    def check_batch(self, question: pb.QueryQuestion, subjects: Sequence[str]) -> Iterator[pb.SubjectAnswer]:
        """What is answered of many subjects, in their order; they are one entry of the query log."""
        for response in self._stream(pb.CheckBatchResponse, self._queries.CheckBatch, _asked(question, subjects)):
            yield from response.answers

    def queries(self, request: pb.ListQueriesRequest) -> pb.ListQueriesResponse:
        """Who has asked."""
        return self._call(pb.ListQueriesResponse, self._queries.ListQueries, request)

    def verify(self, request: pb.VerifyQueriesRequest) -> pb.VerifyQueriesResponse:
        """How far the query log is sound; a long one takes its time."""
        try:
            found: pb.VerifyQueriesResponse = self._queries.VerifyQueries(request)
        except grpc.RpcError as error:
            raise self._readable(error) from None
        return found


def _asked(question: pb.QueryQuestion, subjects: Sequence[str]) -> Iterator[pb.CheckBatchRequest]:
    yield pb.CheckBatchRequest(question=question)
    for start in range(0, len(subjects), SUBJECTS_PER_MESSAGE):
        yield pb.CheckBatchRequest(subjects=subjects[start : start + SUBJECTS_PER_MESSAGE])
