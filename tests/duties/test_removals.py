"""Removals travel ahead: what takes records back has its effect before the bulk that it stands behind is here."""

import asyncio
from dataclasses import replace

from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.state import WITHDRAW, Place
from node.links import Link
from node.node import Node
from node.pb import exchange_service_pb2
from node.removals import LACKED_ENTRIES, told_size
from tests.duties.delivering import run, size_at
from tests.duties.hostile import BASE, assert_sound, refused
from tests.duties.rows import manifest, row
from tests.duties.test_exchange import names_at
from tests.wire import MemorySidecar, Network

ORIGIN, READER, LATE = "310000", "310115", "330100"
KEY = (BASE, 0)
DECISION = "沪修〔2026〕1号"


async def with_removals_at_the_end(*, away: bool = True) -> Network:
    """An origin whose log ends with a withdrawal and an erasure of its first records; readers hold just these."""
    network = Network(ORIGIN, READER, LATE)
    origin = network[ORIGIN]
    await origin.publishing.create_channel("base", manifest())
    await origin.publishing.publish(BASE, [row(1), row(2), row(3)])
    if away:
        await network.settle()
    for serial in range(LACKED_ENTRIES):
        await origin.publishing.publish(BASE, [row(10 + serial)])
    assert (await origin.publishing.act(BASE, Place(0, 1, 0), WITHDRAW, DECISION, "撤销"))[1]
    await origin.publishing.erase(BASE, Place(0, 1, 1), DECISION, "撤销")
    await origin.publishing.act(BASE, Place(0, 2, 0), WITHDRAW, DECISION, "撤销")
    network.clock.time_ms += 1000
    await origin.beat()
    return network


def keep_back_bulk(network: Network) -> None:
    """The wire breaks wherever an entry comes in its turn."""

    def ahead_alone(_sender: str, _receiver: str, signed: SignedEntry) -> SignedEntry:
        if not signed.inclusion and signed.index:
            raise XinqiaoError("WIRE_IDLE", limit_s=60)
        return signed

    network.tamper = ahead_alone


def first_three(node: Node) -> list[bool]:
    return [bool(names_at(node, serial)) for serial in (1, 2, 3)]


def test_g4_a_node_that_returns_answers_nothing_that_was_taken_back_before_the_bulk_has_come() -> None:
    async def scenario() -> None:
        network = await with_removals_at_the_end()
        reader = network[READER]
        assert first_three(reader) == [True, True, True]
        keep_back_bulk(network)
        assert await refused(network.sync(READER, ORIGIN)) == "WIRE_IDLE"
        assert size_at(reader) == 2
        assert first_three(reader) == [False, False, True]
        fresh_ms = reader.answering.channel(BASE).fresh_at_ms
        assert fresh_ms < network.clock.time_ms - 500
        network.tamper = None
        await network.settle()
        assert (size_at(reader), first_three(reader)) == (size_at(network[ORIGIN]), [False, False, True])
        assert_sound(reader)

    run(scenario())


def test_g4_a_new_node_never_answers_what_was_taken_back_before_it_came() -> None:
    async def scenario() -> None:
        network = await with_removals_at_the_end(away=False)
        reader, seen = network[READER], []
        last = network[ORIGIN].answering.channel(BASE).log.size - 4

        def broken_off(_sender: str, _receiver: str, signed: SignedEntry) -> SignedEntry:
            if not signed.inclusion and signed.index > last:
                raise XinqiaoError("WIRE_IDLE", limit_s=60)
            return signed

        network.tamper = broken_off
        # The first comparison shows the log and the head that its origin has signed.
        seen.append(await refused(network.sync(READER, ORIGIN)))
        assert size_at(reader) == last + 1
        assert first_three(reader) == [False, False, True]
        assert seen == ["WIRE_IDLE"]

    run(scenario())


def test_what_was_asked_ahead_is_not_asked_again_after_a_restart() -> None:
    async def scenario() -> None:
        network = await with_removals_at_the_end()
        keep_back_bulk(network)
        await refused(network.sync(READER, ORIGIN))
        store, asked = network[READER].world.store, list[int]()
        assert told_size(store, KEY) == size_at(network[ORIGIN])
        network.start(READER, store, MemorySidecar())
        inner = network[ORIGIN].pull

        def pull(peer: str, request: exchange_service_pb2.PullRequest):  # type: ignore[no-untyped-def]
            asked.append(request.acts_of_size)
            return inner(peer, request)

        network[ORIGIN].pull = pull  # type: ignore[method-assign]
        await refused(network.sync(READER, ORIGIN))
        assert asked == [0]
        assert first_three(network[READER]) == [False, False, True]

    run(scenario())


