"""What a node takes of its officers: signed statements, once each, durable, and nothing without them."""

import asyncio
from collections.abc import Coroutine
from pathlib import Path

import pytest

from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.deciding import Deciding
from node.storage.sqlite import SqliteStore
from tests.builders import NOW_MS
from tests.officers import Signed, adding, disabling, make_keys, statement
from tests.wire import Network

LI, WANG, ZHAO = make_keys(3)
DAY_MS = 24 * 3600 * 1000


def run(scenario: Coroutine[object, object, None]) -> None:
    asyncio.run(scenario)


async def founded(network: Network) -> Deciding:
    """Two officers, added with the node's own key."""
    deciding = network["310000"].deciding
    for name, key in (("李明", LI), ("王芳", WANG)):
        taken = await deciding.submit(*adding(name, key, network.signing["310000"].signer))
        assert taken.state == "active"
    return deciding


async def refused(deciding: Deciding, signed: Signed) -> str:
    with pytest.raises(XinqiaoError) as caught:
        await deciding.submit(*signed)
    return caught.value.code


def test_statements_are_kept_in_order_and_each_is_taken_once() -> None:
    async def scenario() -> None:
        network = Network("310000")
        deciding = await founded(network)
        signed = adding("zhao", ZHAO, LI, WANG)
        assert (await deciding.submit(*signed)).sequence == 3
        # The name is taken by now, which the book says before the store does.
        assert await refused(deciding, signed) == "OFFICER_EXISTS"
        assert (await deciding.submit(*disabling("zhao", ZHAO, ZHAO))).state == "disabled"
        assert [each.act for each in network["310000"].world.store.statements("officer")] == ["officer.add"] * 3 + [
            "officer.disable"
        ]
        assert [each.name for each in deciding.book().active] == ["李明", "王芳"]

    run(scenario())


def test_what_is_refused_leaves_nothing() -> None:
    async def scenario() -> None:
        network = Network("310000")
        deciding = await founded(network)
        assert await refused(deciding, adding("zhao", ZHAO, LI)) == "OFFICER_SIGNATURE"
        assert await refused(deciding, (statement("list.add", "x", bytes(32), LI), b"")) == "OFFICER_STATEMENT"
        old = adding("zhao", ZHAO, LI, WANG, at_ms=NOW_MS - 8 * DAY_MS)
        assert await refused(deciding, old) == "OFFICER_STATEMENT"
        assert len(network["310000"].world.store.statements("officer")) == 2

    run(scenario())


def test_officers_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        monkeypatch.setattr(Network, "limits", Limits(max_officers=2))
        network = Network("310000")
        deciding = await founded(network)
        assert await refused(deciding, adding("zhao", ZHAO, LI, WANG)) == "OFFICER_STATEMENT"
        assert len(deciding.book().officers) == 2

    run(scenario())


def test_officers_are_there_after_a_restart_and_a_statement_changed_on_the_disk_is_found(tmp_path: Path) -> None:
    async def scenario() -> None:
        network = Network("310000")
        with SqliteStore.open(tmp_path / "node.db", create=True) as store:
            network.start("310000", store)
            await founded(network)
        with SqliteStore.open(tmp_path / "node.db", create=False) as store:
            deciding = network.start("310000", store).deciding
            assert [each.name for each in deciding.book().active] == ["李明", "王芳"]
            envelope, content = adding("zhao", ZHAO)
            with store._writing.begin() as connection:
                connection.exec_driver_sql(
                    "INSERT INTO officer_statements VALUES (9, ?, 'officer.add', 'zhao', ?, ?)",
                    (b"9", envelope.SerializeToString(), content),
                )
            with pytest.raises(XinqiaoError, match="OFFICER_SIGNATURE"):
                deciding.book()

    run(scenario())
