"""Entries between processes: real input, members that missed much, audiences that change."""

import csv
import time
from pathlib import Path

import pytest

from tests.processes.commands import wait_until
from tests.processes.files import REGISTERED, registrations, subject
from tests.processes.network import HANGZHOU, PUDONG, SHANGHAI, SUZHOU, Town, outcomes

ALL = (SHANGHAI.id, PUDONG.id, HANGZHOU.id, SUZHOU.id)


def test_every_row_of_the_real_registrations_is_found_by_code_at_every_node(town: Town) -> None:
    if not REGISTERED.exists():
        pytest.skip("../shared/data/registrations.csv is not there")
    with REGISTERED.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    town.secrets += [row["uni_social_crd_cd"] for row in rows]
    town.serve(*ALL)
    town.create("330100/base", "registration.base", "everyone", "A")
    counts = town.publish("330100/base", REGISTERED)
    assert counts == outcomes(accepted=len(rows))
    size, root = town.wait_for_agreement("330100/base", ALL)
    expected = {row["uni_social_crd_cd"]: {name: text for name, text in row.items() if text} for row in rows}
    assert len(expected) == len(rows)
    for node in ALL:
        found = town.records(node, "--channel", "330100/base")
        assert {each["values"]["uni_social_crd_cd"]: each["values"] for each in found} == expected
        for code in list(expected)[:: len(expected) // 5]:
            (one,) = town.records(node, "--subject", code)
            assert one["values"] == expected[code]
    print(f"{len(rows)} rows in {size} entries, root {root[:16]}, the same at {len(ALL)} nodes")


def missed_entries(town: Town, count: int, tmp_path: Path) -> float:
    """Let a member miss that many entries; the seconds it needs to have them all, from its start on."""
    town.set(SHANGHAI.id, max_records_per_entry=1)
    town.serve(SHANGHAI.id, HANGZHOU.id)
    town.create("310000/base", "registration.base", "everyone")
    file = registrations(tmp_path / "many.csv", range(1, count + 1))
    publishing = town.start(SHANGHAI.id, "publish", "310000/base", file)
    assert publishing.wait(600) == 0, publishing.stderr
    began = time.monotonic()
    town.serve(PUDONG.id)
    size, _ = town.wait_for_agreement("310000/base", [PUDONG.id], 300)
    took = time.monotonic() - began
    assert size == count + 1
    assert town.channel(PUDONG.id, "310000/base")["records"] == count  # type: ignore[index]
    print(f"{count} missed entries fetched in {took:.1f} s")
    return took


def test_a_member_that_missed_300_entries_catches_up_and_nobody_is_restarted(town: Town, tmp_path: Path) -> None:
    assert missed_entries(town, 300, tmp_path) < 60


@pytest.mark.long
def test_a_member_that_missed_10000_entries_catches_up_in_a_minute(town: Town, tmp_path: Path) -> None:
    assert missed_entries(town, 10_000, tmp_path) < 60


def test_an_audience_changes_without_a_pause_and_who_is_dropped_erases_its_copy(town: Town, tmp_path: Path) -> None:
    town.serve(*ALL)
    town.create("310000/base", "registration.base", f"{PUDONG.id},{HANGZHOU.id}")
    town.publish("310000/base", registrations(tmp_path / "first.csv", range(1, 41)))
    town.wait_for_agreement("310000/base", [PUDONG.id, HANGZHOU.id])
    assert town.channel(SUZHOU.id, "310000/base") is None
    # While rows are on their way, Hangzhou is dropped and Suzhou added.
    rest = town.start(SHANGHAI.id, "publish", "310000/base", registrations(tmp_path / "rest.csv", range(41, 3001)))
    summary = town.run(SHANGHAI.id, "channel", "audience", "310000/base", f"{PUDONG.id},{SUZHOU.id}")
    assert summary["audience_nodes"] == sorted([SHANGHAI.id, PUDONG.id, SUZHOU.id])
    assert rest.wait() == 0, rest.stderr
    town.wait_for_agreement("310000/base", [PUDONG.id, SUZHOU.id])
    assert town.channel(SUZHOU.id, "310000/base")["records"] == 3000  # type: ignore[index]
    wait_until(lambda: has_left(town, HANGZHOU.id), "the dropped reader has erased its copy")
    assert town.records(HANGZHOU.id, "--subject", subject(7)) == []
    assert town.records(HANGZHOU.id, "--channel", "310000/base") == []
    town.stop(HANGZHOU.id)
    content = (town.home(HANGZHOU.id) / "xinqiao.db").read_bytes()
    assert not list(town.home(HANGZHOU.id).glob("xinqiao.db-wal"))
    assert subject(7).encode() not in content
    assert "示例路7号".encode() not in content
    # Those who read it go on.
    town.publish("310000/base", registrations(tmp_path / "more.csv", [3001]))
    town.wait_for_agreement("310000/base", [PUDONG.id, SUZHOU.id])


def has_left(town: Town, node: str) -> bool:
    held = town.channel(node, "310000/base")
    return held is not None and held["state"] == "left"


def test_publishing_twice_publishes_once_and_a_changed_row_is_a_revision(town: Town, tmp_path: Path) -> None:
    town.serve(SHANGHAI.id, PUDONG.id)
    town.create("310000/base", "registration.base", "everyone")
    file = registrations(tmp_path / "rows.csv", range(1, 101))
    assert town.publish("310000/base", file)["accepted"] == 100
    size, _ = town.wait_for_agreement("310000/base", [PUDONG.id])
    assert town.publish("310000/base", file) == outcomes(accepted=0, revised=0, duplicate=100)
    assert town.wait_for_agreement("310000/base", [PUDONG.id])[0] == size
    changed = registrations(tmp_path / "changed.csv", range(91, 111), state="注销")
    assert town.publish("310000/base", changed) == outcomes(accepted=10, revised=10, duplicate=0)
    town.wait_for_agreement("310000/base", [PUDONG.id])
    for node in (SHANGHAI.id, PUDONG.id):
        states = [each["values"]["reg_state"] for each in town.records(node, "--channel", "310000/base")]
        assert (states.count("存续"), states.count("注销")) == (90, 20)


def test_a_member_that_only_dials_out_publishes_and_reads(town: Town, tmp_path: Path) -> None:
    town.set(PUDONG.id, listen="", registry_listen="")
    town.serve(SHANGHAI.id, PUDONG.id)
    town.create("310000/base", "registration.base", "everyone")
    town.create("310115/base", "registration.base", "everyone")
    town.publish("310000/base", registrations(tmp_path / "from-outside.csv", range(1, 21)))
    town.publish("310115/base", registrations(tmp_path / "from-inside.csv", range(21, 41)))
    town.wait_for_agreement("310000/base", [PUDONG.id])
    town.wait_for_agreement("310115/base", [SHANGHAI.id])


def test_entries_find_their_way_around_a_member_that_cannot_be_reached(town: Town, tmp_path: Path) -> None:
    town.serve(SHANGHAI.id, HANGZHOU.id)
    town.create("310000/base", "registration.base", "everyone")
    town.publish("310000/base", registrations(tmp_path / "rows.csv", range(1, 21)))
    whole = town.wait_for_agreement("310000/base", [HANGZHOU.id])
    town.kill(SHANGHAI.id)
    town.serve(SUZHOU.id)
    wait_until(lambda: held(town, SUZHOU.id, "310000/base") == whole, "the relay has handed the whole channel on")


def held(town: Town, node: str, channel: str) -> tuple[int, str] | None:
    """The size and root that the node holds of the channel."""
    head = town.head(node, channel)
    return None if head is None else (head[1], head[2])


def test_a_member_that_is_down_shows_at_its_links_and_is_no_alarm_about_the_registry(town: Town) -> None:
    town.serve(SHANGHAI.id, HANGZHOU.id, SUZHOU.id)
    town.create("310000/base", "registration.base", "everyone")
    town.wait_for_agreement("310000/base", [HANGZHOU.id, SUZHOU.id])
    town.kill(SUZHOU.id)
    wait_until(lambda: failure_of(town, SUZHOU.id) == "WIRE_UNREACHABLE", "the link shows it")
    until = time.monotonic() + 2  # two refreshes of the registry, each of which asks every member too
    while time.monotonic() < until:
        assert town.alarms(SHANGHAI.id) == []
        time.sleep(0.1)
    assert town.duty(SHANGHAI.id, "delivery")["state"] == "DUTY_STATE_DEGRADED"
    town.serve(SUZHOU.id)
    wait_until(lambda: failure_of(town, SUZHOU.id) == "", "the link is sound again")


def failure_of(town: Town, peer: str) -> str:
    return str(town.peers(SHANGHAI.id)[peer]["failure"]["code"])