def test_what_is_not_shown_to_stand_in_the_log_has_no_effect_and_holds_up_nothing() -> None:
    async def scenario() -> None:
        network = await with_removals_at_the_end()
        reader = network[READER]

        def forged(_sender: str, _receiver: str, signed: SignedEntry) -> SignedEntry:
            if signed.inclusion:
                return replace(signed, inclusion=(bytes(32), *signed.inclusion[1:]))
            if signed.index:
                raise XinqiaoError("WIRE_IDLE", limit_s=60)
            return signed

        network.tamper = forged
        await refused(network.sync(READER, ORIGIN))
        assert first_three(reader) == [True, True, True]
        assert [alarm.code for alarm in reader.answering.alarms()] == ["ENTRY_UNCONFIRMED"]
        assert told_size(reader.world.store, KEY) == 0
        network.tamper = None
        await network.settle()
        assert first_three(reader) == [False, False, True]

    run(scenario())


def test_an_entry_of_records_that_comes_ahead_has_no_effect() -> None:
    async def scenario() -> None:
        network = await with_removals_at_the_end()
        origin, reader = network[ORIGIN], network[READER]
        size = size_at(origin)

        async def records_ahead(peer: str, request: exchange_service_pb2.PullRequest):  # type: ignore[no-untyped-def]
            hashes = tuple(origin.answering.inclusion_proof(BASE, 0, 2, size))
            for signed in origin.sharing.entries(peer, BASE, 0, 2, 3):
                yield replace(signed, inclusion=hashes) if request.acts_of_size else signed

        origin.pull = records_ahead  # type: ignore[method-assign]
        await refused(network.sync(READER, ORIGIN))
        assert [alarm.code for alarm in reader.answering.alarms()] == ["FRAME"]
        assert names_at(reader, 2) == ["示例有限公司"]
        assert size_at(reader) == 3

    run(scenario())


def test_g8_who_may_not_read_a_log_is_given_nothing_of_it_ahead() -> None:
    async def scenario() -> None:
        network = await with_removals_at_the_end()
        origin, size = network[ORIGIN], size_at(network[ORIGIN])

        async def asked(peer: str, of_size: int) -> list[int]:
            request = exchange_service_pb2.PullRequest(channel=BASE, start_index=2, acts_of_size=of_size)
            return [signed.index async for signed in origin.pull(peer, request)]

        assert await asked(READER, size) == [size - 3, size - 2, size - 1]
        assert await refused(asked(READER, size + 1)) == "AUDIENCE"
        await origin.publishing.set_audience(BASE, manifest(LATE).audience)
        assert await asked(LATE, size) == [size - 3, size - 2, size - 1]
        assert await refused(asked(READER, size)) == "AUDIENCE"

    run(scenario())


def test_a_log_comes_from_one_peer_at_a_time_and_those_that_lack_least_come_first() -> None:
    async def scenario() -> None:
        network = Network(ORIGIN, READER, LATE)
        for name, rows in (("aa-large", 12), ("base", 9), ("zz-small", 3)):
            await network[ORIGIN].publishing.create_channel(name, manifest())
            for serial in range(rows):
                await network[ORIGIN].publishing.publish(f"{ORIGIN}/{name}", [row(serial + 1)])
        await network.settle()
        network.start(LATE)
        late, came = network[LATE], list[tuple[str, str, int]]()

        def seen(sender: str, receiver: str, signed: SignedEntry) -> SignedEntry:
            if receiver == LATE and signed.index and not signed.inclusion:
                came.append((sender, signed.channel, signed.index))
            return signed

        network.tamper = seen
        links = [Link(ORIGIN), Link(READER)]
        for link in links:
            await late.delivery._meet(link)
        inner = late.receiving.receive

        async def slowly(*given, **wanted):  # type: ignore[no-untyped-def]
            await asyncio.sleep(0.01)
            return await inner(*given, **wanted)

        late.receiving.receive = slowly  # type: ignore[method-assign]
        await asyncio.gather(*(late.delivery._carry(link) for link in links))
        assert len(came) == len({place[1:] for place in came})
        assert {sender for sender, _, _ in came} == {ORIGIN, READER}
        order = list(dict.fromkeys(channel for _, channel, _ in came))
        assert order == [f"{ORIGIN}/zz-small", BASE, f"{ORIGIN}/aa-large"]
        assert [size_at(late, f"{ORIGIN}/{name}") for name in ("aa-large", "base", "zz-small")] == [13, 10, 4]

    run(scenario())
