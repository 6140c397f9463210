"""Sources that send what no source should send, or nothing at all: bounded in bytes and in time, and named."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest

from node.core.errors import XinqiaoError, from_refusal
from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import registry_service_pb2 as pb
from node.pb import registry_service_pb2_grpc
from node.ports import RegistryNews, RegistryState
from node.rpc.refusals import refuse
from node.rpc.registry_source import TufRegistry, load
from tests.rpc.registry_authority import (
    NOW_MS,
    Authority,
    SeededEntropy,
    node_port,
    served,
    serving,
    versions,
)

KIB = 1024


Pieces = Callable[[bytes, Any], AsyncIterator[bytes]]


class Hostile(registry_service_pb2_grpc.RegistryServiceServicer):
    """Serves sound files, and one of them in its own way."""

    def __init__(self, files: dict[str, bytes], pieces: Pieces, name: str = "timestamp.json") -> None:
        self.files = files
        self.pieces = pieces
        self.name = name
        self.ended = asyncio.Event()

    async def GetFile(self, request: pb.GetFileRequest, context: Any) -> AsyncIterator[pb.GetFileResponse]:  # noqa: N802
        content = self.files.get(request.name)
        if content is None:
            await refuse(context, XinqiaoError("FILE_UNKNOWN", name=request.name))
        elif request.name == self.name:
            try:
                async for piece in self.pieces(content, context):
                    yield pb.GetFileResponse(data=piece)
            finally:
                self.ended.set()
        else:
            yield pb.GetFileResponse(data=content)


async def endless(_: bytes, __: Any) -> AsyncIterator[bytes]:
    while True:
        yield b" " * 4 * KIB


async def empty_for_ever(_: bytes, __: Any) -> AsyncIterator[bytes]:
    while True:
        yield b""


async def one_large_piece(content: bytes, _: Any) -> AsyncIterator[bytes]:
    yield content.ljust(64 * KIB + 1)


async def one_huge_piece(_: bytes, __: Any) -> AsyncIterator[bytes]:
    yield bytes(DEFAULT_LIMITS.max_message_bytes + KIB)


async def broken_off(content: bytes, context: Any) -> AsyncIterator[bytes]:
    yield content[: len(content) // 2]
    await context.abort(grpc.StatusCode.INTERNAL, "broken off")


async def cut_short(content: bytes, _: Any) -> AsyncIterator[bytes]:
    yield content[: len(content) // 2]


async def silent(content: bytes, _: Any) -> AsyncIterator[bytes]:
    await asyncio.sleep(60)
    yield content


async def dripping(content: bytes, _: Any) -> AsyncIterator[bytes]:
    for place in range(len(content)):
        await asyncio.sleep(0.02)
        yield content[place : place + 1]


async def busy(content: bytes, context: Any) -> AsyncIterator[bytes]:
    await refuse(context, XinqiaoError("RATE_LIMITED", what="files", retry_s=9))
    yield content


@pytest.fixture
def authority() -> Authority:
    made = Authority()
    made.put_node("310115")
    made.publish()
    return made


@pytest.fixture
def held(authority: Authority) -> RegistryState:
    return load(authority.served)


async def ask(held: RegistryState, hostile: Hostile, *sound: dict[str, bytes], **settings: Any) -> RegistryNews:
    """Refresh from a hostile registry and from sound nodes."""
    async with serving(hostile) as endpoint:
        sources = [("hostile", endpoint)]
        if sound:
            async with served(sound[0]) as other:
                both = [*sources, ("310000", other)]
                return await TufRegistry(lambda: both, SeededEntropy(), **settings).refresh(held, NOW_MS)
        return await TufRegistry(lambda: sources, SeededEntropy(), **settings).refresh(held, NOW_MS)


CASES = [
    (endless, "REGISTRY_INVALID", "sends more than a file may hold"),
    (empty_for_ever, "REGISTRY_INVALID", "comes in a piece of 0 bytes"),
    (one_large_piece, "REGISTRY_INVALID", "comes in a piece of 65537 bytes"),
    (one_huge_piece, "REGISTRY_UNREACHABLE", "RESOURCE_EXHAUSTED"),
    (broken_off, "REGISTRY_UNREACHABLE", "broken off"),
    (cut_short, "REGISTRY_INVALID", ""),
    (silent, "REGISTRY_UNREACHABLE", "does not answer"),
    (dripping, "REGISTRY_UNREACHABLE", "does not answer"),
    (busy, "REGISTRY_UNREACHABLE", "too many calls"),
]


@pytest.mark.parametrize("name", ["timestamp.json", "3.snapshot.json", "target"])
@pytest.mark.parametrize(("pieces", "code", "detail"), CASES)
def test_a_hostile_source_is_named_and_the_others_are_heard(
    pieces: Pieces, code: str, detail: str, name: str, authority: Authority, held: RegistryState
) -> None:
    authority.put_node("310230")
    files = authority.publish()
    if name == "target":
        name = next(each for each in files if each.endswith(".310230.json"))
    # A short deadline only for those who let it pass, so that a busy machine does not fail the sound node.
    limits = Limits(call_deadline_s=0.3 if pieces in (silent, dripping) else 30.0)
    news = asyncio.run(ask(held, Hostile(files, pieces, name), files, limits=limits))
    assert versions(news.state) == (1, 3, 3)
    assert [source for source, _ in news.faults] == ["hostile"]
    error = from_refusal(news.faults[0][1])
    assert error.code == code
    assert detail in error.text


def test_a_hostile_source_that_is_alone_changes_nothing_and_is_asked_again(
    authority: Authority, held: RegistryState
) -> None:
    news = asyncio.run(ask(held, Hostile(authority.publish(), endless)))
    assert news.state is None
    # It is left at the first piece beyond the 16 KiB that a timestamp may have.
    assert (
        "Downloaded 20480 bytes exceeding the maximum allowed length of 16384" in from_refusal(news.faults[0][1]).text
    )
    news = asyncio.run(ask(held, Hostile(authority.served, endless, "none")))
    assert versions(news.state) == (1, 3, 3)


def test_a_source_that_takes_too_long_in_all_is_given_up_and_holds_no_thread(
    authority: Authority, held: RegistryState
) -> None:
    hostile = Hostile(authority.publish(), silent)

    async def work() -> RegistryNews:
        async with serving(hostile) as endpoint:
            registry = TufRegistry(lambda: [("hostile", endpoint)], SeededEntropy(), source_deadline_s=0.3)
            news = await registry.refresh(held, NOW_MS)
            # The call itself has 30 s: it ends because it is given up, while the server goes on.
            await asyncio.wait_for(hostile.ended.wait(), 5)
            return news

    news = asyncio.run(work())
    assert from_refusal(news.faults[0][1]).text == "no registry answers (hostile: it was not through after 0.3 s)"


def test_a_refresh_that_is_cancelled_leaves_no_call_behind(authority: Authority, held: RegistryState) -> None:
    hostile = Hostile(authority.publish(), silent)

    async def work() -> None:
        async with serving(hostile) as endpoint:
            registry = TufRegistry(lambda: [("hostile", endpoint)], SeededEntropy())
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(registry.refresh(held, NOW_MS), 0.3)
            await asyncio.wait_for(hostile.ended.wait(), 5)

    asyncio.run(work())


def test_a_registry_that_is_gone_while_it_is_read_is_unreachable(authority: Authority, held: RegistryState) -> None:
    files = authority.publish()

    async def work() -> RegistryNews:
        async with serving(Hostile(files, silent, "3.snapshot.json")) as endpoint:
            registry = TufRegistry(lambda: [("the registry", endpoint)], SeededEntropy())
            reading = asyncio.create_task(registry.refresh(held, NOW_MS))
            await asyncio.sleep(0.3)
        return await reading

    assert [refusal.code for _, refusal in asyncio.run(work()).faults] == ["REGISTRY_UNREACHABLE"]


def test_a_node_that_limits_its_callers_is_read_once_it_may_be(authority: Authority, held: RegistryState) -> None:
    async def work() -> list[RegistryNews]:
        port = node_port(authority.served.get, limits=Limits(registry_port_burst_calls=1))
        async with serving(port) as endpoint:
            registry = TufRegistry(lambda: [("310000", endpoint)], SeededEntropy())
            first = await registry.refresh(held, NOW_MS)
            await port._clock.sleep(60)
            port._buckets._burst = 100
            return [first, await registry.refresh(held, NOW_MS)]

    first, second = asyncio.run(work())
    assert "too many calls" in from_refusal(first.faults[0][1]).text
    assert second.state is held
