"""Nodes whose database is on a PostgreSQL server, among nodes that keep theirs in a file."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.core.errors import XinqiaoError
from tests.postgres import Cluster
from tests.processes.commands import wait_until
from tests.processes.files import registrations, subject
from tests.processes.network import HANGZHOU, PUDONG, SHANGHAI, Town, outcomes, refusal
from tests.processes.test_crashes import (
    RECORDS_PER_ENTRY,
    Publication,
    publishers_killed,
    readers_killed,
    records_at,
    seed,
)
from tests.processes.test_doctor import examined, found

CHANNEL, BACK = "310000/base", "310115/base"
LOST = ("DATABASE_LOST", "DATABASE_UNSURE", "ADMIN_UNREACHABLE", "DRAINING", "PEER_FAILED")
PASSWORD = "correct-horse-battery-staple"


__all__ = ["seed"]  # a fixture


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    made = Cluster()
    yield made
    made.remove()


@pytest.fixture
def url(cluster: Cluster) -> str:
    """An empty database, on a server that runs."""
    cluster.start()
    return cluster.guarded_database(PASSWORD)


@pytest.fixture
def mixed(town: Town, url: str) -> Town:
    """Shanghai's data are on the server, before it has served for the first time."""
    town.secrets.append(PASSWORD)
    move(town, SHANGHAI.id, url)
    assert town.join(SHANGHAI.id)["member"]
    return town


def move(town: Town, node: str, url: str) -> None:
    """Let the settings of a node that has not served yet name a server."""
    home = town.home(node)
    password = home / "database-password"
    password.write_text(PASSWORD + "\n")
    password.chmod(0o600)
    town.set(node, database=url, database_password_file="database-password")
    for file in home.glob("xinqiao.db*"):
        file.unlink()


def test_a_node_on_a_server_exchanges_with_one_on_a_file(mixed: Town, tmp_path: Path) -> None:
    mixed.serve(SHANGHAI.id, PUDONG.id)
    for channel in (CHANNEL, BACK):
        mixed.create(channel, "registration.base", "everyone")
        counts = mixed.publish(channel, registrations(tmp_path / "rows.csv", range(1, 301)))
        assert counts == outcomes(accepted=300)
        mixed.wait_for_agreement(channel, (SHANGHAI.id, PUDONG.id))
    for node in (SHANGHAI.id, PUDONG.id):
        assert len(mixed.records(node, "--subject", subject(150))) == 2
    assert found(examined(mixed, SHANGHAI.id)) == set()
    assert not (mixed.home(SHANGHAI.id) / "xinqiao.db").exists()
    before = mixed.head(SHANGHAI.id, BACK)
    mixed.stop(SHANGHAI.id)
    document = examined(mixed, SHANGHAI.id)
    fine = {check for check, _, _ in found(document, "ok")}
    assert fine == {"keys", "disk", "database"}
    mixed.serve(SHANGHAI.id)
    assert mixed.head(SHANGHAI.id, BACK) == before
    assert mixed.duty(SHANGHAI.id, "publishing")["state"] == "DUTY_STATE_READY"


def test_a_database_that_is_not_there_or_not_its_own_is_told_and_nothing_changes(
    mixed: Town, cluster: Cluster, url: str
) -> None:
    second = cluster.guarded_database(PASSWORD)
    move(mixed, PUDONG.id, second)
    assert mixed.join(PUDONG.id)["member"]
    mixed.serve(SHANGHAI.id)
    # (1) the database of another home, while that is served and while it is not
    mixed.set(PUDONG.id, database=url)
    assert mixed.refused(PUDONG.id, "serve")["code"] == "DATABASE_IN_USE"
    mixed.stop(SHANGHAI.id)
    other = mixed.refused(PUDONG.id, "serve")
    assert (other["code"], str(mixed.home(PUDONG.id) / "database-id") in other["next"]) == ("DATABASE_OTHER", True)
    assert ("database", "", "DATABASE_OTHER") in found(examined(mixed, PUDONG.id))
    # (2) none: the data are on the server
    mixed.set(PUDONG.id, database="")
    assert mixed.refused(PUDONG.id, "serve")["code"] == "DATABASE_OTHER"
    # (3) a wrong password, and a password where everybody sees it
    mixed.set(PUDONG.id, database=second)
    password = mixed.home(PUDONG.id) / "database-password"
    password.write_text("another\n")
    assert mixed.refused(PUDONG.id, "serve")["code"] == "DATABASE_ACCESS"
    password.write_text(PASSWORD + "\n")
    mixed.set(PUDONG.id, database=second.replace("@", f":{PASSWORD}@"))
    shown = mixed.refused(PUDONG.id, "serve")
    assert (shown["code"], PASSWORD in str(shown)) == ("CONFIG_INVALID", False)
    # (4) a server that is down
    mixed.set(PUDONG.id, database=second)
    cluster.stop()
    down = mixed.refused(PUDONG.id, "serve")
    assert (down["code"], down["who"]) == ("DATABASE_LOST", "the administrator of the database server")
    assert ("database", "", "DATABASE_LOST") in found(examined(mixed, PUDONG.id))
    cluster.start()
    mixed.serve(PUDONG.id, SHANGHAI.id)


