"""The registry's office in a simulated network: files, addresses and head reports go there over the same wire."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

import grpc

from node.core.errors import XinqiaoError
from node.node import Node
from node.pb import envelope_pb2, registry_service_pb2_grpc
from node.pb import registry_service_pb2 as pb
from node.pb.registry_service_pb2_grpc import RegistryServiceStub
from node.ports import Entropy, Registry, RegistryState, Store
from node.rpc.refusals import from_rpc_error, refuse
from node.rpc.registry_source import REGISTRY, TufRegistry
from node.simulator.authority import Authority
from node.simulator.network import SimulatedNetwork
from node.simulator.process import Process
from node.simulator.registry_show import RegistryShow
from node.simulator.registry_transport import Readings, SimulatedTransport

T = TypeVar("T")

OFFICE = "registry"
PROBED_FILE = "timestamp.json"
CALL_DEADLINE_S = 30.0
HOUR_MS = 3_600_000


class OfficePort(registry_service_pb2_grpc.RegistryServiceServicer):
    """RegistryService of the registry."""

    def __init__(self, authority: Authority, now_ms: Callable[[], int]) -> None:
        self._authority = authority
        self._now_ms = now_ms

    async def GetFile(self, request: pb.GetFileRequest, context: Any) -> Any:  # noqa: N802 - named by the protocol
        """Stream one file."""
        content = self._authority.files().get(request.name)
        if content is None:
            await refuse(context, XinqiaoError("FILE_UNKNOWN", name=request.name[:100]))
        yield pb.GetFileResponse(data=content)

    async def ReportHeads(self, request: pb.ReportHeadsRequest, context: Any) -> pb.ReportHeadsResponse:  # noqa: N802
        """Take a head report."""
        try:
            self._authority.take_report(request.report, self._now_ms())
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.ReportHeadsResponse()

    async def ShareAddresses(  # noqa: N802
        self, request: pb.ShareAddressesRequest, context: Any
    ) -> pb.ShareAddressesResponse:
        """Take a member's address and give those of the others."""
        try:
            found = self._authority.share_addresses(request.address, request.known_digest)
        except XinqiaoError as error:
            await refuse(context, error)
        return pb.ShareAddressesResponse(addresses=found)


class RegistryOffice:
    """The process of the registry, and how nodes read it. process_of gives the process that serves under an id."""

    label = node = OFFICE
    is_alive = True
    certificate = b""
    exchange = None

    def __init__(
        self,
        authority: Authority,
        network: SimulatedNetwork,
        now_ms: Callable[[], int],
        instance_of: Callable[[str], Node | None],
    ) -> None:
        self.show = RegistryShow(authority)
        self.registry_port = OfficePort(authority, now_ms)
        self._authority = authority
        self._network = network
        self._instance_of = instance_of
        self._readings = Readings()

    def spawn(self, work: Coroutine[Any, Any, T], name: str | None = None) -> "asyncio.Task[T]":
        """Answer a call; the office never dies."""
        return asyncio.get_running_loop().create_task(work, name=name)

    def joining_files(self) -> Mapping[str, bytes]:
        """What a node holds that has just joined."""
        return self._authority.files()

    def load(self, files: Mapping[str, bytes]) -> RegistryState:
        """The state that files in a database add up to."""
        return self._readings.load(files)

    # -- how one node reads the registry ----------------------------------------------------------------

    def registry_of(self, process: Process, store: Store, entropy: Entropy, grace_hours: float) -> Registry:
        """The production registry source of a process, over the simulated network."""

        def sources() -> Sequence[tuple[str, str]]:
            held = [item.record for item in store.addresses_since(0) if item.record.registry_endpoint]
            return [(REGISTRY, OFFICE), *((each.node, each.node) for each in held if each.node != process.node)]

        async def fetch(source: str) -> Mapping[str, bytes] | None:
            return await self._fetch(process, _office_or(source))

        async def report(envelope: envelope_pb2.Envelope) -> None:
            request = pb.ReportHeadsRequest(report=envelope)
            await self._call(process, OFFICE, lambda stub: stub.ReportHeads(request, timeout=CALL_DEADLINE_S))

        async def share(
            source: str, address: envelope_pb2.Envelope, known_digest: bytes
        ) -> Sequence[envelope_pb2.Envelope]:
            request = pb.ShareAddressesRequest(address=address, known_digest=known_digest)
            answer = await self._call(
                process, _office_or(source), lambda stub: stub.ShareAddresses(request, timeout=CALL_DEADLINE_S)
            )
            return list(answer.addresses)

        transport = SimulatedTransport(fetch, report, share, self._readings)
        return TufRegistry(
            sources,
            entropy,
            root_fingerprint=self._authority.root_fingerprint,
            grace_ms=int(grace_hours * HOUR_MS),
            transport=transport,
        )

    async def _fetch(self, process: Process, source: str) -> Mapping[str, bytes] | None:
        """All files of a source at once, after one real call that shows whether it can be reached."""
        request = pb.GetFileRequest(name=PROBED_FILE)

        async def probe(stub: Any) -> None:
            async for _ in stub.GetFile(request, timeout=CALL_DEADLINE_S):
                continue

        await self._call(process, source, probe)
        if source == OFFICE:
            return self.show.files_for(process.node)
        instance = self._instance_of(source)
        return instance.membership.state.files if instance is not None else None

    async def _call(self, process: Process, source: str, call: Callable[[Any], Awaitable[T]]) -> T:
        channel = self._network.open_channel(process, source, None)
        try:
            return await call(RegistryServiceStub(channel))
        except grpc.RpcError as error:
            raise from_rpc_error(error, peer=source, address=source) from error
        finally:
            await channel.close()


def _office_or(source: str) -> str:
    return OFFICE if source == REGISTRY else source
