"""The members of the network as this node calls them: gRPC over mutual TLS, two connections for each peer.

The control connection carries Hello, receipts and the channels that must not wait; the bulk connection carries
the rest. A connection is opened by the first call that needs it, and dropped when a call finds it dead or when
the peer's address, its certificates or our own certificate have changed; calls under way keep the old one.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc
import grpc.aio

from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.links import ended
from node.pb import envelope_pb2, registry_service_pb2
from node.pb import exchange_service_pb2 as pb
from node.pb.exchange_service_pb2_grpc import ExchangeServiceStub
from node.ports import Lane, PushAnswer
from node.rpc import registry_client, tls
from node.rpc.framing import EntryReader, frames
from node.rpc.idle import IdleLimit
from node.rpc.read_ahead import read_ahead
from node.rpc.refusals import from_rpc_error
from node.rpc.writing import finish, write

T = TypeVar("T")

# Three tries within two seconds; after that the link's own backoff counts.
RETRY_WAITS_S = (0.3, 0.9)
RETRY_WITHIN_S = 2.0
CONNECT_TIMEOUT_S = 10.0
IDLE_CONNECTION_S = 600.0
KEEPALIVE_S = 60.0
PULL_AHEAD_BYTES = 2 * 1024 * 1024
# An address is a host and a port and nothing else that gRPC would understand, such as a socket's path.
_ENDPOINT = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):[0-9]{1,5}")
# What gRPC says when a handshake failed at our end, and when the other side hung up right after it.
_HANDSHAKE_FAILED = re.compile(
    r"(?:Tls|Ssl) handshake failed|Hostname Verification|failed to connect.*:\d+: Socket closed"
)


@dataclass(frozen=True, slots=True)
class Target:
    """Everything a connection depends on; another value means another connection."""

    endpoint: str
    certificates: tuple[bytes, ...]
    private_key_pem: bytes
    chain_pem: bytes

    def __repr__(self) -> str:
        return f"Target({self.endpoint})"


@dataclass(slots=True, eq=False)
class _Connection:
    """One gRPC channel with the number of calls on it."""

    node: str
    target: Target
    channel: grpc.aio.Channel
    stub: Any
    calls: int = 0
    retired: bool = False


def open_exchange(node: str, lane: Lane, target: Target, limits: Limits) -> grpc.aio.Channel:  # noqa: ARG001
    """A connection to an exchange port over mutual TLS; it is the target's certificates that tell who answers."""
    credentials = tls.channel_credentials(target.certificates, target.private_key_pem, target.chain_pem)
    options = [
        ("grpc.ssl_target_name_override", tls.peer_name(target.certificates[0])),
        # Two channels to one address are two connections, and each attempt is a real one.
        ("grpc.use_local_subchannel_pool", 1),
        ("grpc.max_receive_message_length", limits.max_message_bytes),
        ("grpc.max_send_message_length", limits.max_message_bytes),
        ("grpc.enable_http_proxy", 0),
        ("grpc.enable_retries", 0),
        # Identity only: a message is never unpacked to more than the limit of a message.
        ("grpc.compression_enabled_algorithms_bitset", 1),
        ("grpc.min_reconnect_backoff_ms", int(CONNECT_TIMEOUT_S * 1000)),
        ("grpc.client_idle_timeout_ms", int(IDLE_CONNECTION_S * 1000)),
        ("grpc.keepalive_time_ms", int(KEEPALIVE_S * 1000)),
        ("grpc.keepalive_timeout_ms", int(CONNECT_TIMEOUT_S * 1000)),
    ]
    return grpc.aio.secure_channel(_as_host(target.endpoint), credentials, options)


def _as_host(endpoint: str) -> str:
    """The address as gRPC cannot take it for anything else: a host may be called unix."""
    return f"dns:///{endpoint}"


OpenExchange = Callable[[str, Lane, Target, Limits], grpc.aio.Channel]
"""Opens a connection to a node for a lane."""


