"""The exchange port: members only, over mutual TLS, each call and each step of it within limits.

One pushed entry, from the wire to its answer:

    (1) the caller's public key names an active member, at every frame and again before the commit
    (2) frames are put together within the limits; at most one run is read ahead
    (3) complete entries of one log that are there already make one run, one transaction
    (4) after the commit each of them is answered, the last one with the receipt

A refusal answers its entry and every later one of that log; other logs of the stream go on.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import structlog
from grpc_health.v1 import health, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2_grpc

from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError, to_refusal
from node.core.limits import DEFAULT_LIMITS, Limits
from node.links import ended
from node.node import Node
from node.pb import envelope_pb2, exchange_service_pb2_grpc
from node.pb import exchange_service_pb2 as pb
from node.rpc import tls
from node.rpc.exchange_callers import Caller, Callers, Context
from node.rpc.framing import NUMBERS_END, frames
from node.rpc.health import Door, Health
from node.rpc.idle import IdleLimit
from node.rpc.push_inbox import PushInbox, Run
from node.rpc.refusals import refuse

LogKey = tuple[str, int]

# More logs than this refused on one stream, and the stream ends: nobody sends so many in good faith.
MAX_REFUSED_LOGS = 64
STREAMS_PER_CONNECTION = 64
MIN_PING_INTERVAL_S = 30
HANDSHAKE_TIMEOUT_S = 10
IDLE_CONNECTION_S = 1800

SERVICE_NAME = pb.DESCRIPTOR.services_by_name["ExchangeService"].full_name

log = structlog.get_logger("xinqiao.exchange")


class ExchangeServicer(exchange_service_pb2_grpc.ExchangeServiceServicer):
    """ExchangeService of a node."""

    def __init__(self, node: Node, limits: Limits = DEFAULT_LIMITS) -> None:
        self._node = node
        self._limits = limits
        self.callers = Callers(node, limits)

    # -- who calls ------------------------------------------------------------------------------------

    @asynccontextmanager
    async def admitted(self, context: Context) -> AsyncIterator[Caller]:
        """The caller of one call; what is raised in there ends the call with its code."""
        peer = "a stranger"
        try:
            with self.callers.admit(context) as caller:
                peer = caller.node
                yield caller
            return
        except XinqiaoError as error:
            failure = error
        except (grpc.aio.AbortError, grpc.aio.UsageError):
            raise
        except Exception:
            # The caller learns that it failed and nothing more.
            log.exception("exchange.failed", peer=peer)
            await context.abort(grpc.StatusCode.INTERNAL, "internal error")
        # Whoever is not admitted is named by the refusal, if it is known at all.
        log.info("exchange.refused", peer=failure.parameters.get("node", peer), code=failure.code)
        await refuse(context, failure)

    # -- calls with one answer ------------------------------------------------------------------------

    async def Hello(self, request: pb.HelloRequest, context: Context) -> pb.HelloResponse:  # noqa: N802
        """Compare what both sides hold."""
        async with self.admitted(context) as caller:
            return await self._node.hello(caller.node, request)

    async def PutReceipts(  # noqa: N802 - named by the protocol
        self, request: pb.PutReceiptsRequest, context: Context
    ) -> pb.PutReceiptsResponse:
        """Take receipts; raises ENTRY_SIZE where there are too many in one call."""
        async with self.admitted(context):
            limit = self._limits.max_receipts_per_call
            if len(request.receipts) > limit:
                found = f"{len(request.receipts)} receipts"
                raise XinqiaoError("ENTRY_SIZE", what="the call", found=found, limit=limit)
            return pb.PutReceiptsResponse(refusals=await self._node.take_receipts(request.receipts))

    async def GetConsistencyProof(  # noqa: N802
        self, request: pb.GetConsistencyProofRequest, context: Context
    ) -> pb.GetConsistencyProofResponse:
        """Prove that one size of a log is a prefix of another."""
        async with self.admitted(context) as caller:
            sizes = (request.old_size, request.new_size)
            _check_numbers(caller.node, request.epoch, *sizes)
            hashes = self._node.consistency_proof(caller.node, request.channel, request.epoch, *sizes)
            return pb.GetConsistencyProofResponse(hashes=hashes)

    async def GetInclusionProof(  # noqa: N802
        self, request: pb.GetInclusionProofRequest, context: Context
    ) -> pb.GetInclusionProofResponse:
        """Prove that an entry stands in a log."""
        async with self.admitted(context) as caller:
            place = (request.index, request.size)
            _check_numbers(caller.node, request.epoch, *place)
            hashes = self._node.inclusion_proof(caller.node, request.channel, request.epoch, *place)
            return pb.GetInclusionProofResponse(hashes=hashes)

    # -- streams --------------------------------------------------------------------------------------

    async def Pull(self, request: pb.PullRequest, context: Context) -> None:  # noqa: N802
        """Stream entries; what the caller may have is looked at again for each, who it is for each frame."""
        async with self.admitted(context) as caller:
            _check_numbers(caller.node, request.epoch, request.start_index, request.end_index, request.acts_of_size)
            self._check_network(caller.node, request.network)
            idle = IdleLimit(self._limits.stream_idle_deadline_s)
            async with aclosing(self._node.pull(caller.node, request)) as entries:
                async for signed in entries:
                    caller.hold(len(signed.body or b""))
                    for frame in frames(signed, self._limits):
                        caller.check()
                        await idle.wait(context.write(pb.PullResponse(frame=frame)))

    async def Push(self, _: AsyncIterator[pb.PushRequest], context: Context) -> None:  # noqa: N802
        """Take entries, and answer each in the order they came."""
        async with self.admitted(context) as caller:
            inbox = PushInbox(context, caller, self._limits, self._node.expect)
            reading = asyncio.create_task(inbox.fill())
            try:
                await self._answer_runs(inbox, caller, context)
            finally:
                reading.cancel()
                await ended(reading)

    async def _answer_runs(self, inbox: PushInbox, caller: Caller, context: Context) -> None:
        idle = IdleLimit(self._limits.stream_idle_deadline_s)
        refused: dict[LogKey, envelope_pb2.Refusal] = {}
        while (run := await inbox.take()) is not None:
            caller.check()
            for answer in await self._take_run(caller, run, refused):
                await idle.wait(context.write(answer))
            if len(refused) > MAX_REFUSED_LOGS:
                raise XinqiaoError("RATE_LIMITED", what="too many logs are refused on one stream", retry_s=1)

    async def _take_run(
        self, caller: Caller, run: Run, refused: dict[LogKey, envelope_pb2.Refusal]
    ) -> list[pb.PushResponse]:
        """The answers to a run; where a run of several is refused, one by one tells which entry it is."""
        if run.failure is not None and run.key not in refused:
            refused[run.key] = to_refusal(run.failure)
        if run.key in refused:
            return [self._refused(run.key, refused[run.key])] * max(len(run.entries), 1)
        try:
            return await self._receive(caller, run.entries)
        except XinqiaoError as error:
            if len(run.entries) == 1:
                refused[run.key] = to_refusal(self._as_told(caller.node, run.key, error))
                return [self._refused(run.key, refused[run.key])]
        answers: list[pb.PushResponse] = []
        for signed in run.entries:
            caller.check()
            answers += await self._take_run(caller, Run(run.key, (signed,)), refused)
        return answers

    async def _receive(self, caller: Caller, entries: Sequence[SignedEntry]) -> list[pb.PushResponse]:
        channel, epoch = entries[0].channel, entries[0].epoch
        taken = await self._node.receive(entries, caller.node)
        if not self._is_reader(caller.node, channel, epoch):
            # Whoever was dropped from the audience learns no more than what it has just sent.
            return [pb.PushResponse(channel=channel, epoch=epoch, size=signed.index + 1) for signed in entries]
        answers = [pb.PushResponse(channel=channel, epoch=epoch, size=taken.size) for _ in entries]
        if taken.receipt is not None:
            answers[-1].receipt.CopyFrom(taken.receipt)
        return answers

    def _refused(self, key: LogKey, refusal: envelope_pb2.Refusal) -> pb.PushResponse:
        return pb.PushResponse(channel=key[0], epoch=key[1], refusal=refusal)

    def _as_told(self, peer: str, key: LogKey, error: XinqiaoError) -> XinqiaoError:
        """The refusal as this peer may know it: its parameters name sizes, and that the channel exists."""
        own = key[0].partition("/")[0] == peer
        return error if own or self._is_reader(peer, *key) else XinqiaoError("AUDIENCE", node=peer)

    def _is_reader(self, peer: str, channel: str, epoch: int) -> bool:
        held = self._node.world.store.channel(channel, epoch)
        members = self._node.membership.members
        return held is not None and members.reads(peer, held.origin, held.manifest.audience)

    def _check_network(self, peer: str, network: str) -> None:
        expected = self._node.membership.network
        if network != expected:
            raise XinqiaoError("HELLO_NETWORK", peer=peer, found=network[:80], network=expected)


def _check_numbers(peer: str, *numbers: int) -> None:
    """Refuse numbers that no log can reach like a channel that does not exist."""
    if max(numbers) >= NUMBERS_END:
        raise XinqiaoError("AUDIENCE", node=peer)


class MemberReflection(reflection_pb2_grpc.ServerReflectionServicer):
    """Server reflection, for members."""

    def __init__(self, services: Sequence[str], door: Door) -> None:
        self._inner: Any = reflection.aio.ReflectionServicer(services)
        self._door = door

    async def ServerReflectionInfo(self, requests: AsyncIterator[Any], context: Context) -> None:  # noqa: N802
        """Answer what services there are and what their messages look like."""
        async with self._door(context) as caller:
            async for answer in self._inner.ServerReflectionInfo(requests, context):
                caller.check()
                await context.write(answer)


class ExchangeServer:
    """A listening exchange port: health is set from outside, drain() ends it."""

    def __init__(self, server: grpc.aio.Server, servicer: ExchangeServicer, health: Health, port: int) -> None:
        self._server = server
        self._servicer = servicer
        self.health = health
        self.port = port

    @property
    def calls(self) -> int:
        """How many calls of members are under way."""
        return self._servicer.callers.calls

    async def start(self) -> None:
        """Begin to answer."""
        await self._server.start()

    async def drain(self, grace_s: float) -> None:
        """Take no new call, let those under way come to an end, and close the port after at most grace_s."""
        self._servicer.callers.draining = True
        self.health.end()
        await self._server.stop(grace_s)


def build_server(
    node: Node,
    *,
    address: str,
    identity: tls.Identity,
    reflects: bool = False,
    setting: str = "listen",
    limits: Limits = DEFAULT_LIMITS,
) -> ExchangeServer:
    """Bind the exchange port of a node, "host:port"; port 0 takes a free one. Raises LISTEN_FAILED.

    identity gives our (private key, certificate chain) in PEM, called at every handshake.
    """
    servicer = ExchangeServicer(node, limits)
    server_health = Health(servicer.admitted)
    server = grpc.aio.server(options=port_options(limits))
    exchange_service_pb2_grpc.add_ExchangeServiceServicer_to_server(servicer, server)
    health_pb2_grpc.add_HealthServicer_to_server(server_health, server)
    if reflects:
        services = (SERVICE_NAME, health.SERVICE_NAME, reflection.SERVICE_NAME)
        member_reflection = MemberReflection(services, servicer.admitted)
        reflection_pb2_grpc.add_ServerReflectionServicer_to_server(member_reflection, server)  # type: ignore[no-untyped-call]
    credentials = tls.server_credentials(identity, lambda: tls.member_roots(node.membership.members))
    port = bind_secure(server, address, credentials, setting)
    return ExchangeServer(server, servicer, server_health, port)


def port_options(limits: Limits) -> list[tuple[str, int]]:
    """How a port over mutual TLS is served."""
    return [
        # A second process on the port is refused instead of sharing it.
        ("grpc.so_reuseport", 0),
        ("grpc.max_receive_message_length", limits.max_message_bytes),
        ("grpc.max_send_message_length", limits.max_message_bytes),
        # Identity only: a message is never unpacked to more than the limit of a message.
        ("grpc.compression_enabled_algorithms_bitset", 1),
        ("grpc.max_concurrent_streams", STREAMS_PER_CONNECTION),
        ("grpc.server_handshake_timeout_ms", HANDSHAKE_TIMEOUT_S * 1000),
        ("grpc.max_connection_idle_ms", IDLE_CONNECTION_S * 1000),
        ("grpc.keepalive_time_ms", MIN_PING_INTERVAL_S * 2 * 1000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", MIN_PING_INTERVAL_S * 1000),
    ]


def bind_secure(server: grpc.aio.Server, address: str, credentials: grpc.ServerCredentials, setting: str) -> int:
    """Listen on host:port; returns the real port. Raises LISTEN_FAILED."""
    try:
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise XinqiaoError("LISTEN_FAILED", address=address, detail=_why(address), setting=setting) from error


def _why(address: str) -> str:
    """What the system says of binding the address; gRPC keeps it to itself."""
    host, _, port = address.rpartition(":")
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.bind(place)
    except (OSError, ValueError) as error:
        return getattr(error, "strerror", None) or str(error)
    return "the system gives no reason"
