"""The registry port: the published files, membership requests, head reports, Explain.

It takes no client certificate and shows none. Everything it serves is signed by officers or by the online key and
verified by whoever fetches it, everything it takes is signed by its sender, and whoever is not a member yet has no
certificate that anybody knows. TLS would add a key to manage and protect nothing that the signatures do not. What
an attacker on the line can do is withhold answers: then the reader keeps its last verified state and asks another
source. GetRequestState and Explain are hints that nobody acts on before the signed files agree.
"""

import asyncio
import contextlib
import errno
import logging
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

import grpc
import grpc.aio
from securesystemslib.signer import CryptoSigner

from node.core.errors import XinqiaoError, to_refusal
from node.core.limits import Limits
from node.pb import registry_service_pb2 as messages
from node.pb import registry_service_pb2_grpc as services
from registry import authority, repository
from registry.addresses import AddressBook
from registry.rates import Buckets, Rate, caller_of
from registry.store import Store

log = logging.getLogger("registry")

Clock = Callable[[], int]
Context = grpc.aio.ServicerContext[Any, Any]
Q = TypeVar("Q")
A = TypeVar("A")

REFUSAL_KEY = "xinqiao-refusal-bin"
# gRPC drops answers whose metadata exceed 8 KiB.
MAX_PARAMETER_CHARS = 500
MAX_REFUSAL_BYTES = 4096
READ_RATE = Rate(burst=5000, per_second=200)
WRITE_RATE = Rate(burst=60, per_second=1)
FRESHNESS_CHECK_S = 60.0
DRAIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Rates:
    """What one address may ask: reading is cheap, writing costs a disk write and an officer's attention.

    A cold refresh of 444 nodes in 35 regions fetches some 500 files; several nodes may share one address.
    """

    read: Rate = READ_RATE
    write: Rate = WRITE_RATE


class RegistryService(services.RegistryServiceServicer):
    """RegistryService over one store."""

    def __init__(self, store: Store, clock: Clock, rates: Rates) -> None:
        self.store = store
        self.clock = clock
        self.reading = Buckets(rates.read)
        self.writing = Buckets(rates.write)
        self.addresses = AddressBook(store.limits)

    async def GetFile(  # noqa: N802 - named by the protocol
        self, request: messages.GetFileRequest, context: Context
    ) -> AsyncIterator[messages.GetFileResponse]:
        """Stream one published file."""
        try:
            self._admit(self.reading, context, "files")
            content = await asyncio.to_thread(self.store.file, request.name)
            if content is None:
                raise XinqiaoError("FILE_UNKNOWN", name=request.name[:100])
        except XinqiaoError as error:
            await _refuse(context, error)
        size = self.store.limits.max_registry_chunk_bytes
        # An empty file is one empty piece, so that it differs from a broken stream.
        for start in range(0, len(content), size) or (0,):
            yield messages.GetFileResponse(data=content[start : start + size])

    async def RequestMembership(  # noqa: N802
        self, request: messages.RequestMembershipRequest, context: Context
    ) -> messages.RequestMembershipResponse:
        """File a request for the officers."""
        now = self.clock()

        def take() -> messages.RequestMembershipResponse:
            state = authority.request_membership(self.store, request.request.descriptor, now)
            return messages.RequestMembershipResponse(state=state, time_unix_ms=now)

        return await self._answer(self.writing, context, "membership requests", take)

    async def GetRequestState(  # noqa: N802
        self, request: messages.GetRequestStateRequest, context: Context
    ) -> messages.GetRequestStateResponse:
        """Tell where a request stands."""

        def look() -> messages.GetRequestStateResponse:
            state, progress = authority.request_state(self.store, request.node_id, request.fingerprint.hex())
            return messages.GetRequestStateResponse(
                state=state,
                signatures_present=progress.present if progress else 0,
                signatures_needed=progress.needed if progress else 0,
                time_unix_ms=self.clock(),
            )

        return await self._answer(self.reading, context, "questions", look)

    async def ReportHeads(  # noqa: N802
        self, request: messages.ReportHeadsRequest, context: Context
    ) -> messages.ReportHeadsResponse:
        """Keep a member's head report."""

        def take() -> messages.ReportHeadsResponse:
            authority.report_heads(self.store, request.report, self.clock())
            return messages.ReportHeadsResponse()

        return await self._answer(self.writing, context, "head reports", take)

    async def ShareAddresses(  # noqa: N802
        self, request: messages.ShareAddressesRequest, context: Context
    ) -> messages.ShareAddressesResponse:
        """Take a member's address and hand out the others'."""

        def share() -> messages.ShareAddressesResponse:
            found = self.addresses.share(self.store.members(), request.address, request.known_digest)
            return messages.ShareAddressesResponse(addresses=found)

        return await self._answer(self.reading, context, "addresses", share)

    async def Explain(  # noqa: N802
        self, request: messages.ExplainRequest, context: Context
    ) -> messages.ExplainResponse:
        """Tell how the published registry sees a node."""

        def look() -> messages.ExplainResponse:
            refusal = authority.refusal_of(self.store, request.node_id[:64])
            return messages.ExplainResponse(
                refusal=to_refusal(refusal) if refusal else None,
                registry=authority.versions(self.store),
                time_unix_ms=self.clock(),
            )

        return await self._answer(self.reading, context, "questions", look)

    def _admit(self, buckets: Buckets, context: Context, what: str) -> None:
        wait_s = buckets.take(caller_of(context.peer()), self.clock())
        if wait_s:
            raise XinqiaoError("RATE_LIMITED", what=f"{what} from this address", retry_s=max(1, round(wait_s)))

    async def _answer(self, buckets: Buckets, context: Context, what: str, make: Callable[[], A]) -> A:
        """Run one call in a thread, as it reads and writes files; a refusal becomes the call's status."""
        try:
            self._admit(buckets, context, what)
            return await asyncio.to_thread(make)
        except XinqiaoError as error:
            await _refuse(context, error)
        except OSError as error:
            log.error("%s could not be answered: %s", what, error)
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            await _refuse(context, XinqiaoError("DISK_FULL", home=self.store.home))


