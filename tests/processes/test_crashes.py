"""kill -9 at random moments: nothing acknowledged is lost, nothing is applied twice, no history forks."""

import random
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from node.core.errors import XinqiaoError
from node.pb.admin_service_pb2 import PublishRequest
from node.rpc.admin_client import AdminClient
from tests.processes.commands import wait_until
from tests.processes.files import registrations
from tests.processes.network import HANGZHOU, PUDONG, SHANGHAI, Town, outcomes

CHANNEL = "310000/base"
ROWS_A_ROUND = 1_000
RECORDS_PER_ENTRY = 20
READERS = (PUDONG.id, HANGZHOU.id)


@pytest.fixture
def seed() -> int:
    """Chosen anew each time, and shown where a test fails."""
    chosen = random.SystemRandom().randrange(2**32)
    print(f"seed {chosen}")
    return chosen


@pytest.fixture
def busy(town: Town) -> Town:
    """Three nodes and a channel whose entries are small, so that a file takes many of them."""
    town.set(SHANGHAI.id, max_records_per_entry=RECORDS_PER_ENTRY)
    town.serve(SHANGHAI.id, *READERS)
    town.create(CHANNEL, "registration.base", "everyone")
    return town


class Publication:
    """One run of a publication, watched answer by answer: what was acknowledged before it broke off."""

    def __init__(self, town: Town, file: Path, channel: str = CHANNEL) -> None:
        self.acknowledged = 0
        self._channel = channel
        self.completed = False
        self.refusal: XinqiaoError | None = None
        self._thread = threading.Thread(target=self._run, args=(town.admin(channel.partition("/")[0]), file))
        self._thread.start()

    def _run(self, client: AdminClient, file: Path) -> None:
        try:
            with client as node:
                for answer in node.publish(PublishRequest(channel=self._channel), file):
                    self.acknowledged = answer.counts.accepted
                self.completed = True
        except XinqiaoError as error:
            self.refusal = error

    def ended(self) -> None:
        """Wait for its end, however it came."""
        self._thread.join(60)
        assert not self._thread.is_alive()

    def wait(self) -> None:
        """Wait for its end, which only that of its node may have brought about."""
        self.ended()
        assert self.completed or (self.refusal is not None and self.refusal.code == "ADMIN_UNREACHABLE"), self.refusal


def rounds(tmp_path: Path, count: int) -> Iterator[Path]:
    for number in range(count):
        first = 1 + number * ROWS_A_ROUND
        yield registrations(tmp_path / f"round-{number}.csv", range(first, first + ROWS_A_ROUND))


def duration_of_a_publication(town: Town, tmp_path: Path) -> float:
    file = registrations(tmp_path / "measured.csv", range(900_001, 900_001 + ROWS_A_ROUND))
    began = time.monotonic()
    publication = Publication(town, file)
    publication.wait()
    assert publication.completed
    return time.monotonic() - began


def publishers_killed(town: Town, tmp_path: Path, seed: int, moments: int) -> None:
    chance = random.Random(seed)
    took_s = duration_of_a_publication(town, tmp_path)
    interrupted = 0
    for file in rounds(tmp_path, moments):
        before = records_at(town, SHANGHAI.id)
        publication = Publication(town, file)
        time.sleep(chance.uniform(0, took_s))  # the random moment, and no wait for a condition
        town.kill(SHANGHAI.id)
        publication.wait()
        interrupted += not publication.completed
        town.serve(SHANGHAI.id)
        kept = records_at(town, SHANGHAI.id) - before
        assert kept >= publication.acknowledged
        counts = town.publish(CHANNEL, file)
        assert counts == outcomes(accepted=ROWS_A_ROUND - kept, duplicate=kept)
    assert interrupted, "no kill met a publication"
    check_whole(town, (moments + 1) * ROWS_A_ROUND)
    print(f"{interrupted} of {moments} publications were interrupted")


def readers_killed(town: Town, tmp_path: Path, seed: int, moments: int) -> None:
    chance = random.Random(seed)
    took_s = duration_of_a_publication(town, tmp_path)
    for file in rounds(tmp_path, moments):
        publication = Publication(town, file)
        time.sleep(chance.uniform(0, took_s))  # the random moment, and no wait for a condition
        town.kill(PUDONG.id)
        publication.wait()
        assert publication.completed
        # What it acknowledged is there before anybody could give it back.
        acknowledged = acknowledged_by(town, PUDONG.id)
        town.kill(SHANGHAI.id, HANGZHOU.id)
        town.serve(PUDONG.id)
        held = town.head(PUDONG.id, CHANNEL) or (0, 0, "", 0)
        assert (held[1], held[3]) >= acknowledged
        town.serve(SHANGHAI.id, HANGZHOU.id)
    check_whole(town, (moments + 1) * ROWS_A_ROUND)


def records_at(town: Town, node: str, channel: str = CHANNEL) -> int:
    held = town.channel(node, channel)
    return int(held["records"]) if held is not None else 0


def acknowledged_by(town: Town, node: str) -> tuple[int, int]:
    """(size, applied size) of the newest receipt that the origin holds of a reader."""
    line = town.deliveries(SHANGHAI.id, CHANNEL)[node]
    return line["size"], line["applied_size"]


def check_whole(town: Town, rows: int) -> None:
    """Everybody holds the same history, each record once, and nobody saw two."""
    town.wait_for_agreement(CHANNEL, READERS, 60)
    for node in (SHANGHAI.id, *READERS):
        assert records_at(town, node) == rows
        found = town.run(node, "channel", "show", CHANNEL)["channel"]["outcomes"]
        assert [(each["outcome"], each["count"]) for each in found] == [("RECORD_OUTCOME_APPLIED", rows)]
        assert "EQUIVOCATION" not in town.alarms(node)
        assert town.alarms(node) == [], town.status(node)["alarms"]
    wait_until(lambda: all(acknowledged_by(town, node)[1] for node in READERS), "receipts have come back")
    for node in READERS:
        size = town.head(SHANGHAI.id, CHANNEL)[1]  # type: ignore[index]
        wait_until(lambda: acknowledged_by(town, node) == (size, size), f"{node} has acknowledged everything")  # noqa: B023


def test_g2_a_publisher_killed_at_random_moments_loses_nothing_acknowledged(
    busy: Town, tmp_path: Path, seed: int
) -> None:
    publishers_killed(busy, tmp_path, seed, moments=5)


@pytest.mark.long
def test_g2_a_publisher_killed_at_50_random_moments_loses_nothing_acknowledged(
    busy: Town, tmp_path: Path, seed: int
) -> None:
    publishers_killed(busy, tmp_path, seed, moments=50)


def test_g2_a_receiver_killed_at_random_moments_loses_nothing_acknowledged(
    busy: Town, tmp_path: Path, seed: int
) -> None:
    readers_killed(busy, tmp_path, seed, moments=5)


@pytest.mark.long
def test_g2_a_receiver_killed_at_50_random_moments_loses_nothing_acknowledged(
    busy: Town, tmp_path: Path, seed: int
) -> None:
    readers_killed(busy, tmp_path, seed, moments=50)
