"""How a node reaches registry ports: over gRPC in a worker thread, or however whoever builds it wants.

The simulator has a transport of its own; what is read goes through the same reading either way.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeVar

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import envelope_pb2
from node.ports import RegistryState
from node.rpc import registry_client
from node.rpc.registry_fetch import PortFiles, RegistryFetcher
from node.rpc.registry_reading import FIRST_ROOT, Reading, fetch_first_root

T = TypeVar("T")
Source = tuple[str, str]
"""The name of a source for people, and the "host:port" of its registry port."""

SOURCE_DEADLINE_S = 120.0


class RegistryTransport(Protocol):
    """What TufRegistry asks of the world. Every method raises XinqiaoError where the source fails."""

    async def read(
        self,
        source: Source,
        held: RegistryState | None,
        root_fingerprint: bytes | None,
        valid_at: datetime,
        may_be_late: bool,
    ) -> RegistryState | None:
        """The verified state the source shows, as read_state gives it."""
        ...

    async def report_heads(self, source: Source, report: envelope_pb2.Envelope) -> None:
        """Hand a signed head report to the source."""
        ...

    async def share_addresses(
        self, source: Source, address: envelope_pb2.Envelope, known_digest: bytes
    ) -> Sequence[envelope_pb2.Envelope]:
        """Introduce this node to the source; the addresses it answers with."""
        ...


class PortTransport:
    """RegistryTransport over the registry ports' gRPC."""

    def __init__(self, limits: Limits = DEFAULT_LIMITS, deadline_s: float = SOURCE_DEADLINE_S) -> None:
        self._limits = limits
        self._deadline_s = deadline_s

    async def read(
        self,
        source: Source,
        held: RegistryState | None,
        root_fingerprint: bytes | None,
        valid_at: datetime,
        may_be_late: bool,
    ) -> RegistryState | None:
        """The verified state the source shows, as read_state gives it; within the deadline."""
        name, endpoint = source
        files = PortFiles(endpoint, self._limits)

        def work() -> RegistryState | None:
            return read_state(name, files, held, root_fingerprint, valid_at, may_be_late)

        return await in_thread(name, files, work, self._deadline_s)

    async def report_heads(self, source: Source, report: envelope_pb2.Envelope) -> None:
        """Hand a signed head report to the source."""
        await registry_client.report_heads(source[1], report, limits=self._limits)

    async def share_addresses(
        self, source: Source, address: envelope_pb2.Envelope, known_digest: bytes
    ) -> Sequence[envelope_pb2.Envelope]:
        """Introduce this node to the source; the addresses it answers with."""
        found = await registry_client.share_addresses(source[1], address, known_digest, limits=self._limits)
        return found.addresses


def read_state(
    name: str,
    files: RegistryFetcher,
    held: RegistryState | None,
    root_fingerprint: bytes | None,
    valid_at: datetime,
    may_be_late: bool,
) -> RegistryState | None:
    """Read one source to the end, from the held root on, or from the one with the fingerprint; blocks.

    Raises NOT_A_MEMBER where there is neither, and as Reading.read and fetch_first_root do.
    """
    if held is not None:
        root = held.files[FIRST_ROOT]
    elif root_fingerprint is not None:
        root = fetch_first_root(name, files, root_fingerprint)
    else:
        raise XinqiaoError("NOT_A_MEMBER", detail="no root fingerprint is known")
    return Reading(name, files, root, held, valid_at, may_be_late).read()


async def in_thread(name: str, files: PortFiles, work: Callable[[], T], deadline_s: float) -> T:
    """Do blocking work on a port's files in a worker thread; raises REGISTRY_UNREACHABLE after the deadline."""
    try:
        async with asyncio.timeout(deadline_s):
            return await asyncio.to_thread(work)
    except TimeoutError as error:
        detail = f"{name}: it was not through after {deadline_s:g} s"
        raise XinqiaoError("REGISTRY_UNREACHABLE", source=name, detail=detail) from error
    finally:
        # Ends the worker thread too, where it still waits for the source.
        files.close()
