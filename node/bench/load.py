"""A bulk load: files of generated records that two nodes publish at once, and everybody else takes."""

import csv
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from node.bench.network import Network
from node.bench.programs import Document, demand
from node.bench.rows import Plan, columns, example_uscc, generate
from node.core.catalogue import Item
from node.pb import admin_service_pb2 as pb
from node.rpc.admin_client import AdminClient

ITEM = "penalty.2018"
NAME = "bench-penalties"


def write_rows(item: Item, plan: Plan, file: Path) -> None:
    """Write the CSV file of a plan."""
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, columns(item), restval="")
        writer.writeheader()
        writer.writerows(each.row for each in generate(plan))


@dataclass
class Load:
    """What nodes publish in one round after another; each round has records that nobody has seen.

    asked are their admin services, over connections that are held.
    """

    network: Network
    records: int
    crew: ThreadPoolExecutor
    asked: Mapping[str, AdminClient]
    rounds: int = 0
    _files: dict[str, Path] = field(default_factory=dict)
    _before: list[int] = field(default_factory=list)
    _publishing: list["Future[Document]"] = field(default_factory=list)

    def create_channels(self) -> None:
        """Create the channel of each publisher."""
        for node in self.asked:
            given = ("--item", ITEM, "--audience", "everyone", "--disclosure", "C")
            self.network.run(node, "channel", "create", NAME, *given)

    def prepare(self) -> None:
        """Write the files of the next round."""
        self.rounds += 1
        for node, client in self.asked.items():
            item = client.catalogue().item(ITEM)
            self._files[node] = self.network.programs.work / f"{node}-{self.rounds}.csv"
            # The number of a document is made of the division: another one in every round makes other records.
            division = f"{node[:2]}{self.rounds:02d}00"
            plan = Plan(ITEM, self.records, self.rounds, division, example_uscc("11", node, 1))
            write_rows(item, plan, self._files[node])

    def start(self) -> None:
        """Begin to publish the files, each by a command of its own."""
        self._before = self._sizes()
        self._publishing = [self.crew.submit(self._publish, node, file) for node, file in self._files.items()]

    def _publish(self, node: str, file: Path) -> Document:
        return self.network.run(node, "publish", f"{node}/{NAME}", str(file))

    @property
    def is_published(self) -> bool:
        """Whether both files are; raises StageError where one could not be."""
        done = [publishing for publishing in self._publishing if publishing.done()]
        for publishing in done:
            publishing.result()
        return len(done) == len(self._publishing)

    def counts(self) -> list[Document]:
        """What became of the rows of the round that has been published."""
        found = [dict(publishing.result()["files"][0]["counts"]) for publishing in self._publishing]
        demand(all(each["accepted"] == self.records for each in found), "not every row was accepted", found)
        return found

    def has_begun(self) -> bool:
        """Whether each publisher has written entries of this round."""
        return all(now > before for now, before in zip(self._sizes(), self._before, strict=True))

    def is_exchanged(self) -> bool:
        """Whether each publisher holds every receipt for all that it has published."""
        return all(
            is_covered(client.channel(f"{node}/{NAME}"), [each for each in self.network.nodes if each != node])
            for node, client in self.asked.items()
        )

    def _sizes(self) -> list[int]:
        return [client.channel(f"{node}/{NAME}").channel.head.size for node, client in self.asked.items()]


def is_covered(found: pb.GetChannelResponse, readers: Sequence[str]) -> bool:
    """Whether every reader's receipt covers a channel as it stands."""
    size = found.channel.head.size
    applied = {line.node: line.applied_size for line in found.deliveries}
    return all(applied.get(node, 0) >= size for node in readers)
