"""A relay on loopback: passes connections on, and counts what those of one process have moved.

Calls of a registry port open a connection each, which is gone before anybody could ask the system for its counters.
Here they are read when it ends.
"""

import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Lock, Thread
from types import TracebackType
from typing import Self

from node.bench.sockets import INFO_BYTES, Traffic, traffic_of

PIECE_BYTES = 64 * 1024


class Relay:
    """Listens on a port of its own and passes every connection on to an address.

    counts says of the port that a caller calls from whether what it moves is counted. As the caller sees it: sent is
    what it has sent.
    """

    def __init__(self, target: tuple[str, int], counts: Callable[[int], bool]) -> None:
        self._target = target
        self._counts = counts
        self._lock = Lock()
        self._total = Traffic()
        self._listening = socket.create_server((target[0], 0))
        self.port: int = self._listening.getsockname()[1]
        self._accepting = Thread(target=self._accept, name=f"relay-{self.port}", daemon=True)
        self._accepting.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join()

    def read(self) -> Traffic:
        """What the connections that have ended have moved."""
        with self._lock:
            return self._total

    def _accept(self) -> None:
        while True:
            try:
                caller, address = self._listening.accept()
            except OSError:  # closed: that is its end
                return
            Thread(target=self._pass_on, args=(caller, address[1]), daemon=True).start()

    def _pass_on(self, caller: socket.socket, port: int) -> None:
        with caller, socket.socket() as called:
            is_counted = self._counts(port)
            with suppress(OSError):  # nobody listens there yet: the caller finds its connection closed
                called.connect(self._target)
                back = Thread(target=_pump, args=(called, caller), daemon=True)
                back.start()
                _pump(caller, called)
                back.join()
            if is_counted:
                self._add(traffic_of(caller.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, INFO_BYTES)))

    def _add(self, ours: Traffic) -> None:
        with self._lock:
            self._total += Traffic(sent=ours.received, received=ours.sent, packets=ours.packets)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Copy until the source ends or either has broken."""
    try:
        while piece := source.recv(PIECE_BYTES):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        for each in (source, sink):
            _break(each)


def _break(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
