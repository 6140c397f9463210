"""The exchange port as it lives: certificates that change, restarts, limits, draining, health, reflection."""

import asyncio
import shutil
import sys
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import grpc
import grpc.aio
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.membership import Standing
from node.core.suites import ECDSA_P256
from node.keys.certificate import target_name
from node.keys.signer import generate
from node.pb import exchange_service_pb2 as pb
from node.ports import Lane
from node.receiving import Taken
from node.rpc import tls
from node.rpc.exchange_client import RETRY_WAITS_S
from node.rpc.exchange_server import build_server
from node.rpc.health import SERVICES
from node.rpc.writing import write
from tests.rpc.mtls import (
    BASE,
    MtlsNetwork,
    all_of,
    each,
    hello,
    make_credentials,
    mtls_network,
    outgoing,
    publish,
    pushes,
    refusal_of,
    rpc_refusal_of,
    run,
    stub_of,
    with_certificates,
)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


# -- certificates that change -------------------------------------------------------------------------


async def list_certificates(network: MtlsNetwork, node: str, *certificates: bytes) -> None:
    network.signing[node] = with_certificates(network.signing[node], list(certificates))
    await network.publish_registry()


def test_a_node_changes_its_certificate_without_a_moment_of_refusal() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            old, new = network.credentials["310000"], make_credentials("310000")

            async def both_ways() -> None:
                for caller, node in (("310000", "310115"), ("310115", "310000")):
                    assert (await network.peer(caller, node).hello(hello(network))).in_step
                    fresh = network.make_peers(caller)
                    peer = fresh.peer(node)
                    assert peer is not None
                    assert (await peer.hello(hello(network))).in_step
                    await fresh.close()

            await list_certificates(network, "310000", old.certificate, new.certificate)
            await both_ways()
            network.credentials["310000"] = new
            await both_ways()
            await list_certificates(network, "310000", new.certificate)
            await both_ways()
            network.credentials["310000"] = old
            error = await refusal_of(network.peer("310000", "310115").hello(hello(network)))
            assert error.code == "WIRE_REFUSED"

    run(scenario())


def test_a_connection_is_made_anew_when_address_or_certificates_change() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115", "330100") as network:
            peers, peer = network.peers["310115"], network.peer("310115", "310000")
            await peer.hello(hello(network))
            await all_of(peer.push(Lane.BULK, each([])))
            assert peers.connected == 2
            await list_certificates(network, "310000", network.credentials["310000"].certificate)
            network.endpoints["310000"] = network.endpoints["330100"]
            assert (await refusal_of(peer.hello(hello(network)))).code == "WIRE_REFUSED"
            network.endpoints["310000"] = ""
            assert (await refusal_of(peer.hello(hello(network)))).code == "WIRE_UNREACHABLE"
            await network.peer("310115", "330100").hello(hello(network))
            assert peers.connected == 1

    run(scenario())


def test_a_listed_certificate_without_a_name_is_named_as_the_fault() -> None:
    key = generate(ECDSA_P256).private
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, target_name("310000"))])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=1))
    nameless = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)

    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            await list_certificates(network, "310000", nameless)
            error = await refusal_of(network.peer("310115", "310000").hello(hello(network)))
            assert (error.code, error.parameters["detail"]) == (
                "WIRE_REFUSED",
                "its listed certificate bears no DNS name",
            )

    run(scenario())


# -- servers that come and go -------------------------------------------------------------------------


def test_a_client_recovers_by_itself_when_the_server_is_back() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            peer = network.peer("310115", "310000")
            await peer.hello(hello(network))
            port = network.servers["310000"].port
            await network.servers["310000"].drain(0)
            error = await refusal_of(all_of(peer.pull(Lane.BULK, BASE, 0, 0)))
            assert (error.code, error.parameters["address"]) == ("WIRE_UNREACHABLE", f"127.0.0.1:{port}")

            async def come_back() -> None:
                await asyncio.sleep(0.5)
                await network.listen("310000", port)

            back = asyncio.create_task(come_back())
            assert (await peer.hello(hello(network))).in_step
            await back

    run(scenario())


