"""One start of one node: the production code over a simulated world, until it is killed.

What node.app does for a real process is done here for a simulated one: adapters, ports, ticks, links.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.node import Node, Settings, World
from node.ports import Entropy, RegistryState
from node.rpc.exchange_server import ExchangeServicer
from node.rpc.registry_port import RegistryPort
from node.simulator.loop import Owner

T = TypeVar("T")
Note = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Intervals:
    """How often a process does by itself what the scheduler of a real one does, in seconds."""

    heartbeat_s: float
    registry_refresh_s: float


class Fittings(Protocol):
    """What a machine gives to a process that starts on it."""

    @property
    def state(self) -> RegistryState:
        """The registry's word as the machine's database holds it."""
        ...

    def certificate(self) -> bytes:
        """The TLS certificate in use, in DER."""
        ...

    def world(self, process: "Process") -> World:
        """The adapters the node lives on."""
        ...


class Process:
    """A node that serves. It ends with kill() and with nothing else; nothing it awaits then comes to its end.

    label tells a copy of a node from the node itself; both have the same id.
    """

    def __init__(self, label: str, settings: Settings, fittings: Fittings, note: Note) -> None:
        self.label = label
        self.node = settings.id
        self.is_alive = True
        self._owner = Owner()
        self._note = note
        with self._owner.acting():
            self.instance = Node(settings, fittings.state, fittings.world(self), DEFAULT_LIMITS)
        self.exchange = ExchangeServicer(self.instance, DEFAULT_LIMITS)
        self.registry_port = self._registry_port()
        self._certificate = fittings.certificate

    @property
    def certificate(self) -> bytes:
        """The TLS certificate it shows, in DER."""
        return self._certificate()

    @property
    def is_publishing(self) -> bool:
        """Whether its operators can publish now."""
        return self.is_alive and self.instance.publishing.blocked is None

    def _registry_port(self) -> RegistryPort:
        instance = self.instance
        return RegistryPort(
            node=self.node,
            network=lambda: instance.membership.network,
            registry=lambda: "registry",
            files=instance.world.store.registry_file,
            versions=lambda: instance.membership.versions,
            explain=instance.membership.explain,
            share=instance.share_addresses,
            clock=instance.world.clock,
            limits=DEFAULT_LIMITS,
        )

    def spawn(self, work: Coroutine[Any, Any, T], name: str | None = None) -> "asyncio.Task[T]":
        """Do something as part of this process."""
        with self._owner.acting():
            return asyncio.get_running_loop().create_task(work, name=name)

    def kill(self) -> None:
        """End it at once: what its tasks wait for never comes, and they leave nothing behind."""
        self.is_alive = False
        self._owner.cancel()

    def serve(self, endpoints: tuple[str, str], intervals: Intervals) -> None:
        """Announce where it can be reached, keep its links, and do what is due."""
        instance, entropy = self.instance, self.instance.world.entropy
        self.spawn(self._announce(endpoints), "announce")
        self.spawn(instance.run(), "links")
        self._every(intervals.heartbeat_s, "heartbeat", instance.beat, entropy)
        self._every(intervals.registry_refresh_s, "registry", instance.refresh_registry, entropy)
        self._every(intervals.registry_refresh_s, "addresses", instance.learn_addresses, entropy)
        self._every(intervals.registry_refresh_s, "head report", instance.report_heads, entropy)

    async def _announce(self, endpoints: tuple[str, str]) -> None:
        while True:
            try:
                return await self.instance.announce(*endpoints)
            except XinqiaoError as error:
                self._note("announce failed", self.label, code=error.code)
                await self.instance.world.clock.sleep(1.0)

    def _every(self, seconds: float, name: str, tick: Callable[[], Awaitable[None]], entropy: Entropy) -> None:
        async def repeat() -> None:
            while True:
                try:
                    await tick()
                except XinqiaoError as error:
                    self._note(f"{name} failed", self.label, code=error.code)
                await self.instance.world.clock.sleep(seconds * entropy.uniform(0.9, 1.1))

        self.spawn(repeat(), name)
