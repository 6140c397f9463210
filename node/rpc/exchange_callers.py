"""Who calls the exchange port: a member by its public key, looked up again at every step, within its budget.

A held connection survives a suspension; what is done on it does not.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

import grpc.aio

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.rpc import tls

Context = grpc.aio.ServicerContext[Any, Any]
RETRY_S = 1


class Directory(Protocol):
    """What admission needs of the node."""

    def caller(self, tls_spki_sha256: bytes) -> str:
        """The active member with that key; raises MEMBER_*."""
        ...


class Callers:
    """Counts the calls and the bytes in flight of every member."""

    def __init__(self, directory: Directory, limits: Limits = DEFAULT_LIMITS) -> None:
        self._directory = directory
        self._limits = limits
        self._calls: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self.draining = False

    @contextmanager
    def admit(self, context: Context) -> Iterator["Caller"]:
        """The caller for the time of one call; raises MEMBER_*, RATE_LIMITED, DRAINING."""
        spki = tls.spki_of(context)
        caller = Caller(self, spki, self.identify(spki))
        if self._calls[caller.node] >= self._limits.max_concurrent_calls_per_peer:
            raise XinqiaoError("RATE_LIMITED", what=f"more than {self._calls[caller.node]} at a time", retry_s=RETRY_S)
        self._calls[caller.node] += 1
        try:
            yield caller
        finally:
            caller.hold(0)
            self._calls[caller.node] -= 1
            self._forget(caller.node)

    @property
    def calls(self) -> int:
        """How many calls are under way."""
        return self._calls.total()

    def identify(self, spki: bytes) -> str:
        """The member now, and whether there is still anything to be had here; raises MEMBER_*, DRAINING."""
        node = self._directory.caller(spki)
        if self.draining:
            raise XinqiaoError("DRAINING")
        return node

    def change(self, node: str, bytes_more: int) -> None:
        """Count bytes that a call of the node begins or ceases to hold; raises RATE_LIMITED."""
        limit = self._limits.max_in_flight_bytes_per_peer
        if bytes_more > 0 and self._bytes[node] + bytes_more > limit:
            raise XinqiaoError("RATE_LIMITED", what=f"more than {limit} bytes in flight", retry_s=RETRY_S)
        self._bytes[node] += bytes_more

    def _forget(self, node: str) -> None:
        if not self._calls[node]:
            del self._calls[node], self._bytes[node]


class Caller:
    """The member behind one call."""

    def __init__(self, callers: Callers, spki: bytes, node: str) -> None:
        self.node = node
        self._callers = callers
        self._spki = spki
        self._held = 0

    def check(self) -> None:
        """See that it still is the member it was when the call began; raises MEMBER_*, DRAINING."""
        if self._callers.identify(self._spki) != self.node:
            raise XinqiaoError("MEMBER_UNKNOWN", node=self.node)

    def hold(self, count: int) -> None:
        """Say how many bytes this call holds in memory now; raises RATE_LIMITED."""
        self._callers.change(self.node, count - self._held)
        self._held = count
