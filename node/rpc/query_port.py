"""The query port: checks for the operator's own systems, over mutual TLS, each within what it is registered for.

One check, from the wire to its answer:

    (1) the caller's public key names a registered client, at every call and every chunk of a sweep
    (2) unit, matter and officer are among those that it is registered for
    (3) everything that holds on the admin socket: the officer is active, the matter published, the question in the log

Who has asked is nobody's business here: the query log is read on the admin socket alone.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Never

import grpc
import grpc.aio
import structlog

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.node import Node
from node.pb import query_service_pb2 as pb
from node.pb import query_service_pb2_grpc
from node.query_clients import QueryClients
from node.rpc import tls
from node.rpc.exchange_callers import Caller, Callers, Context
from node.rpc.exchange_server import bind_secure, port_options
from node.rpc.idle import IdleLimit
from node.rpc.query_server import QueryServicer, asking
from node.rpc.refusals import refuse

log = structlog.get_logger("xinqiao.queries")
STRANGER = "the caller"
ELSEWHERE = "this call is served on the admin socket alone"


class QueryPortServicer(QueryServicer):
    """QueryService for registered clients."""

    def __init__(self, node: Node, clients: QueryClients, limits: Limits = DEFAULT_LIMITS) -> None:
        super().__init__(node)
        self._clients = clients
        self._limits = limits
        self.callers = Callers(self, limits)

    def caller(self, tls_spki_sha256: bytes) -> str:
        """The registered client with that key; raises QUERY_CLIENT, QUERY_CLIENTS."""
        found = self._clients.by_key(tls_spki_sha256)
        if found is None:
            raise XinqiaoError("QUERY_CLIENT", client=STRANGER, why="its certificate is not registered")
        return found.name

    async def Check(self, request: pb.CheckRequest, context: Context) -> pb.CheckResponse:  # noqa: N802
        """Answer for one subject."""
        async with self._admitted(context) as caller:
            self._allow(caller, request.question)
            found = await self._node.checking.check(asking(request.question), request.subject)
            caller.check()
            return pb.CheckResponse(answer=self._answer(found))

    async def Sweep(  # type: ignore[override]  # noqa: N802 - written to the context, so that an idle reader is noticed
        self, requests: AsyncIterator[pb.SweepRequest], context: Context
    ) -> None:
        """Answer for any number of subjects, while they come."""
        async with self._admitted(context) as caller:
            reading, writing = (IdleLimit(self._limits.stream_idle_deadline_s) for _ in range(2))
            first = await reading.wait(anext(requests, pb.SweepRequest()))
            chunks = self._chunks(caller, first.question, requests, reading)
            async with aclosing(self._node.checking.sweep(asking(first.question), chunks)) as answers:
                async for found in answers:
                    caller.check()
                    await writing.wait(context.write(self._swept(found)))
                    reading.moved()

    async def _chunks(
        self,
        caller: Caller,
        question: pb.QueryQuestion,
        requests: AsyncIterator[pb.SweepRequest],
        reading: IdleLimit,
    ) -> AsyncIterator[Sequence[str]]:
        """The chunks of a sweep, each as long as the client may still ask."""
        while (request := await reading.wait(anext(requests, None))) is not None:
            caller.check()
            self._allow(caller, question)
            yield list(request.subjects)

    def _allow(self, caller: Caller, question: pb.QueryQuestion) -> None:
        """See that a client is registered for what it asks; raises QUERY_CLIENT, QUERY_CLIENTS."""
        client = self._clients.all().get(caller.node)
        why = (
            "it is not registered"
            if client is None
            else client.why_not(question.unit, question.matter, question.officer)
        )
        if why:
            raise XinqiaoError("QUERY_CLIENT", client=caller.node, why=why)

    @asynccontextmanager
    async def _admitted(self, context: Context) -> AsyncIterator[Caller]:
        """The client of one call; what is raised in there ends the call with its code."""
        name = STRANGER
        try:
            with self.callers.admit(context) as caller:
                name = caller.node
                yield caller
            return
        except XinqiaoError as error:
            failure = error
        except (grpc.aio.AbortError, grpc.aio.UsageError):
            raise
        except Exception:
            # The caller learns that it failed and nothing more.
            log.exception("query.failed", client=name)
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")
        log.info("query.refused", client=name, code=failure.code)
        await refuse(context, failure)

    # -- what is not served here ----------------------------------------------------------------------

    async def CheckBatch(self, requests: AsyncIterator[pb.CheckBatchRequest], context: Context) -> Never:  # type: ignore[override]  # noqa: N802
        """Not here: a sweep does the same, and keeps less."""
        del requests
        await refuse(context, XinqiaoError("QUERY_CLIENT", client=STRANGER, why=ELSEWHERE))

    async def ListQueries(self, request: pb.ListQueriesRequest, context: Context) -> Never:  # noqa: N802
        """Not here."""
        del request
        await refuse(context, XinqiaoError("QUERY_CLIENT", client=STRANGER, why=ELSEWHERE))

    async def VerifyQueries(self, request: pb.VerifyQueriesRequest, context: Context) -> Never:  # noqa: N802
        """Not here."""
        del request
        await refuse(context, XinqiaoError("QUERY_CLIENT", client=STRANGER, why=ELSEWHERE))


class QueryPort:
    """A listening query port; drain() ends it."""

    def __init__(self, server: grpc.aio.Server, servicer: QueryPortServicer, port: int) -> None:
        self._server = server
        self._servicer = servicer
        self.port = port

    async def drain(self, grace_s: float) -> None:
        """Take no new call, let those under way come to an end, and close the port after at most grace_s."""
        self._servicer.callers.draining = True
        await self._server.stop(grace_s)


async def start_query_port(
    node: Node, clients: QueryClients, *, address: str, identity: tls.Identity, limits: Limits = DEFAULT_LIMITS
) -> QueryPort:
    """Serve the query port on "host:port"; port 0 takes a free one. Raises LISTEN_FAILED, QUERY_CLIENTS.

    identity gives our (private key, certificate chain) in PEM, called at every handshake as the table of clients is.
    """
    clients.all()  # what is wrong with it is said at the start
    servicer = QueryPortServicer(node, clients, limits)
    server = grpc.aio.server(options=port_options(limits))
    query_service_pb2_grpc.add_QueryServiceServicer_to_server(servicer, server)
    port = bind_secure(
        server, address, tls.server_credentials(identity, lambda: _roots(clients, identity)), "query_listen"
    )
    await server.start()
    return QueryPort(server, servicer, port)


def _roots(clients: QueryClients, identity: tls.Identity) -> bytes:
    """The certificates that a handshake takes; our own where there are none, as TLS wants one: it is no client's."""
    try:
        certificates = [each.certificate for each in clients.all().values()]
    except XinqiaoError as error:
        log.error("query.clients", code=error.code, text=error.text)
        certificates = []
    return tls.as_pem(certificates) or identity()[1]
