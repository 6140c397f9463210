"""Databases of earlier versions: what their migration carries forward, and that a node on them answers all of it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from node import admission
from node.admission import header_of
from node.core.audience import parse_audience
from node.core.channel import HeadAt
from node.core.packing import PackedBytes, unpack
from node.core.state import APPLIED, REJECTED, REPAIR, Place
from node.held_lists import DigestStatus
from node.node import Node
from node.orders import erase_op
from node.pb import record_pb2
from node.ports import Store
from node.storage import migrations
from tests.builders import ChannelWriter
from tests.duties.list_reader import Reader
from tests.duties.rows import manifest, row
from tests.list_writer import LIST, ListWriter, enter, leave, listing_node, subject_of
from tests.storage.dying import SqlStore
from tests.storage.old_databases import InFile, Kept, OnServer
from tests.wire import Network

ORIGIN, READER, LATE = "310000", "330100", "320500"
BASE, CUT, LEFT = (f"{ORIGIN}/{name}" for name in ("base", "cut", "left"))

# What revision 0001 kept of the same entries: no row for a record that another one of its entry replaced, and of an
# erased one over an older one a row without its content.
AS_IT_WAS = """
DELETE FROM records WHERE channel_id = {ids[310000/base]} AND entry_index = 2 AND position = 1;
UPDATE records SET in_force = NULL WHERE channel_id = {ids[310000/base]} AND entry_index = 1 AND position = 0;
INSERT INTO records SELECT channel_id, epoch, 2, 0, NULL, natural_key, NULL, '' FROM records
    WHERE channel_id = {ids[310000/base]} AND entry_index = 1 AND position = 0;
