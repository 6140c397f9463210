"""grpc.health.v1 on the exchange port: the node as a whole ("") and each of its duties, for members."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from node.rpc.exchange_callers import Caller, Context

OVERALL = ""
DUTIES = ("publishing", "receiving", "delivery", "membership", "answering")
SERVICES = (OVERALL, *(f"xinqiao.{duty}" for duty in DUTIES))


# Lets a call in for as long as it lasts, or ends it with a refusal.
Door = Callable[[Context], AbstractAsyncContextManager[Caller]]


class Health(health_pb2_grpc.HealthServicer):
    """Answers Check and Watch; set() is called from outside. Nothing serves before it was set."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._serving = dict.fromkeys(SERVICES, False)
        self._changed = asyncio.Event()
        self._ended = False

    def set(self, service: str, serving: bool) -> None:
        """Say how a service stands: one of SERVICES."""
        if service not in self._serving:
            raise ValueError(f"{service!r} is none of {', '.join(SERVICES)}")
        self._serving[service] = serving and not self._ended
        self._wake()

    def end(self) -> None:
        """Say for good that nothing serves, and let watchers go."""
        self._ended = True
        self._serving = dict.fromkeys(SERVICES, False)
        self._wake()

    def _wake(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def Check(  # noqa: N802 - named by the protocol
        self, request: health_pb2.HealthCheckRequest, context: Context
    ) -> health_pb2.HealthCheckResponse:
        """How a service stands now; NOT_FOUND for one that does not exist."""
        async with self._door(context):
            if request.service in self._serving:
                return self._answer(request.service)
        return await context.abort(grpc.StatusCode.NOT_FOUND, "there is no such service")

    async def Watch(self, request: health_pb2.HealthCheckRequest, context: Context) -> None:  # noqa: N802
        """How a service stands, and again whenever it changes."""
        async with self._door(context) as caller:
            last = None
            while not self._ended:
                changed, answer = self._changed, self._answer(request.service)
                if answer != last:
                    await context.write(answer)
                    last = answer
                await changed.wait()
                if not self._ended:
                    caller.check()
            await context.write(self._answer(request.service))

    def _answer(self, service: str) -> health_pb2.HealthCheckResponse:
        if service not in self._serving:
            return health_pb2.HealthCheckResponse(status=health_pb2.HealthCheckResponse.SERVICE_UNKNOWN)
        serving = self._serving[service]
        status = health_pb2.HealthCheckResponse.SERVING if serving else health_pb2.HealthCheckResponse.NOT_SERVING
        return health_pb2.HealthCheckResponse(status=status)
