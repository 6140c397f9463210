"""Entries between real nodes over gRPC and mutual TLS: what arrives, what comes back, who is refused."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from typing import Any

import grpc
import grpc.aio
import pytest
import zstandard

from node.core.audience import parse_audience
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.membership import Standing
from node.node import Node
from node.pb import envelope_pb2, registry_service_pb2_grpc
from node.pb import exchange_service_pb2 as pb
from node.ports import Lane
from node.receiving import Taken
from node.rpc import tls
from node.rpc.exchange_server import MAX_REFUSED_LOGS
from node.rpc.refusals import from_rpc_error
from node.rpc.registry_port import RegistryPort
from node.rpc.writing import finish, write
from tests.builders import NETWORK
from tests.duties.rows import manifest, row
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

BULK = Lane.BULK


def forge(envelope: envelope_pb2.Envelope) -> envelope_pb2.Envelope:
    """The envelope with a signature that does not fit."""
    forged = envelope_pb2.Envelope()
    forged.CopyFrom(envelope)
    forged.signatures[0].sig = bytes(64)
    return forged


def test_what_is_published_arrives_by_push_and_the_receipt_comes_back() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            a, b = await publish(network), network["310115"]
            answers = await all_of(network.peer("310000", "310115").push(BULK, each(outgoing(a))))
            assert [(answer.channel, answer.refusal) for answer in answers] == [(BASE, None)] * 2
            assert answers[-1].size == 2
            assert await a.take_receipts([answers[-1].receipt]) == []
            assert a.answering.channel(BASE).log.root == b.answering.channel(BASE).log.root
            assert [held.receipt.message.applied_size for held in a.world.store.receipts(BASE)] == [2]

    run(scenario())


def test_what_is_published_arrives_by_pull() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            a, b = await publish(network), network["310115"]
            entries = await all_of(network.peer("310115", "310000").pull(BULK, BASE, 0, 0))
            assert entries == outgoing(a)
            await b.receive(entries)
            assert b.answering.channel(BASE).records == 10
            peer = network.peer("310115", "310000")
            assert await all_of(peer.pull(Lane.CONTROL, BASE, 0, 1, 2)) == entries[1:]
            assert await all_of(peer.pull(Lane.CONTROL, BASE, 0, 2)) == []

    run(scenario())


def test_links_bring_nodes_in_step_and_receipts_home() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115", "330100") as network:
            a = await publish(network, 300)
            await network.settle(2)
            for node in network.nodes.values():
                assert node.answering.channel(BASE).log.root == a.answering.channel(BASE).log.root
            deliveries = a.answering.deliveries(a.answering.channel(BASE))
            assert [(node, held and held.receipt.message.applied_size) for node, held in deliveries] == [
                ("310115", 2),
                ("330100", 2),
            ]
            assert network.calls == []

    run(scenario())


def test_running_links_push_at_once_what_is_appended() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            a, b = await publish(network), network["310115"]
            links = [asyncio.create_task(node.run()) for node in network.nodes.values()]
            await until(lambda: held_size(b) == 2)
            await a.publishing.publish(BASE, [row(99)])
            await until(lambda: held_size(b) == 3)
            await until(lambda: receipted_sizes(a) == [3])
            for link in links:
                link.cancel()
            await asyncio.gather(*links, return_exceptions=True)

    run(scenario())


async def until(condition: Callable[[], bool]) -> None:
    """Return as soon as the condition holds; fails after five seconds."""
    for _ in range(500):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not happen")


def held_size(node: Node) -> int:
    held = node.world.store.channel(BASE)
    return held.log.size if held is not None else 0


def receipted_sizes(node: Node) -> list[int]:
    return [held.receipt.message.size for held in node.world.store.receipts(BASE)]


# -- who may call -------------------------------------------------------------------------------------


def test_a_certificate_that_the_registry_does_not_list_does_not_get_in() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            stranger = make_credentials("310115")
            network.credentials["310115"] = stranger
            error = await refusal_of(network.peer("310115", "310000").hello(hello(network)))
            assert (error.code, error.parameters["peer"]) == ("WIRE_REFUSED", "310000")

    run(scenario())


def test_a_server_with_another_certificate_than_the_listed_one_is_not_spoken_to() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115", "330100") as network:
            network.endpoints["310000"] = network.endpoints["330100"]
            error = await refusal_of(network.peer("310115", "310000").hello(hello(network)))
            assert error.code == "WIRE_REFUSED"
            assert "handshake failed" in error.parameters["detail"]

    run(scenario())


def test_a_certificate_of_one_member_in_the_name_of_another_shuts_nobody_out() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115", "330100") as network:
            mine = network.credentials["330100"].certificate
            thief = [make_credentials("310115").certificate, mine]
            network.signing["330100"] = with_certificates(network.signing["330100"], thief)
            await network.publish_registry()
            roots = tls.member_roots(network["310000"].membership.members)
            assert roots.count(b"BEGIN CERTIFICATE") == 3
            assert (await network.peer("310115", "310000").hello(hello(network))).in_step
            assert (await network.peer("330100", "310000").hello(hello(network))).in_step

    run(scenario())


@pytest.mark.parametrize(
    ("standing", "code"), [(Standing.SUSPENDED, "MEMBER_SUSPENDED"), (Standing.REMOVED, "MEMBER_REMOVED")]
)
def test_a_member_that_is_out_is_told_so_on_new_and_on_held_connections(standing: Standing, code: str) -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            held = network.peer("310115", "310000")
            assert (await held.hello(hello(network))).in_step
            await network.relist("310115", standing=standing, reason="certificate lent to others")
            fresh = network.make_peers("310115")
            for peer in (held, fresh.peer("310000")):
                assert peer is not None
                for step in (peer.hello(hello(network)), peer.put_receipts([]), all_of(peer.pull(BULK, BASE, 0, 0))):
                    error = await refusal_of(step)
                    assert (error.code, error.parameters["reason"]) == (code, "certificate lent to others")
            await fresh.close()

    run(scenario())


def test_a_pull_under_way_ends_when_its_caller_is_suspended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            node = await publish(network)
            first, second = outgoing(node)
            suspended = asyncio.Event()

            async def long_log(*_: object) -> AsyncIterator[SignedEntry]:
                yield first
                await suspended.wait()
                yield second

            monkeypatch.setattr(node, "pull", long_log)
            stream = network.peer("310115", "310000").pull(BULK, BASE, 0, 0)
            assert (await anext(stream)).index == 0
            await network.relist("310115", standing=Standing.SUSPENDED, reason="r")
            suspended.set()
            assert (await refusal_of(all_of(stream))).code == "MEMBER_SUSPENDED"

    run(scenario())


def test_a_push_under_way_commits_nothing_after_its_caller_is_suspended() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            a, b = await publish(network), network["310115"]
            first, second = outgoing(a)
            suspended = asyncio.Event()

            async def entries() -> AsyncIterator[SignedEntry]:
                yield first
                await suspended.wait()
                yield second

            stream = network.peer("310000", "310115").push(BULK, entries())
            assert (await anext(stream)).size == 1
            await network.relist("310000", standing=Standing.SUSPENDED, reason="r")
            suspended.set()
            error = await refusal_of(all_of(stream))
            assert error.code == "MEMBER_SUSPENDED"
            assert b.answering.channel(BASE).log.size == 1

    run(scenario())


def test_the_registry_port_explains_what_a_closed_handshake_does_not() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            node = network["310000"].membership
            port = RegistryPort(
                node="310000",
                network=lambda: NETWORK,
                registry=lambda: "registry.example:7400",
                files=lambda _: None,
                versions=lambda: node.versions,
                explain=node.explain,
                share=network["310000"].share_addresses,
                clock=network.clock,
            )
            server = grpc.aio.server()
            registry_service_pb2_grpc.add_RegistryServiceServicer_to_server(port, server)
            network.registry_endpoints["310000"] = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
            await server.start()
            await network.relist("310115", standing=Standing.SUSPENDED, reason="r")
            answer = await network.peer("310115", "310000").explain("310115")
            assert (answer.refusal.code, answer.registry.timestamp_version) == ("MEMBER_SUSPENDED", 2)
            await server.stop(0)
            network.registry_endpoints["310000"] = "unix:/run/some.sock"
            assert (await refusal_of(network.peer("310115", "310000").explain("310115"))).code == "WIRE_UNREACHABLE"

    run(scenario())


@pytest.mark.parametrize("endpoint", ["", "unix:///run/x:1", "dns:///a:1", "a", "a:b", "a:1 b", "a@b:1"])
def test_only_a_host_and_a_port_is_an_address(endpoint: str) -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            network.endpoints["310000"] = endpoint
            assert network.peers["310115"].peer("310000") is None

    run(scenario())


# -- what is not told ---------------------------------------------------------------------------------


def test_a_hidden_channel_is_refused_like_one_that_does_not_exist() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115", "330100") as network:
            a = await publish(network, audience="330100")
            peer = network.peer("310115", "310000")
            async with network.raw_channel("310115", "310000") as channel:
                stub = stub_of(channel)
                for name in (BASE, "310000/nothing"):
                    for call in (
                        stub.Pull(pb.PullRequest(network=NETWORK, channel=name)).read(),
                        stub.Pull(pb.PullRequest(network=NETWORK, channel=name, epoch=1 << 63)).read(),
                        stub.GetConsistencyProof(pb.GetConsistencyProofRequest(channel=name, old_size=1, new_size=2)),
                        stub.GetInclusionProof(pb.GetInclusionProofRequest(channel=name, index=0, size=1)),
                    ):
                        error = await rpc_refusal_of(call)
                        assert (error.code, error.parameters) == ("AUDIENCE", {"node": "310115"})
            forged = [replace(outgoing(a)[1], channel=name, index=7) for name in (BASE, "310000/nothing")]
            answers = [await all_of(peer.push(BULK, each([signed]))) for signed in forged]
            assert [(answer.refusal.code, answer.size) for [answer] in answers] == [("AUDIENCE", 0)] * 2

    run(scenario())


def test_a_member_dropped_from_the_audience_learns_nothing_by_pushing_what_it_holds() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115", "330100") as network:
            a = await publish(network)
            known = outgoing(a)
            await all_of(network.peer("310000", "330100").push(BULK, each(known)))
            await a.publishing.set_audience(BASE, parse_audience("330100"))
            await a.publishing.publish(BASE, [row(99)])
            await all_of(network.peer("310000", "330100").push(BULK, each(outgoing(a))))
            assert network["330100"].answering.channel(BASE).log.size == 4
            answers = await all_of(network.peer("310115", "330100").push(BULK, each(known)))
            assert [(answer.size, answer.receipt, answer.refusal) for answer in answers] == [
                (1, None, None),
                (2, None, None),
            ]

    run(scenario())


def test_a_pull_for_another_network_is_refused() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            await publish(network)
            async with network.raw_channel("310115", "310000") as channel:
                call = stub_of(channel).Pull(pb.PullRequest(network="another", channel=BASE))
                assert (await rpc_refusal_of(call.read())).code == "HELLO_NETWORK"

    run(scenario())


# -- what a peer may get wrong ------------------------------------------------------------------------


async def pushed(
    network: MtlsNetwork, requests: list[pb.PushRequest]
) -> tuple[list[pb.PushResponse], XinqiaoError | None]:
    """What 310115 answers to frames of 310000, and what it ends the stream with."""
    answers: list[pb.PushResponse] = []
    async with network.raw_channel("310000", "310115") as channel:
        call = stub_of(channel).Push()
        sending = asyncio.create_task(_send_by_hand(call, requests))
        try:
            while (answer := await call.read()) is not grpc.aio.EOF:
                answers.append(answer)
        except grpc.RpcError as error:
            return answers, from_rpc_error(error, peer="310115", address="loopback")
        finally:
            await sending
    return answers, None


async def _send_by_hand(call: Any, requests: list[pb.PushRequest]) -> None:
    for request in requests:
        if not await write(call, request):
            return
    await finish(call)


def refusals(answers: list[pb.PushResponse]) -> list[str]:
    return [answer.refusal.code for answer in answers]


def test_an_oversized_frame_ends_the_stream_with_its_code_and_keeps_what_came_before() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            first, second = outgoing(await publish(network))
            oversized = pushes(replace(second, body=bytes(300_000)))
            oversized[0].frame.data = bytes(300_000)
            oversized[0].frame.start.encoded_bytes = oversized[0].frame.start.body_bytes = 300_000
            oversized[0].frame.start.encoding = pb.BODY_ENCODING_IDENTITY
            answers, error = await pushed(network, [*pushes(first), *oversized])
            assert refusals(answers) == [""]
            assert error is not None
            assert (error.code, error.parameters["what"]) == ("ENTRY_SIZE", "a frame")
            assert network["310115"].answering.channel(BASE).log.size == 1

    run(scenario())


def test_a_truncated_stream_is_refused_and_nothing_of_the_entry_is_kept() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            first, second = outgoing(await publish(network))
            cut = pushes(second)
            cut[0].frame.data = cut[0].frame.data[:-1]
            answers, error = await pushed(network, [*pushes(first), *cut])
            assert (refusals(answers), error and error.code) == ([""], "FRAME")
            assert network["310115"].answering.channel(BASE).log.size == 1

    run(scenario())


def test_replayed_entries_change_nothing_and_reordered_ones_are_refused_by_index() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            first, second = outgoing(await publish(network))
            answers, error = await pushed(network, pushes(second, first, second))
            assert (refusals(answers), error) == (["ENTRY_INDEX"] * 3, None)
            answers, _ = await pushed(network, pushes(first, second, first, second, first))
            assert refusals(answers) == [""] * 5
            assert network["310115"].answering.channel(BASE).records == 10

    run(scenario())


def test_a_refused_log_does_not_stop_another_on_the_same_stream() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            a = await publish(network)
            await a.publishing.create_channel("other", manifest())
            first, second = outgoing(a)
            [other] = outgoing(a, "310000/other")
            forged = replace(first, envelope=forge(first.envelope))
            answers, error = await pushed(network, pushes(forged, other, first, second))
            assert error is None
            assert [(answer.channel, answer.refusal.code) for answer in answers] == [
                (BASE, "ENTRY_SIGNATURE"),
                ("310000/other", ""),
                (BASE, "ENTRY_SIGNATURE"),
                (BASE, "ENTRY_SIGNATURE"),
            ]
            answers, _ = await pushed(network, pushes(first, second))
            assert refusals(answers) == ["", ""]

    run(scenario())


def test_entries_that_wait_make_one_run_and_the_refused_one_among_them_is_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            a, b = await publish(network), network["310115"]
            for serial in range(20, 26):
                await a.publishing.publish(BASE, [row(serial)])
            entries = outgoing(a)
            entries[5] = replace(entries[5], envelope=forge(entries[5].envelope))
            runs: list[list[int]] = []
            receive = b.receive

            async def slowly(run: Sequence[SignedEntry], peer: str) -> Taken:
                runs.append([signed.index for signed in run])
                await asyncio.sleep(0.1 if run[0].index == 0 else 0)
                return await receive(run, peer)

            monkeypatch.setattr(b, "receive", slowly)
            answers, error = await pushed(network, pushes(*entries))
            assert (refusals(answers), error) == ([""] * 5 + ["ENTRY_SIGNATURE"] * 3, None)
            assert [answer.HasField("receipt") for answer in answers] == [True] * 5 + [False] * 3
            assert runs[:2] == [[0], [1, 2, 3, 4, 5, 6, 7]]
            assert runs[2:] == [[1], [2], [3], [4], [5]]
            assert b.answering.channel(BASE).log.size == 5

    run(scenario())


def test_a_decompression_bomb_is_refused_and_the_next_log_goes_on() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            a = await publish(network)
            await a.publishing.create_channel("other", manifest())
            bomb = pushes(replace(outgoing(a)[0], body=b"r" * 2000))
            packed = zstandard.ZstdCompressor(level=1).compress(bytes(100_000_000))
            bomb[0].frame.data = packed
            bomb[0].frame.start.encoded_bytes = len(packed)
            answers, error = await pushed(network, [*bomb, *pushes(*outgoing(a, "310000/other"))])
            assert (refusals(answers), error) == (["ENTRY_BODY", ""], None)

    run(scenario())


def test_a_compressed_message_is_refused_before_it_is_unpacked() -> None:
    async def scenario() -> None:
        async with (
            mtls_network("310000", "310115") as network,
            network.raw_channel("310115", "310000", max_send_message_length=-1) as channel,
        ):
            request = pb.HelloRequest(network="n" * 50_000_000)
            call = stub_of(channel).Hello(request, compression=grpc.Compression.Gzip)
            assert (await rpc_refusal_of(call)).parameters["status"] == "UNIMPLEMENTED"

    run(scenario())


def test_a_message_above_the_limit_is_refused_by_the_wire() -> None:
    async def scenario() -> None:
        async with (
            mtls_network("310000", "310115") as network,
            network.raw_channel("310115", "310000", max_send_message_length=-1) as channel,
        ):
            call = stub_of(channel).Hello(pb.HelloRequest(network="n" * (DEFAULT_LIMITS.max_message_bytes + 1)))
            assert (await rpc_refusal_of(call)).parameters["status"] == "RESOURCE_EXHAUSTED"

    run(scenario())


def test_too_many_receipts_in_one_call_are_refused() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            receipts = [envelope_pb2.Envelope()] * 257
            error = await refusal_of(network.peer("310115", "310000").put_receipts(receipts))
            assert (error.code, error.parameters["found"]) == ("ENTRY_SIZE", "257 receipts")

    run(scenario())


def test_a_stream_on_which_everything_is_refused_comes_to_an_end() -> None:
    async def scenario() -> None:
        async with mtls_network("310000", "310115") as network:
            first = outgoing(await publish(network))[0]
            junk = [replace(first, channel=f"310000/junk-{number}") for number in range(200)]
            answers, error = await pushed(network, pushes(*junk))
            assert (len(answers), error and error.code) == (MAX_REFUSED_LOGS + 1, "RATE_LIMITED")

    run(scenario())
