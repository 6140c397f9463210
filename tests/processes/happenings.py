"""What happens in a network before somebody asks who knows of the persons in it: five members, everything that goes
wrong with files and processes, and a tap on every connection.

    310000   publishes rows about persons to class B and C, and about companies to class A
    310115   reads both; 330200 reads class C until it is dropped from the audience, and lies later
    330100, 320500, the registry and its officers are outside
"""

import asyncio
import os
import time
import urllib.request
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from node.core import envelope as envelopes
from node.core import merkle
from node.core.audience import parse_audience
from node.core.entry import SALT_BYTES, SignedEntry, build_body
from node.core.errors import XinqiaoError
from node.keys import KeyRing
from node.pb import channel_pb2
from node.ports import Lane, PushAnswer
from node.rpc.exchange_client import GrpcPeer, GrpcPeers
from tests.processes import persons
from tests.processes.commands import Command, wait_until
from tests.processes.members import certificate_of
from tests.processes.network import HANGZHOU, LOOPBACK, PUDONG, SHANGHAI, SUZHOU, Plan, Town, free_port
from tests.processes.persons import LICENCE, PENALTY, person
from tests.processes.wiretap import Tap
from tests.searching import Search

NINGBO = Plan("330200", "宁波市", "city")
ORIGIN, READER, LEAVER = SHANGHAI.id, PUDONG.id, NINGBO.id
OUTSIDE = (HANGZHOU.id, SUZHOU.id)
EVERYBODY = (ORIGIN, READER, LEAVER, *OUTSIDE)
CLASS_C, CLASS_B, CLASS_A = f"{ORIGIN}/persons", f"{ORIGIN}/licences", f"{ORIGIN}/public"
OF_A_LIAR = f"{LEAVER}/public"

PUBLISHED, IN_A_WORKBOOK, IN_LINES, LICENSED = range(1, 31), range(31, 41), range(41, 46), range(51, 61)
MISTAKEN = range(101, 101 + len(persons.MISTAKES))
IN_NUMBERS, BROKEN, BROKEN_OBJECTS, NO_ROWS = range(121, 124), range(131, 135), range(141, 145), range(151, 152)
NOT_PUBLIC, REPRESENTING, IN_WORDS = range(201, 211), range(211, 221), range(221, 228)
INTERRUPTED = range(301, 501)
LIED_ABOUT = range(901, 904)
ALL_PERSONS = (
    *(*PUBLISHED, *IN_A_WORKBOOK, *IN_LINES, *LICENSED, *MISTAKEN, *IN_NUMBERS, *BROKEN, *BROKEN_OBJECTS, *NO_ROWS),
    *(*NOT_PUBLIC, *REPRESENTING, *IN_WORDS, *INTERRUPTED, *LIED_ABOUT),
)
ERASED = (3, 17, 52)


@dataclass
class Happened:
    """A network after all that has happened, and what was kept of it beside its folders."""

    town: Town
    tap: Tap
    folder: Path
    metrics: dict[str, str] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    first_command: int = 0

    def commands(self) -> list[Command]:
        """Every command that was run since."""
        return self.town.commands.started[self.first_command :]

    def temporary(self, node: str) -> Path:
        """Where a node's process puts temporary files."""
        return self.folder / f"temporary-{node}"

    def serve(self, *nodes: str) -> None:
        """Start nodes, each with its own place for temporary files."""
        for node in nodes:
            self.temporary(node).mkdir(exist_ok=True)
            self.town.serve(node, environment={"TMPDIR": str(self.temporary(node))})


def search() -> Search:
    """The search for everything about every person, and for the hashes that a holder of their records has."""
    values = {f"person {serial}": list(person(serial).values) for serial in ALL_PERSONS}
    for serial in REPRESENTING:
        values[f"person {serial}"] = [person(serial).id_no]
    authority = SHANGHAI.authority
    tables = [(PENALTY, PUBLISHED), (PENALTY, IN_A_WORKBOOK), (PENALTY, IN_LINES), (LICENCE, LICENSED)]
    digests: dict[str, bytes] = {}
    for item, serials in [*tables, (PENALTY, INTERRUPTED), (PENALTY, NOT_PUBLIC)]:
        for serial, row in zip(serials, persons.rows(item, serials, authority), strict=True):
            key, content = persons.digests(item, row)
            digests |= {f"the key of the record of person {serial}": key, f"person {serial}'s record": content}
    for serial, row in zip(MISTAKEN, persons.mistaken(MISTAKEN, authority), strict=True):
        values[f"person {serial}"] += [text for text in (row["CF_XDR_ZJHM"],) if len(text) >= 15]
    return Search(values, digests)


