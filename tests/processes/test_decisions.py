"""What the officers decide, and what becomes of the exchange: suspension, reinstatement, rotated keys."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from node.cli.terminal import plain
from node.core.channel import HeadAt, head_leaf
from node.core.errors import from_refusal
from node.pb import envelope_pb2
from registry import authority
from registry.store import Store
from tests.processes.commands import wait_until
from tests.processes.files import registrations, subject
from tests.processes.members import connection
from tests.processes.network import HANGZHOU, PUDONG, SHANGHAI, Town, outcomes

CHANNEL = "310115/base"
ALL = (SHANGHAI.id, PUDONG.id, HANGZHOU.id)
READERS = (SHANGHAI.id, HANGZHOU.id)
REASON = "证照核查期间"


def reported(town: Town, channel: str) -> bool:
    """Whether the registry has been told of the head that the origin holds."""
    node = channel.partition("/")[0]
    held = town.head(node, channel)
    assert held is not None
    leaf = head_leaf(channel, held[0], HeadAt(held[1], bytes.fromhex(held[2])))
    return leaf in authority.leaves_reported(Store(town.registry_home), node)


def standing(town: Town, node: str, member: str) -> str:
    """How a node sees a member."""
    return str(town.peers(node)[member]["membership"])


@pytest.fixture
def exchanging(town: Town, tmp_path: Path) -> Town:
    """Pudong has published 100 records, and everybody has them."""
    town.serve(*ALL)
    town.create(CHANNEL, "registration.base", "everyone")
    town.publish(CHANNEL, registrations(tmp_path / "first.csv", range(1, 101)))
    town.wait_for_agreement(CHANNEL, READERS)
    wait_until(lambda: reported(town, CHANNEL), "the registry has been told of the head")
    return town


def test_a_suspended_node_is_refused_with_the_reason_on_a_connection_it_holds(exchanging: Town, tmp_path: Path) -> None:
    town = exchanging
    whole = whole_of(town)
    with connection(town, PUDONG.id, HANGZHOU.id) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        assert (
            health.Check(health_pb2.HealthCheckRequest(), timeout=10).status == health_pb2.HealthCheckResponse.SERVING
        )
        # (1) the officers suspend it
        town.decide("suspend", PUDONG.id, "--reason", REASON)
        for node in READERS:
            wait_until(lambda node=node: standing(town, node, PUDONG.id) == "suspended", f"{node} has read of it")  # type: ignore[misc]
        # (2) the same connection is told why
        with pytest.raises(grpc.RpcError) as refused:
            health.Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
        told = refusal_in(refused.value)
        assert (told.code, told.parameters["node"], told.parameters["reason"]) == (
            "MEMBER_SUSPENDED",
            PUDONG.id,
            REASON,
        )
    # (3) its operator is told, and can publish nothing
    duty = wait_until(lambda: blocked(town, PUDONG.id), "the node itself knows")
    assert (duty["code"], duty["parameters"]["reason"]) == ("MEMBER_SUSPENDED", REASON)
    error = town.refused(PUDONG.id, "publish", CHANNEL, registrations(tmp_path / "second.csv", range(101, 111)))
    assert error["code"] == "MEMBER_SUSPENDED"
    assert REASON in error["text"]
    # (4) what it sent up to the cut stays, at everybody
    for node in READERS:
        wait_until(lambda node=node: cut_at(town, node) == whole, f"{node} has found the cut")  # type: ignore[misc]
        assert len(town.records(node, "--channel", CHANNEL)) == 100
        assert len(town.records(node, "--subject", subject(7))) == 1
    # (5) others go on
    town.create("310000/base", "registration.base", "everyone")
    town.publish("310000/base", registrations(tmp_path / "others.csv", range(1, 11)))
    town.wait_for_agreement("310000/base", [HANGZHOU.id])
    assert town.head(PUDONG.id, "310000/base") is None


def refusal_in(error: Any) -> Any:
    pairs = dict(error.trailing_metadata())
    return from_refusal(envelope_pb2.Refusal.FromString(pairs["xinqiao-refusal-bin"]))


def blocked(town: Town, node: str) -> dict[str, Any]:
    duty = town.duty(node, "publishing")
    return dict(duty["reason"]) if duty["state"] == "DUTY_STATE_BLOCKED" else {}


def cut_at(town: Town, node: str) -> tuple[int, int, str] | None:
    """(epoch, size, root) of the cut that a node has found, None while it has found none."""
    held = town.channel(node, CHANNEL)
    if held is None or held["state"] != "cut":
        return None
    return held["cut"]["epoch"], held["cut"]["size"], held["cut"]["root"]


def whole_of(town: Town) -> tuple[int, int, str]:
    """(epoch, size, root) as the origin holds it."""
    head = town.head(PUDONG.id, CHANNEL)
    assert head is not None
    return head[:3]


def test_a_reinstated_node_goes_on_in_epoch_1_and_loses_nothing_above_the_cut(exchanging: Town, tmp_path: Path) -> None:
    town = exchanging
    whole = whole_of(town)
    # (1) cut off from everybody, Pudong publishes 10 more that nobody hears of before the officers suspend it
    town.stop(*READERS, "registry")
    more = registrations(tmp_path / "more.csv", range(101, 111))
    assert town.publish(CHANNEL, more) == outcomes(accepted=10)
    town.kill(PUDONG.id)
    town.serve_registry()
    town.decide("suspend", PUDONG.id, "--reason", REASON)
    town.serve(*READERS)
    for node in READERS:
        wait_until(lambda node=node: cut_at(town, node) == whole, f"{node} has found the cut")  # type: ignore[misc]
    town.serve(PUDONG.id)
    wait_until(lambda: blocked(town, PUDONG.id), "the node itself knows")
    assert [town.records(node, "--subject", subject(105)) for node in READERS] == [[], []]
    # (2) reinstated, it goes on in the next epoch
    town.decide("reinstate", PUDONG.id)
    wait_until(lambda: not blocked(town, PUDONG.id), "it may publish again")
    counts = town.publish(CHANNEL, registrations(tmp_path / "all.csv", range(1, 121)))
    assert counts == outcomes(accepted=20, duplicate=100), "what lies above the cut counts as never published"
    town.wait_for_agreement(CHANNEL, READERS)
    for node in ALL:
        head = town.head(node, CHANNEL)
        assert head is not None
        assert head[0] == 1
        records = town.records(node, "--channel", CHANNEL)
        assert sorted(each["values"]["uni_social_crd_cd"] for each in records) == sorted(map(subject, range(1, 121)))
        assert "EQUIVOCATION" not in town.alarms(node)


def test_a_removed_node_is_refused_and_what_it_sent_stays(exchanging: Town) -> None:
    town = exchanging
    town.decide("remove", PUDONG.id, "--reason", "撤并")
    duty = wait_until(lambda: blocked(town, PUDONG.id), "the node itself knows")
    assert (duty["code"], duty["parameters"]["reason"]) == ("MEMBER_REMOVED", "撤并")
    for node in READERS:
        wait_until(lambda node=node: cut_at(town, node), f"{node} has found the cut")  # type: ignore[misc]
        assert len(town.records(node, "--channel", CHANNEL)) == 100


# -- keys ----------------------------------------------------------------------------------------------------


@contextmanager
def publishing_without_end(town: Town, tmp_path: Path) -> Iterator[list[int]]:
    """Publish one row after another from Pudong until the end; the serial numbers acknowledged."""
    acknowledged: list[int] = []
    failures: list[str] = []
    stop = threading.Event()

    def publish() -> None:
        serial = 1000
        while not stop.is_set():
            serial += 1
            command = town.start(PUDONG.id, "publish", CHANNEL, registrations(tmp_path / f"row-{serial}.csv", [serial]))
            if command.wait() != 0 or command.documents()[0]["files"][0]["counts"] != outcomes(accepted=1):
                failures.append(command.stdout + command.stderr)
            acknowledged.append(serial)
            stop.wait(0.2)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield acknowledged
    finally:
        stop.set()
        thread.join(60)
    assert failures == []


def approve_newest(town: Town) -> None:
    """List the newest descriptor that the node has filed; one that is listed already may still lie there."""

    def filed() -> list[dict[str, object]]:
        known = listed(town)
        return [request for request in town.registry("requests")["requests"] if request["fingerprint"] != known]

    requests = wait_until(filed, "a new descriptor is filed")
    newest = max(requests, key=lambda request: int(str(request["received_at_unix_ms"])))
    town.decide("approve", PUDONG.id, "--fingerprint", newest["fingerprint"])


def listed(town: Town) -> str:
    """The fingerprint that the registry lists."""
    members = town.registry("show")["members"]
    return next(str(member["fingerprint"]) for member in members if member["id"] == PUDONG.id)


def in_states(town: Town, kind: str, *states: str) -> bool:
    """Whether the node's keys of a kind stand like this."""
    with town.admin(PUDONG.id) as asked:
        return sorted(key["state"] for key in plain(asked.keys())["keys"] if key["kind"] == kind) == sorted(states)


