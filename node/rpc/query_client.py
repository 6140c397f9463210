"""How the command line asks about subjects: the query service on the node's admin socket."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Semaphore

import grpc

from node.pb import query_service_pb2 as pb
from node.pb import query_service_pb2_grpc
from node.rpc.admin_client import CALL_DEADLINE_S, AdminClient
from node.rpc.refusals import from_rpc_error

SUBJECTS_PER_MESSAGE = 1_000
CHUNKS_AHEAD = 4
"""So many chunks of a sweep are on their way at most: two at the node, and those that keep the way filled."""
_POLL_S = 0.5


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

    def sweep(
        self, question: pb.QueryQuestion, chunks: Iterable[Sequence[str]]
    ) -> Generator[pb.SweepResponse, None, None]:
        """What is answered of any number of subjects, in their order; chunks are read while answers come.

        A chunk has 1 to 10000 subjects. At most CHUNKS_AHEAD of them are read that are not answered.
        """
        sent: deque[int] = deque()
        window = _Window()
        requests = _sent(question, chunks, sent, window)
        try:
            for response in self._stream(pb.SweepResponse, self._queries.Sweep, requests):
                sent[0] -= response.count
                if not sent[0]:
                    sent.popleft()
                    window.allowed.release()
                yield response
        finally:
            window.is_over = True

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


class PortClient:
    """Calls the query port of a node over a connection of its own, as a registered system does."""

    def __init__(self, address: str, name: str, trusted: bytes, private_key_pem: bytes, certificate_pem: bytes) -> None:
        credentials = grpc.ssl_channel_credentials(trusted, private_key_pem, certificate_pem)
        options = [("grpc.ssl_target_name_override", name), ("grpc.use_local_subchannel_pool", 1)]
        self._address = address
        self._channel = grpc.secure_channel(address, credentials, options)
        self._queries = query_service_pb2_grpc.QueryServiceStub(self._channel)

    def check(self, question: pb.QueryQuestion, subject: str) -> pb.SubjectAnswer:
        """What is answered of one subject."""
        try:
            found: pb.CheckResponse = self._queries.Check(
                pb.CheckRequest(question=question, subject=subject), timeout=CALL_DEADLINE_S
            )
        except grpc.RpcError as error:
            raise from_rpc_error(error, peer="the node", address=self._address) from None
        return found.answer

    def close(self) -> None:
        """Close the connection."""
        self._channel.close()


@dataclass
class _Window:
    """How many chunks may still be sent; is_over once nobody waits for answers any more."""

    allowed: Semaphore = field(default_factory=lambda: Semaphore(CHUNKS_AHEAD))
    is_over: bool = False


def _sent(
    question: pb.QueryQuestion, chunks: Iterable[Sequence[str]], sent: deque[int], window: _Window
) -> Iterator[pb.SweepRequest]:
    yield pb.SweepRequest(question=question)
    for chunk in chunks:
        while not window.allowed.acquire(timeout=_POLL_S):
            if window.is_over:
                return
        sent.append(len(chunk))
        yield pb.SweepRequest(subjects=chunk)


def _asked(question: pb.QueryQuestion, subjects: Sequence[str]) -> Iterator[pb.CheckBatchRequest]:
    yield pb.CheckBatchRequest(question=question)
    for start in range(0, len(subjects), SUBJECTS_PER_MESSAGE):
        yield pb.CheckBatchRequest(subjects=subjects[start : start + SUBJECTS_PER_MESSAGE])
