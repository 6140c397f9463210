"""`xinqiao bench idle`: every byte of a process is counted once, and the minute that costs most is judged."""

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any, cast

import pytest

from node.bench.idle import AIM_BUSY_S, AIM_BYTES, FLOOR_BUSY_S, FLOOR_BYTES, Minute, Quiet, Report, plan, settings
from node.bench.network import NODES, SETTINGS, wait_until
from node.bench.programs import Programs, Server
from node.bench.relay import Relay
from node.bench.sockets import Meter, Traffic, connections, sockets_of
from node.config import Config
from tests.bench.test_removal import processes_in, start

HERE = "127.0.0.1"
MESH, STAR = Quiet(3, 5, "mesh", 1, 300), Quiet(3, 5, "star", 1, 300)


@contextmanager
def connected() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection on loopback."""
    with socket.create_server((HERE, 0)) as listening, socket.create_connection(listening.getsockname()) as one:
        other, _ = listening.accept()
        with other:
            yield one, other


def exchange(one: socket.socket, other: socket.socket, out: int, back: int) -> None:
    one.sendall(b"x" * out)
    other.recv(out, socket.MSG_WAITALL)
    other.sendall(b"y" * back)
    one.recv(back, socket.MSG_WAITALL)


def test_both_ends_of_a_connection_are_told_apart_and_every_byte_is_counted() -> None:
    with connected() as (one, other):
        exchange(one, other, 1000, 300)
        ends = {each.inode: each for each in connections()}
        here, there = (ends[os.fstat(each.fileno()).st_ino] for each in (one, other))
        assert (here.traffic.sent, here.traffic.received) == (1000, 300)
        assert (there.traffic.sent, there.traffic.received) == (300, 1000)
        assert (here.port, here.peer_port) == (there.peer_port, there.port)
        assert here.traffic.bytes_with_headers >= 1300 + 2 * 52
        assert {here.inode, there.inode} <= sockets_of(os.getpid())


def test_a_meter_counts_from_its_beginning_on_and_keeps_what_has_ended() -> None:
    with connected() as (one, other):
        exchange(one, other, 5000, 5000)
        meter = Meter(os.getpid())
        assert meter.read().bytes == 0
        exchange(one, other, 100, 10)
        # Both ends are of this process.
        assert meter.read().bytes == 220
        with connected() as more:
            exchange(*more, 1, 2)
            assert meter.read().bytes == 226
        assert meter.read().bytes == 226


@pytest.mark.parametrize("is_counted", [True, False])
def test_a_relay_passes_everything_on_and_counts_it_as_its_caller_sees_it(is_counted: bool) -> None:
    asked: list[int] = []

    def counts(port: int) -> bool:
        asked.append(port)
        return is_counted

    with socket.create_server((HERE, 0)) as listening:
        answering = Thread(target=_answer, args=(listening,))
        answering.start()
        with Relay((HERE, listening.getsockname()[1]), counts) as relay:
            with socket.create_connection((HERE, relay.port)) as caller:
                assert relay.read() == Traffic()
                port = caller.getsockname()[1]
                caller.sendall(b"x" * 70_000)
                caller.shutdown(socket.SHUT_WR)
                answer = b"".join(iter(lambda: caller.recv(4096), b""))
            answering.join()
            wait_until(lambda: bool(relay.read().bytes) or not is_counted, "the connection has ended", 10)
            found = relay.read()
    assert answer == b"y" * 40_000
    assert asked == [port]
    # The system counts the end of a stream as a byte.
    assert (found.sent, found.received) in ([(70_000, 40_000), (70_001, 40_000)] if is_counted else [(0, 0)])


def _answer(listening: socket.socket) -> None:
    """Read to the end, then answer."""
    called, _ = listening.accept()
    with called:
        while called.recv(65536):
            pass
        called.sendall(b"y" * 40_000)


def minute(size: int, busy_s: float) -> Minute:
    return Minute(60.0, Traffic(size - 1, 0, 3), Traffic(0, 1, 1), busy_s)


@pytest.mark.parametrize(
    ("size", "busy_s", "is_held", "is_reached"),
    [
        (AIM_BYTES, AIM_BUSY_S, True, True),
        (AIM_BYTES + 1, AIM_BUSY_S, True, False),
        (AIM_BYTES, AIM_BUSY_S + 0.01, True, False),
        (FLOOR_BYTES, FLOOR_BUSY_S, True, False),
        (FLOOR_BYTES + 1, AIM_BUSY_S, False, False),
        (AIM_BYTES, FLOOR_BUSY_S + 0.01, False, False),
    ],
)
def test_the_minute_that_costs_most_is_judged(size: int, busy_s: float, is_held: bool, is_reached: bool) -> None:
    found = Report([minute(10, 0.01), minute(size, busy_s), minute(10, 0.01)], 80.0)
    assert (found.worst_bytes, found.worst_busy_s) == (size, busy_s)
    assert found.worst_bytes_with_headers == size + 4 * 52
    assert (found.is_floor_held, found.is_aim_reached) == (is_held, is_reached)


def test_nodes_are_measured_with_the_settings_that_they_come_with() -> None:
    found = settings(MESH)
    assert set(found) == set(SETTINGS) - {"log_level"}
    assert found["heartbeat_interval_s"] == 300
    assert found["registry_refresh_s"] == Config(id="310000", name="示例", level="province").registry_refresh_s


@pytest.mark.parametrize(("quiet", "held"), [(MESH, 5), (STAR, 15)])
def test_each_link_of_the_measured_node_carries_so_many_channels(quiet: Quiet, held: int) -> None:
    measured, *peers = NODES[:4]
    written = list(plan(NODES[:4], quiet))
    assert len(written) == held
    for peer in peers:
        shared = [writer for writer, _, readers in written if {measured, peer} <= {writer, *readers}]
        assert len(shared) == 5
        assert {measured, peer} <= set(shared)


@pytest.mark.long
def test_a_quiet_minute_is_measured_from_outside(tmp_path: Path) -> None:
    options = ("--links", "2", "--channels", "3", "--minutes", "1", "--heartbeat", "10")
    measuring = start(tmp_path / "work", *options, bench="idle")
    out, prose = measuring.communicate(timeout=300)
    assert measuring.returncode == 0, prose
    document = json.loads(out)
    (found,) = document["minutes"]
    assert document["shared_channels"] == [3, 3]
    assert document["settings"]["heartbeat_interval_s"] == 10
    assert document["floor"]["held"] is None
    # Six heartbeats, of three nodes, over two links.
    assert 3_000 < found["peers"]["sent"] + found["peers"]["received"] < 100_000
    assert 0 < found["busy_s"] < 5
    assert document["worst_bytes"] == sum(
        found[side][way] for side in ("peers", "registry") for way in ("sent", "received")
    )
    assert processes_in(tmp_path) == []


class EndingLog:
    """A log while whose reading another server is ended."""

    def __init__(self, servers: dict[str, Server]) -> None:
        self._servers = servers

    def read_text(self, *_: str) -> str:
        self._servers.pop("another", None)
        return "serving"


def test_the_last_lines_of_every_log_are_told_while_servers_end(tmp_path: Path) -> None:
    programs = Programs(tmp_path)
    for name in ("one", "another"):
        programs.servers[name] = Server(name, cast("Any", None), cast("Any", EndingLog(programs.servers)))
    assert programs.tails().count("serving") == 2
