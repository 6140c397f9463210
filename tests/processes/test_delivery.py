"""The ledger on the command line: once, live while a node is cut off and comes back, and as evidence."""

import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from node.cli.delivery import last_seen, parse_entry, summary
from node.core.errors import XinqiaoError
from node.pb import ledger_service_pb2 as pb
from node.pb.delivery_pb2 import DeliveryReport
from tests.processes.commands import Command, wait_until
from tests.processes.files import registrations
from tests.processes.network import HANGZHOU, PUDONG, SHANGHAI, Town

CHANNEL = "310115/base"
ALL = (SHANGHAI.id, PUDONG.id, HANGZHOU.id)
NOW_MS = 1_790_000_000_000


@pytest.fixture
def exchanging(town: Town, tmp_path: Path) -> Town:
    """Pudong has published, and Shanghai and Hangzhou have it; Suzhou has never run."""
    town.serve(*ALL)
    town.create(CHANNEL, "registration.base", "310000,330100,310115")
    town.publish(CHANNEL, registrations(tmp_path / "first.csv", range(1, 4)))
    town.wait_for_agreement(CHANNEL, (SHANGHAI.id, HANGZHOU.id))
    wait_until(lambda: not delivery(town, PUDONG.id, CHANNEL)["missing"], "all receipts are at the owner")
    return town


def delivery(town: Town, node: str, *argv: object) -> dict[str, Any]:
    return town.run(node, "list", "delivery", *argv)


def rows(ledger: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {row["node"]: row for row in ledger["rows"]}


def last(watching: Command) -> dict[str, Any]:
    assert watching.running, watching.stderr
    lines = watching.stdout.splitlines(keepends=True)
    found = [line for line in lines if line.endswith("\n")]
    return dict(watching.documents()[len(found) - 1]) if found else {}


def _sees_all(town: Town, node: str) -> bool:
    return bool(delivery(town, node, CHANNEL)["applied"] == 3)


def test_every_reader_sees_who_has_applied_what(exchanging: Town) -> None:
    for node in ALL:
        # A receipt of another reader comes to a reader by its next comparison.
        wait_until(partial(_sees_all, exchanging, node), f"{node} sees all receipts")
        found = delivery(exchanging, node, CHANNEL)
        assert (found["channel"], found["epoch"], found["index"]) == (CHANNEL, 0, 1)
        assert (found["applied"], found["total"], found["missing"]) == (3, 3, [])
        assert (found["kind"], found["void"], found["removals"]) == ("ENTRY_KIND_RECORDS", False, [])
        assert {row["state"] for row in found["rows"]} == {"applied"}
        assert [row["node"] for row in found["rows"] if row["origin"]] == [PUDONG.id]
    assert delivery(exchanging, PUDONG.id, "base", "0/0/0")["kind"] == "ENTRY_KIND_MANIFEST"
    for argv, code in (
        (("nothing",), "LIST_UNKNOWN"),
        ((CHANNEL, "0/9"), "LIST_ENTRY_UNKNOWN"),
        ((CHANNEL, "nine"), "ARGUMENT_INVALID"),
    ):
        assert exchanging.refused(PUDONG.id, "list", "delivery", *argv)["code"] == code


def test_watching_tells_of_a_node_that_is_cut_off_and_of_its_return(exchanging: Town, tmp_path: Path) -> None:
    town = exchanging
    watching = town.start(PUDONG.id, "list", "delivery", CHANNEL, "--watch")
    wait_until(lambda: last(watching).get("applied") == 3, "it shows how things stand")
    town.stop(HANGZHOU.id)
    town.publish(CHANNEL, registrations(tmp_path / "second.csv", range(4, 6)))
    wait_until(
        lambda: (
            (found := last(watching))["missing"] == [HANGZHOU.id]
            and found["index"] == 2
            and rows(found)[HANGZHOU.id]["reason"] == "unreachable"
        ),
        "Hangzhou is missing, and why",
    )
    row = rows(last(watching))[HANGZHOU.id]
    assert (row["state"], row["late"], row["size"]) == ("sent", False, 2)
    assert delivery(town, PUDONG.id, CHANNEL, "0/1")["missing"] == []
    town.serve(HANGZHOU.id)
    wait_until(lambda: last(watching)["missing"] == [], "Hangzhou is back")
    shown = watching.documents()
    assert [each["time_unix_ms"] for each in shown] == sorted({each["time_unix_ms"] for each in shown})
    watching.send(signal.SIGINT)
    assert watching.wait() == 0


def test_a_node_that_stops_ends_what_is_watched_and_does_not_wait_for_it(exchanging: Town) -> None:
    watching = exchanging.start(PUDONG.id, "list", "delivery", CHANNEL, "--watch")
    wait_until(lambda: last(watching).get("applied") == 3, "it shows how things stand")
    exchanging.stop(PUDONG.id)
    assert watching.wait() in (0, 1)


def test_a_report_verifies_without_a_network_and_one_altered_receipt_fails_it(exchanging: Town, tmp_path: Path) -> None:
    town, report = exchanging, tmp_path / "delivery.evidence"
    made: dict[str, Any] = {}

    def covered() -> bool:
        # Until the next heartbeat covers the entry there is nothing to tie the receipts to.
        command = town.start(PUDONG.id, "list", "delivery", CHANNEL, "-o", report)
        made.update(command.documents()[-1] if command.wait() == 0 else {})
        return bool(made)

    wait_until(covered, "a heartbeat covers the entry")
    assert made == {"file": str(report), "bytes": report.stat().st_size}
    found = verified(town, report)
    assert (found["applied"], found["total"], found["missing"]) == (3, 3, [])
    assert (found["entry"]["channel"], found["entry"]["index"], found["reported_by"]) == (CHANNEL, 1, PUDONG.id)
    content = DeliveryReport.FromString(report.read_bytes())
    receipt = content.receipts[0].receipt
    receipt.signatures[0].sig = bytes([receipt.signatures[0].sig[0] ^ 1]) + receipt.signatures[0].sig[1:]
    report.write_bytes(content.SerializeToString(deterministic=True))
    given = ("verify", report, "--root-fingerprint", town.root_fingerprint, "--json")
    refused = town.commands.start(*given)
    assert refused.wait() == 1
    error = refused.documents()[-1]["error"]
    assert (error["code"], error["parameters"]["step"]) == ("EVIDENCE_INVALID", "9 (receipts)")


def verified(town: Town, report: Path) -> dict[str, Any]:
    command = town.commands.start("verify", report, "--root-fingerprint", town.root_fingerprint, "--json")
    assert command.wait() == 0, command.stderr
    assert f"VERIFIED: 3 of 3 nodes have applied this entry of {CHANNEL}." in command.stderr
    return dict(command.documents()[-1])


# -- how it is said ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("serious-tax", "0/3", (0, 3, False)),
        ("serious-tax", "2/3/1", (2, 3, True)),
        ("serious-tax", "310000/lists/serious-tax#0/3/0", (0, 3, True)),
        ("310000/lists/serious-tax", "310000/lists/serious-tax 0/3/0", (0, 3, True)),
    ],
)
def test_an_entry_is_named_as_records_are(name: str, text: str, expected: tuple[int, int, bool]) -> None:
    found, listing = parse_entry(name, text)
    assert found is not None
    assert (found.epoch, found.index, listing) == expected
    assert parse_entry(name, "") == (None, False)


