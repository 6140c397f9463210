"""Planted bugs: each one is a mistake that right code does not make, and leaves no trace when it is taken out."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from types import FunctionType
from typing import TypeVar

import pytest

from node.admission import lane_of
from node.core import envelope as envelopes
from node.core.audience import parse_audience
from node.core.channel import HeadAt, Log, advance, head_leaf
from node.core.entry import SignedEntry
from node.core.errors import XinqiaoError
from node.core.membership import Cut, Standing
from node.core.state import APPLIED, DUPLICATE
from node.links import Link
from node.pb import channel_pb2, envelope_pb2
from node.ports import HeldChannel, Lane, RegistryNews, RegistryState, Store, StoreTransaction
from node.rpc.registry_fetch import HeldFiles
from node.rpc.registry_reading import FIRST_ROOT, Reading
from node.simulator.observing import Violation
from node.storage.memory import MemoryStore
from node.storage.sqlite import SqliteStore
from node.storage.writer import InlineWriter
from tests.builders import NETWORK, ChannelWriter, as_signed, erasure_of, make_heartbeat
from tests.duties.hostile import BASE, base_of, refused, run_of, signed_of, without_body, write_row
from tests.duties.rows import manifest, row
from tests.rpc.registry_authority import Authority
from tests.simulator.bugs import BUGS, Change, PlantedBug, Rewording
from tests.simulator.list_scenes import LIST_SCENES
from tests.simulator.planted import caught, planted
from tests.simulator.scenes import SCENES, shows
from tests.wire import Network

T = TypeVar("T")
HERE, THERE, FAR = "310115", "330100", "320500"


def test_every_planted_bug_has_a_scene() -> None:
    assert set(BUGS) == set(SCENES)
    assert set(LIST_SCENES) <= set(SCENES)


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_one(bug: str, tmp_path: Path) -> None:
    scene, right, wrong = SCENES[bug]
    homes = [tmp_path / name for name in ("before", "planted", "after")]
    for home in homes:
        home.mkdir()
    assert asyncio.run(scene(homes[0])) == right
    with planted(bug):
        assert asyncio.run(scene(homes[1])) == wrong
    assert asyncio.run(scene(homes[2])) == right


# --- Worlds -------------------------------------------------------------------------------------------------------


def two(home: Path) -> Network:
    """The origin, and a reader on the production store."""
    network = Network("310000", HERE)
    network.start(HERE, SqliteStore.open(home / "node.db", create=True))
    return network


def held_at(network: Network, node: str = HERE, channel: str = BASE) -> HeldChannel:
    held = network[node].world.store.channel(channel)
    assert held is not None
    return held


def outcomes_at(network: Network, node: str = HERE) -> Mapping[tuple[int, str], int]:
    return network[node].world.store.outcomes(BASE, 0)


async def written(network: Network, *batches: int) -> None:
    """A channel of the origin, with one entry for each batch."""
    publishing = network["310000"].publishing
    if network["310000"].world.store.channel(BASE) is None:
        await publishing.create_channel("base", manifest())
    for serial in batches:
        await publishing.publish(BASE, [row(serial)])


def forked(network: Network, rows: int, held: str = "示例有限公司", other: str = "另一家") -> list[ChannelWriter]:
    """Two histories of one origin that part after the manifest."""
    writers = [base_of(network, rows=0) for _ in range(2)]
    for writer, name in zip(writers, (held, other), strict=True):
        for serial in range(1, rows + 1):
            write_row(writer, serial, name)
    return writers


# --- What advance looks at ----------------------------------------------------------------------------------------


@shows("skip-index", right="ENTRY_INDEX", wrong="")
async def an_entry_too_far(home: Path) -> str:
    network = two(home)
    run = run_of(base_of(network))
    await network[HERE].receive(run[:1])
    return await refused(network[HERE].receive(run[2:3]))


@shows("skip-prev-root", right="EQUIVOCATION", wrong="")
async def an_entry_of_another_history(home: Path) -> str:
    network = two(home)
    ours, theirs = forked(network, rows=2)
    await network[HERE].receive(run_of(ours, 0, 2))
    return await refused(network[HERE].receive(run_of(theirs, 2, 3)))


@shows("skip-signature", right="ENTRY_SIGNATURE", wrong="")
async def an_entry_that_another_node_signed(home: Path) -> str:
    network = two(home)
    signed = signed_of(base_of(network))
    forged = network.signing[HERE].seal(signed.envelope.payload, envelopes.ENTRY_HEADER)
    return await refused(network[HERE].receive([replace(signed, envelope=forged)]))


@shows("skip-records-root", right="ENTRY_BODY", wrong="")
async def a_body_of_another_entry(home: Path) -> str:
    network = two(home)
    run = run_of(base_of(network))
    await network[HERE].receive(run[:1])
    return await refused(network[HERE].receive([replace(run[1], body=run[2].body)]))


@shows("above-the-cut", right="ENTRY_ABOVE_CUT", wrong="")
async def an_entry_above_the_cut(_: Path) -> str:
    network = Network("310000")
    writer = base_of(network)
    last = writer.entries[-1]
    before = Log(BASE, 0, len(writer.entries) - 1, last.header.prev_root, writer.entries[-2].frontier)
    cut = HeadAt(before.size, before.root)
    listed = Cut(frozenset({head_leaf(BASE, 0, cut)}))
    origin = network.signing["310000"].listed_as(standing=Standing.SUSPENDED, cut=listed).member
    try:
        advance(replace(before, cut=cut), as_signed(last), origin, NETWORK)
    except XinqiaoError as error:
        return error.code
    return ""


# --- Two histories ------------------------------------------------------------------------------------------------


@shows("compare-envelopes", right="", wrong="EQUIVOCATION")
async def the_same_payload_in_another_envelope(home: Path) -> str:
    network = two(home)
    signed = signed_of(base_of(network))
    await network[HERE].receive([signed])
    wider = envelope_pb2.Envelope.FromString(signed.envelope.SerializeToString())
    wider.signatures.add(keyid="00" * 32, sig=bytes(64))
    return await refused(network[HERE].receive([replace(signed, envelope=wider)]))


@shows("no-proof-of-forks", right=("EQUIVOCATION", "EQUIVOCATION", 2), wrong=("", "ENTRY_PREV_ROOT", 0))
async def an_entry_of_another_history_at_a_known_place_and_behind_it(home: Path) -> tuple[str, str, int]:
    network = two(home)
    ours, theirs = forked(network, rows=2)
    await network[HERE].receive(run_of(ours, 0, 2))
    at_a_known_place = await refused(network[HERE].receive(run_of(theirs, 1, 2)))
    with network[HERE].world.store.transaction() as tx:
        tx.set_quarantined("310000", False)
    behind_it = await refused(network[HERE].receive(run_of(theirs, 2, 3)))
    return at_a_known_place, behind_it, len(network[HERE].world.store.equivocations_since(0))


@shows("trust-hello-sizes", right=1, wrong=0)
async def two_holders_of_two_histories_of_one_size(_: Path) -> int:
    network = Network("310000", HERE, THERE)
    ours, theirs = forked(network, rows=2)
    await network[HERE].receive(run_of(ours))
    await network[THERE].receive(run_of(theirs))
    await network.sync(HERE, THERE)
    return len(network[HERE].world.store.equivocations_since(0))


# --- What is durable, and what is told of it ----------------------------------------------------------------------


class ReceiptWatch(InlineWriter):
    """A writer that notes receipts of its own node for more than is stored after their transaction."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._held = store
        self.too_large = 0

    async def run(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:
        found = await super().run(lane, step)
        receipt, held = self._held.receipt(BASE, HERE), self._held.channel(BASE)
        if receipt is not None and (held is None or held.log.size < receipt.receipt.message.size):
            self.too_large += 1
        return found


@shows("acknowledge-first", right=(0, 4), wrong=(1, 4))
async def a_receipt_and_what_it_is_for(_: Path) -> tuple[int, int]:
    network = Network("310000", HERE)
    watches: list[ReceiptWatch] = []

    def watched(store: Store) -> ReceiptWatch:
        watches.append(ReceiptWatch(store))
        return watches[-1]

    network.make_writer = watched
    network.start(HERE)
    run = run_of(base_of(network))
    await network[HERE].receive(run[:1])
    await network[HERE].receive(run[1:])
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return watches[0].too_large, held_at(network).log.size


@shows("forget-outbox", right=2, wrong=0)
async def what_was_written_just_before_a_crash(_: Path) -> int:
    network = Network("310000", HERE)
    await written(network, 1)
    network.start("310000", network["310000"].world.store)
    await network.settle()
    held = network[HERE].world.store.channel(BASE)
    return held.log.size if held is not None else 0


@shows("append-after-restore", right="RESTORED", wrong="")
async def a_publication_after_a_restore(_: Path) -> str:
    network = Network("310000", HERE)
    await written(network, 1)
    store = network["310000"].world.store
    assert isinstance(store, MemoryStore)
    backup = store.copy()
    await written(network, 2)
    network.start("310000", backup)
    return await refused(network["310000"].publishing.publish(BASE, [row(3)]))


@shows("sidecar-late", right=2, wrong=1)
async def the_sidecar_when_a_publication_returns(_: Path) -> int:
    network = Network("310000", HERE)
    await written(network, 1)
    kept = network.sidecars["310000"].kept
    assert kept is not None
    return kept[1][BASE, 0].size


class BrokenDisk(InlineWriter):
    """A writer whose transactions can fail."""

    fails = False

    async def run(self, lane: Lane, step: Callable[[StoreTransaction], T]) -> T:
        if self.fails:
            raise XinqiaoError("DATABASE", detail="disk I/O error")
        return await super().run(lane, step)


@shows("swallow-failure", right="DATABASE", wrong="")
async def a_publication_on_a_broken_disk(_: Path) -> str:
    network = Network("310000")
    network.make_writer = BrokenDisk
    network.start("310000")
    await written(network, 1)
    writer = network["310000"].world.writer
    assert isinstance(writer, BrokenDisk)
    writer.fails = True
    return await refused(network["310000"].publishing.publish(BASE, [row(2)]))


# --- Effects ------------------------------------------------------------------------------------------------------


@shows(
    "duplicate-as-applied",
    right=("DUPLICATE", {(APPLIED, ""): 1, (DUPLICATE, ""): 1}),
    wrong=("ACCEPTED", {(APPLIED, ""): 2}),
)
async def a_record_that_is_there_already(home: Path) -> tuple[str, Mapping[tuple[int, str], int]]:
    network = two(home)
    await written(network, 1)
    told = await network["310000"].publishing.publish(BASE, [row(1)])
    twice = base_of(network, rows=1)
    write_row(twice, 1)
    await network[HERE].receive(run_of(twice))
    return told[0].kind.name, dict(outcomes_at(network))


@shows("retry-applies-twice", right={(APPLIED, ""): 3}, wrong={(APPLIED, ""): 4})
async def an_entry_that_comes_twice(home: Path) -> Mapping[tuple[int, str], int]:
    network = two(home)
    run = run_of(base_of(network))
    await network[HERE].receive(run)
    await network[HERE].receive(run[2:3])
    return outcomes_at(network)


@shows("no-control-lane", right=Lane.CONTROL, wrong=Lane.BULK)
async def the_lane_of_a_control_channel(_: Path) -> Lane:
    return lane_of(channel_pb2.Manifest(priority=channel_pb2.PRIORITY_CONTROL))


# --- Who holds what -----------------------------------------------------------------------------------------------


@shows("outside-the-audience", right=(2, 0), wrong=(2, 2))
async def a_channel_for_one_reader(_: Path) -> tuple[int, int]:
    network = Network("310000", HERE, THERE)
    await network["310000"].publishing.create_channel("base", manifest(HERE))
    await written(network, 1)
    sharing = network["310000"].sharing
    given = [len(list(sharing.entries(node, BASE, 0, 0, None))) for node in (HERE, THERE)]
    return given[0], given[1]


@shows("leaver-keeps-copy", right=(1, 0), wrong=(1, 1))
async def a_reader_that_is_dropped(_: Path) -> tuple[int, int]:
    network = Network("310000", HERE)
    await written(network, 1)
    await network.settle()
    before = network[HERE].world.store.record_count(BASE)
    await network["310000"].publishing.set_audience(BASE, parse_audience("310000"))
    await network.settle()
    entry = network[HERE].world.store.entry(BASE, 0, 1)
    assert entry is not None
    return before, int(entry.body is not None)


@shows("keep-erased", right=(3, 2), wrong=(3, 3))
async def a_record_that_is_erased(home: Path) -> tuple[int, int]:
    network = two(home)
    writer = base_of(network)
    await network[HERE].receive(run_of(writer))
    before = network[HERE].world.store.record_count(BASE)
    erasing = writer.erase(erasure_of(writer.entries[1], 0))
    await network[HERE].receive([as_signed(erasing)])
    return before, network[HERE].world.store.record_count(BASE)


def withheld(signed: SignedEntry, writer: ChannelWriter) -> SignedEntry:
    """The entry with the commitment alone in place of its record."""
    commitment = erasure_of(writer.entries[signed.index], 0).commitment
    body = channel_pb2.EntryBody(slots=[channel_pb2.Slot(commitment=commitment)])
    return replace(signed, body=body.SerializeToString())


@shows("bare-as-erased", right=(1, 1), wrong=(0, 2))
async def a_record_that_is_withheld(home: Path) -> tuple[int, int]:
    network = two(home)
    writer = base_of(network, rows=1)
    run = run_of(writer)
    await network[HERE].receive([run[0], withheld(run[1], writer)])
    held = held_at(network)
    return held.incomplete_bodies, held.applied_size


@shows("body-never-fetched", right=0, wrong=1)
async def a_body_that_did_not_come(_: Path) -> int:
    network = Network("310000", HERE)
    await written(network, 1)
    run = list(network["310000"].sharing.entries(HERE, BASE, 0, 0, None))
    await network[HERE].receive([run[0], without_body(run[1])])
    await network.settle()
    return held_at(network).incomplete_bodies


@shows("fresh-beyond-applied", right=False, wrong=True)
async def a_heartbeat_over_more_than_is_held(home: Path) -> bool:
    network = two(home)
    writer = base_of(network)
    await network[HERE].receive(run_of(writer, 0, 2))
    beat = make_heartbeat(network.signing["310000"], {(BASE, 0): writer.head})
    await network[HERE].receiving.take_heartbeat(beat.view)
    return held_at(network).fresh_at_ms > 0


# --- The registry and the links -----------------------------------------------------------------------------------


@shows("rolled-back-registry", right="REGISTRY_ROLLBACK", wrong="1")
async def files_from_before(_: Path) -> str:
    authority = Authority()
    older = dict(authority.served)
    authority.publish()
    held = _read(authority.served, None)
    try:
        return str(_read(older, held).versions.timestamp_version)
    except XinqiaoError as error:
        return error.code


def _read(files: Mapping[str, bytes], held: RegistryState | None) -> RegistryState:
    state = Reading("a source", HeldFiles(files), files[FIRST_ROOT], held).read()
    assert state is not None
    return state


class NoRegistry:
    """A registry of which no source answers."""

    async def refresh(self, held: RegistryState | None, now_ms: int) -> RegistryNews:  # noqa: ARG002
        return RegistryNews(None)


@shows("members-forgotten", right=2, wrong=0)
async def a_reading_that_fails(_: Path) -> int:
    network = Network("310000", HERE)
    membership = network[HERE].membership
    membership._registry = NoRegistry()  # type: ignore[assignment]
    await membership.refresh()
    return len(membership.members.by_id)


@shows("link-dies", right=False, wrong=True)
async def a_link_after_a_failure(_: Path) -> bool:
    network = Network("310000", HERE)

    async def turn(link: Link) -> None:
        raise XinqiaoError("WIRE_UNREACHABLE", peer=link.node, address="wire", detail="it is down")

    going = asyncio.create_task(network[HERE].delivery._keep_going(Link("310000"), turn))
    for _turn in range(20):
        await asyncio.sleep(0)
    ended = going.done()
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    return ended


# --- Planting -----------------------------------------------------------------------------------------------------


def test_every_bug_is_shown_by_a_scene() -> None:
    assert list(SCENES.keys() ^ BUGS.keys()) == []


@pytest.mark.parametrize("bug", BUGS)
def test_what_was_planted_is_taken_out_again(bug: str) -> None:
    targets = [edit.target for edit in BUGS[bug].edits]
    before = [_state_of(target) for target in targets]
    with planted(bug):
        assert all(old != new for old, new in zip(before, map(_state_of, targets), strict=True))
    assert [_state_of(target) for target in targets] == before


def _state_of(target: str) -> object:
    found = resolve_name(target)
    return found.__code__ if isinstance(found, FunctionType) else found


@pytest.mark.parametrize(
    ("edit", "failure"),
    [
        (Change("node.core.channel:_check_continuity_of_old", "- x\n+ y"), AttributeError),
        (Change("node.core.channel:_check_continuity", "- if header.index != log.length:\n+ pass"), LookupError),
        (Change("node.publishing:Publishing._body", "- return\n+ pass"), LookupError),
        (Change("node.core.channel:Log", "- size: int = 0\n+ size: int = 1"), LookupError),
        (Rewording("node.storage.sql_writing:_SWAP_TAIL", (("size", ""),)), AttributeError),
        (Rewording("node.storage.sql_writing:_SWAP_HEAD", (("size", ""),)), LookupError),
        (Rewording("node.storage.sql_writing:SqlTransaction", (("size", ""),)), LookupError),
    ],
)
def test_a_bug_in_code_that_has_changed_fails_loudly(
    edit: Change | Rewording, failure: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(BUGS, "outdated", PlantedBug("outdated", "", (), "", (edit,)))
    with pytest.raises(failure), planted("outdated"):
        pass


def test_the_first_seed_that_notices_a_bug_is_told() -> None:
    def run(seed: int) -> Violation | None:
        commits = lane_of(channel_pb2.Manifest(priority=channel_pb2.PRIORITY_CONTROL)) is Lane.CONTROL
        return None if commits or seed < 7 else Violation("G4", HERE, "a removal waits")

    catch = caught("no-control-lane", range(5, 100), run)
    assert catch is not None
    assert (catch.seed, catch.tried, catch.guarantee) == (7, 3, "G4")
    assert caught("skip-index", range(5, 10), run) is None