def test_a_peer_that_stays_away_is_tried_three_times_within_two_seconds() -> None:
    async def scenario() -> None:
        async with mtls_network("310115") as network:
            attempts: list[int] = []

            def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                attempts.append(1)
                writer.close()

            silent = await asyncio.start_server(hang_up, "127.0.0.1", 0)
            network.credentials["310000"] = make_credentials("310000")
            network.signing["310000"] = with_certificates(
                network.signing["310115"], [network.credentials["310000"].certificate]
            )
            network.endpoints["310000"] = f"127.0.0.1:{silent.sockets[0].getsockname()[1]}"
            error = await refusal_of(network.peer("310115", "310000").hello(hello(network)))
            assert error.code == "WIRE_UNREACHABLE"
            assert len(attempts) == 3
            assert sum(RETRY_WAITS_S) < 2
            silent.close()
            await silent.wait_closed()

    run(scenario())


def test_a_port_in_use_is_named_and_not_shared() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            with pytest.raises(XinqiaoError) as caught:
                await network.listen("310115", network.servers["310000"].port)
            address = network.endpoints["310000"]
            assert caught.value.code == "LISTEN_FAILED"
            assert caught.value.parameters == {
                "address": address,
                "detail": "Address already in use",
                "setting": "listen",
            }

    run(scenario())


def test_an_address_that_is_none_is_named() -> None:
    async def scenario() -> None:
        async with mtls_network("310000") as network:
            for address in ("nowhere.invalid:1", "192.0.2.1:0"):
                with pytest.raises(XinqiaoError) as caught:
                    build_server(
                        network["310000"],
                        address=address,
                        identity=lambda: network.identity("310000"),
                        setting="listen",
                    )
                assert (caught.value.code, caught.value.parameters["address"]) == ("LISTEN_FAILED", address)
                assert caught.value.parameters["detail"] not in ("", "the system gives no reason")

    run(scenario())


def test_draining_ends_streams_with_its_code_and_closes_the_port() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            first, second = outgoing(await publish(network))
            draining = asyncio.Event()

            async def entries() -> AsyncIterator[SignedEntry]:
                yield first
                await draining.wait()
                yield second

            stream = network.peer("310000", "310115").push(Lane.BULK, entries())
            assert (await anext(stream)).size == 1
            stopping = asyncio.create_task(network.servers["310115"].drain(5))
            await asyncio.sleep(0.1)
            draining.set()
            assert (await refusal_of(all_of(stream))).code == "DRAINING"
            await asyncio.wait_for(stopping, 2)
            error = await refusal_of(network.peer("310000", "310115").hello(hello(network)))
            assert error.code == "WIRE_UNREACHABLE"

    run(scenario())


# -- limits -------------------------------------------------------------------------------------------


def test_a_member_with_too_many_calls_at_a_time_is_told_to_come_back() -> None:
    async def scenario() -> None:
        limits = replace(DEFAULT_LIMITS, max_concurrent_calls_per_peer=2)
        async with (
            mtls_network("310000", "310115", "330100", limits=limits) as network,
            network.raw_channel("310115", "310000") as channel,
        ):
            [first, *_] = outgoing(await publish(network))
            open_calls = [stub_of(channel).Push() for _ in range(2)]
            for call in open_calls:
                assert await write(call, pushes(first)[0])
                await call.read()
            peer = network.peer("310115", "310000")
            assert (await refusal_of(peer.hello(hello(network)))).code == "RATE_LIMITED"
            assert (await network.peer("330100", "310000").hello(hello(network))).time_unix_ms
            for call in open_calls:
                call.cancel()
            await asyncio.sleep(0.1)
            assert (await peer.hello(hello(network))).time_unix_ms

    run(scenario())


def test_bytes_in_flight_are_counted_over_all_streams_of_a_member() -> None:
    async def scenario() -> None:
        limits = replace(DEFAULT_LIMITS, max_in_flight_bytes_per_peer=500_000)
        async with (
            mtls_network("310000", "310115", limits=limits) as network,
            network.raw_channel("310000", "310115") as channel,
        ):
            first = outgoing(await publish(network))[0]
            half = pushes(first)[0]
            half.frame.start.encoding = pb.BODY_ENCODING_IDENTITY
            half.frame.start.encoded_bytes = half.frame.start.body_bytes = 300_000
            half.frame.data = bytes(200_000)
            calls = [stub_of(channel).Push() for _ in range(3)]
            for call in calls:
                assert await write(call, half)
            refusals = [asyncio.ensure_future(rpc_refusal_of(call.read())) for call in calls]
            done, _ = await asyncio.wait(refusals, return_when=asyncio.FIRST_COMPLETED)
            assert [task.result().code for task in done] == ["RATE_LIMITED"]
            for call in calls:
                call.cancel()
            await asyncio.wait(refusals)
            await asyncio.sleep(0.1)
            answers = await all_of(network.peer("310000", "310115").push(Lane.BULK, each([first])))
            assert [answer.refusal for answer in answers] == [None]

    run(scenario())