def happen(town: Town, tap: Tap, folder: Path) -> Happened:
    """Let everything happen."""
    told = Happened(town, tap, folder, first_command=len(town.commands.started))
    _settle(told)
    _publish_to_those_inside(told)
    _publish_what_is_wrong(told)
    _publish_to_everybody(told)
    _erase_and_drop(told)
    _crash(told)
    _ask(told, LEAVER)
    _lie(told)
    _ask(told, ORIGIN, READER, *OUTSIDE)
    town.registry("show")
    return told


# --- In order -----------------------------------------------------------------------------------------------------


def _settle(told: Happened) -> None:
    town, tap = told.town, told.tap
    town.admit(NINGBO)
    registry = tap.plain("registry", town.registry_address)
    for node in EVERYBODY:
        metrics = f"{LOOPBACK}:{free_port()}"
        town.set(node, registry=registry, log_level="debug", metrics_listen=metrics, max_records_per_entry=20)
        advertised = {"advertise": tap.exchange(town, node)}
        advertised["registry_advertise"] = tap.plain(node, town.setting(node, "registry_listen"))
        town.set(node, **advertised)
    told.serve(*EVERYBODY)
    town.create(CLASS_C, PENALTY.id, f"{READER},{LEAVER}", "C")
    town.create(CLASS_B, LICENCE.id, READER, "B")
    town.create(CLASS_A, PENALTY.id, "everyone", "A")


def _publish(told: Happened, channel: str, file: Path) -> None:
    answer = told.town.run(ORIGIN, "publish", channel, file)["files"][0]
    told.counts[file.name] = {name: count for name, count in answer["counts"].items() if count}


def _publish_to_those_inside(told: Happened) -> None:
    town, files, authority = told.town, told.folder, SHANGHAI.authority
    _publish(told, CLASS_C, persons.csv_file(files / "c.csv", PENALTY, persons.rows(PENALTY, PUBLISHED, authority)))
    table = persons.rows(PENALTY, IN_A_WORKBOOK, authority)
    _publish(told, CLASS_C, persons.workbook(files / "c.xlsx", PENALTY, table))
    _publish(told, CLASS_C, persons.json_lines(files / "c.jsonl", persons.rows(PENALTY, IN_LINES, authority)))
    _publish(told, CLASS_B, persons.csv_file(files / "b.csv", LICENCE, persons.rows(LICENCE, LICENSED, authority)))
    revised = [row | {"BZ": ""} for row in persons.rows(PENALTY, PUBLISHED[:5], authority)]
    _publish(told, CLASS_C, persons.csv_file(files / "revised.csv", PENALTY, revised))
    town.wait_for_agreement(CLASS_C, [READER, LEAVER])
    town.wait_for_agreement(CLASS_B, [READER])


def _publish_what_is_wrong(told: Happened) -> None:
    files, authority = told.folder, SHANGHAI.authority
    _publish(told, CLASS_C, persons.csv_file(files / "bad.csv", PENALTY, persons.mistaken(MISTAKEN, authority)))
    table = persons.rows(PENALTY, IN_NUMBERS, authority)
    _publish(told, CLASS_C, persons.workbook(files / "numbers.xlsx", PENALTY, table, ids_are_numbers=True))
    (files / "broken.csv").write_bytes(persons.broken_lines(BROKEN, authority))
    (files / "broken.jsonl").write_text(persons.broken_objects(BROKEN_OBJECTS, authority), "utf-8")
    for name in ("broken.csv", "broken.jsonl"):
        _publish(told, CLASS_C, files / name)
    for name, content in persons.wrong_files(NO_ROWS[0], authority).items():
        (files / name).write_bytes(content)
        told.town.start(ORIGIN, "publish", CLASS_C, files / name, "--lang", "zh").wait()
        error = told.town.refused(ORIGIN, "publish", CLASS_C, files / name)
        assert error["code"].startswith("FILE_"), name


