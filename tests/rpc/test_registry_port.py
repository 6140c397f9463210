"""The registry port of a node: it serves what is held, sends joiners on, explains, and is not to be flooded."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import grpc
import grpc.aio
import pytest

from node.core.errors import XinqiaoError, from_refusal
from node.core.limits import Limits
from node.pb import envelope_pb2, registry_pb2
from node.pb import registry_service_pb2 as pb
from node.pb.registry_service_pb2_grpc import RegistryServiceStub
from node.rpc import registry_client
from node.rpc.refusals import from_rpc_error
from node.rpc.registry_rates import TokenBuckets, address_of
from tests.rpc.registry_authority import NOW_MS, FixedClock, node_port, serving


def nothing(_: str) -> None:
    """Hold no file."""


def ask(call: Callable[[str], Awaitable[Any]], files: Callable[[str], bytes | None] = nothing, **changes: Any) -> Any:
    """Serve a port, make one call of its endpoint and return the answer or the refusal."""

    async def run() -> Any:
        async with serving(node_port(files, **changes)) as endpoint:
            try:
                return await call(endpoint)
            except XinqiaoError as error:
                return error

    return asyncio.run(run())


async def pieces(endpoint: str, name: str) -> list[bytes]:
    """Fetch a file as it is streamed."""
    async with grpc.aio.insecure_channel(endpoint) as channel:
        stream: Any = RegistryServiceStub(channel).GetFile(pb.GetFileRequest(name=name), timeout=5)
        try:
            return [response.data async for response in stream]
        except grpc.RpcError as error:
            raise from_rpc_error(error, peer="310000", address=endpoint) from error


@pytest.mark.parametrize(
    ("size", "expected"), [(0, [0]), (1, [1]), (65536, [65536]), (65537, [65536, 1]), (200_000, [65536] * 3 + [3392])]
)
def test_a_file_is_streamed_in_pieces_of_at_most_64_kib(size: int, expected: list[int]) -> None:
    content = bytes(range(256)) * (size // 256 + 1)
    answer = ask(lambda at: pieces(at, "timestamp.json"), {"timestamp.json": content[:size]}.get)
    assert [len(piece) for piece in answer] == expected
    assert b"".join(answer) == content[:size]


HASH = "0123456789abcdef" * 4
PUBLISHED = [
    "timestamp.json",
    "3.root.json",
    "12.region-31.json",
    f"{HASH}.network.json",
    f"nodes/31/{HASH}.310115.json",
    f"nodes/00/{HASH}.national.json",
    f"catalogue/{HASH}.2026.1.json",
]
UNPUBLISHED = [
    "",
    "root.json",
    "0.root.json",
    "../timestamp.json",
    "/timestamp.json",
    "timestamp.json\n",
    "nodes/31/310115.json",
    f"nodes/31/../{HASH}.310115.json",
    f"{HASH.upper()}.network.json",
    "xinqiao.toml",
    "3.root.json%00",
    "3." + "r" * 65 + ".json",
]


def test_every_name_that_the_registry_publishes_is_looked_up() -> None:
    for name in PUBLISHED:
        assert ask(partial(pieces, name=name), str.encode) == [name.encode()]


def test_no_other_name_reaches_the_store() -> None:
    reached: list[str] = []
    for name in UNPUBLISHED:
        error = ask(partial(pieces, name=name), reached.append)
        assert (error.code, error.parameters["name"]) == ("FILE_UNKNOWN", name)
    assert reached == []


def test_a_file_that_is_not_held_is_unknown() -> None:
    assert ask(lambda at: pieces(at, "9.root.json")).code == "FILE_UNKNOWN"


def test_who_asks_a_node_for_membership_is_sent_to_the_registry() -> None:
    envelope = envelope_pb2.Envelope(payload=b"x")
    calls: list[Callable[[str], Awaitable[Any]]] = [
        partial(registry_client.request_membership, descriptor=envelope),
        partial(registry_client.request_state, node="310115", fingerprint=bytes(32)),
    ]
    for call in calls:
        error = ask(call)
        assert error.code == "REGISTRY_ELSEWHERE"
        assert "registry.example:7400" in error.text


def test_a_node_takes_no_head_reports() -> None:
    error = ask(lambda at: registry_client.report_heads(at, envelope_pb2.Envelope()))
    assert (error.code, error.parameters["status"]) == ("PEER_FAILED", "UNIMPLEMENTED")


def test_explain_tells_how_the_node_sees_another() -> None:
    refusals = {"310115": XinqiaoError("MEMBER_SUSPENDED", node="310115", reason="密钥泄露")}
    suspended = ask(lambda at: registry_client.explain(at, "310115"), explain=refusals.get)
    accepted = ask(lambda at: registry_client.explain(at, "330100"), explain=refusals.get)
    assert from_refusal(suspended.refusal).text == "310115 is suspended: 密钥泄露"
    assert not accepted.HasField("refusal")
    assert accepted.registry == registry_pb2.RegistryVersions(root_version=1, timestamp_version=4, snapshot_version=2)
    assert accepted.time_unix_ms == NOW_MS


@pytest.mark.parametrize("node", ["", "31011", "x" * 1000, "310115\n"])
def test_explain_refuses_what_is_no_node_id(node: str) -> None:
    def unreached(asked: str) -> None:
        raise AssertionError(asked)

    assert ask(lambda at: registry_client.explain(at, node), explain=unreached).code == "ARGUMENT_INVALID"


def test_an_address_that_calls_too_often_is_told_when_to_call_again() -> None:
    clock = FixedClock()
    limits = Limits(registry_port_burst_calls=3, registry_port_calls_per_s=0.5)

    async def flood(endpoint: str) -> list[str]:
        codes = []
        for _ in range(5):
            try:
                await registry_client.explain(endpoint, "310115")
                codes.append("OK")
            except XinqiaoError as error:
                codes.append(f"{error.code} {error.parameters['retry_s']}")
        clock.running_s = 2.0
        await registry_client.explain(endpoint, "310115")
        codes.append("OK")
        return codes

    assert ask(flood, clock=clock, limits=limits) == ["OK", "OK", "OK", "RATE_LIMITED 2", "RATE_LIMITED 2", "OK"]


def test_a_port_that_is_closed_is_unreachable() -> None:
    async def run() -> XinqiaoError:
        async with serving(node_port(nothing)) as endpoint:
            pass
        with pytest.raises(XinqiaoError) as caught:
            await registry_client.explain(endpoint, "310115")
        return caught.value

    assert asyncio.run(run()).code == "WIRE_UNREACHABLE"


# --- Token buckets ----------------------------------------------------------------------------------------------


def test_a_bucket_gives_its_burst_at_once_and_its_rate_in_the_long_run() -> None:
    buckets = TokenBuckets(burst=10, per_second=2.0, max_addresses=100)
    assert sum(buckets.take("a", 0.0) == 0.0 for _ in range(100)) == 10
    assert buckets.take("a", 0.0) == pytest.approx(0.5)
    taken = sum(buckets.take("a", step / 10) == 0.0 for step in range(1, 1001))
    assert taken == 200


def test_one_address_does_not_cost_another_its_tokens() -> None:
    buckets = TokenBuckets(burst=1, per_second=1.0, max_addresses=100)
    assert [buckets.take(address, 0.0) for address in "aab"] == [0.0, 1.0, 0.0]


def test_no_more_addresses_are_remembered_than_allowed() -> None:
    buckets = TokenBuckets(burst=1, per_second=0.001, max_addresses=50)
    for number in range(1000):
        buckets.take(f"10.0.{number // 256}.{number % 256}", 0.0)
    assert len(buckets) == 50
    # The newest are those remembered.
    assert buckets.take("10.0.3.231", 0.0) > 0.0


def test_a_clock_that_stands_still_or_goes_back_gives_no_tokens() -> None:
    buckets = TokenBuckets(burst=1, per_second=1.0, max_addresses=10)
    assert [buckets.take("a", now) > 0 for now in (100.0, 100.0, 50.0, 50.5)] == [False, True, True, True]


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.7:40112", "192.0.2.7"),
        ("ipv6:%5B::1%5D:40112", "::/64"),
        ("ipv6:[2001:db8:1:2:3:4:5:6]:1", "2001:db8:1:2::/64"),
        ("ipv6:%5Bfe80::1%25eth0%5D:1", "fe80::/64"),
        ("unix:", "unix:"),
    ],
)
def test_callers_are_counted_by_address(peer: str, address: str) -> None:
    assert address_of(peer) == address
