"""`xinqiao doctor` against real nodes: all well, and each thing that can be wrong under its own name."""

import asyncio
import re
import shutil
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.processes.commands import wait_until
from tests.processes.files import registrations
from tests.processes.network import PUDONG, SHANGHAI, Town
from tests.processes.small_disk import serve_on_a_small_disk
from tests.processes.test_joining import shifted

REASON = "示例：未通过年度检查"
Document = dict[str, Any]


def examined(town: Town, node: str, *argv: object) -> Document:
    """What doctor found, and that its exit status says the same."""
    command = town.start(node, "doctor", *argv)
    status = command.wait()
    (document,) = command.documents()
    assert status == (1 if document["failing"] else 0), command.stderr
    return document


def found(document: Document, severity: str = "failing") -> set[tuple[str, str, str]]:
    """(check, subject, code) of everything of one severity."""
    lines = [each for each in document["findings"] if each["severity"] == severity]
    return {(each["check"], each["subject"], each["code"]) for each in lines}


def met(town: Town, node: str, peer: str) -> None:
    """Wait until a node has compared with a peer."""
    wait_until(lambda: town.peers(node)[peer]["last_success_unix_ms"], f"{node} has met {peer}")


@pytest.fixture
def meeting(town: Town) -> Town:
    """Shanghai and Pudong serve, and have met."""
    town.serve(SHANGHAI.id, PUDONG.id)
    met(town, PUDONG.id, SHANGHAI.id)
    return town


def test_of_a_healthy_node_every_check_is_fine_and_clocks_come_first(meeting: Town, tmp_path: Path) -> None:
    meeting.create("310000/base", "registration.base", "everyone")
    meeting.publish("310000/base", registrations(tmp_path / "rows.csv", range(1, 21)))
    meeting.wait_for_agreement("310000/base", [PUDONG.id])
    wait_until(lambda: (meeting.channel(PUDONG.id, "310000/base") or {})["fresh_at_unix_ms"], "it is confirmed")
    document = examined(meeting, PUDONG.id)
    # The network of the tests has no calendar of working days yet.
    assert found(document, "warning") <= {("working days", "", "CALENDAR_SHORT")}
    assert document["failing"] == 0
    checks = [each["check"] for each in document["findings"]]
    assert checks[0] == "clock"
    assert {"keys", "membership", "registry", "calls to it", "calls from it"} <= set(checks)
    assert {"disk", "database", "freshness", "bodies", "validity", "working days"} <= set(checks)
    calls = next(each for each in document["findings"] if each["check"] == "calls to it")
    assert (calls["subject"], calls["figures"]["in_step"]) == (SHANGHAI.id, "True")
    written = examined(meeting, SHANGHAI.id, "--peer", PUDONG.id)
    (receipt,) = [each for each in written["findings"] if each["check"] == "receipts"]
    assert receipt["figures"]["node"] == PUDONG.id


def test_people_read_each_line_in_their_language(meeting: Town) -> None:
    home = ("--home", meeting.home(PUDONG.id))
    english = meeting.commands.start("doctor", *home)
    assert english.wait() == 0, english.stdout
    assert f"[ok] calls to it {SHANGHAI.id}: answers in " in english.stdout
    chinese = meeting.commands.start("doctor", *home, "--lang", "zh")
    assert chinese.wait() == 0, chinese.stdout
    assert f"[正常] 呼叫对方 {SHANGHAI.id}: " in chinese.stdout
    assert "检查完毕：正常" in chinese.stdout
    assert not {"registry", "signing", "clock"} & set(re.findall(r"\w+", chinese.stdout.split("CALENDAR_SHORT")[0]))


def test_a_peer_that_does_not_answer_is_named_with_its_address(meeting: Town) -> None:
    meeting.kill(SHANGHAI.id)
    document = examined(meeting, PUDONG.id, "--peer", SHANGHAI.id)
    assert found(document) == {("calls to it", SHANGHAI.id, "PEER_UNREACHABLE")}
    (line,) = [each for each in document["findings"] if each["code"] == "PEER_UNREACHABLE"]
    assert meeting.setting(SHANGHAI.id, "listen") in line["text"]
    assert f"xinqiao doctor --peer {SHANGHAI.id}" in line["next"]


def test_an_unknown_peer_is_refused(meeting: Town) -> None:
    assert meeting.refused(PUDONG.id, "doctor", "--peer", "999999")["code"] == "MEMBER_UNKNOWN"


def test_a_wrong_clock_is_the_first_thing_named(town: Town, clock_off: Path) -> None:
    town.serve(PUDONG.id)
    town.serve_program(SHANGHAI.id, environment=shifted(clock_off, 600))
    wait_until(lambda: town.peers(PUDONG.id)[SHANGHAI.id]["exchange_endpoint"], "its address is known")
    document = examined(town, PUDONG.id, "--peer", SHANGHAI.id)
    first = document["findings"][0]
    assert (first["check"], first["subject"], first["code"]) == ("clock", SHANGHAI.id, "CLOCK_SKEW")
    assert 595_000 < int(first["figures"]["skew_ms"]) < 605_000
    assert ("calls to it", SHANGHAI.id, "CLOCK_SKEW") in found(document)


