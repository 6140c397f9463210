"""Joint lists at their origin: what may be defined, and what a definition writes."""

import asyncio
from collections.abc import Coroutine

import pytest

from node.core import muhash
from node.core.errors import XinqiaoError
from node.pb import channel_pb2, listing_pb2
from tests.builders import make_node
from tests.lists import AUTHORITY, make_list_manifest, make_list_type
from tests.wire import Network

ORIGIN, READER = "310000", "330100"
CHANNEL = f"{ORIGIN}/lists/serious-tax"


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(scenario)


async def opened() -> Network:
    """An origin that speaks for the authority, and a reader."""
    network = Network(ORIGIN, READER)
    network.signing[ORIGIN] = make_node(ORIGIN, authorities=[{"uscc": AUTHORITY}])
    await network.publish_registry()
    return network


async def refused(network: Network, manifest: channel_pb2.Manifest, node: str = ORIGIN) -> XinqiaoError:
    with pytest.raises(XinqiaoError) as caught:
        await network[node].listing.define(manifest)
    return caught.value


def test_a_list_is_defined_and_every_reader_holds_what_it_is() -> None:
    async def scenario() -> None:
        network = await opened()
        held, is_new = await network[ORIGIN].listing.define(make_list_manifest())
        assert (held.log.channel, held.log.size, is_new) == (CHANNEL, 1, True)
        await network.settle()
        (read,) = network[READER].listing.lists()
        assert (read.log.root, read.manifest) == (held.log.root, held.manifest)
        assert read.manifest.priority == channel_pb2.PRIORITY_CONTROL
        assert network[READER].listing.held(CHANNEL).manifest.list == make_list_type()

    run(scenario())


def test_every_entry_of_a_list_carries_its_digest_and_an_empty_list_has_one() -> None:
    async def scenario() -> None:
        network = await opened()
        await network[ORIGIN].listing.define(make_list_manifest())
        (entry,) = network[ORIGIN].world.store.entries(CHANNEL, 0, 0)
        header = channel_pb2.EntryHeader.FromString(entry.envelope.payload)
        assert header.state_digest == muhash.digest(muhash.EMPTY)

    run(scenario())


def test_the_same_definition_again_writes_nothing_and_another_one_is_in_force_from_then_on() -> None:
    async def scenario() -> None:
        network = await opened()
        listing = network[ORIGIN].listing
        await listing.define(make_list_manifest())
        held, is_new = await listing.define(make_list_manifest())
        assert (held.log.size, is_new) == (1, False)
        narrower = make_list_type(measures=["SHR-31-1"])
        held, is_new = await listing.define(make_list_manifest(list=narrower))
        assert (held.log.size, is_new, held.manifest.list) == (2, True, narrower)
        await network.settle()
        assert network[READER].listing.held(CHANNEL).manifest.list == narrower

    run(scenario())


def test_r_lst_2_only_who_speaks_for_the_authority_keeps_its_list() -> None:
    async def scenario() -> None:
        network = await opened()
        error = await refused(network, make_list_manifest(), READER)
        assert (error.code, error.parameters["rule"], error.who) == ("LIST_AUTHORITY", "R-LST-2", READER)
        assert network[READER].listing.lists() == []

    run(scenario())


def test_a_list_that_receivers_would_refuse_is_not_written() -> None:
    async def scenario() -> None:
        network = await opened()
        without_basis = make_list_manifest(list=make_list_type(legal_basis=[]))
        assert (await refused(network, without_basis)).code == "LIST_BASIS"
        misnamed = make_list_manifest(list=make_list_type(code="Serious Tax"))
        assert (await refused(network, misnamed)).code == "CHANNEL_NAME"
        unclassed = make_list_manifest(disclosure=channel_pb2.DISCLOSURE_CLASS_UNSPECIFIED)
        assert (await refused(network, unclassed)).code == "ARGUMENT_INVALID"
        assert network[ORIGIN].world.store.channels() == []

    run(scenario())


def test_a_list_keeps_its_kind() -> None:
    async def scenario() -> None:
        network = await opened()
        await network[ORIGIN].listing.define(make_list_manifest())
        watch = make_list_type(kind=listing_pb2.LIST_KIND_WATCH, measures=[])
        error = await refused(network, make_list_manifest(list=watch))
        assert (error.code, error.parameters["kind"]) == ("LIST_KIND", "serious")

    run(scenario())


def test_no_channel_of_records_takes_the_name_of_a_list() -> None:
    async def scenario() -> None:
        network = await opened()
        manifest = channel_pb2.Manifest(
            item="penalty.2018",
            disclosure=channel_pb2.DISCLOSURE_CLASS_A,
            audience=make_list_manifest().audience,
        )
        with pytest.raises(XinqiaoError) as caught:
            await network[ORIGIN].publishing.create_channel("lists/serious-tax", manifest)
        assert caught.value.code == "ARGUMENT_INVALID"

    run(scenario())


def test_a_list_is_named_by_its_code_at_its_origin_and_by_its_channel_everywhere() -> None:
    async def scenario() -> None:
        network = await opened()
        await network[ORIGIN].listing.define(make_list_manifest())
        await network.settle()
        assert network[ORIGIN].listing.own_list("serious-tax").log.channel == CHANNEL
        for name, code in (("serious-tax", "LIST_UNKNOWN"), (CHANNEL, "LIST_NOT_OURS")):
            with pytest.raises(XinqiaoError) as caught:
                network[READER].listing.own_list(name)
            assert caught.value.code == code

    run(scenario())
