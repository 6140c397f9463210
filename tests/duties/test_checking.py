"""A dry run says what publishing would do, and writes nothing."""

import asyncio
import random
import sqlite3
from collections.abc import Coroutine, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from node.core.record import Candidate, Outcome
from node.node import Node
from node.novelty import Revision
from node.storage.passed_rows import TemporaryPassedRows
from node.storage.sqlite import SqliteStore
from tests.duties.hostile import BASE, authority_of_example, refused
from tests.duties.rows import manifest, row
from tests.wire import Network

Found = list[tuple[int, str, str]]


def run(scenario: Coroutine[Any, Any, None]) -> None:
    asyncio.run(scenario)


async def publisher(rows: int = 0, file: Path | None = None) -> Node:
    network = Network("310000", "310115")
    node = network.start("310000", SqliteStore.open(file, create=True)) if file else network["310000"]
    await network.publish_registry()
    await node.publishing.create_channel("base", manifest())
    if rows:
        await node.publishing.publish(BASE, [row(serial) for serial in range(1, rows + 1)])
    return node


def told(outcomes: Sequence[Outcome]) -> Found:
    return [(one.row, one.kind.value, one.rejection.code if one.rejection is not None else "") for one in outcomes]


def checked(node: Node, batches: Sequence[Sequence[Candidate]]) -> tuple[Found, list[Revision]]:
    passed = TemporaryPassedRows()
    found: Found = []
    revisions: list[Revision] = []
    for batch in batches:
        outcomes, revising = node.publishing.check(BASE, batch, passed)
        found += told(outcomes)
        revisions += revising
    passed.close()
    return found, revisions


def contents(file: Path) -> list[str]:
    """Every row of every table, and the schema."""
    with closing(sqlite3.connect(file)) as database:
        return list(database.iterdump())


def test_a_dry_run_tells_the_outcome_that_publishing_then_has_row_by_row(tmp_path: Path) -> None:
    async def scenario() -> None:
        for seed in range(12):
            draw = random.Random(seed)
            file = tmp_path / f"{seed}.db"
            node = await publisher(20, file)
            serials = [draw.randrange(1, 40) for _ in range(60)]
            names = ("示例有限公司", "示例股份有限公司", "示例集团")
            rows = [row(serial, draw.choice(names), number) for number, serial in enumerate(serials, start=2)]
            if seed % 2:
                rows.append(row(50, number=90)._replace(authority=authority_of_example(7)))
            batches = [rows[start : start + 7] for start in range(0, len(rows), 7)]
            before = contents(file)
            expected, _ = checked(node, batches)
            assert contents(file) == before
            assert checked(node, batches)[0] == expected, "the first dry run left something behind"
            done: Found = []
            for batch in batches:
                done += told(await node.publishing.publish(BASE, batch))
            assert done == expected
            assert {kind for _, kind, _ in done} >= {"accepted", "revised", "duplicate"}
            assert contents(file) != before
            node.world.store.close()

    run(scenario())


def test_a_dry_run_names_the_columns_that_would_change() -> None:
    async def scenario() -> None:
        node = await publisher(rows=3)
        rows = [row(1), row(2, "示例股份有限公司", 7), row(9, number=8), row(9, "示例集团", 9)]
        _, revisions = checked(node, [rows])
        assert revisions == [Revision(7, ("comp_nm",)), Revision(9, ())]

    run(scenario())


def test_a_dry_run_is_refused_where_publishing_would_be() -> None:
    async def scenario() -> None:
        node = await publisher()
        passed = TemporaryPassedRows()

        async def check(channel: str) -> None:
            node.publishing.check(channel, [row(1)], passed)

        assert await refused(check("310000/none")) == "CHANNEL_UNKNOWN"
        assert await refused(check("310115/base")) == "CHANNEL_UNKNOWN"
        assert passed.find([row(1).key]) == {}

    run(scenario())


def test_what_a_dry_run_has_passed_is_found_again_and_the_last_counts() -> None:
    passed = TemporaryPassedRows()
    rows = [row(serial) for serial in range(1, 1300)]
    passed.add(rows)
    passed.add([row(5, "示例集团")])
    found = passed.find([each.key for each in rows] + [row(2000).key])
    assert found == {each.key: each.content_hash for each in rows} | {row(5).key: row(5, "示例集团").content_hash}
    passed.close()
