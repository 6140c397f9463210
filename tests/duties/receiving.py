"""Networks of tests that receive what members send, and how far a log is held."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from node.pb import channel_pb2, registry_pb2
from tests.builders import ChannelWriter, make_node, signing_key
from tests.builders import list_keys as listed_with
from tests.duties.hostile import base_of, run_of
from tests.wire import Network

RECORDS = channel_pb2.ENTRY_KIND_RECORDS
Scenario = Coroutine[Any, Any, None]


def run(scenario: Scenario) -> None:
    asyncio.run(scenario)


def network_of(*more: str) -> Network:
    return Network("310000", "310115", "330100", *more)


async def rotated_network(entries: int, state: registry_pb2.KeyState) -> tuple[Network, ChannelWriter]:
    """A network whose origin wrote entries with a key that has since got that state; 310115 holds them all."""
    network = network_of()
    before, after = network.signing["310000"], make_node("310000")
    writer = base_of(network, rows=entries - 1)
    await network["310115"].receive(run_of(writer))
    await network["310000"].receive(run_of(writer))
    network.signing["310000"] = listed_with(
        after, [signing_key(before.signer, state), signing_key(after.signer)], after
    )
    await network.publish_registry()
    return network, writer