@pytest.mark.parametrize("text", ["3", "a/b", "310000/lists/serious-food 0/3/0", "0/3/0/0"])
def test_a_place_that_cannot_be_read_or_is_of_another_list_is_refused(text: str) -> None:
    with pytest.raises(XinqiaoError) as refused:
        parse_entry("serious-tax", text)
    assert refused.value.code == "ARGUMENT_INVALID"


def test_one_line_says_who_is_missing_and_since_when() -> None:
    one = pb.LedgerRow(node="530600", last_seen_unix_ms=NOW_MS - 3 * 3_600_000)
    ledger = pb.DeliveryLedger(applied=17, total=18, missing=["530600"], rows=[one], time_unix_ms=NOW_MS)
    assert summary(ledger) == "17/18 applied, missing 530600, last seen 3 h ago"
    ledger.rows.append(pb.LedgerRow(node="530700"))
    ledger.missing.append("530700")
    assert summary(ledger) == "17/18 applied, missing 530600, 530700"
    assert summary(pb.DeliveryLedger(applied=6, total=6)) == "6/6 applied"
    ago = {0: "0 s ago", 59: "59 s ago", 60: "1 min ago", 7_200: "2 h ago", 180_000: "2 d ago"}
    assert {s: last_seen(NOW_MS - s * 1000, NOW_MS) for s in ago} == {s: f"last seen {text}" for s, text in ago.items()}
    assert last_seen(0, NOW_MS) == "never seen"