def _publish_to_everybody(told: Happened) -> None:
    town, files, authority = told.town, told.folder, SHANGHAI.authority
    barred = persons.rows(PENALTY, NOT_PUBLIC, authority)
    _publish(told, CLASS_A, persons.csv_file(files / "a-persons.csv", PENALTY, barred))
    companies = persons.companies(REPRESENTING, authority)
    for serial, row in zip(REPRESENTING, companies, strict=True):
        row |= {"CF_FR_ZJLX": "身份证", "CF_FR_ZJHM": person(serial).id_no}
    _publish(told, CLASS_A, persons.csv_file(files / "a.csv", PENALTY, companies))
    in_words = persons.companies(IN_WORDS, authority)
    for column, serial, row in zip(persons.ANYWHERE, IN_WORDS, in_words, strict=True):
        row[column] = persons.ANYWHERE[column](person(serial).id_no)
    _publish(told, CLASS_A, persons.csv_file(files / "a-words.csv", PENALTY, in_words))
    town.wait_for_agreement(CLASS_A, [each for each in EVERYBODY if each != ORIGIN])


def _ask(told: Happened, *nodes: str) -> None:
    """Ask nodes what they have to say of themselves, and of a person by number."""
    town = told.town
    asked = []
    for node in nodes:
        home = ("--home", town.home(node))
        for argv in (("doctor",), ("status",), ("peers",), ("channel", "list")):
            asked.append(town.start(node, *argv))
            asked.append(town.commands.start(*argv, *home, "--lang", "zh"))
        for channel in (CLASS_A, CLASS_C, OF_A_LIAR):
            asked.append(town.start(node, "channel", "show", channel))
            asked.append(town.start(node, "rules", "explain", channel, 1, 0))
        asked.append(town.start(node, "record", "erase", CLASS_C, 1, 9000, "--decision", "x", "--reason", "y"))
        asked.append(town.start(node, "records", "--subject", person(1).id_no))
        for command in asked:
            command.wait()
        address = town.setting(node, "metrics_listen")
        with urllib.request.urlopen(f"http://{address}/metrics", timeout=10) as page:
            told.metrics[node] = page.read().decode()


def _erase_and_drop(told: Happened) -> None:
    town = told.town
    for serial in ERASED:
        channel = CLASS_B if serial in LICENSED else CLASS_C
        (found,) = town.records(ORIGIN, "--subject", person(serial).id_no)
        ref = found["ref"]
        reason = ("--decision", "示撤字〔2026〕1号", "--reason", "处罚决定已被撤销")
        town.run(ORIGIN, "record", "erase", channel, ref["index"], ref["position"], *reason)
    town.wait_for_agreement(CLASS_C, [READER, LEAVER])
    town.wait_for_agreement(CLASS_B, [READER])
    town.run(ORIGIN, "channel", "audience", CLASS_C, READER)
    wait_until(lambda: (town.channel(LEAVER, CLASS_C) or {})["state"] == "left", "the reader has left")
    _prove(told, READER, CLASS_C)
    for node in OUTSIDE:
        _prove(told, node, CLASS_A)
        assert town.refused(node, "prove", CLASS_C, 1, 0, "-o", told.folder / "none")["code"] == "RECORD_UNKNOWN"


def _prove(told: Happened, node: str, channel: str) -> None:
    evidence = told.town.home(node) / "evidence"
    evidence.mkdir(exist_ok=True)

    def proven() -> bool:
        return told.town.start(node, "prove", channel, 1, 1, "-o", evidence / "one.evidence").wait() == 0

    wait_until(proven, f"{node} can prove a record of {channel}", poll_s=0.3)


def _crash(told: Happened) -> None:
    """End the origin and a reader in the middle of a publication, as a power cut would, and start them again."""
    town = told.town
    table = persons.rows(PENALTY, INTERRUPTED, SHANGHAI.authority)
    file = persons.workbook(told.folder / "interrupted.xlsx", PENALTY, table)
    before = town.status(ORIGIN)["records"]
    publishing = town.start(ORIGIN, "publish", CLASS_C, file)
    wait_until(lambda: town.status(ORIGIN)["records"] > before, "the publication is under way", poll_s=0.001)
    town.kill(ORIGIN, READER, OUTSIDE[0])
    publishing.wait()
    told.serve(ORIGIN, READER, OUTSIDE[0])
    _publish(told, CLASS_C, file)
    town.wait_for_agreement(CLASS_C, [READER], 60)


