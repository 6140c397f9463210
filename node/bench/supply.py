"""What one node has published before another one takes it: sound records, and one that must come back rejected."""

import csv
import random
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

from node.bench.load import ITEM
from node.bench.network import Network
from node.bench.planting import Versions, plant
from node.bench.programs import demand
from node.bench.rows import DEFECTS, Plan, Row, columns, example_uscc, generate
from node.bench.stores import opened
from node.core.catalogue import Item, subject_of
from node.core.record import build_record
from node.home import Home
from node.pb import admin_service_pb2 as pb
from node.pb import channel_pb2
from node.rpc.admin_client import AdminClient

NAME = "bench-exchange"
WANTED = 100
PLANTED_CODES = frozenset({"FIELD_USCC_CHECK_DIGIT", "FIELD_DATE", "FIELD_ENUM", "FIELD_MISSING"})
"""What a planted record may have wrong with it: whatever else, no reader may hold it."""

# With one of them a record has the size that first loads were estimated by: 740 bytes in the mean.
_REMARKS = (
    "案件来源为日常监督检查，当事人已在规定期限内完成整改并提交书面报告。",
    "案件来源为上级交办，当事人对违法事实和法律依据均无异议。",
    "案件来源为群众举报，经现场核查属实，当事人积极配合调查并主动消除影响。",
)


@dataclass(frozen=True, slots=True)
class Volume:
    """How much a channel holds: records and their bytes as serialized, their entries and the bytes of their bodies."""

    records: int
    record_bytes: int
    entries: int
    entry_bytes: int

    @property
    def mean_bytes(self) -> float:
        """Of a record."""
        return self.record_bytes / self.records


@dataclass(frozen=True, slots=True)
class Known:
    """A record by what it is looked up by, and by what it is known from others of its subject."""

    subject: str
    document: str


@dataclass(frozen=True, slots=True)
class Planted:
    """The record that must not be applied: what must be found wrong with it, and its place among all."""

    known: Known
    code: str
    place: int


@dataclass(frozen=True, slots=True)
class Supply:
    """A channel that is published, and what to look for in it."""

    channel: str
    item: Item
    volume: Volume
    planted: Planted
    wanted: tuple[Known, ...]
    published_s: float


@dataclass(frozen=True, slots=True)
class _Draw:
    """Where chance puts what: the records [start, end) of the planted entry, the planted one, those looked up."""

    start: int
    end: int
    place: int
    wanted: frozenset[int]


def publish(network: Network, records: int, seed: int) -> Supply:
    """Publish so many records at the owner of a network; seed says which, and what is planted where.

    At the end the owner does not serve: its database can be read. Raises StageError where not every row is accepted.
    """
    node, chance = network.owner, random.Random(f"supply/{seed}")
    with network.admin(node) as client:
        item, versions = client.catalogue().item(ITEM), _versions(client)
        request = pb.CreateChannelRequest(name=NAME, item=ITEM, disclosure=channel_pb2.DISCLOSURE_CLASS_C)
        request.audience.terms.add(everyone=True)
        client.create_channel(request)
    home = Home(network.home(node))
    channel, draw = f"{node}/{NAME}", _draw(records, home.load().max_records_per_entry, chance)
    plan = Plan(ITEM, records, seed, f"{node[:2]}0100", example_uscc("11", node, 1))
    rows = _Rows(item, draw, chance, network.programs.work / f"{NAME}-1.csv", network.programs.work / f"{NAME}-2.csv")
    rows.write(plan)
    seconds = _published(network, channel, rows.before, draw.start)
    network.programs.end(node)
    plant(home, channel, rows.entry, versions)
    network.programs.serve(node, "serve", "--home", str(network.home(node)))
    seconds += _published(network, channel, rows.after, records - draw.end)
    network.programs.end(node)
    assert rows.planted is not None
    return Supply(channel, item, measured(home, channel), rows.planted, tuple(rows.wanted), seconds)


def _versions(client: AdminClient) -> Versions:
    rules, status = client.rules(pb.ListRulesRequest()), client.status()
    return Versions(client.edition().version_in_force, rules.version, status.time_unix_ms)


def _draw(records: int, entry_records: int, chance: random.Random) -> _Draw:
    size = min(entry_records, records)
    start = chance.randrange(records - size + 1)
    place = start + chance.randrange(size)
    others = [index for index in chance.sample(range(records), min(WANTED, records)) if index != place]
    return _Draw(start, start + size, place, frozenset(others))


@dataclass
class _Rows:
    """The rows of a plan on their way into two files and, between them, an entry."""

    item: Item
    draw: _Draw
    chance: random.Random
    before: Path
    after: Path
    entry: list[bytes] = field(default_factory=list)
    wanted: list[Known] = field(default_factory=list)
    planted: Planted | None = None

    def write(self, plan: Plan) -> None:
        """Write them; the planted one is changed, and goes into the entry whatever it is by then."""
        with ExitStack() as stack:
            files = [
                stack.enter_context(path.open("w", encoding="utf-8", newline="")) for path in (self.before, self.after)
            ]
            before, after = (csv.DictWriter(file, columns(self.item), restval="") for file in files)
            before.writeheader()
            after.writeheader()
            for index, each in enumerate(generate(plan)):
                row = each.row | {"BZ": _REMARKS[index % len(_REMARKS)]}
                if index in self.draw.wanted:
                    self.wanted.append(self._known(row))
                if index < self.draw.start:
                    before.writerow(row)
                elif index >= self.draw.end:
                    after.writerow(row)
                else:
                    self._enter(index, row)

    def _enter(self, index: int, row: Row) -> None:
        if index == self.draw.place:
            plant = self.chance.choice([each for each in DEFECTS if each.code in PLANTED_CODES])
            self.planted = Planted(self._known(row), plant.code, index)
            plant.change(row, "CF")
        self.entry.append(build_record(self.item.id, self._values(row)))

    def _values(self, row: Row) -> dict[int, str]:
        return {self.item.by_code[code].number: text for code, text in row.items() if text}

    def _known(self, row: Row) -> Known:
        return Known(subject_of(self.item, self._values(row)), row["CF_WSH"])


def _published(network: Network, channel: str, file: Path, rows: int) -> float:
    """Publish a file, unless it is empty; how long the command took."""
    if not rows:
        return 0.0
    began = perf_counter()
    found = network.run(network.owner, "publish", channel, str(file))["files"][0]["counts"]
    demand(found["accepted"] == rows, "not every row was accepted", found)
    file.unlink()
    return perf_counter() - began


def measured(home: Home, channel: str) -> Volume:
    """How much a channel of a home holds."""
    sizes = [0, 0, 0, 0]
    with opened(home) as store:
        for entry in store.entries(channel, 0, 0):
            slots = channel_pb2.EntryBody.FromString(entry.body or b"").slots
            found = (len(slots), sum(len(slot.record) for slot in slots), bool(slots), len(entry.body or b""))
            sizes = [before + more for before, more in zip(sizes, found, strict=True)]
    return Volume(*sizes)


def first_received_ms(home: Home, channel: str) -> int:
    """When the node of a home received the first entry of a channel, Unix ms by its own clock."""
    with opened(home) as store:
        entry = store.entry(channel, 0, 0)
        assert entry is not None
        return entry.received_at_ms