def test_a_stream_on_which_nothing_moves_ends_with_its_code() -> None:
    async def scenario() -> None:
        limits = replace(DEFAULT_LIMITS, stream_idle_deadline_s=0.3)
        async with (
            mtls_network("310000", "310115", limits=limits) as network,
            network.raw_channel("310000", "310115") as channel,
        ):
            error = await rpc_refusal_of(stub_of(channel).Push().read())
            assert (error.code, error.parameters) == ("WIRE_IDLE", {"limit_s": "0.3"})

    run(scenario())


def test_a_stream_is_read_ahead_by_no_more_than_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        limits = replace(DEFAULT_LIMITS, max_in_flight_bytes_per_peer=8 * 1024 * 1024)
        async with mtls_network("310000", "310115", limits=limits) as network:
            first = outgoing(await publish(network))[0]
            body = Random(1).randbytes(1024 * 1024)
            runs: list[int] = []

            async def slowly(run: Sequence[SignedEntry], peer: str) -> Taken:
                runs.append(len(run))
                await asyncio.sleep(0.05)
                return Taken(run[-1].index + 1, run[-1].index + 1, None)

            monkeypatch.setattr(network["310115"], "receive", slowly)
            sent = [replace(first, index=index, body=body) for index in range(30)]
            answers = await all_of(network.peer("310000", "310115").push(Lane.BULK, each(sent)))
            assert [answer.refusal for answer in answers] == [None] * 30
            assert (sum(runs), max(runs) <= 2) == (30, True)

    run(scenario())


def test_what_breaks_inside_is_not_told_to_the_peer(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:

            async def broken(*_: object) -> None:
                raise ValueError("a path, a name, a secret")

            monkeypatch.setattr(network["310000"], "hello", broken)
            error = await refusal_of(network.peer("310115", "310000").hello(hello(network)))
            assert (error.code, error.parameters["detail"]) == ("PEER_FAILED", "internal error")

    run(scenario())


# -- health and reflection ----------------------------------------------------------------------------


def test_health_tells_each_duty_and_the_whole_apart() -> None:
    async def scenario() -> None:
        async with (
            mtls_network("310000", "310115") as network,
            network.raw_channel("310115", "310000") as channel,
        ):
            stub: Any = health_pb2_grpc.HealthStub(channel)

            async def status(service: str) -> int:
                answer = await stub.Check(health_pb2.HealthCheckRequest(service=service))
                return int(answer.status)

            assert [await status(service) for service in SERVICES] == [NOT_SERVING] * 6
            for service in SERVICES:
                network.servers["310000"].health.set(service, True)
            network.servers["310000"].health.set("xinqiao.publishing", False)
            found = {service: await status(service) for service in SERVICES}
            assert [service for service, known in found.items() if known == NOT_SERVING] == ["xinqiao.publishing"]
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await status("xinqiao.nothing")
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
            with pytest.raises(ValueError, match="none of"):
                network.servers["310000"].health.set("nothing", True)

    run(scenario())


def test_a_watcher_of_health_sees_changes_and_the_end() -> None:
    async def scenario() -> None:
        async with (
            mtls_network("310000", "310115") as network,
            network.raw_channel("310115", "310000") as channel,
        ):
            stub: Any = health_pb2_grpc.HealthStub(channel)
            watch = stub.Watch(health_pb2.HealthCheckRequest(service="xinqiao.delivery"))
            assert (await watch.read()).status == NOT_SERVING
            network.servers["310000"].health.set("xinqiao.delivery", True)
            assert (await watch.read()).status == SERVING
            await network.servers["310000"].drain(5)
            assert (await watch.read()).status == NOT_SERVING
            assert await watch.read() is grpc.aio.EOF

    run(scenario())


def test_health_is_for_active_members_too() -> None:
    async def scenario() -> None:
        async with (
            mtls_network("310000", "310115") as network,
            network.raw_channel("310115", "310000") as channel,
        ):
            await network.relist("310115", standing=Standing.SUSPENDED, reason="r")
            stub: Any = health_pb2_grpc.HealthStub(channel)
            error = await rpc_refusal_of(stub.Check(health_pb2.HealthCheckRequest()))
            assert error.code == "MEMBER_SUSPENDED"

    run(scenario())


async def listed_services(network: MtlsNetwork) -> list[str]:
    async with network.raw_channel("310115", "310000") as channel:
        plain: Any = channel
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(plain)
        call = stub.ServerReflectionInfo(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))
        answer = await call.read()
        return [service.name for service in answer.list_services_response.service]