UPDATE logs SET records = records - 1 WHERE channel_id = {ids[310000/base]};
"""


async def exchanged(upgraded: str, store: SqlStore) -> Network:
    """An origin and a reader, one of them on this store, and a newcomer.

    There are revisions, records erased one by one, a cut, a quarantine and a log that the reader had to leave.
    """
    network = Network(ORIGIN, READER, LATE)
    network.start(upgraded, store)
    network.down.add(LATE)
    publishing = network[ORIGIN].publishing
    for name in ("base", "cut", "left"):
        await publishing.create_channel(name, manifest())
    await publishing.publish(BASE, [row(1), row(2), row(3)])
    await publishing.publish(BASE, [row(1, "二"), row(2, "二"), row(2, "三", 4)])
    for channel in (CUT, LEFT):
        await publishing.publish(channel, [row(1)])
        await publishing.publish(channel, [row(1, "二")])
    await network.settle()
    for place in (Place(0, 1, 2), Place(0, 2, 0)):
        await erase_one(network[ORIGIN], place)
    await publishing.set_audience(LEFT, parse_audience("310115"))
    network.down.clear()
    await network.settle()
    cut = store.entry(CUT, 0, 2)
    assert cut is not None
    with store.transaction() as tx:
        tx.set_cut(CUT, 0, HeadAt(2, header_of(cut).prev_root))
        tx.set_quarantined(ORIGIN, True)
    return network


async def erase_one(node: Node, place: Place) -> None:
    """Erase one record without its revisions, as publishers did."""
    publishing = node.publishing
    commitment = publishing._orders.commitments_of(BASE, place.epoch, place.index)[place]
    particulars = record_pb2.StatusParticulars(decision="沪更〔2026〕1号", reason="数据有误")
    op = erase_op(BASE, place, commitment)
    await publishing._append_status(node.answering.channel(BASE).log, [op], particulars)


@pytest.fixture(params=[InFile, OnServer])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """A database of either kind."""
    made: Kept = request.param(tmp_path)
    return made


def kept_of(store: Store) -> list[object]:
    """What a new fold must not touch."""
    channels = (BASE, CUT, LEFT)
    places = [(held.key, index) for held in store.channels() for index in range(held.log.size)]
    return [
        [store.receipts(channel) for channel in channels],
        [store.entry(*key, index) for key, index in places],
        [store.erasures(*key, index) for key, index in places],
        [replace(held, applied_size=0, records=0, fresh_at_ms=0) for held in store.channels()],
    ]


def told(store: Store, channel: str) -> tuple[object, ...]:
    """What a node answers of a channel, and what it may erase together."""
    answers = [(held.place, held.record) for held in store.records(channel=channel)]
    revisions = [store.revisions(channel, place) for place, _ in answers]
    return answers, revisions, store.outcomes(channel, 0), store.record_count(channel)


@pytest.mark.parametrize("upgraded", [ORIGIN, READER])
def test_a_database_of_revision_0001_is_folded_anew_and_answers_what_a_newcomer_answers(
    database: Kept, monkeypatch: pytest.MonkeyPatch, upgraded: str
) -> None:
    monkeypatch.setattr(admission, "FOLD_STEP_RECORDS", 1)

    async def scenario() -> None:
        with database.open(create=True) as store:
            network = await exchanged(upgraded, store)
            kept, before, cut = kept_of(store), store.channels(), told(store, CUT)
        database.make_old("0001", AS_IT_WAS)
        assert database.value("SELECT COUNT(*) FROM records WHERE content_hash IS NULL") == 1
        with database.open() as store:
            started = network.start(upgraded, store)
            await started.publishing.beat()
            for held in store.channels() if upgraded == READER else ():
                await started.receiving._receipt(held.key)
            assert kept_of(store) == kept
            for held in store.channels():
                is_left = held.left_at is not None
                assert is_left == (upgraded == READER and held.log.channel == LEFT)
                assert (held in before) if is_left else (held.applied_size, held.records, held.fresh_at_ms) == (0, 0, 0)
                assert told(store, held.log.channel)[0] == []
            await started.catch_up()
            await started.receiving.fold_waiting()
            assert kept_of(store) == kept
            for held, earlier in zip(store.channels(), before, strict=True):
                assert (held.applied_size, held.records) == (earlier.applied_size, earlier.records)
                assert held.fresh_at_ms >= earlier.fresh_at_ms > 0
            newcomer = network[LATE].world.store
            assert told(store, BASE) == told(newcomer, BASE)
            assert told(store, BASE)[1] == [[Place(0, 1, 0)], [Place(0, 1, 1), Place(0, 2, 1), Place(0, 2, 2)]]
            assert told(store, CUT) == cut
            assert [held.place for held in store.records(channel=CUT)] == [Place(0, 1, 0)]

    asyncio.run(scenario())


# What revision 0002 kept of an entry with an act on a record: nothing but that it was of no kind it knew.
BEFORE_ACTS = """
UPDATE outcomes SET count = count - 1 WHERE outcome = {applied} AND channel_id = {ids[310000/base]};
INSERT INTO outcomes SELECT id, 0, {rejected}, 'VERDICT_STATUS', 1 FROM channels WHERE id = {ids[310000/base]};
"""


def test_a_database_of_revision_0002_finds_the_acts_in_the_entries_that_it_holds(database: Kept) -> None:
    async def scenario() -> None:
        with database.open(create=True) as store:
            network = Network(ORIGIN, READER)
            network.start(READER, store)
            for channel in (BASE, CUT):
                await network[ORIGIN].publishing.create_channel(channel.partition("/")[2], manifest())
                await network[ORIGIN].publishing.publish(channel, [row(1), row(2)])
            await network[ORIGIN].publishing.act(BASE, Place(0, 1, 0), REPAIR, "沪修〔2026〕1号", "准予信用修复")
            await network.settle()
            before, acts = told(store, BASE), list(store.acts(BASE, Place(0, 1, 0)))
            assert len(acts) == 1
        database.make_old("0002", BEFORE_ACTS, applied=APPLIED, rejected=REJECTED)
        with database.open() as store:
            assert [held.applied_size for held in store.channels()] == [0, 2]
            started = network.start(READER, store)
            await started.catch_up()
            await started.receiving.fold_waiting()
            assert (told(store, BASE), list(store.acts(BASE, Place(0, 1, 0)))) == (before, acts)
            assert [answer.held.place for answer in started.answering.records("", BASE, 0)] == [Place(0, 1, 1)]

    asyncio.run(scenario())


async def before_anybody_came(store: SqlStore) -> Network:
    """An origin on this store with an empty channel, and a newcomer that is not there yet."""
    network = Network(ORIGIN, LATE)
    network.start(ORIGIN, store)
    network.down.add(LATE)
    await network[ORIGIN].publishing.create_channel("base", manifest())
    return network


def test_a_database_of_revision_0010_keeps_its_rows_and_gets_blocks_beside_them(database: Kept) -> None:
    async def scenario() -> None:
        with database.open(create=True) as store:
            network = await before_anybody_came(store)
            publishing = network[ORIGIN].publishing
            await publishing.publish(BASE, [row(number) for number in range(1, 6)])
            await publishing.act(BASE, Place(0, 1, 0), REPAIR, "沪修〔2026〕1号", "准予信用修复")
            before, acts = told(store, BASE), store.acts_in_force(BASE)
            assert len(before[0]) == 5  # type: ignore[arg-type]
        database.make_old("0010")
        assert database.value("SELECT COUNT(*) FROM records") == 5
        with database.open() as store:
            network.start(ORIGIN, store)
            assert (told(store, BASE), store.acts_in_force(BASE)) == (before, acts)
            await network[ORIGIN].publishing.publish(BASE, [row(2, "二"), row(6), row(7)])
            network.down.clear()
            await network.settle()
            newcomer = network[LATE].world.store
            assert (told(store, BASE), store.acts_in_force(BASE)) == (
                told(newcomer, BASE),
                newcomer.acts_in_force(BASE),
            )
            assert len(told(store, BASE)[0]) == 7  # type: ignore[arg-type]

    asyncio.run(scenario())


def test_a_database_of_revision_0011_keeps_its_bodies_as_they_are_and_packs_those_that_come(database: Kept) -> None:
    def packed() -> list[bool]:
        kept = [bytes(database.value(f"SELECT body FROM bodies WHERE entry_index = {index}")) for index in (1, 2)]
        return [isinstance(unpack(each), PackedBytes) for each in kept]

    async def scenario() -> None:
        with database.open(create=True) as store:
            network = await before_anybody_came(store)
            publishing = network[ORIGIN].publishing
            await publishing.publish(BASE, [row(number) for number in range(1, 20)])
            await publishing.publish(BASE, [row(number) for number in range(30, 50)])
            before = told(store, BASE)
        assert packed() == [True, True]
        database.make_old("0011")
        assert packed() == [False, False]
        with database.open() as store:
            network.start(ORIGIN, store)
            assert told(store, BASE) == before
            await erase_one(network[ORIGIN], Place(0, 1, 3))
            network.down.clear()
            await network.settle()
            assert told(store, BASE)[0] == told(network[LATE].world.store, BASE)[0] != before[0]
        assert packed() == [True, False]  # the one that was written again

    asyncio.run(scenario())


# What revision 0005 kept of the entries of a list: that they were of no kind it knew.
BEFORE_LISTS = """
DELETE FROM outcomes WHERE channel_id <> {ids[310000/base]};
INSERT INTO outcomes SELECT id, 0, {rejected}, 'VERDICT_KIND', 9 FROM channels WHERE id <> {ids[310000/base]};
"""


def test_a_database_of_revision_0005_finds_the_lists_in_the_entries_that_it_holds(database: Kept) -> None:
    serious, base = ListWriter(), ChannelWriter(listing_node(), BASE)
    base.manifest()
    serious.manifest()
    _, (place, other) = serious.change(enter(1), enter(2))
    serious.change(leave(place))
    with database.open(create=True) as store:
        reader = Reader(store)
        for entry in (*base.entries, *serious.entries):
            reader.take(entry)
        held, state = list(store.listings(LIST, None, 9)), reader.state
        assert (len(held), reader.status) == (2, DigestStatus.MATCH)
    database.make_old("0005", BEFORE_LISTS, rejected=REJECTED)
    with database.open() as store:
        assert [(each.log.channel, each.applied_size) for each in store.channels()] == [(BASE, 1), (LIST, 0)]
        assert list(store.listings(LIST, None, 9)) == []
        reader = Reader(store)
        reader.fold_rest()
        assert (list(store.listings(LIST, None, 9)), reader.state) == (held, state)
        assert [each.listing.place for each in store.listings_of(subject_of(2))] == [other]


@pytest.mark.parametrize("revision", migrations.REVISIONS[:-1])
def test_a_database_of_any_revision_keeps_its_entries_and_answers_as_before(database: Kept, revision: str) -> None:
    base, serious = ChannelWriter(listing_node(), BASE), ListWriter()
    for writer in (base, serious):
        writer.manifest()
    base.records([b"one", b"two"])
    _, (place, _) = serious.change(enter(1), enter(2))
    serious.change(leave(place))
    with database.open(create=True) as store:
        reader = Reader(store)
        for entry in (*base.entries, *serious.entries):
            reader.take(entry)
        incarnation, listings = store.incarnation(), list(store.listings(LIST, None, 9))
        entries = [list(store.entries(channel, 0, 0)) for channel in (BASE, LIST)]
        with store.transaction() as tx:
            tx.set_setting("name", "value")
    database.make_old(revision, BEFORE_LISTS if revision < "0006" else "", rejected=REJECTED)
    assert database.value("SELECT version_num FROM alembic_version") == revision
    with database.open() as store:
        assert database.value("SELECT version_num FROM alembic_version") == migrations.REVISIONS[-1]
        assert [list(store.entries(channel, 0, 0)) for channel in (BASE, LIST)] == entries
        assert (store.incarnation(), store.setting("name")) == (incarnation, "value")
        Reader(store).fold_rest()
        assert list(store.listings(LIST, None, 9)) == listings
        assert all(held.applied_size == held.log.size for held in store.channels())
        base_more = base.records([b"three"])
        Reader(store).take(base_more)
        assert store.log(BASE, 0).size == len(base.entries)


def test_an_upgrade_that_is_interrupted_leaves_the_revision_it_began_with(
    database: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    serious, upgrade = ListWriter(), migrations.upgrade
    serious.manifest()
    with database.open(create=True) as store:
        Reader(store).take(serious.entries[0])
    database.make_old("0005", BEFORE_LISTS.replace("{ids[310000/base]}", "0"), rejected=REJECTED)

    def interrupted(connection: Connection) -> None:
        upgrade(connection)
        raise KeyboardInterrupt

    with monkeypatch.context() as context:
        context.setattr(migrations, "upgrade", interrupted)
        with pytest.raises(KeyboardInterrupt):
            database.open()
    assert database.value("SELECT version_num FROM alembic_version") == "0005"
    assert database.value("SELECT code FROM outcomes") == "VERDICT_KIND"
    with database.open() as store:
        Reader(store).fold_rest()
        assert [held.applied_size for held in store.channels()] == [1]
