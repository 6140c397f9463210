"""A node that is asked about subjects: it reads a list, has an officer, knows a matter, and lets systems in.

The list is kept by the owner of the network; asked is its first reader, which holds records of its own besides. What
the node answers rests on the heartbeats of the owner and the word of the registry, as anywhere else.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from node.bench.lists import Exits
from node.bench.load import ITEM, write_rows
from node.bench.network import LOOPBACK, Network, publish_decision, wait_until
from node.bench.programs import demand, edit_settings, free_ports
from node.bench.rows import Plan, example_uscc
from node.core.suites import ECDSA_P256
from node.home import Home
from node.keys.certificate import make_certificate, target_name
from node.keys.signer import generate
from node.pb import query_service_pb2 as pb
from node.query_clients import QueryClients, make_client
from node.rpc import tls
from node.rpc.query_client import QueryClient
from node.texts import words

OFFICER, MATTER = "li", "bench.matter"
GROUND = "示例法第一条"
NAME = "bench-records"
FILE_RECORDS = 100_000
READY_LIMIT_S = 120.0
MATTERS = {
    "version": "2026.bench",
    "in_force_from": "2026-01-01",
    "matters": [{"code": MATTER, "title_zh": "示例事项", "title_en": "example matter", "measures": ["SHR-31-1"]}],
}


@dataclass(frozen=True, slots=True)
class Credentials:
    """What one system shows: its private key and certificate, in PEM."""

    private_key_pem: bytes
    certificate_pem: bytes


@dataclass(frozen=True, slots=True)
class Desk:
    """A node that answers: where, to whom, and who stands on the list that it reads."""

    network: Network
    node: str
    address: str
    clients: tuple[Credentials, ...]
    entries: int

    @property
    def unit(self) -> str:
        """Who asks."""
        return _unit(self.node)

    @property
    def question(self) -> pb.QueryQuestion:
        """What is asked for."""
        return pb.QueryQuestion(officer=OFFICER, unit=self.unit, matter=MATTER, ground=GROUND)

    @property
    def options(self) -> tuple[str, ...]:
        """The same as options of `xinqiao check`."""
        return "--officer", OFFICER, "--unit", self.unit, "--matter", MATTER, "--ground", GROUND

    def listed(self, number: int) -> str:
        """A subject that stands on the list."""
        return example_uscc("91", self.network.owner, number % self.entries + 1)

    def unlisted(self, number: int) -> str:
        """A subject that stands on none."""
        return example_uscc("92", self.network.owner, number + 1)

    def queries(self) -> QueryClient:
        """The query service on the admin socket."""
        home = Home(self.network.home(self.node))
        return QueryClient(home.path, home.socket())

    def asked(self) -> tuple[int, int]:
        """How many entries the query log has, each proven sound, and how many subjects the newest thousand name."""
        with self.queries() as node:
            found = node.verify(pb.VerifyQueriesRequest())
            demand(not found.fault, f"the query log is broken: {found.fault}")
            lines = node.queries(pb.ListQueriesRequest(limit=1000, newest=True)).queries
        return found.sequence, sum(line.subjects for line in lines)


def prepare(network: Network, records: int, entries: int, clients: int, tell: Callable[[str], None]) -> Desk:
    """Make the first reader of a network answer so many systems; raises StageError where it does not."""
    node = network.readers[0]
    tell(words("putting {count} entries on a list", count=entries))
    with network.lists(network.owner) as owner:
        Exits(network, owner, entries).prepare(0)
    _publish_matters(network, node)
    _add_officer(network, node)
    if records:
        tell(words("publishing {count} records", count=records))
        _publish_records(network, node, records)
    tell(words("letting {count} systems in", count=clients))
    desk = Desk(network, node, *_let_in(network, node, clients), entries)
    wait_until(partial(_is_sure, desk), "the node answers", READY_LIMIT_S)
    return desk


def _unit(node: str) -> str:
    return example_uscc("11", node, 1)


def _publish_matters(network: Network, node: str) -> None:
    file = network.programs.work / "matters.json"
    document = {**MATTERS, "matters": [{**each, "units": [_unit(node)]} for each in _matters()]}
    file.write_text(json.dumps({"format": 1, **document}, ensure_ascii=False), "utf-8")
    publish_decision(network, "matters", str(file))
    wait_until(
        lambda: network.run(node, "matters", "list")["version"] == MATTERS["version"], "the matters", READY_LIMIT_S
    )


def _matters() -> list[Mapping[str, object]]:
    found = MATTERS["matters"]
    assert isinstance(found, list)
    return found


def _add_officer(network: Network, node: str) -> None:
    file = network.programs.work / "asking.passphrase"
    file.write_text("bench-asking-passphrase", "utf-8")
    file.chmod(0o600)
    network.run(node, "officer", "add", OFFICER, "--passphrase-file", str(file))


def _publish_records(network: Network, node: str, records: int) -> None:
    """Publish records file by file, so that none of them takes much room."""
    given = ("--item", ITEM, "--audience", "everyone", "--disclosure", "C")
    network.run(node, "channel", "create", NAME, *given)
    with network.admin(node) as asked:
        item = asked.catalogue().item(ITEM)
    file = network.programs.work / f"{NAME}.csv"
    for number, start in enumerate(range(0, records, FILE_RECORDS)):
        count = min(FILE_RECORDS, records - start)
        # The number of a document is made of the division: another one in every file makes other records.
        write_rows(item, Plan(ITEM, count, number, f"{node[:2]}{number:04d}", _unit(node)), file)
        counts = network.run(node, "publish", f"{node}/{NAME}", str(file))["files"][0]["counts"]
        demand(counts["accepted"] == count, "not every row was accepted", counts)
    file.unlink()


def _let_in(network: Network, node: str, count: int) -> tuple[str, tuple[Credentials, ...]]:
    """Give the node a query port and register so many systems; returns its address and what they show."""
    (port,) = free_ports(1)
    home, address = network.home(node), f"{LOOPBACK}:{port}"
    with network.admin(node) as asked:
        now_ms = asked.status().time_unix_ms
    network.programs.end(node)
    edit_settings(home / "xinqiao.toml", {"query_listen": f'"{address}"'})
    made = [_credentials(f"bench-{number}", now_ms) for number in range(1, count + 1)]
    known = [
        make_client(f"bench-{number}", certificate, _unit(node), [MATTER], [OFFICER])
        for number, (_, certificate) in enumerate(made, 1)
    ]
    QueryClients(home).put(known)
    network.programs.serve(node, "serve", "--home", str(home))
    return address, tuple(Credentials(key, tls.as_pem([certificate])) for key, certificate in made)


def _credentials(name: str, now_ms: int) -> tuple[bytes, bytes]:
    """A fresh private key in PEM and its certificate in DER."""
    signer = generate(ECDSA_P256)
    return signer.encoded(Encoding.PEM), make_certificate(name, "", signer, now_ms)


def _is_sure(desk: Desk) -> bool:
    """Whether who stands on the list is told so, and who does not is clear."""
    with desk.queries() as node:
        found = [node.check(desk.question, subject).verdict for subject in (desk.listed(1), desk.unlisted(1))]
    return found == [pb.QUERY_VERDICT_LISTED, pb.QUERY_VERDICT_CLEAR]


def server_certificate(desk: Desk) -> tuple[Path, str]:
    """A file with what systems trust, and the name that they expect in it."""
    found = desk.network.run(desk.node, "client", "server")
    file = desk.network.programs.work / "server.pem"
    file.write_text(found["certificates"], "utf-8")
    demand(found["name"] == target_name(desk.node), "the node has another name")
    return file, found["name"]
