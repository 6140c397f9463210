"""The two listeners beside the exchange port: the registry port and the admin socket."""

import os
from pathlib import Path

import grpc.aio

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import (
    admin_service_pb2_grpc,
    decision_service_pb2_grpc,
    ledger_service_pb2_grpc,
    list_service_pb2_grpc,
    query_service_pb2_grpc,
    registry_service_pb2_grpc,
)
from node.rpc.admin_server import AdminServicer
from node.rpc.decision_server import DecisionServicer
from node.rpc.ledger_server import LedgerServicer
from node.rpc.list_server import ListServicer
from node.rpc.query_server import QueryServicer
from node.rpc.registry_port import RegistryPort

MAX_ADMIN_MESSAGE_BYTES = 64 * 1024 * 1024
PRIVATE_UMASK = 0o177


async def start_registry_port(
    port: RegistryPort, address: str, limits: Limits = DEFAULT_LIMITS
) -> tuple[grpc.aio.Server, int]:
    """Serve the registry port; returns the server and its real port. Raises LISTEN_FAILED.

    No TLS: whoever calls has no certificate yet, and everything served is verified by itself.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.so_reuseport", 0),
            ("grpc.max_receive_message_length", limits.max_message_bytes),
            ("grpc.http2.min_ping_interval_without_data_ms", 30_000),
        ],
        maximum_concurrent_rpcs=limits.max_concurrent_calls_per_peer * 16,
    )
    registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(port, server)
    real = bind(server, address, "registry_listen")
    await server.start()
    return server, real


async def start_admin_socket(
    servicer: AdminServicer,
    decisions: DecisionServicer,
    lists: ListServicer,
    ledgers: LedgerServicer,
    queries: QueryServicer,
    socket: Path,
) -> grpc.aio.Server:
    """Serve what the command line calls on a unix socket that only its owner can open; raises LISTEN_FAILED."""
    options = [
        ("grpc.max_send_message_length", MAX_ADMIN_MESSAGE_BYTES),
        # A file waits at its sender: on a socket of this machine there is no latency that a larger window would hide.
        ("grpc.http2.bdp_probe", 0),
    ]
    server = grpc.aio.server(options=options)
    admin_service_pb2_grpc.add_AdminServiceServicer_to_server(servicer, server)
    decision_service_pb2_grpc.add_DecisionServiceServicer_to_server(decisions, server)
    list_service_pb2_grpc.add_ListServiceServicer_to_server(lists, server)
    ledger_service_pb2_grpc.add_LedgerServiceServicer_to_server(ledgers, server)
    query_service_pb2_grpc.add_QueryServiceServicer_to_server(queries, server)
    before = os.umask(PRIVATE_UMASK)  # the socket is born with mode 0600
    try:
        server.add_insecure_port(f"unix:{socket}")
        await server.start()
    except RuntimeError as error:
        raise XinqiaoError("LISTEN_FAILED", address=socket, detail="the socket", setting="home") from error
    finally:
        os.umask(before)
    os.chmod(socket, 0o600)
    return server


def bind(server: grpc.aio.Server, address: str, setting: str) -> int:
    """Listen on host:port; returns the real port. Raises LISTEN_FAILED."""
    try:
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise XinqiaoError("LISTEN_FAILED", address=address, detail="the port is in use", setting=setting) from error
