"""A watched network that publishes, and how a test breaks a guarantee in it."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from node.pb import exchange_service_pb2
from node.simulator.observing import Violation, Write
from tests.builders import ChannelWriter
from tests.duties.hostile import BASE, base_of
from tests.duties.rows import manifest, row
from tests.simulator.watching import Watched

A, B, C = "310000", "310115", "330100"
Body = Coroutine[Any, Any, None]
pb = exchange_service_pb2


def run(body: Body) -> None:
    asyncio.run(body)


@contextmanager
def violated(guarantee: str, found: str = "") -> Iterator[None]:
    """The block breaks this guarantee, and no other."""
    with pytest.raises(Violation, match=found or None) as raised:
        yield
    assert raised.value.guarantee == guarantee, raised.value


async def published(directory: Path, audience: str = "everyone", **options: Any) -> Watched:
    """A network in which 310000 has published three rows, known to all that may read them."""
    network = Watched(directory, A, B, C, **options)
    await network[A].publishing.create_channel("base", manifest(audience))
    await network.publish(BASE, [row(serial) for serial in (1, 2, 3)])
    await network.settle()
    return network


def commit(network: Watched, node: str, method: str, *arguments: Any, result: Any = None) -> None:
    """Let the oracle see a write that the node never made."""
    network.oracle.committed(node, [Write(method, arguments, result)])


def forged(network: Watched, count: int = 2) -> ChannelWriter:
    """Another history of the base channel, validly signed."""
    return base_of(network, rows=count)