class GrpcPeers:
    """All members as this node can call them.

    identity gives our (private key, certificate chain) in PEM; endpoints the (exchange, registry) addresses of
    a node, "" where there is none; certificates its listed TLS certificates in DER. open_exchange and
    open_registry open connections. arrived is told of each entry that a pull has brought, before its turn.
    """

    def __init__(
        self,
        *,
        network: Callable[[], str],
        identity: tls.Identity,
        endpoints: Callable[[str], tuple[str, str]],
        certificates: Callable[[str], tuple[bytes, ...]],
        limits: Limits = DEFAULT_LIMITS,
        arrived: Callable[[SignedEntry], None] = lambda _: None,
        open_exchange: OpenExchange = open_exchange,
        open_registry: registry_client.OpenChannel = registry_client.open_channel,
    ) -> None:
        self.network = network
        self.arrived = arrived
        self.limits = limits
        self.open_registry = open_registry
        self._open_exchange = open_exchange
        self._identity = identity
        self._endpoints = endpoints
        self._certificates = certificates
        self._connections: dict[tuple[str, Lane], _Connection] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._closed = False

    def peer(self, node: str) -> "GrpcPeer | None":
        """The peer, None while no usable address or certificate of it is known."""
        return GrpcPeer(self, node) if self._target(node) is not None else None

    def registry_endpoint(self, node: str) -> str:
        """Where the peer's registry port is; raises WIRE_UNREACHABLE."""
        endpoint = self._endpoints(node)[1]
        if not _ENDPOINT.fullmatch(endpoint):
            raise _unreachable(node, endpoint, "no address of its registry port is known")
        return _as_host(endpoint)

    async def close(self) -> None:
        """End every call and close every connection."""
        self._closed = True
        for connection in list(self._connections.values()):
            self._retire(connection)
            self._closing.add(asyncio.create_task(connection.channel.close()))
        while self._closing:
            await asyncio.gather(*self._closing)
            self._closing = {task for task in self._closing if not task.done()}

    @property
    def connected(self) -> int:
        """How many connections are kept."""
        return len(self._connections)

    @property
    def calls(self) -> int:
        """How many calls are under way on the connections kept."""
        return sum(connection.calls for connection in self._connections.values())

    # -- connections ----------------------------------------------------------------------------------

    @contextmanager
    def calling(self, node: str, lane: Lane) -> Iterator[_Connection]:
        """The connection for one call; a failure that it shows in there becomes the error it means."""
        connection = self._connection(node, lane)
        connection.calls += 1
        try:
            yield connection
        except grpc.RpcError as error:
            raise self._meaning(connection, error) from error
        except asyncio.CancelledError:
            # Closing a channel cancels its calls, not the tasks that wait for them.
            if self._closed:
                raise XinqiaoError("DRAINING") from None
            raise
        finally:
            connection.calls -= 1
            self._release(connection)

    def _connection(self, node: str, lane: Lane) -> _Connection:
        if self._closed:
            raise XinqiaoError("DRAINING")
        target = self._target(node)
        if target is None:
            raise _unreachable(node, self._endpoints(node)[0], "no address or certificate of it is known")
        held = self._connections.get((node, lane))
        if held is not None and held.target == target:
            return held
        self._retire_outdated()
        channel = self._open_exchange(node, lane, target, self.limits)
        connection = _Connection(node, target, channel, ExchangeServiceStub(channel))
        self._connections[node, lane] = connection
        return connection

    def _target(self, node: str) -> Target | None:
        endpoint, certificates = self._endpoints(node)[0], self._certificates(node)
        if not certificates or not _ENDPOINT.fullmatch(endpoint):
            return None
        return Target(endpoint, certificates, *self._identity())

    def _retire_outdated(self) -> None:
        for connection in list(self._connections.values()):
            if self._target(connection.node) != connection.target:
                self._retire(connection)

    def _retire(self, connection: _Connection) -> None:
        """Take a connection out of use; it is closed as soon as no call is left on it."""
        connection.retired = True
        self._connections = {at: kept for at, kept in self._connections.items() if kept is not connection}
        self._release(connection)

    def _release(self, connection: _Connection) -> None:
        if connection.retired and not connection.calls:
            task = asyncio.create_task(connection.channel.close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    def _meaning(self, connection: _Connection, error: grpc.RpcError) -> XinqiaoError:
        address = connection.target.endpoint
        found = from_rpc_error(error, peer=connection.node, address=address)
        if found.code == "WIRE_UNREACHABLE":
            # The next call dials anew instead of waiting for gRPC's own backoff.
            self._retire(connection)
            if _HANDSHAKE_FAILED.search(error.details() or ""):
                return XinqiaoError("WIRE_REFUSED", peer=connection.node, detail=found.parameters["detail"])
        return found


class GrpcPeer:
    """One member, called over the connections of GrpcPeers; satisfies ports.Peer."""

    def __init__(self, peers: GrpcPeers, node: str) -> None:
        self._peers = peers
        self._node = node
        self._limits = peers.limits

    async def hello(self, request: pb.HelloRequest) -> pb.HelloResponse:
        """Compare what both sides hold."""
        deadline_s = self._limits.call_deadline_s
        return await self._unary(lambda stub: stub.Hello(request, timeout=deadline_s))

    async def put_receipts(self, receipts: Sequence[envelope_pb2.Envelope]) -> Sequence[envelope_pb2.Refusal]:
        """Hand receipts over; the refusals of those not taken."""
        request = pb.PutReceiptsRequest(receipts=receipts)
        deadline_s = self._limits.call_deadline_s
        response: pb.PutReceiptsResponse = await self._unary(lambda stub: stub.PutReceipts(request, timeout=deadline_s))
        return list(response.refusals)

    async def prove_consistency(self, channel: str, epoch: int, old_size: int, new_size: int) -> Sequence[bytes]:
        """The proof that one size of a log is a prefix of another, unchecked."""
        request = pb.GetConsistencyProofRequest(channel=channel, epoch=epoch, old_size=old_size, new_size=new_size)
        deadline_s = self._limits.call_deadline_s
        response: pb.GetConsistencyProofResponse = await self._unary(
            lambda stub: stub.GetConsistencyProof(request, timeout=deadline_s)
        )
        return list(response.hashes)

    async def explain(self, node: str) -> registry_service_pb2.ExplainResponse:
        """Ask the peer's registry port, which needs no certificate, how it sees a node."""
        endpoint, opens = self._peers.registry_endpoint(self._node), self._peers.open_registry
        return await registry_client.explain(endpoint, node, limits=self._limits, opens=opens)

    async def pull(
        self, lane: Lane, channel: str, epoch: int, start: int, end: int | None = None
    ) -> AsyncIterator[SignedEntry]:
        """Entries start..end-1 in order of index; raises FRAME where the peer sends anything else."""
        if end is not None and end <= start:
            return
        request = pb.PullRequest(
            network=self._peers.network(), channel=channel, epoch=epoch, start_index=start, end_index=end or 0
        )
        async with aclosing(read_ahead(self._in_order(lane, request), PULL_AHEAD_BYTES)) as entries:
            async for signed in entries:
                yield signed

    async def _in_order(self, lane: Lane, request: pb.PullRequest) -> AsyncGenerator[SignedEntry, None]:
        due, end = request.start_index, request.end_index or None
        async with aclosing(self._pulled(lane, request)) as entries:
            async for signed in entries:
                _check_asked(signed, request.channel, request.epoch, due, end)
                due += 1
                self._peers.arrived(signed)
                yield signed

    async def pull_acts(
        self, channel: str, epoch: int, start: int, end: int, size: int
    ) -> AsyncGenerator[SignedEntry, None]:
        """The status entries of start..end-1, ascending; raises FRAME where the peer sends anything else."""
        request = pb.PullRequest(
            network=self._peers.network(),
            channel=channel,
            epoch=epoch,
            start_index=start,
            end_index=end,
            acts_of_size=size,
        )
        async with aclosing(self._pulled(Lane.CONTROL, request)) as entries:
            async for signed in entries:
                _check_asked(signed, channel, epoch, max(start, signed.index), end)
                start = signed.index + 1
                yield signed

    async def _pulled(self, lane: Lane, request: pb.PullRequest) -> AsyncGenerator[SignedEntry, None]:
        reader = EntryReader(self._limits)
        with self._peers.calling(self._node, lane) as connection:
            call = connection.stub.Pull(request)
            try:
                async for response in _messages(call, IdleLimit(self._limits.stream_idle_deadline_s)):
                    signed = reader.feed(response.frame)
                    if signed is not None:
                        yield signed
                reader.finish()
            finally:
                call.cancel()

    async def push(self, lane: Lane, entries: AsyncIterator[SignedEntry]) -> AsyncIterator[PushAnswer]:
        """Send entries and yield the answer to each; a consumer that stops early ends the sending too."""
        with self._peers.calling(self._node, lane) as connection:
            sending = _Sending(connection.stub.Push(), entries, self._limits)
            try:
                async for answer in sending.answers():
                    yield answer
            finally:
                await sending.stop()

    async def _unary(self, invoke: Callable[[Any], Awaitable[T]]) -> T:
        """Call, and again within two seconds where the peer could not be reached at all.

        Not later: what the request says of audiences was right when it was made.
        """
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + RETRY_WITHIN_S
        for wait_s in RETRY_WAITS_S:
            try:
                return await self._once(invoke)
            except XinqiaoError as error:
                if not _is_passing(error) or loop.time() + wait_s > ends_s:
                    raise
            await asyncio.sleep(wait_s)
        return await self._once(invoke)

    async def _once(self, invoke: Callable[[Any], Awaitable[T]]) -> T:
        with self._peers.calling(self._node, Lane.CONTROL) as connection:
            return await invoke(connection.stub)


class _Sending:
    """One Push: a task sends the entries while the answers are read."""

    def __init__(self, call: Any, entries: AsyncIterator[SignedEntry], limits: Limits) -> None:
        self._call = call
        self._entries = entries
        self._limits = limits
        self._idle = IdleLimit(limits.stream_idle_deadline_s)
        self._unanswered = 0
        self._task = asyncio.create_task(self._send())

    async def answers(self) -> AsyncIterator[PushAnswer]:
        """The answers in order; raises what the entries raised."""
        try:
            async for response in _messages(self._call, self._idle):
                self._unanswered -= 1
                if self._unanswered < 0:
                    raise XinqiaoError("FRAME", detail="more answers arrive than entries were sent")
                yield _as_answer(response)
        except asyncio.CancelledError:
            self._raise_cause()
            raise
        self._raise_cause()

    async def stop(self) -> None:
        """End the call, and let go of the entries."""
        self._task.cancel()
        self._call.cancel()
        await ended(self._task)
        close = getattr(self._entries, "aclose", None)
        if close is not None:
            await close()

    def _raise_cause(self) -> None:
        if self._task.done() and not self._task.cancelled():
            self._task.result()

    async def _send(self) -> None:
        try:
            async for signed in self._entries:
                self._unanswered += 1
                for frame in frames(signed, self._limits):
                    if not await write(self._call, pb.PushRequest(frame=frame)):
                        return
                    self._idle.moved()
            await finish(self._call)
        except BaseException:
            # Wakes whoever reads the answers.
            self._call.cancel()
            raise


async def _messages(call: Any, idle: IdleLimit) -> AsyncIterator[Any]:
    """The messages of a stream until its end; raises WIRE_IDLE."""
    while (message := await idle.wait(call.read())) is not grpc.aio.EOF:
        yield message


def _as_answer(response: pb.PushResponse) -> PushAnswer:
    return PushAnswer(
        response.channel,
        response.epoch,
        response.size,
        response.refusal if response.HasField("refusal") else None,
        response.receipt if response.HasField("receipt") else None,
    )


def _check_asked(signed: SignedEntry, channel: str, epoch: int, due: int, end: int | None) -> None:
    if (signed.channel, signed.epoch, signed.index) != (channel, epoch, due) or (end is not None and due >= end):
        found = f"{signed.channel} {signed.epoch}/{signed.index}"
        raise XinqiaoError("FRAME", detail=f"{found} arrives where {channel} {epoch}/{due} is due")


def _is_passing(error: XinqiaoError) -> bool:
    """Whether a second try at once may help: somebody was dialled, and it took no whole deadline to fail."""
    cause = error.__cause__
    dialled = isinstance(cause, grpc.RpcError) and cause.code() is grpc.StatusCode.UNAVAILABLE
    return error.code == "WIRE_UNREACHABLE" and dialled


def _unreachable(node: str, address: str, detail: str) -> XinqiaoError:
    return XinqiaoError("WIRE_UNREACHABLE", peer=node, address=address or "-", detail=detail)