def test_reflection_lists_the_services_only_where_it_is_on() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115", reflects=True) as network:
            assert await listed_services(network) == [
                "grpc.health.v1.Health",
                "grpc.reflection.v1alpha.ServerReflection",
                "xinqiao.v1.ExchangeService",
            ]
        async with mtls_network("310000", "310115") as network:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await listed_services(network)
            assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED

    run(scenario())


BUF = Path(sys.executable).with_name("buf")


@pytest.mark.skipif(not (BUF.exists() or shutil.which("buf")), reason="buf is not installed")
def test_a_third_party_client_reads_health_and_lists_services_over_mutual_tls(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115", reflects=True) as network:
            network.servers["310000"].health.set("", True)
            key, chain = network.identity("310115")
            (tmp_path / "key.pem").write_bytes(key)
            (tmp_path / "cert.pem").write_bytes(chain)
            (tmp_path / "roots.pem").write_bytes(tls.as_pem(network.certificates_of("310000")))

            async def buf_curl(*arguments: str) -> str:
                files = {"--cacert": "roots.pem", "--cert": "cert.pem", "--key": "key.pem"}
                options = [word for option, name in files.items() for word in (option, str(tmp_path / name))]
                process = await asyncio.create_subprocess_exec(
                    str(BUF) if BUF.exists() else "buf",
                    "curl",
                    *("--protocol", "grpc", "--http2-prior-knowledge", "--servername", target_name("310000")),
                    *options,
                    *arguments,
                    stdout=asyncio.subprocess.PIPE,
                    stderr=asyncio.subprocess.PIPE,
                    env={"HOME": str(tmp_path), "PATH": ""},
                )
                out, err = await process.communicate()
                assert process.returncode == 0, err.decode()
                return out.decode()

            url = f"https://{network.endpoints['310000']}"
            services = await buf_curl("--list-services", url)
            assert "xinqiao.v1.ExchangeService" in services.split()
            answer = await buf_curl("--data", "{}", f"{url}/grpc.health.v1.Health/Check")
            assert '"SERVING"' in answer

    run(scenario())


# -- nothing is left ----------------------------------------------------------------------------------


def test_a_consumer_that_stops_early_leaves_no_call_and_no_task() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            first = outgoing(await publish(network))[0]
            closed = asyncio.Event()

            async def endless() -> AsyncIterator[SignedEntry]:
                try:
                    while True:
                        yield first
                finally:
                    closed.set()

            async for answer in network.peer("310000", "310115").push(Lane.BULK, endless()):
                assert answer.size == 1
                break
            async for _ in network.peer("310115", "310000").pull(Lane.BULK, BASE, 0, 0):
                break
            await asyncio.wait_for(closed.wait(), 2)
            await asyncio.sleep(0.1)
            for node in ("310000", "310115"):
                assert network.servers[node].calls == 0
                assert network.peers[node].calls == 0

    run(scenario())


def test_what_the_entries_raise_reaches_the_caller_and_ends_the_call() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            first = outgoing(await publish(network))[0]

            async def failing() -> AsyncIterator[SignedEntry]:
                yield first
                raise XinqiaoError("DATABASE", detail="gone")

            error = await refusal_of(all_of(network.peer("310000", "310115").push(Lane.BULK, failing())))
            assert error.code == "DATABASE"

    run(scenario())


def test_closing_ends_calls_under_way_and_opens_no_new_ones() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            first = outgoing(await publish(network))[0]

            async def waiting() -> AsyncIterator[SignedEntry]:
                yield first
                await asyncio.Event().wait()

            peer = network.peer("310000", "310115")
            stream = peer.push(Lane.BULK, waiting())
            assert (await anext(stream)).size == 1
            rest = asyncio.create_task(refusal_of(all_of(stream)))
            await asyncio.sleep(0.05)
            await network.peers["310000"].close()
            assert (await asyncio.wait_for(rest, 2)).code == "DRAINING"
            assert (await refusal_of(peer.hello(hello(network)))).code == "DRAINING"
            assert network.peers["310000"].connected == 0

    run(scenario())
