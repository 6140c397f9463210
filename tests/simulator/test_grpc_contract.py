"""The simulated network against grpcio itself: the same servicers, the same callers, the same things seen.

Every script is run twice, over a real channel on loopback and over a simulated one: callers and servicers must
see the same.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from node.pb import exchange_service_pb2 as pb
from node.pb import exchange_service_pb2_grpc
from node.pb.exchange_service_pb2_grpc import ExchangeServiceStub
from node.rpc.writing import finish, write
from node.simulator.loop import SimulatedLoop
from tests.simulator.lines import A, B, Lines, Rogue, run

Seen = list[Any]
Script = Callable[[Any, Any, Seen], Awaitable[None]]
"""Called with the channel, its stub, and what was seen, to which it adds."""

METHODS = ("Hello", "Pull", "Push", "GetConsistencyProof", "GetInclusionProof", "PutReceipts")
REQUEST = pb.HelloRequest(network="delta")
TRAILING = (("xinqiao-refusal-bin", b"\x00\x01"),)


def frame(text: bytes) -> pb.PullResponse:
    return pb.PullResponse(frame=pb.EntryFrame(data=text))


def pushed(text: bytes) -> pb.PushRequest:
    return pb.PushRequest(frame=pb.EntryFrame(data=text))


async def told(step: Any) -> Any:
    """What a step gives or raises, in words that both can say."""
    try:
        found = await step
    except asyncio.CancelledError:
        return "cancelled"
    except grpc.aio.AioRpcError as error:
        return error.code().name, error.details(), list(error.trailing_metadata() or ())
    except Exception as error:  # noqa: BLE001 - it is compared
        return type(error).__name__
    return "EOF" if found is grpc.aio.EOF else found


# -- what servicers do --------------------------------------------------------------------------------


def servicer(served: Seen) -> dict[str, Any]:
    """A method for every way in which one may end; what the servicer sees is kept as well."""

    async def hello(request: pb.HelloRequest, context: Any) -> pb.HelloResponse:
        match request.network:
            case "abort":
                await context.abort(grpc.StatusCode.NOT_FOUND, "no such thing", TRAILING)
            case "raise":
                raise ValueError("out of order")
            case "hang":
                try:
                    await asyncio.sleep(30)
                except asyncio.CancelledError:
                    served.append("hello given up")
                    raise
            case "twice":
                try:
                    await context.abort(grpc.StatusCode.ABORTED, "once")
                except grpc.aio.AbortError:
                    served.append(await told(context.abort(grpc.StatusCode.NOT_FOUND, "twice")))
                    raise
        return pb.HelloResponse(time_unix_ms=7)

    async def pull(request: pb.PullRequest, context: Any) -> None:
        try:
            for number in range(request.start_index):
                await context.write(frame(bytes([number])))
            match request.channel:
                case "abort":
                    await context.abort(grpc.StatusCode.PERMISSION_DENIED, "not for you", TRAILING)
                case "raise":
                    raise ValueError("out of order")
                case "hang":
                    await asyncio.sleep(30)
        except asyncio.CancelledError:
            served.append("pull given up")
            raise

    async def push(_: Any, context: Any) -> None:
        while (request := await context.read()) is not grpc.aio.EOF:
            if request.frame.data == b"abort":
                await context.abort(grpc.StatusCode.FAILED_PRECONDITION, "enough", TRAILING)
            if request.frame.data == b"return":
                return
            await context.write(pb.PushResponse(size=len(request.frame.data)))
        served.append(await told(context.read()))

    return {"Hello": hello, "Pull": pull, "Push": push}


# -- what callers do ----------------------------------------------------------------------------------


async def ask(_: Any, stub: Any, seen: Seen) -> None:
    call = stub.Hello(REQUEST, timeout=5)
    seen += [await told(call), await told(call), call.done(), call.cancel(), call.cancelled()]


async def ask_and_be_refused(_: Any, stub: Any, seen: Seen) -> None:
    for how in ("abort", "raise", "twice"):
        call = stub.Hello(pb.HelloRequest(network=how))
        seen += [await told(call), await told(call), call.done()]


async def ask_too_long(_: Any, stub: Any, seen: Seen) -> None:
    seen.append(await told(stub.Hello(pb.HelloRequest(network="hang"), timeout=0.2)))
    await asyncio.sleep(0.2)


async def give_up_asking(_: Any, stub: Any, seen: Seen) -> None:
    call = stub.Hello(pb.HelloRequest(network="hang"))
    waiting = asyncio.ensure_future(told(call))
    await asyncio.sleep(0.2)
    seen += [call.cancel(), await waiting, call.done(), call.cancelled(), await told(call)]
    await asyncio.sleep(0.2)


async def read_all(_: Any, stub: Any, seen: Seen) -> None:
    call = stub.Pull(pb.PullRequest(start_index=3))
    seen += [await told(call.read()) for _ in range(5)]
    seen += [call.done(), call.cancel(), call.cancelled()]


async def read_late(_: Any, stub: Any, seen: Seen) -> None:
    call = stub.Pull(pb.PullRequest(start_index=3, channel="abort"))
    await asyncio.sleep(0.2)
    seen += [await told(call.read()) for _ in range(5)]
    seen += [call.done(), call.cancel()]


async def read_until_it_breaks(_: Any, stub: Any, seen: Seen) -> None:
    for how in ("abort", "raise"):
        call = stub.Pull(pb.PullRequest(start_index=1, channel=how))
        seen += [await told(call.read()) for _ in range(3)]


async def give_up_reading(_: Any, stub: Any, seen: Seen) -> None:
    call = stub.Pull(pb.PullRequest(start_index=1, channel="hang"))
    seen.append(await told(call.read()))
    waiting = asyncio.ensure_future(told(call.read()))
    await asyncio.sleep(0.2)
    seen += [call.cancel(), await waiting, await told(call.read()), call.cancelled()]
    await asyncio.sleep(0.2)


async def wait_too_long_for_a_message(_: Any, stub: Any, seen: Seen) -> None:
    call = stub.Pull(pb.PullRequest(start_index=1, channel="hang"))
    seen.append(await told(call.read()))
    seen.append(await told(asyncio.wait_for(call.read(), 0.2)))
    seen += [call.done(), call.cancelled()]
    await asyncio.sleep(0.2)


async def write_and_finish(_: Any, stub: Any, seen: Seen) -> None:
    call = stub.Push()
    seen.append([await write(call, pushed(b"abc")), await told(call.read())])
    seen.append([await write(call, pushed(b"abcd")), await told(call.read())])
    await finish(call)
    await finish(call)
    seen += [await told(call.read()), await write(call, pushed(b"late"))]


async def write_until_refused(_: Any, stub: Any, seen: Seen) -> None:
    for how in (b"abort", b"return"):
        call = stub.Push()
        seen += [await write(call, pushed(b"abc")), await write(call, pushed(how))]
        await asyncio.sleep(0.2)
        seen.append(await told(call.read()))
        await asyncio.sleep(0.2)
        seen += [await write(call, pushed(b"more")), await told(call.read()), await told(call.read())]
        await finish(call)


async def close_the_channel(channel: Any, stub: Any, seen: Seen) -> None:
    asked, read = stub.Hello(pb.HelloRequest(network="hang")), stub.Pull(pb.PullRequest(channel="hang"))
    waiting = [asyncio.ensure_future(told(asked)), asyncio.ensure_future(told(read.read()))]
    await asyncio.sleep(0.2)
    await channel.close()
    seen += await asyncio.gather(*waiting)
    await asyncio.sleep(0.2)

    async def again() -> Any:
        return await stub.Hello(REQUEST)

    seen.append(await told(again()))


# -- both worlds --------------------------------------------------------------------------------------


@asynccontextmanager
async def real_channel(methods: dict[str, Any]) -> Any:
    server = grpc.aio.server()
    unused = dict.fromkeys(METHODS)
    exchange_service_pb2_grpc.add_ExchangeServiceServicer_to_server(Rogue(**(unused | methods)), server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield channel
    await server.stop(0)


def seen_over_grpc(script: Script) -> tuple[Seen, Seen]:
    seen: Seen = []
    served: Seen = []

    async def main() -> None:
        async with real_channel(servicer(served)) as channel:
            await script(channel, ExchangeServiceStub(channel), seen)

    asyncio.run(main())
    return seen, sorted(served)


def seen_over_the_simulation(script: Script) -> tuple[Seen, Seen]:
    seen: Seen = []
    served: Seen = []

    async def scenario(lines: Lines) -> None:
        assert isinstance(asyncio.get_running_loop(), SimulatedLoop)
        lines.hosts[A].exchange = Rogue(**servicer(served))
        channel = lines.wire.open_channel(lines.hosts[B], A, None)
        await script(channel, ExchangeServiceStub(channel), seen)

    run(scenario)
    return seen, sorted(served)


SCRIPTS: list[Script] = [
    ask,
    ask_and_be_refused,
    ask_too_long,
    give_up_asking,
    read_all,
    read_late,
    read_until_it_breaks,
    give_up_reading,
    wait_too_long_for_a_message,
    write_and_finish,
    write_until_refused,
    close_the_channel,
]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.__name__)
def test_a_simulated_call_is_seen_as_a_real_one_is(script: Script) -> None:
    expected = seen_over_grpc(script)
    assert expected[0]
    assert seen_over_the_simulation(script) == expected
