"""What the planted bugs of joint lists make other."""

from pathlib import Path

from node.core.list_type import SERIOUS
from tests.duties.test_answers import (
    FIRST,
    READER,
    Town,
    another_digest,
    origin_suspended,
    quarantined,
    restored,
    stale,
)
from tests.list_writer import amend, suspend
from tests.simulator.scenes import shows

CLEAR, LISTED, UNCONFIRMED = "clear", "listed", "unconfirmed"


async def opened() -> Town:
    return await Town(SERIOUS).open()


async def verdict_of(town: Town) -> str:
    return str((await town.ask()).verdict)


@shows("resurrect-after-restore", right=UNCONFIRMED, wrong=LISTED)
async def a_check_right_after_a_start(_: Path) -> str:
    town = await opened()
    await restored(town)
    return await verdict_of(town)


@shows("stale-lists-punish", right=UNCONFIRMED, wrong=LISTED)
async def a_check_of_an_old_copy(_: Path) -> str:
    town = await opened()
    await stale(town)
    return await verdict_of(town)


@shows("suspended-lists-punish", right=UNCONFIRMED, wrong=LISTED)
async def a_check_while_the_origin_is_suspended(_: Path) -> str:
    town = await opened()
    await origin_suspended(town)
    return await verdict_of(town)


@shows("two-histories-punish", right=UNCONFIRMED, wrong=LISTED)
async def a_check_with_a_proof_of_two_histories(_: Path) -> str:
    town = await opened()
    await quarantined(town)
    return await verdict_of(town)


@shows("log-after-answering", right=True, wrong=False)
async def whether_a_question_is_kept_when_it_is_answered(_: Path) -> bool:
    town = await opened()
    await town.ask()
    return town.node.world.store.last_query() is not None


@shows("ignore-suspensions", right=CLEAR, wrong=LISTED)
async def a_check_of_somebody_whose_listing_is_suspended(_: Path) -> str:
    town = await opened()
    town.writers[SERIOUS].change(suspend(FIRST))
    await town.bring()
    return await verdict_of(town)


@shows("forget-amendments", right="2028-06-30", wrong="2028-12-31")
async def until_when_an_amended_listing_lasts(_: Path) -> str:
    town = await opened()
    writer = town.writers[SERIOUS]
    writer.change(amend(FIRST, until="2028-06-30"))
    await town.bring()
    held = town.network[READER].world.store.listing(writer.log.channel, FIRST)
    assert held is not None
    return held.listing.until


@shows("wrong-reducer", right="match", wrong="mismatch")
async def how_a_reader_of_an_amendment_compares(_: Path) -> str:
    town = await opened()
    writer = town.writers[SERIOUS]
    writer.change(amend(FIRST, until="2028-06-30"))
    await town.bring()
    state = town.network[READER].world.store.list_state(writer.log.channel)
    assert state is not None
    return str(state.status)


@shows("digest-unchecked", right=UNCONFIRMED, wrong=LISTED)
async def a_check_where_the_origin_has_signed_other_members(_: Path) -> str:
    town = await opened()
    await another_digest(town)
    return await verdict_of(town)


LIST_SCENES = (
    *("resurrect-after-restore", "stale-lists-punish", "suspended-lists-punish", "two-histories-punish"),
    *("log-after-answering", "ignore-suspensions", "forget-amendments", "wrong-reducer", "digest-unchecked"),
)