def test_a_suspended_node_learns_it_from_everybody_it_asks(meeting: Town) -> None:
    meeting.decide("suspend", PUDONG.id, "--reason", REASON)
    for node in (SHANGHAI.id, PUDONG.id):
        wait_until(lambda node=node: is_suspended(meeting, node), f"{node} has read of it")  # type: ignore[misc]
    document = examined(meeting, PUDONG.id, "--peer", SHANGHAI.id)
    assert {("membership", "", "MEMBER_SUSPENDED"), ("calls from it", SHANGHAI.id, "MEMBER_SUSPENDED")} <= found(
        document
    )
    assert ("registry", meeting.registry_address, "MEMBER_SUSPENDED") in found(document)
    assert any(REASON in each["text"] for each in document["findings"] if each["code"] == "MEMBER_SUSPENDED")


def is_suspended(town: Town, node: str) -> bool:
    if node == PUDONG.id:
        return bool(town.status(node)["membership"] == "suspended")
    return bool(town.peers(node)[PUDONG.id]["membership"] == "suspended")


def test_keys_that_were_exchanged_while_the_node_serves_are_found(meeting: Town) -> None:
    (own,) = (meeting.home(PUDONG.id) / "keys").glob("signing-*.pem")
    (other,) = (meeting.home(SHANGHAI.id) / "keys").glob("signing-*.pem")
    own.write_bytes(other.read_bytes())
    assert ("keys", "", "KEY_FILE") in found(examined(meeting, PUDONG.id))


def test_without_a_node_what_can_be_tried_from_outside_is_tried(town: Town) -> None:
    document = examined(town, PUDONG.id)
    assert found(document) == {("serving", "", "ADMIN_UNREACHABLE")}
    assert [each["check"] for each in document["findings"]] == ["serving", "keys", "disk", "database"]
    (town.home(PUDONG.id) / "xinqiao.db").write_bytes(b"not a database, but long enough to be read as one" * 100)
    assert ("database", "", "DATABASE_DAMAGED") in found(examined(town, PUDONG.id))
    assert town.refused(PUDONG.id, "serve")["code"] == "DATABASE_DAMAGED"
    shutil.rmtree(town.home(PUDONG.id) / "keys")
    assert ("keys", "", "KEY_FILE") in found(examined(town, PUDONG.id))


def test_keys_of_another_home_are_found_before_the_node_serves(town: Town) -> None:
    shutil.rmtree(town.home(PUDONG.id) / "keys")
    shutil.copytree(town.home(SHANGHAI.id) / "keys", town.home(PUDONG.id) / "keys")
    assert town.refused(PUDONG.id, "serve")["code"] == "KEY_MISMATCH"
    assert ("keys", "", "KEY_MISMATCH") in found(examined(town, PUDONG.id))


def test_a_certificate_between_two_members_is_told_from_a_peer_that_is_down(meeting: Town, tmp_path: Path) -> None:
    meeting.kill(SHANGHAI.id)
    host, _, port = meeting.setting(SHANGHAI.id, "listen").rpartition(":")
    shown = foreign_certificate(tmp_path, "CN=Inspection")
    with tls_server(host, int(port), shown):
        document = examined(meeting, PUDONG.id, "--peer", SHANGHAI.id)
    assert found(document) == {("calls to it", SHANGHAI.id, "PEER_CERTIFICATE")}
    (line,) = [each for each in document["findings"] if each["code"] == "PEER_CERTIFICATE"]
    assert "CN=Inspection" in line["text"]
    assert meeting.setting(SHANGHAI.id, "listen") in line["text"]


def foreign_certificate(folder: Path, name: str) -> Path:
    """A key and a certificate that no registry lists, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name.from_rfc4514_string(name)
    begin = datetime.now(UTC) - timedelta(days=1)
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    built = built.serial_number(x509.random_serial_number()).not_valid_before(begin)
    certificate = built.not_valid_after(begin + timedelta(days=30)).sign(key, hashes.SHA256())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = folder / "foreign.pem"
    path.write_bytes(private + certificate.public_bytes(Encoding.PEM))
    return path


@contextmanager
def tls_server(host: str, port: int, pem: Path) -> Iterator[None]:
    """Whatever takes TLS connections with a certificate and then says nothing."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["h2"])

    async def serve() -> None:
        server = await asyncio.start_server(lambda _, writer: writer.close(), host, port, ssl=context)
        up.set()
        async with server:
            await stop.wait()

    up, loop, stop = threading.Event(), asyncio.new_event_loop(), asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert up.wait(10)
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def test_a_node_that_hangs_is_told_from_one_that_is_not_there(town: Town) -> None:
    town.serve(PUDONG.id)
    (town.home(PUDONG.id) / "admin.sock").unlink()
    assert ("serving", "", "HOME_LOCKED") in found(examined(town, PUDONG.id))


def test_a_full_disk_is_found_by_writing_to_it(town: Town, tmp_path: Path) -> None:
    node = serve_on_a_small_disk(town, tmp_path)

    def failing() -> set[tuple[str, str, str]]:
        command = node.start("doctor")
        assert command.wait() == 1, command.stderr
        return found(command.documents()[0])

    # (1) 8 MiB are little
    assert ("disk", "", "DISK_LOW") in failing()
    # (2) and nothing at all is less: neither a file nor a transaction gets through
    node.fill(spare_bytes=0)
    assert ("disk", "", "DISK_FULL") in failing()
    # (3) with space again, it is only little again
    node.free()
    assert ("disk", "", "DISK_LOW") in failing()
    assert town.serving[SHANGHAI.id].running
