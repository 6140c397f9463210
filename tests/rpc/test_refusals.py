"""A refusal arrives with its code, and a broken answer never looks like one."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
import pytest

from node.core.errors import CODES, XinqiaoError
from node.pb import envelope_pb2
from node.rpc.refusals import REFUSAL_KEY, from_rpc_error, refuse, status_of

METHOD = "/xinqiao.test.Refusals/Call"
Answer = Callable[[bytes, "grpc.aio.ServicerContext[bytes, bytes]"], Awaitable[bytes]]


async def call_of(answer: Answer, timeout_s: float = 5.0) -> XinqiaoError:
    """Serve one method on loopback, call it and return what the client makes of the failure."""
    server = grpc.aio.server()
    method: Any = grpc.unary_unary_rpc_method_handler(answer)
    service, name = METHOD[1:].split("/")
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {name: method}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call: Any = channel.unary_unary(METHOD)
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call(b"", timeout=timeout_s)
            return from_rpc_error(caught.value, peer="310115", address=f"127.0.0.1:{port}")
    finally:
        await server.stop(None)


def test_a_refusal_arrives_with_its_code_and_parameters() -> None:
    async def answer(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await refuse(context, XinqiaoError("MEMBER_SUSPENDED", node="310115", reason="密钥泄露"))

    error = asyncio.run(call_of(answer))
    assert (error.code, error.parameters) == ("MEMBER_SUSPENDED", {"node": "310115", "reason": "密钥泄露"})


def test_a_refusal_with_a_very_long_text_still_arrives() -> None:
    async def answer(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await refuse(context, XinqiaoError("ENVELOPE_SHAPE", detail="字" * 100_000))

    error = asyncio.run(call_of(answer))
    assert (error.code, error.parameters["detail"]) == ("ENVELOPE_SHAPE", "字" * 500)


def test_a_refusal_with_very_many_parameters_still_arrives_with_its_code() -> None:
    async def answer(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await refuse(context, XinqiaoError("ENVELOPE_SHAPE", **{f"p{n}": "x" * 500 for n in range(100)}))

    error = asyncio.run(call_of(answer))
    assert (error.code, error.parameters) == ("ENVELOPE_SHAPE", {})


@pytest.mark.parametrize("trailing", [b"\xff\xff", b"", envelope_pb2.Refusal().SerializeToString()])
def test_trailing_metadata_that_is_no_refusal_is_not_taken_for_one(trailing: bytes) -> None:
    async def answer(_: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await context.abort(grpc.StatusCode.DATA_LOSS, "odd", ((REFUSAL_KEY, trailing),))

    error = asyncio.run(call_of(answer))
    assert (error.code, error.parameters["status"]) == ("PEER_FAILED", "DATA_LOSS")


def test_a_peer_that_does_not_answer_in_time_is_unreachable() -> None:
    async def answer(_: bytes, __: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        await asyncio.sleep(5)
        return b""

    error = asyncio.run(call_of(answer, timeout_s=0.2))
    assert (error.code, error.parameters["peer"]) == ("WIRE_UNREACHABLE", "310115")


def test_a_peer_that_breaks_down_is_told_from_one_that_cannot_be_reached() -> None:
    async def answer(_: bytes, __: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        raise ValueError("inside")

    error = asyncio.run(call_of(answer))
    assert (error.code, error.parameters["status"]) == ("PEER_FAILED", "UNKNOWN")


def test_every_code_has_a_status_that_ends_a_call() -> None:
    assert [code for code in CODES if status_of(XinqiaoError(code)) is grpc.StatusCode.OK] == []