def test_a_server_killed_while_busy_stops_no_node(mixed: Town, cluster: Cluster, tmp_path: Path, seed: int) -> None:
    """Entries that a reader on a server is sent while that server dies again and again arrive once, all of them."""
    chance = random.Random(seed)
    mixed.set(PUDONG.id, max_records_per_entry=RECORDS_PER_ENTRY)
    mixed.set(SHANGHAI.id, max_records_per_entry=RECORDS_PER_ENTRY)
    mixed.serve(SHANGHAI.id, PUDONG.id)
    for channel in (CHANNEL, BACK):
        mixed.create(channel, "registration.base", "everyone")
    rows = 0
    for number in range(2):
        file = registrations(tmp_path / f"{number}.csv", range(1 + 1000 * number, 1001 + 1000 * number))
        busy = [Publication(mixed, file, channel) for channel in (CHANNEL, BACK)]
        time.sleep(chance.uniform(0.1, 0.6))  # the random moment, and no wait for a condition
        cluster.kill()
        time.sleep(chance.uniform(0, 1.5))
        cluster.start()
        rows += 1000
        for publication in busy:
            publication.ended()
        # What was refused meanwhile is simply published again; what was kept is known.
        for channel in (CHANNEL, BACK):
            wait_until(lambda: published(mixed, channel, file), f"{channel} goes on", 30)  # noqa: B023
    for channel in (CHANNEL, BACK):
        mixed.wait_for_agreement(channel, (SHANGHAI.id, PUDONG.id), 60)
        assert {records_at(mixed, node, channel) for node in (SHANGHAI.id, PUDONG.id)} == {rows}
    assert mixed.serving[SHANGHAI.id].running
    assert mixed.duty(SHANGHAI.id, "publishing")["state"] == "DUTY_STATE_READY"


def published(town: Town, channel: str, file: Path) -> bool:
    """Whether a publication is taken; what is refused may only be the database that is away."""
    command = town.start(channel.partition("/")[0], "publish", channel, file)
    if command.wait() == 0:
        return True
    assert refusal(command)["code"] in LOST
    return False


@pytest.fixture
def busy(mixed: Town, cluster: Cluster) -> Town:
    """A publisher and a reader on servers, a reader on a file, and a channel of small entries."""
    move(mixed, PUDONG.id, cluster.guarded_database(PASSWORD))
    assert mixed.join(PUDONG.id)["member"]
    mixed.set(SHANGHAI.id, max_records_per_entry=RECORDS_PER_ENTRY)
    mixed.serve(SHANGHAI.id, PUDONG.id, HANGZHOU.id)
    mixed.create(CHANNEL, "registration.base", "everyone")
    return mixed


@pytest.mark.parametrize("moments", [2, pytest.param(50, marks=pytest.mark.long)])
def test_g2_a_publisher_on_a_server_killed_at_random_moments_loses_nothing_acknowledged(
    busy: Town, tmp_path: Path, seed: int, moments: int
) -> None:
    publishers_killed(busy, tmp_path, seed, moments)


@pytest.mark.long
@pytest.mark.parametrize("moments", [5, 50])
def test_g2_a_receiver_on_a_server_killed_at_random_moments_loses_nothing_acknowledged(
    busy: Town, tmp_path: Path, seed: int, moments: int
) -> None:
    readers_killed(busy, tmp_path, seed, moments)


@pytest.mark.parametrize("how", ["promoted", "put back as it was"])
def test_a_server_that_failed_over_makes_the_node_compare_what_it_has_signed(
    how: str, mixed: Town, cluster: Cluster, tmp_path: Path
) -> None:
    """An older copy takes over while the node serves: it gives out no second history, and gets its own back (G7)."""
    mixed.serve(SHANGHAI.id, PUDONG.id)
    mixed.create(CHANNEL, "registration.base", "everyone")
    mixed.publish(CHANNEL, registrations(tmp_path / "before.csv", range(1, 101)))
    mixed.wait_for_agreement(CHANNEL, (PUDONG.id,))
    cluster.stop()
    cluster.keep_copy()
    cluster.start()
    since = registrations(tmp_path / "since.csv", range(101, 201))
    wait_until(lambda: published(mixed, CHANNEL, since), "the node goes on", 60)
    mixed.wait_for_agreement(CHANNEL, (PUDONG.id,))
    mixed.stop(PUDONG.id)
    cluster.stop()
    cluster.put_copy_back()
    if how == "promoted":
        cluster.stop()
        cluster.promote()
    wait_until(lambda: "the node starts over" in mixed.serving[SHANGHAI.id].stderr, "the change is noticed")
    wait_until(lambda: is_blocked(mixed), "the node says that it was restored")
    assert mixed.refused(SHANGHAI.id, "publish", CHANNEL, since)["code"] == "RESTORED"
    mixed.serve(PUDONG.id)
    wait_until(lambda: not is_blocked(mixed), "the history is back")
    assert mixed.publish(CHANNEL, since) == outcomes(duplicate=100)
    mixed.wait_for_agreement(CHANNEL, (SHANGHAI.id, PUDONG.id))
    assert mixed.alarms(PUDONG.id) == []


def is_blocked(town: Town) -> bool:
    try:
        return bool(town.duty(SHANGHAI.id, "publishing")["state"] == "DUTY_STATE_BLOCKED")
    except XinqiaoError:
        return False  # it is starting over
