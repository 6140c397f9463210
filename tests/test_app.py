"""The app, in what can be seen without a network: what its ticks tell the log."""

import asyncio
from collections.abc import Iterator

from structlog.testing import capture_logs

from node.app import STARTS_OVER, _logged
from node.core.errors import XinqiaoError, only_of


def test_a_tick_that_goes_on_failing_says_so_once_and_says_when_it_works_again() -> None:
    suspended = XinqiaoError("MEMBER_SUSPENDED", node="320500", reason="example")
    removed = XinqiaoError("MEMBER_REMOVED", node="320500", reason="example")
    outcomes: Iterator[XinqiaoError | None] = iter([suspended, suspended, removed, None, None, suspended])

    async def tick() -> None:
        if (outcome := next(outcomes)) is not None:
            raise outcome

    async def run() -> None:
        for _ in range(6):
            await logged()

    logged = _logged("addresses", tick)
    with capture_logs() as lines:
        asyncio.run(run())
    assert [(line["event"], line.get("code")) for line in lines] == [
        ("a tick failed", "MEMBER_SUSPENDED"),
        ("a tick failed", "MEMBER_REMOVED"),
        ("a tick works again", None),
        ("a tick failed", "MEMBER_SUSPENDED"),
    ]


def test_a_node_starts_over_for_a_lost_database_whichever_of_its_tasks_met_it() -> None:
    lost = XinqiaoError("DATABASE_LOST", database="guarded", detail="it is shutting down")
    other = XinqiaoError("DATABASE", detail="it is not what it was")
    assert only_of(lost, STARTS_OVER) is lost
    assert only_of(ExceptionGroup("links", [lost]), STARTS_OVER) is lost
    assert only_of(ExceptionGroup("links", [ExceptionGroup("one", [lost]), lost]), STARTS_OVER) is lost
    assert only_of(ExceptionGroup("links", [lost, other]), STARTS_OVER) is None
    assert only_of(ExceptionGroup("links", [lost, ValueError()]), STARTS_OVER) is None
    assert only_of(other, STARTS_OVER) is None
    assert only_of(KeyError("x"), STARTS_OVER) is None
