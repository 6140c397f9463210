"""What peers answer, refuse, withhold or break off: a link goes on, and shows whose word it was."""

from dataclasses import replace
from typing import Any

from node.core.errors import XinqiaoError, from_refusal, to_refusal
from node.core.limits import DEFAULT_LIMITS
from node.node import Node
from node.pb import envelope_pb2, exchange_service_pb2, registry_service_pb2
from node.ports import Lane, PushAnswer, Writer
from node.rpc.admin_server import AdminServicer, AdminTools
from tests.builders import NOW_MS
from tests.duties.delivering import Head, claims, eventually, invented, meeting, one_turn, run, running, tables_of
from tests.duties.hostile import (
    BASE,
    ScriptedPeer,
    assert_sound,
    base_of,
    refused,
    run_of,
    signed_of,
    without_body,
    write_row,
)


async def pushed(node: Node, peer: ScriptedPeer, refusal: envelope_pb2.Refusal) -> str:
    """What becomes of a push that the peer refuses; each time it has started anew, and may refuse no more."""
    peer.response = claims()
    peer.response.cursor.incarnation = f"start {len(peer.calls)}"
    peer.answers = [PushAnswer(BASE, 0, 0, refusal, None)]
    return await refused(node.delivery.sync_once("330100"))


def test_what_a_peer_refuses_is_shown_as_its_word_and_never_as_ours() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        await node.receive(run_of(base_of(network)))
        accusing = to_refusal(XinqiaoError("EQUIVOCATION", origin="310000", channel=BASE, epoch=0, index=1))
        assert await pushed(node, peer, accusing) == ""
        (alarm,) = node.answering.alarms()
        assert (alarm.code, alarm.parameters["peer"]) == ("PEER_REFUSED", "330100")
        assert "310000 signed two histories" in alarm.parameters["said"]
        assert_sound(node)
        # The peer's full disk is not ours.
        full = to_refusal(XinqiaoError("DISK_FULL", home="/their/home"))
        assert await pushed(node, peer, full) == "PEER_FAILED"
        for code in ("DRAINING", "RATE_LIMITED", "MEMBER_SUSPENDED", "CLOCK_SKEW"):
            assert await pushed(node, peer, envelope_pb2.Refusal(code=code, parameters=everything())) == code
        assert len(node.answering.alarms()) == 1
        # A reader that will fetch it together with a proof has no reason to complain.
        assert await pushed(node, peer, envelope_pb2.Refusal(code="ENTRY_UNCONFIRMED")) == ""
        assert len(node.answering.alarms()) == 1

    def everything() -> dict[str, str]:
        names = ("what", "retry_s", "node", "peer", "reason", "skew_s", "limit_s")
        return dict.fromkeys(names, "1")

    run(scenario())


def test_no_refusal_of_a_peer_breaks_the_status_of_this_node() -> None:
    async def scenario() -> None:
        _, node, peer = meeting()
        names = {"code": "x", "self": "y", "{0}": "z", "retry_s": "1" * 100_000}
        peer.failure = from_refusal(envelope_pb2.Refusal(code="RATE_LIMITED", parameters=names))
        servicer = AdminServicer(node, AdminTools(*[None] * 9))  # type: ignore[arg-type]
        async with running(node):
            await eventually(lambda: bool(node.world.store.link("330100").failure))
            delivery = next(duty for duty in servicer.duties() if duty.name == "delivery")
        assert delivery.reason.code == "RATE_LIMITED"
        assert len(node.world.store.link("330100").failure) < 20_000

    run(scenario())


def test_g12_a_storm_of_refusals_keeps_alarms_within_their_limit_and_those_that_matter_stay() -> None:
    async def scenario() -> None:
        network, node, peer = meeting(limits=replace(DEFAULT_LIMITS, max_alarms_kept=5))
        one, other = base_of(network, rows=0), base_of(network, rows=0)
        write_row(one, 1)
        write_row(other, 2)
        await node.receive(run_of(one))
        assert await refused(node.receive([signed_of(other, 1)])) == "EQUIVOCATION"
        for number in range(40):
            peer.response = claims(
                *invented(20, number * 20, "330100")
            )  # an origin with two histories is asked for nothing
            peer.pull_failure = from_refusal(envelope_pb2.Refusal(code=f"MADE_UP_{number}"))
            await node.delivery.sync_once("330100")
        codes = {alarm.code for alarm in node.answering.alarms()}
        assert codes == {"EQUIVOCATION", "PEER_REFUSED"}

    run(scenario())


def test_a_pull_that_breaks_off_keeps_what_came_before() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        writer = base_of(network)
        peer.response = claims(Head(channel=BASE, size=4, root=writer.log.root))
        await node.receive(run_of(writer, 0, 1))
        peer.entries = run_of(writer, 1, 3)
        peer.pull_failure = XinqiaoError("WIRE_IDLE", limit_s=60)
        assert await refused(node.delivery.sync_once("330100")) == "WIRE_IDLE"
        assert node.answering.channel(BASE).log.size == 3
        peer.entries, peer.pull_failure = [signed_of(writer, 3)], None
        await node.delivery.sync_once("330100")
        assert node.answering.channel(BASE).log.size == 4

    run(scenario())


def test_a_disk_that_is_full_here_is_no_refusal_of_the_peer() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        writer = base_of(network)
        peer.response = claims(Head(channel=BASE, size=4, root=writer.log.root))
        peer.entries = run_of(writer)
        inner = node.receiving._writer

        class Full(Writer):
            async def run(self, _lane: Lane, _step: Any) -> Any:
                raise XinqiaoError("DISK_FULL", home="here")

        node.receiving._writer = Full()
        assert await refused(node.delivery.sync_once("330100")) == "DISK_FULL"
        node.receiving._writer = inner
        await node.delivery.sync_once("330100")
        assert node.answering.channel(BASE).log.size == 4

    run(scenario())


def test_withheld_bodies_are_asked_for_again_after_a_while_and_not_with_every_hello() -> None:
    async def scenario() -> None:
        network, node, peer = meeting()
        writer = base_of(network)
        await node.receive([without_body(each) for each in run_of(writer)])
        peer.response = exchange_service_pb2.HelloResponse(time_unix_ms=NOW_MS, in_step=True)
        peer.entries = [without_body(each) for each in run_of(writer, 1)]
        for _ in range(5):
            await node.delivery.sync_once("330100")
        assert len([call for call in peer.calls if call.startswith("pull")]) == 1
        network.clock.time_ms += 600_000
        peer.response.time_unix_ms = network.clock.time_ms
        peer.entries = run_of(writer, 1)
        await node.delivery.sync_once("330100")
        held = node.answering.channel(BASE)
        assert (held.applied_size, held.incomplete_bodies) == (4, 0)
        await node.delivery.sync_once("330100")
        assert tables_of(node)["asked"] == 0

    run(scenario())


def test_a_closed_handshake_is_explained_by_the_peers_registry_port() -> None:
    async def scenario() -> None:
        _, node, peer = meeting()
        peer.failure = XinqiaoError("WIRE_REFUSED", peer="330100", detail="socket closed")
        refusal = to_refusal(XinqiaoError("MEMBER_SUSPENDED", node="310115", reason="测试"))
        peer.explanation = registry_service_pb2.ExplainResponse(refusal=refusal, registry=node.membership.versions)
        await one_turn(node, "330100")
        state = node.world.store.link("330100")
        assert envelope_pb2.Refusal.FromString(state.failure).code == "MEMBER_SUSPENDED"

    run(scenario())
