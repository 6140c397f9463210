"""The simulated network: production nodes call each other over it, with what goes wrong between them."""

from collections.abc import Callable
from typing import cast

import grpc.aio

from node.core.limits import DEFAULT_LIMITS, Limits
from node.ports import Lane
from node.rpc import tls
from node.rpc.exchange_client import GrpcPeers, Target
from node.simulator.grpc_call import Line
from node.simulator.grpc_channel import SimulatedChannel
from node.simulator.hosts import Host, Hosts

__all__ = ["Host", "SimulatedNetwork"]

DOMAIN = ".simulated.invalid"
EXCHANGE_PORT = 7443
REGISTRY_PORT = 7444


class SimulatedNetwork(Hosts):
    """Hosts, and the channels between them. Node ids are the names under which hosts are reached."""

    def endpoints(self, node: str) -> tuple[str, str]:
        """The addresses of a node's exchange port and of its registry port, "host:port"."""
        return f"{node}{DOMAIN}:{EXCHANGE_PORT}", f"{node}{DOMAIN}:{REGISTRY_PORT}"

    def open_channel(
        self, caller: Host, node: str, lane: Lane | None, accepted: tuple[bytes, ...] | None = None
    ) -> grpc.aio.Channel:
        """A connection of a process to whatever it reaches as node; without a lane to its registry port.

        accepted are the certificates (DER) of which the node must show one; None takes any.
        """
        shown = tls.as_pem([caller.certificate]) if lane is not None else b""
        line = Line(self, caller, node, lane, accepted, shown)
        return cast("grpc.aio.Channel", SimulatedChannel(line))

    def open_registry(self, caller: Host, endpoint: str) -> grpc.aio.Channel:
        """A connection of a process to a registry port by its address, which asks for no certificate."""
        return self.open_channel(caller, _node_at(endpoint), None)

    def peers_of(
        self,
        host: Host,
        *,
        network: Callable[[], str],
        identity: tls.Identity,
        endpoints: Callable[[str], tuple[str, str]],
        certificates: Callable[[str], tuple[bytes, ...]],
        limits: Limits = DEFAULT_LIMITS,
    ) -> GrpcPeers:
        """The production client of a process, over this network."""

        def open_exchange(node: str, lane: Lane, target: Target, _: Limits) -> grpc.aio.Channel:
            return self.open_channel(host, node, lane, target.certificates)

        return GrpcPeers(
            network=network,
            identity=identity,
            endpoints=endpoints,
            certificates=certificates,
            limits=limits,
            open_exchange=open_exchange,
            open_registry=lambda endpoint, _: self.open_registry(host, endpoint),
        )


def _node_at(endpoint: str) -> str:
    return endpoint.removeprefix("dns:///").partition(":")[0].removesuffix(DOMAIN)