# --- A member that does what it must not ----------------------------------------------------------------------------


def _lie(told: Happened) -> None:
    """The one who was dropped signs persons into class A, pushes what is not what it signed, and asks for class C."""
    town = told.town
    network = town.status(LEAVER)["network"]
    town.stop(LEAVER)
    entries = _lies(town, network)
    asyncio.run(_push(town, network, entries, told.refusals))
    for node in OUTSIDE:
        wait_until(lambda node=node: (town.head(node, OF_A_LIAR) or (0, 0))[1] == 2, f"{node} has heard it")  # type: ignore[misc]


def _lies(town: Town, network: str) -> list[SignedEntry]:
    """An entry with a company, a person, and a company whose representative's number was not taken out; then one
    whose body is another one's."""
    ring, tree = KeyRing.open(town.home(LEAVER) / "keys", None), merkle.HashList()
    sound, barred, never = persons.companies(LIED_ABOUT, NINGBO.authority)
    (barred,) = persons.rows(PENALTY, LIED_ABOUT[:1], NINGBO.authority)
    never |= {"CF_FR_ZJLX": "身份证", "CF_FR_ZJHM": person(LIED_ABOUT[1]).id_no}
    records = [persons.record_of(PENALTY, row) for row in (sound, barred, never)]
    (swapped,) = persons.rows(PENALTY, LIED_ABOUT[2:], NINGBO.authority)
    manifest = channel_pb2.Manifest(
        title="示例",
        item=PENALTY.id,
        audience=parse_audience("everyone"),
        disclosure=channel_pb2.DISCLOSURE_CLASS_A,
        priority=channel_pb2.PRIORITY_BULK,
        staleness_limit_s=86_400,
    )

    def sign(index: int, body: bytes, root: bytes, count: int) -> SignedEntry:
        header = channel_pb2.EntryHeader(
            network=network,
            channel=OF_A_LIAR,
            index=index,
            prev_root=tree.root(),
            kind=channel_pb2.ENTRY_KIND_RECORDS if count else channel_pb2.ENTRY_KIND_MANIFEST,
            record_count=count,
            records_root=root,
            uncompressed_bytes_max=len(body),
            issued_at_unix_ms=int(time.time() * 1000),
            manifest=None if count else manifest,
            catalogue_version=persons.EDITION.version if count else "",
        )
        envelope = envelopes.seal(header.SerializeToString(), envelopes.ENTRY_HEADER, ring.signer)
        tree.append(merkle.leaf_hash(envelope.payload))
        return SignedEntry(OF_A_LIAR, 0, index, envelope, body if count else None)

    begun = sign(0, b"", merkle.HashList().root(), 0)
    body, root = build_body(records, [os.urandom(SALT_BYTES) for _ in records])
    lied = sign(1, body, root, len(records))
    other, _ = build_body([persons.record_of(PENALTY, swapped)], [os.urandom(SALT_BYTES)])
    return [begun, lied, sign(2, other, root, 1)]


async def _push(town: Town, network: str, entries: Sequence[SignedEntry], refusals: list[str]) -> None:
    """Not through the tap: what a liar says is its own."""
    pems = {node: certificate_of(town, node) for node in (LEAVER, ORIGIN, OUTSIDE[0])}
    ders = {node: x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER) for node, (_, pem) in pems.items()}
    listens = {node: (town.setting(node, "listen"), "") for node in pems}
    peers = GrpcPeers(
        network=lambda: network,
        identity=lambda: pems[LEAVER],
        endpoints=listens.__getitem__,
        certificates=lambda node: (ders[node],),
    )

    async def sent() -> AsyncIterator[SignedEntry]:
        for each in entries:
            yield each

    try:
        answers: list[PushAnswer] = [each async for each in GrpcPeer(peers, OUTSIDE[0]).push(Lane.BULK, sent())]
        refusals += [str(each) for each in answers]
        async for _ in GrpcPeer(peers, ORIGIN).pull(Lane.BULK, CLASS_C, 0, 0):
            raise AssertionError("the origin gave somebody outside an entry")
    except XinqiaoError as error:
        refusals.append(f"{error.code}: {error.text} {error.parameters} {error.next}")
    finally:
        await peers.close()
