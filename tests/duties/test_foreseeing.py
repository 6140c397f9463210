"""What peers show of the registry is remembered where it is older than ours, since when."""

import asyncio

from tests.wire import Network


def test_a_peer_that_shows_older_files_of_the_registry_is_remembered_until_it_has_read_newer_ones() -> None:
    async def scenario() -> None:
        network = Network("310000", "330100")
        await network.publish_registry()
        network.down.add("330100")
        await network.publish_registry()
        network.down.clear()
        since_ms = network.clock.now_ms()
        await network.sync("330100", "310000")
        held = network["330100"].membership.versions.timestamp_version
        assert network["310000"].behind_registry == {"330100": (held, since_ms)}
        assert network["330100"].behind_registry == {}
        # It is behind since it was first seen to be, however often it calls.
        network.clock.time_ms += 5000
        await network.sync("330100", "310000")
        assert network["310000"].behind_registry == {"330100": (held, since_ms)}
        await network["330100"].refresh_registry()
        await network.sync("330100", "310000")
        assert network["310000"].behind_registry == {}

    asyncio.run(scenario())
