"""What a process moves over TCP, as the system counts it: every byte on its connections, those of TLS included.

Linux tells it of every connection (sock_diag with TCP_INFO), without a right that others have not and without the
process's knowing. Headers of TCP and IP are not among the bytes; the packets are counted, so that they can be added.
"""

import os
import socket
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from node.bench.programs import StageError

HEADER_BYTES = 52
"""IPv4 and TCP with its time stamps, for each packet."""

# linux/netlink.h, linux/sock_diag.h, linux/inet_diag.h and linux/tcp.h.
_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY = 4, 20
_REQUEST, _DUMP, _ERROR, _DONE = 0x1, 0x300, 2, 3
_EVERY_STATE, _WITH_TCP_INFO, _TCP_INFO = 0xFFFFFFFF, 1 << 1, 2
_MESSAGE, _ATTRIBUTE = struct.Struct("=IHHII"), struct.Struct("=HH")
_ASKED = struct.Struct("=BBBBI48x")
_PORTS_AT, _INODE_AT, _ATTRIBUTES_AT = 4, 68, 72
_RECEIVED_AT, _PACKETS_AT, _SENT_AT = 128, 136, 200
INFO_BYTES = _SENT_AT + 8
_RECEIVE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bytes sent and received, and the packets in which they came and went."""

    sent: int = 0
    received: int = 0
    packets: int = 0

    @property
    def bytes(self) -> int:
        """Both ways together."""
        return self.sent + self.received

    @property
    def bytes_with_headers(self) -> int:
        """Both ways together, with the headers of TCP and IP."""
        return self.bytes + self.packets * HEADER_BYTES

    def __add__(self, other: "Traffic") -> "Traffic":
        return Traffic(self.sent + other.sent, self.received + other.received, self.packets + other.packets)

    def __sub__(self, other: "Traffic") -> "Traffic":
        return Traffic(self.sent - other.sent, self.received - other.received, self.packets - other.packets)


@dataclass(frozen=True, slots=True)
class Connection:
    """One end of a TCP connection, by the number of its socket."""

    inode: int
    port: int
    peer_port: int
    traffic: Traffic


def connections() -> Iterator[Connection]:
    """The ends of all TCP connections in this network namespace; raises StageError where the system tells none."""
    for family in (socket.AF_INET, socket.AF_INET6):
        for message in _dump(family):
            port, peer_port = struct.unpack_from("!HH", message, _PORTS_AT)
            (inode,) = struct.unpack_from("=I", message, _INODE_AT)
            traffic = _counted(message)
            if traffic is not None:
                yield Connection(inode, port, peer_port, traffic)


def sockets_of(process: int) -> set[int]:
    """The numbers of the sockets that a process has open."""
    found = set()
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with suppress(OSError):  # closed meanwhile
            kind, _, number = os.readlink(entry).partition(":[")
            if kind == "socket":
                found.add(int(number.rstrip("]")))
    return found


class Meter:
    """Sums up what the connections of a process have moved since the meter was made, or since the process was started.

    What a connection moves between two readings and its end is lost: read often where connections are short.
    """

    def __init__(self, process: int, *, since_start: bool = False) -> None:
        self._process = process
        self._seen: dict[int, Traffic] = {}
        self._before: dict[int, Traffic] = {} if since_start else self._look()

    def _look(self) -> dict[int, Traffic]:
        mine = sockets_of(self._process)
        return {each.inode: each.traffic for each in connections() if each.inode in mine}

    def read(self) -> Traffic:
        """All of it until now."""
        self._seen |= self._look()
        return sum((now - self._before.get(inode, Traffic()) for inode, now in self._seen.items()), Traffic())


def _dump(family: int) -> Iterator[bytes]:
    """The messages of the system on all TCP sockets of an address family."""
    asked = _ASKED.pack(family, socket.IPPROTO_TCP, _WITH_TCP_INFO, 0, _EVERY_STATE)
    head = _MESSAGE.pack(_MESSAGE.size + len(asked), _SOCK_DIAG_BY_FAMILY, _REQUEST | _DUMP, 1, 0)
    if not hasattr(socket, "AF_NETLINK"):
        raise StageError("what a process moves over TCP can only be counted on Linux")
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as asking:
        asking.send(head + asked)
        while True:
            answer = asking.recv(_RECEIVE_BYTES)
            at = 0
            while at < len(answer):
                length, kind, *_ = _MESSAGE.unpack_from(answer, at)
                if kind == _DONE:
                    return
                if kind == _ERROR:
                    (number,) = struct.unpack_from("=i", answer, at + _MESSAGE.size)
                    raise StageError(f"the system does not tell its connections: {os.strerror(-number)}")
                yield answer[at + _MESSAGE.size : at + length]
                at += _aligned(length)


def _counted(message: bytes) -> Traffic | None:
    """What the system counts of a socket, None where it tells nothing."""
    at = _ATTRIBUTES_AT
    while at < len(message):
        length, kind = _ATTRIBUTE.unpack_from(message, at)
        if kind == _TCP_INFO and length - _ATTRIBUTE.size >= INFO_BYTES:
            return traffic_of(message[at + _ATTRIBUTE.size : at + length])
        at += _aligned(length)
    return None


def traffic_of(info: bytes) -> Traffic:
    """What a struct tcp_info of at least INFO_BYTES counts."""
    (received,), (sent,) = struct.unpack_from("=Q", info, _RECEIVED_AT), struct.unpack_from("=Q", info, _SENT_AT)
    return Traffic(sent, received, sum(struct.unpack_from("=II", info, _PACKETS_AT)))


def _aligned(length: int) -> int:
    return (length + 3) & ~3