@pytest.mark.parametrize(
    "kinds",
    [
        ("signing", "tls"),
        pytest.param(("signing",), marks=pytest.mark.long),
        pytest.param(("tls",), marks=pytest.mark.long),
    ],
)
def test_keys_are_rotated_while_publishing_goes_on(exchanging: Town, tmp_path: Path, kinds: tuple[str, ...]) -> None:
    town = exchanging
    before = tmp_path / "before.evidence"
    wait_until(partial(proves, town, HANGZHOU.id, before), "evidence of an old record can be made")
    with publishing_without_end(town, tmp_path) as acknowledged:
        # (1) each new key is filed beside the old one, and listed
        for kind in kinds:
            answer = town.run(PUDONG.id, "keys", "rotate", kind)
            assert answer["waiting_for"] == "the officers to approve the descriptor that names the new key"
        approve_newest(town)
        # Run again, the command tells how far it is, even before the node's next look at the registry.
        for kind in kinds:
            answer = town.run(PUDONG.id, "keys", "rotate", kind)
            assert answer["waiting_for"].startswith("peers to learn of the new key")
        # (2) it takes over, and the old one is let go of
        for kind in kinds:
            wait_until(partial(in_states, town, kind, "active", "retired"), "the old key is at its end", 60)
        approve_newest(town)
        wait_until(lambda: town.status(PUDONG.id)["fingerprint"] == listed(town), "the old key is no longer listed")
        count = len(acknowledged)
        wait_until(lambda: len(acknowledged) >= count + 3, "publishing goes on with the new keys")
    town.wait_for_agreement(CHANNEL, READERS, 60)
    for node in ALL:
        records = town.records(node, "--channel", CHANNEL)
        held = {each["values"]["uni_social_crd_cd"] for each in records}
        assert held == {subject(serial) for serial in (*range(1, 101), *acknowledged)}
        assert town.alarms(node) == []
    # What the old key signed is evidence as it was, and evidence of it can still be made.
    after = tmp_path / "after.evidence"
    wait_until(partial(proves, town, HANGZHOU.id, after), "evidence of an old record can still be made")
    for file in (before, after):
        verified = town.run(HANGZHOU.id, "verify", file, "--root-fingerprint", town.root_fingerprint)
        assert verified["record"]["values"]["uni_social_crd_cd"] == subject(1)
    print(f"{len(acknowledged)} publications while the keys for {' and '.join(kinds)} were rotated")


def proves(town: Town, node: str, file: Path) -> bool:
    command = town.start(node, "prove", CHANNEL, 1, 0, "-o", file)
    if command.wait() == 0:
        return True
    assert command.documents()[0]["error"]["code"] == "EVIDENCE_UNAVAILABLE", command.stderr
    time.sleep(0.2)
    return False
