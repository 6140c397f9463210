"""`xinqiao forecast` against real nodes: what ends at this node and in the network, by date."""

import json
import sqlite3
import time
from contextlib import closing
from typing import Any

import pytest

from node.core.forecast import DAY_MS
from tests.processes.network import PUDONG, SHANGHAI, Town
from tests.processes.test_doctor import examined, found, met

FAR_DAYS = 3660


@pytest.fixture
def meeting(town: Town) -> Town:
    """Shanghai and Pudong serve, and have met."""
    town.serve(SHANGHAI.id, PUDONG.id)
    met(town, PUDONG.id, SHANGHAI.id)
    return town


def told(document: dict[str, Any], code: str) -> list[dict[str, Any]]:
    return [each for each in document["endings"] if each["code"] == code]


def test_the_forecast_names_keys_roles_and_peers_by_date_and_calls_nobody(meeting: Town) -> None:
    meeting.kill(SHANGHAI.id)
    document = meeting.run(PUDONG.id, "forecast", "--days", FAR_DAYS)
    ends = [each["ends_unix_ms"] for each in document["endings"]]
    assert ends == sorted(ends)
    assert {each["subject"].split()[0] for each in told(document, "KEY_ENDS")} == {"tls"}
    assert {each["node"] for each in told(document, "PEER_KEY_ENDS")} == set(meeting.plans) - {PUDONG.id}
    roles = {each["parameters"]["role"] for each in told(document, "REGISTRY_ENDS")}
    assert {"root", "targets"} <= roles
    assert {each["parameters"]["role"] for each in told(document, "REGISTRY_RENEWS")} == {"timestamp", "snapshot"}
    assert len(told(document, "CALENDAR_SHORT")) == 1
    assert all(each["who"] and each["next"] for each in document["endings"])


def test_sixty_days_leave_out_what_lasts_longer_and_doctor_says_the_same(meeting: Town) -> None:
    document = meeting.run(PUDONG.id, "forecast")
    assert document["days"] == 60
    last_ms = document["time_unix_ms"] + 60 * DAY_MS
    assert all(each["ends_unix_ms"] <= last_ms for each in document["endings"])
    assert told(document, "KEY_ENDS") == []
    seen = {each["code"] for each in examined(meeting, PUDONG.id)["findings"] if each["check"] == "validity"}
    codes = {each["code"] for each in document["endings"]}
    assert seen - {""} <= codes


def test_a_database_that_grew_tells_when_the_disk_is_full(town: Town) -> None:
    # As if it had grown by 100 terabytes since: no disk of a test lasts for long at that.
    before_ms = int(time.time() * 1000) - 2 * DAY_MS
    with closing(sqlite3.connect(town.home(PUDONG.id) / "xinqiao.db")) as connection, connection:
        connection.execute("INSERT INTO settings VALUES ('disk.sizes', ?)", (json.dumps([[before_ms, -(10**14)]]),))
    town.serve(PUDONG.id)
    (disk,) = told(town.run(PUDONG.id, "forecast"), "DISK_FILLS")
    assert (disk["what"], disk["node"], disk["is_estimate"]) == ("disk", PUDONG.id, True)
    assert ("disk", "", "DISK_LOW") in found(examined(town, PUDONG.id), "warning")
    with closing(sqlite3.connect(town.home(PUDONG.id) / "xinqiao.db")) as connection:
        (kept,) = connection.execute("SELECT value FROM settings WHERE name = 'disk.sizes'").fetchone()
    assert len(json.loads(kept)) == 2


def test_people_read_the_forecast_in_their_language(meeting: Town) -> None:
    home = ("--home", meeting.home(PUDONG.id), "--days", FAR_DAYS)
    english = meeting.commands.start("forecast", *home)
    assert english.wait() == 0, english.stderr
    assert "registry role: the registry's root expires at " in english.stdout
    assert "  who must act: the registry's officers\n" in english.stdout
    chinese = meeting.commands.start("forecast", *home, "--lang", "zh")
    assert chinese.wait() == 0, chinese.stderr
    assert f"TLS 证书 {SHANGHAI.id}：" in chinese.stdout or f"TLS 证书 {SHANGHAI.id}: " in chinese.stdout
    assert f"{FAR_DAYS} 天内共" in chinese.stdout


def test_days_that_are_too_many_are_a_mistake_of_usage(town: Town) -> None:
    command = town.start(PUDONG.id, "forecast", "--days", FAR_DAYS + 1)
    assert command.wait() == 2