async def _refuse(context: Context, error: XinqiaoError) -> NoReturn:
    """End the call with the status of the error, its refusal in the trailing metadata."""
    refusal = to_refusal(error)
    for name, value in error.parameters.items():
        refusal.parameters[name] = value[:MAX_PARAMETER_CHARS]
    # Parameters that are too long together go; the code alone tells a program what to do.
    if refusal.ByteSize() > MAX_REFUSAL_BYTES:
        refusal.ClearField("parameters")
    status = grpc.StatusCode[error.spec.status]
    await context.abort(status, error.code, ((REFUSAL_KEY, refusal.SerializeToString()),))
    raise AssertionError("abort returned")


# --- The process --------------------------------------------------------------------------------------------


def build(store: Store, clock: Clock, rates: Rates, listen: str) -> tuple[grpc.aio.Server, str]:
    """A server bound to its address, and where it listens; raises LISTEN_FAILED."""
    server = grpc.aio.server(options=_options(store.limits), maximum_concurrent_rpcs=256)
    services.add_RegistryServiceServicer_to_server(RegistryService(store, clock, rates), server)
    try:
        port = server.add_insecure_port(listen)
    except RuntimeError as error:
        detail = "the port is in use, or the address is not of this machine"
        raise XinqiaoError("LISTEN_FAILED", address=listen, detail=detail, setting="--listen") from error
    return server, f"{listen.rpartition(':')[0]}:{port}"


def _options(limits: Limits) -> list[tuple[str, int]]:
    """Bounds on what a connection may hold or cost."""
    return [
        # Without this, a second server on the same port would silently share it.
        ("grpc.so_reuseport", 0),
        # A head report is the largest thing anybody sends.
        ("grpc.max_receive_message_length", limits.max_head_report_bytes + 16 * 1024),
        ("grpc.max_send_message_length", limits.max_registry_chunk_bytes + 16 * 1024),
        ("grpc.max_metadata_size", 8 * 1024),
        ("grpc.max_concurrent_streams", limits.max_concurrent_calls_per_peer),
        ("grpc.max_connection_idle_ms", 5 * 60 * 1000),
        ("grpc.http2.min_ping_interval_without_data_ms", 60 * 1000),
        ("grpc.http2.max_ping_strikes", 3),
    ]


async def serve(
    store: Store, online: CryptoSigner, clock: Clock, listen: str, announce: Callable[[str], None], rates: Rates
) -> None:
    """Serve until SIGTERM or SIGINT, then let running calls end; keeps timestamp and snapshot fresh meanwhile."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    # Whoever connects first must find fresh files.
    await asyncio.to_thread(authority.keep_fresh, store, online, clock())
    server, address = build(store, clock, rates, listen)
    await server.start()
    announce(address)
    refreshing = asyncio.create_task(_keep_fresh(store, online, clock, stop))
    await stop.wait()
    await server.stop(DRAIN_S)
    await refreshing


async def _keep_fresh(store: Store, online: CryptoSigner, clock: Clock, stop: asyncio.Event) -> None:
    while not stop.is_set():
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FRESHNESS_CHECK_S):
                await stop.wait()
        try:
            if await asyncio.to_thread(authority.keep_fresh, store, online, clock()):
                log.info("the timestamp was signed anew")
                for role, days in repository.near_expiry(store.founded(), clock()).items():
                    log.warning("%s expires in %d days: `xinqiao registry propose renew %s`", role, days, role)
        # A full disk must not end the only task that can sign once there is room again.
        except (OSError, XinqiaoError) as error:
            log.error("the timestamp could not be signed anew: %s", error)
