"""The registry port over real gRPC: what it serves, what it refuses, and how the process starts and stops."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from node.core import envelope as envelopes
from node.core.envelope import seal
from node.core.errors import CODES
from node.pb import envelope_pb2, registry_pb2, registry_service_pb2
from registry.rates import Rate
from registry.server import Rates
from tests.registry.client import Reader
from tests.registry.town import GENEROUS, Caller, Node, NodeKey, Town, now_ms, refusal_in, serving


@contextmanager
def refusing(code: str) -> Iterator[None]:
    """The call inside is refused with this code, its status, and the refusal in the trailing metadata."""
    with pytest.raises(grpc.RpcError) as raised:
        yield
    refusal = refusal_in(raised.value)
    assert (refusal.code, raised.value.code().name) == (code, CODES[code].status)


# --- Files --------------------------------------------------------------------------------------------------


def test_files_are_streamed_in_pieces(town: Town) -> None:
    content = bytes(range(256)) * 1000
    (town.home / "published" / "7.root.json").write_bytes(content)
    with serving(town.store) as caller:
        pieces = [each.data for each in caller.stub.GetFile(registry_service_pb2.GetFileRequest(name="7.root.json"))]
    assert [len(piece) for piece in pieces] == [65536, 65536, 65536, 59392]
    assert b"".join(pieces) == content


@pytest.mark.parametrize(
    "name", ["2.root.json", "../registry.json", "..%2fregistry.json", "online.pem", "", "\x00.json"]
)
def test_a_file_that_is_not_published_is_not_found(town: Town, name: str) -> None:
    with serving(town.store) as caller, refusing("FILE_UNKNOWN"):
        list(caller.stub.GetFile(registry_service_pb2.GetFileRequest(name=name)))


# --- Requests -----------------------------------------------------------------------------------------------


def bare(content: bytes) -> envelope_pb2.Envelope:
    return seal(content, envelopes.NODE_DESCRIPTOR, NodeKey())


REFUSED: dict[str, tuple[Callable[[Node], envelope_pb2.Envelope], str]] = {
    "no descriptor": (lambda _: envelope_pb2.Envelope(), "JOIN_REQUEST"),
    "not a descriptor": (lambda _: bare(b"\xff\xff"), "ENVELOPE_SHAPE"),
    "another's signature": (lambda node: node.request(NodeKey()), "JOIN_REQUEST"),
    "another type": (
        lambda node: seal(node.descriptor().SerializeToString(), envelopes.HEARTBEAT, node.key),
        "ENVELOPE_TYPE",
    ),
    "a bad id": (lambda node: Node("../x", key=node.key).request(), "JOIN_REQUEST"),
    "no certificate": (lambda node: node.request(tls_certificates=[]), "JOIN_REQUEST"),
    "oversized": (lambda node: node.request(name="x" * 40_000), "JOIN_REQUEST"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_that_proves_nothing_is_refused(town: Town, case: str) -> None:
    make, code = REFUSED[case]
    with serving(town.store) as caller, refusing(code):
        caller.join(make(Node("310115")))
    assert town.store.requests() == []


def test_a_message_beyond_all_limits_is_refused_before_it_is_read(town: Town) -> None:
    with serving(town.store) as caller, pytest.raises(grpc.RpcError) as raised:
        caller.join(bare(b"x" * 2_000_000))
    assert raised.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_an_unknown_request_is_unknown(town: Town) -> None:
    envelope = Node("310115").request()
    with serving(town.store) as caller:
        assert caller.state_of(envelope, "310115").state == registry_pb2.JOIN_STATE_UNKNOWN
        with refusing("ARGUMENT_INVALID"):
            caller.state_of(envelope, "../../x")


def test_a_listed_member_that_asks_again_is_told_so(member: tuple[Town, Node]) -> None:
    town, node = member
    with serving(town.store) as caller:
        assert caller.join(node.request()).state == registry_pb2.JOIN_STATE_LISTED
    assert town.store.requests() == []


# --- Head reports -------------------------------------------------------------------------------------------


def test_a_head_report_is_kept_when_it_is_newer(member: tuple[Town, Node]) -> None:
    town, node = member
    now = now_ms()
    with serving(town.store) as caller:
        caller.report(node.report(town.network, {"310115": [b"a" * 32]}, now))
        with refusing("HEAD_REPORT"):
            caller.report(node.report(town.network, {"310115": [b"b" * 32]}, now))
        with refusing("HEAD_REPORT"):
            caller.report(node.report(town.network, {"310115": [b"b" * 32]}, now - 1))
        caller.report(node.report(town.network, {"310115": [b"c" * 32]}, now + 1))
    assert [list(report.origins[0].head_leaves) for report in town.store.reports()] == [[b"c" * 32]]


def test_a_head_report_that_cannot_be_trusted_is_refused(member: tuple[Town, Node]) -> None:
    town, node = member
    stranger = Node("310115")
    with serving(town.store) as caller:
        with refusing("SIGNATURE"):
            caller.report(stranger.report(town.network, {}))
        with refusing("MEMBER_UNKNOWN"):
            caller.report(Node("330100").report(town.network, {}))
        with refusing("HEAD_REPORT"):
            caller.report(node.report("delta:0000000000000000", {}))
        with refusing("CLOCK_SKEW"):
            caller.report(node.report(town.network, {}, now_ms() + 3_600_000))
        with refusing("HEAD_REPORT"):
            caller.report(node.report(town.network, {"310115": [b"short"]}))
        with refusing("ENVELOPE_TYPE"):
            report = node.report(town.network, {})
            caller.report(seal(report.payload, envelopes.HEARTBEAT, node.key))
    assert town.store.reports() == []


def test_origins_out_of_order_are_refused(member: tuple[Town, Node]) -> None:
    town, node = member
    origins = [registry_pb2.OriginHeads(origin=each) for each in ("310115", "310101")]
    report = registry_pb2.HeadReport(network=town.network, reporter=node.id, time_unix_ms=now_ms(), origins=origins)
    with serving(town.store) as caller, refusing("HEAD_REPORT"):
        caller.report(seal(report.SerializeToString(), envelopes.HEAD_REPORT, node.key))


def test_explain_names_the_versions_it_rests_on(member: tuple[Town, Node]) -> None:
    town, _ = member
    with serving(town.store) as caller:
        found = caller.explain("310115")
    roles = town.json("show")["roles"]
    assert not found.HasField("refusal")
    assert found.registry.root_version == 1
    assert found.registry.snapshot_version == roles["snapshot"]["version"]
    assert found.registry.timestamp_version == roles["timestamp"]["version"]


# --- Rates --------------------------------------------------------------------------------------------------


def test_too_many_calls_from_one_address_are_refused_with_a_time_to_wait(town: Town) -> None:
    with serving(town.store, Rates(read=Rate(5, 0.1), write=GENEROUS.write)) as caller:
        for _ in range(5):
            assert caller.file("timestamp.json")
        with refusing("RATE_LIMITED"):
            list(caller.stub.GetFile(registry_service_pb2.GetFileRequest(name="timestamp.json")))
        with refusing("RATE_LIMITED"):
            caller.explain("310115")
        # Writing has a measure of its own.
        assert caller.join(Node("310115").request()).state == registry_pb2.JOIN_STATE_PENDING


def test_requests_have_a_lower_rate_than_files(town: Town) -> None:
    with serving(town.store, Rates(read=GENEROUS.read, write=Rate(2, 0.1))) as caller:
        caller.join(Node("310115").request())
        caller.join(Node("310115").request())
        with refusing("RATE_LIMITED"):
            caller.join(Node("310115").request())
    assert len(town.store.requests()) == 2


# --- The process --------------------------------------------------------------------------------------------

COMMAND = [sys.executable, "-c", "from registry.cli import registry; registry()"]


@contextmanager
def process(home: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [*COMMAND, "serve", "--home", str(home), *arguments]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def test_the_process_serves_while_proposals_are_published_and_stops_on_sigterm(member: tuple[Town, Node]) -> None:
    town, _ = member
    with process(town.home, "--listen", "127.0.0.1:0", "--json") as running:
        assert running.stdout is not None
        address = json.loads(running.stdout.readline())["listen"]
        with grpc.insecure_channel(address) as channel:
            caller = Caller(channel, address)
            reader = Reader(caller.file, caller.file("1.root.json") or b"")
            assert reader.get("cuts/31/310115.json") is None
            # (1) the ceremony goes on beside the serving process
            town.decide("suspend", "310115")
            assert reader.again().get("cuts/31/310115.json")
            assert caller.explain("310115").refusal.code == "MEMBER_SUSPENDED"
        # (2) nobody else serves this home, nobody else takes this port
        assert town.refused("serve", "--listen", "127.0.0.1:0")["code"] == "HOME_LOCKED"
        running.send_signal(signal.SIGTERM)
        _, errors = running.communicate(timeout=10)
        assert running.returncode == 0, errors


def test_a_port_in_use_is_said_so(town: Town) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with process(town.home, "--listen", address, "--json") as running:
            printed, errors = running.communicate(timeout=10)
    assert running.returncode == 1
    assert json.loads(printed)["error"]["code"] == "LISTEN_FAILED"
    assert address in errors


def test_serving_signs_a_stale_timestamp_before_anybody_connects(town: Town) -> None:
    before = town.json("show")["roles"]["timestamp"]["version"]
    later = now_ms() + 13 * 3_600_000
    with process(town.home, "--listen", "127.0.0.1:0", "--json") as running:
        assert running.stdout is not None
        running.stdout.readline()
    assert town.json("show")["roles"]["timestamp"]["version"] == before
    code = f"import registry.cli as cli; cli.now_ms = lambda: {later}; cli.registry()"
    command = [sys.executable, "-c", code, "serve", "--home", str(town.home), "--listen", "127.0.0.1:0"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert running.stdout is not None
    assert running.stdout.readline().startswith("listening on 127.0.0.1:")
    assert town.json("show")["roles"]["timestamp"]["version"] == before + 1
    running.terminate()
    assert running.wait(10) == 0
    running.stdout.close()


def test_an_unfounded_registry_is_not_served(tmp_path: Path) -> None:
    town = Town(tmp_path)
    public = town.json("officer", "keygen", "-o", tmp_path / "key.pem")["officer_key"]
    founding = town.json("init", "--network", "delta", "--officer-key", public)
    error = town.refused("serve", "--listen", "127.0.0.1:0")
    assert error["code"] == "REGISTRY_UNSIGNED"
    assert error["who"] == "the officers"
    assert founding["founding"] in error["text"]


def test_a_registry_whose_key_needs_a_passphrase_is_not_served_without(tmp_path: Path) -> None:
    town = Town(tmp_path)
    (tmp_path / "words").write_text("open sesame")
    town.json("init", "--network", "delta", "--dev-officers", 1, "--passphrase-file", tmp_path / "words")
    assert b"ENCRYPTED" in (town.home / "online.pem").read_bytes()
    error = town.refused("serve", "--listen", "127.0.0.1:0")
    assert error["code"] == "REGISTRY_PASSPHRASE"
    assert "XINQIAO_REGISTRY_PASSPHRASE" in error["next"]
    with process(
        town.home, "--listen", "127.0.0.1:0", "--json", "--passphrase-file", str(tmp_path / "words")
    ) as running:
        assert running.stdout is not None
        assert "listen" in json.loads(running.stdout.readline())
