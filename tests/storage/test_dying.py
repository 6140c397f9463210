"""A process is killed while it writes, on either database: what was committed is there, and nothing else."""

import random
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from node.core.entry import VerifiedEntry
from node.storage.sqlite import SqliteStore
from tests import postgres
from tests.builders import ChannelWriter, SigningNode
from tests.storage.dying import CHANNEL, Opened, check_prefix, write_until_killed


def in_file(folder: Path) -> Opened:
    SqliteStore.open(folder / "node.db", create=True).close()
    return partial(SqliteStore.open, folder / "node.db", create=False)


def on_server(_folder: Path) -> Opened:
    with postgres.new_store() as store:
        return partial(postgres.opened, store.server.address)


@pytest.fixture(scope="module")
def entries(shanghai: SigningNode) -> list[VerifiedEntry]:
    writer = ChannelWriter(shanghai, CHANNEL)
    return [writer.records([b"%d/%d" % (at, position) for position in range(3)]) for at in range(400)]


@pytest.mark.parametrize("made", [in_file, on_server])
def test_killed_at_any_moment_what_was_committed_is_there_and_nothing_else(
    tmp_path: Path, entries: list[VerifiedEntry], made: Callable[[Path], Opened]
) -> None:
    opened, chance, held = made(tmp_path), random.Random(20260101), 0
    for _ in range(25):
        acknowledged = write_until_killed(opened, entries, commits=chance.randrange(12), then_s=chance.uniform(0, 0.01))
        held = check_prefix(opened, entries, at_least=held + acknowledged)
    assert held > 25
