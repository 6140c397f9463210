"""An older database put back: the node publishes nothing until its peers gave its own history back (G7)."""

import shutil
from pathlib import Path

import pytest

from tests.processes.commands import wait_until
from tests.processes.files import registrations, subject
from tests.processes.network import HANGZHOU, PUDONG, SHANGHAI, SUZHOU, Town, outcomes

CHANNEL = "310000/base"
ALL = (SHANGHAI.id, PUDONG.id, HANGZHOU.id, SUZHOU.id)
OTHERS = ALL[1:]


@pytest.fixture
def restored(town: Town, tmp_path: Path) -> Town:
    """Shanghai's node with the database of the day before; its peers hold what it has published since, and are down."""
    town.serve(*ALL)
    town.create(CHANNEL, "registration.base", "everyone")
    town.publish(CHANNEL, registrations(tmp_path / "before.csv", range(1, 101)))
    town.stop(SHANGHAI.id)  # a clean end leaves no write-ahead log beside the database
    home = town.home(SHANGHAI.id)
    assert not (home / "xinqiao.db-wal").exists()
    backup = Path(shutil.copy(home / "xinqiao.db", tmp_path / "backup.db"))
    town.serve(SHANGHAI.id)
    town.publish(CHANNEL, registrations(tmp_path / "since.csv", range(101, 201)))
    town.create("310000/since", "registration.base", "everyone")
    town.wait_for_agreement(CHANNEL, OTHERS)
    town.wait_for_agreement("310000/since", OTHERS)
    town.stop(*ALL)
    shutil.copy(backup, home / "xinqiao.db")
    return town


def is_recovered(town: Town) -> bool:
    return bool(town.duty(SHANGHAI.id, "publishing")["state"] == "DUTY_STATE_READY")


def check_waits(town: Town, tmp_path: Path) -> None:
    """It says RESTORED, and nothing that would be signed is done."""
    duty = town.duty(SHANGHAI.id, "publishing")
    assert (duty["state"], duty["reason"]["code"]) == ("DUTY_STATE_BLOCKED", "RESTORED")
    assert "keep the node serving" in town.status(SHANGHAI.id)["waiting_for"]
    file = registrations(tmp_path / "refused.csv", range(201, 301))
    assert town.refused(SHANGHAI.id, "publish", CHANNEL, file)["code"] == "RESTORED"
    given = ("--item", "registration.base", "--audience", "everyone", "--disclosure", "C")
    assert town.refused(SHANGHAI.id, "channel", "create", "new", *given)["code"] == "RESTORED"


def check_whole(town: Town, tmp_path: Path) -> None:
    """It publishes again, everybody agrees, and nobody saw two histories."""
    assert town.publish(CHANNEL, tmp_path / "since.csv") == outcomes(duplicate=100)
    assert town.publish(CHANNEL, tmp_path / "refused.csv") == outcomes(accepted=100)
    town.publish("310000/since", registrations(tmp_path / "there.csv", range(1, 11)))
    town.wait_for_agreement(CHANNEL, OTHERS)
    town.wait_for_agreement("310000/since", OTHERS)
    for node in ALL:
        held = town.channel(node, CHANNEL)
        assert held is not None
        assert (held["records"], held["state"]) == (300, "open")
        assert town.alarms(node) == []


def test_g7_a_restored_node_gets_its_own_history_back_before_it_publishes(restored: Town, tmp_path: Path) -> None:
    restored.serve(SHANGHAI.id)
    check_waits(restored, tmp_path)
    assert restored.records(SHANGHAI.id, "--subject", subject(150)) == []
    # One peer that holds everything is enough, where the node knows what it has signed.
    restored.serve(HANGZHOU.id)
    wait_until(lambda: is_recovered(restored), "the history is back")
    assert len(restored.records(SHANGHAI.id, "--subject", subject(150))) == 1
    restored.serve(PUDONG.id, SUZHOU.id)
    check_whole(restored, tmp_path)


def test_g7_without_heads_json_every_member_is_asked(restored: Town, tmp_path: Path) -> None:
    (restored.home(SHANGHAI.id) / "heads.json").unlink()
    restored.serve(SHANGHAI.id)
    check_waits(restored, tmp_path)
    restored.serve(HANGZHOU.id, PUDONG.id)
    wait_until(lambda: restored.records(SHANGHAI.id, "--subject", subject(150)), "the history is back")
    # Suzhou might hold more, as far as anybody can tell.
    check_waits(restored, tmp_path)
    restored.serve(SUZHOU.id)
    wait_until(lambda: is_recovered(restored), "all members have answered")
    check_whole(restored, tmp_path)


def test_g7_a_new_database_with_the_old_keys_gets_everything_back(town: Town, tmp_path: Path) -> None:
    town.serve(*ALL)
    town.create(CHANNEL, "registration.base", "everyone")
    town.publish(CHANNEL, registrations(tmp_path / "since.csv", range(1, 101)))
    town.wait_for_agreement(CHANNEL, OTHERS)
    town.stop(SHANGHAI.id)
    (town.home(SHANGHAI.id) / "xinqiao.db").unlink()
    assert town.refused(SHANGHAI.id, "serve")["code"] == "NOT_A_MEMBER"
    # Its keys are still the listed ones: joining again is all it takes.
    assert town.join(SHANGHAI.id)["member"]
    town.serve(SHANGHAI.id)
    wait_until(lambda: is_recovered(town), "all members have answered")
    assert town.publish(CHANNEL, tmp_path / "since.csv") == outcomes(duplicate=100)
    town.wait_for_agreement(CHANNEL, OTHERS)
    assert town.alarms(SHANGHAI.id) == []


def test_g7_a_node_that_is_alone_goes_on_after_a_clean_end(town: Town, tmp_path: Path) -> None:
    town.serve(SHANGHAI.id)
    town.create(CHANNEL, "registration.base", "everyone")
    for end in (town.stop, town.kill):
        end(SHANGHAI.id)
        town.serve(SHANGHAI.id)
        assert is_recovered(town)
    assert town.publish(CHANNEL, registrations(tmp_path / "rows.csv", range(1, 11))) == outcomes(accepted=10)
