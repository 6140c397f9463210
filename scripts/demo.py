"""A whole network on one machine, made and used with the `xinqiao` command as people would.

Three officers found a registry, six nodes join, four channels carry generated records to their audiences, one
record is proven offline, and one node is suspended. Every claim printed has been checked; the first one that does
not hold ends the demonstration with exit status 1. Nothing is left running, unless --keep asks for it.
"""

import argparse
import csv
import json
import resource
import shutil
import signal
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import FrameType
from typing import NoReturn

from rich import box
from rich.markup import escape
from rich.table import Table

# Run as a script, the interpreter looks beside this file only.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.xq_generate import Plan, generate, write_file
from scripts.xq_places import BY_ID, OFFICERS, PLACES, SIGNING, TOPICS, Place, Topic
from scripts.xq_stage import (
    WAIT_LIMIT_S,
    XINQIAO,
    Crew,
    Document,
    Product,
    Screen,
    StageError,
    demand,
    edit_settings,
    free_ports,
)

SETTLE_S = 2  # twice the interval at which the nodes of the demonstration talk
DEFECTS = 0.02  # share of the rows with a planted mistake
DUTIES = 5
SETTINGS = {"heartbeat_interval_s": "1", "registry_refresh_s": "1", "key_settle_s": "3", "log_level": '"info"'}


SUSPENDED = "320500"
PROVING = "310115"
MANY_LINES = 8
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
REASON = "示例：密钥保管不合规定，整改期间暂停"


# --- The demonstration ----------------------------------------------------------------------------------------


class Demo:
    """The steps, in order; what one step finds out and a later one needs is kept here."""

    def __init__(self, work: Path, rows: int, seed: int, screen: Screen) -> None:
        self.work, self.rows, self.seed, self.screen = work, rows, seed, screen
        self.product = Product(work, screen)
        self.crew = Crew(screen, len(PLACES) + len(TOPICS))
        self.ports = iter(free_ports(2 * len(PLACES) + 2))
        self.registry = f"127.0.0.1:{next(self.ports)}"
        self.metrics = f"127.0.0.1:{next(self.ports)}"
        self.root_fingerprint = ""
        self.fingerprints: dict[str, str] = {}
        self.planted: dict[str, int] = {}
        self.warnings: dict[str, int] = {}
        self.counts: dict[str, dict[str, int]] = {}
        self.rejected: dict[str, str] = {}
        self.summary: Document = {"rows": rows, "seed": seed}

    def play(self) -> None:
        """Every step."""
        steps = (
            ("found", "Three officers make their keys apart and found a registry; two of three must sign", self.found),
            ("create", "Six administrators create their nodes", self.create),
            ("join", "Six nodes apply; two officers sign what they were told by telephone", self.join),
            ("serve", "Six nodes serve, each a process of its own, with mutual TLS between them", self.serve),
            ("exchange", "Four channels with different audiences; files go in, records arrive", self.exchange),
            ("holdings", "Who holds what: the audience all of it, nobody else anything", self.show_holdings),
            ("evidence", "One record is proven offline, to somebody who trusts none of the nodes", self.prove),
            (
                "suspension",
                f"Two officers suspend {SUSPENDED}; what it sent stays, what it sends is refused",
                self.suspend,
            ),
        )
        for name, title, step in steps:
            with self.screen.step(name, title):
                step()

    # (1) the registry

    def found(self) -> None:
        """Make the officers' keys, found the registry by files, serve it."""
        for officer in OFFICERS:
            (self.work / officer).mkdir(mode=0o700)
        keys = self.crew.each("keys", OFFICERS, self._make_officer_key)
        chosen = [part for key in keys for part in ("--officer-key", key)]
        made = self.product.run(
            *("registry", "init", "--home", "registry", "--network", "delta", "--threshold", "2", *chosen), show=True
        )
        self.root_fingerprint = made["root_fingerprint"]
        self.screen.say(f"root fingerprint {self.root_fingerprint}", "bold")
        self._decide(Path(self.work / made["founding"]), "founding")
        self.product.serve("registry", "registry", "serve", "--home", "registry", "--listen", self.registry)
        self.screen.good(f"the registry serves at {self.registry}")

    def _make_officer_key(self, officer: str) -> str:
        key = self.product.run("registry", "officer", "keygen", "-o", f"{officer}/officer.pem", show=True)
        return str(key["officer_key"])

    def _decide(self, proposal: Path, name: str) -> None:
        """Hand the proposal to the signing officers as files, have each sign a copy, and submit the copies."""
        copies = [self._signed_copy(proposal, officer, name) for officer in SIGNING]
        found = self.product.run("registry", "submit", "--home", "registry", *copies, show=True)
        (state,) = found["proposals"]
        demand(state["published"], f"the {name} was not published with two signatures of three", found)
        self.screen.good(f"{name}: {state['signatures_present']} of {state['signatures_needed']} signatures, published")

    def _signed_copy(self, proposal: Path, officer: str, name: str) -> str:
        """One officer's copy: carried into the officer's home, read and signed there, carried back."""
        copy = Path(officer) / f"{name}.proposal"
        shutil.copyfile(proposal, self.work / copy)
        signed = self.product.run(
            *("registry", "sign", str(copy), "--key", f"{officer}/officer.pem", "--yes"),
            *("--root-fingerprint", self.root_fingerprint),
            show=True,
        )
        if officer == SIGNING[0]:
            # Whatever is indented says the details of the line before it.
            heads = [line for line in signed["lines"] if not line.startswith(" ")]
            rest = len(signed["lines"]) - len(heads)
            self.screen.say(
                f"what {officer} reads before signing" + (f" ({rest} lines of details left out)" if rest else "")
            )
            self.screen.quote(*heads, crop=len(heads) > MANY_LINES)
        back = Path("registry-inbox") / f"{name}-{officer}.proposal"
        (self.work / back).parent.mkdir(exist_ok=True)
        shutil.copyfile(self.work / copy, self.work / back)
        return str(back)

    # (2) the nodes

    def create(self) -> None:
        """Create six homes, and set the intervals that suit a demonstration."""
        self.crew.each("homes", PLACES, self._create_one)
        self.screen.say(f"settings in xinqiao.toml: {', '.join(f'{k} = {v}' for k, v in SETTINGS.items())}")
        self.product.run("config", "check", "--home", BY_ID["national"].home, show=True)

    def _create_one(self, place: Place) -> None:
        listen, registry_listen = (f"127.0.0.1:{next(self.ports)}" for _ in range(2))
        made = self.product.run(
            *("init", "--home", place.home, "--id", place.id, "--name", place.name, "--level", place.level),
            *(("--parent", place.parent) if place.parent else ()),
            *("--authority", place.authority, "--listen", listen, "--registry-listen", registry_listen),
            show=place is PLACES[3],
            more="and likewise the others",
        )
        self.fingerprints[place.id] = made["fingerprint"]
        metrics = {"metrics_listen": f'"{self.metrics}"'} if place.id == "national" else {}
        edit_settings(self.work / place.home / "xinqiao.toml", SETTINGS | metrics)

    def join(self) -> None:
        """Apply from six homes at once, decide on all of them with one file, wait until each is a member."""
        joining = [self.crew.pool.submit(self._join_one, place) for place in PLACES]
        self.crew.until("applications", len(PLACES), lambda: self._pending(joining))
        proposal = self._propose_admission()
        self._decide(self.work / proposal, "admission")
        with self.screen.progress("members", len(joining)) as advance:
            for done, future in enumerate(joining, 1):
                demand(future.result()["member"], "an approved node is not a member", future.result())
                advance(done)
        self.screen.good(f"{len(PLACES)} members")

    def _propose_admission(self) -> str:
        """One proposal that admits all six: each is made with those before it."""
        earlier: list[str] = []
        with self.screen.progress("proposals", len(PLACES)) as advance:
            for done, place in enumerate(PLACES, 1):
                output = f"admission-{done}.proposal"
                self.product.run(
                    *("registry", "propose", "approve", place.id, "--home", "registry"),
                    *("--fingerprint", self.fingerprints[place.id], "-o", output, *earlier),
                    show=done <= 2,
                    more="and so on, each with those before it" if done == 2 else "",
                )
                earlier = ["--with", output]
                advance(done)
        return earlier[1]

    def _join_one(self, place: Place) -> Document:
        return self.product.run(
            *("join", "--home", place.home, "--registry", self.registry, "--root-fingerprint", self.root_fingerprint),
            show=place is PLACES[3],
            more="and likewise the others, at the same time",
        )

    def _pending(self, joining: Sequence["Future[Document]"]) -> int:
        for future in joining:
            if future.done():
                future.result()  # raises why it ended before anybody was asked
        return len(self.product.run("registry", "requests", "--home", "registry")["requests"])

    def serve(self) -> None:
        """Start six processes and wait until each has exchanged with somebody."""
        self.crew.each("processes", PLACES, lambda place: self.product.serve(place.id, "serve", "--home", place.home))
        self.crew.until("nodes linked to a peer", len(PLACES), self._linked)
        self.screen.good("every node has exchanged with a peer")
        # A peer that started a moment later was tried in vain, and is tried again.
        self.crew.until("duties ready", DUTIES, self._ready)
        self.screen.good(f"national shows metrics at http://{self.metrics}/metrics; all {DUTIES} duties are ready")

    def _ready(self) -> int:
        with urllib.request.urlopen(f"http://{self.metrics}/metrics", timeout=WAIT_LIMIT_S) as answer:
            lines = answer.read().decode().splitlines()
        return sum(line.startswith("xinqiao_duty_ready") and line.endswith(" 1.0") for line in lines)

    def _linked(self) -> int:
        found = list(self.crew.pool.map(lambda place: self.product.run("peers", "--home", place.home), PLACES))
        return sum(any(peer["last_success_unix_ms"] for peer in each["peers"]) for each in found)

    # (3) the exchange

    def exchange(self) -> None:
        """Create the channels, publish generated files, and show them arrive."""
        self.crew.each("channels", TOPICS, self._create_channel)
        self.crew.each("files", TOPICS, self._generate)
        publishing = [self.crew.pool.submit(self._publish, topic) for topic in TOPICS]
        with self.screen.live() as show:
            self._watch(publishing, lambda held: show(self._holdings_table(held)))
        for topic in TOPICS:
            counts = self.counts[topic.channel]
            self.screen.good(
                f"{topic.channel}: {counts['rows']} rows: {counts['accepted']} accepted, {counts['rejected']} rejected "
                f"with their reasons ({self.planted[topic.channel]} mistakes were planted, "
                f"{self.warnings[topic.channel]} decisions only warn and may not be made public)"
            )
            due = self.planted[topic.channel] + self.warnings[topic.channel]
            demand(counts["rejected"] == due, f"{topic.channel}: rejected other rows", counts)
        self._show_a_rejection(TOPICS[0])

    def _create_channel(self, topic: Topic) -> None:
        self.product.run(
            *("channel", "create", topic.name, "--home", BY_ID[topic.origin].home, "--item", topic.item),
            *("--audience", topic.audience, "--disclosure", topic.disclosure),
            show=True,
        )

    def _generate(self, topic: Topic) -> None:
        place = BY_ID[topic.origin]
        plan = Plan(topic.item, self.rows, self.seed, place.division, place.authority, DEFECTS)
        self.planted[topic.channel] = write_file(plan, self.work / self._file(topic))
        # R-INC-15: a decision that only warns is not published.
        sound = (each.row for each in generate(plan) if not each.code and topic.disclosure == "A")
        self.warnings[topic.channel] = sum(row.get("CF_CFLB") == "警告" for row in sound)

    def _file(self, topic: Topic) -> str:
        return f"nodes/{topic.origin}-{topic.name}.csv"

    def _publish(self, topic: Topic) -> None:
        home = BY_ID[topic.origin].home
        found = self.product.run("publish", topic.channel, self._file(topic), "--home", home, show=True)
        (file,) = found["files"]
        self.counts[topic.channel] = file["counts"]
        self.rejected[topic.channel] = file["rejected_file"] or ""

    def _watch(self, publishing: Sequence["Future[None]"], show: Callable[[Document], None]) -> None:
        """Ask every node what it holds until everything published has arrived."""
        limit = time.monotonic() + WAIT_LIMIT_S * 2
        while True:
            published = all(future.done() for future in publishing)
            if published:
                for future in publishing:
                    future.result()
            held = self._holdings()
            show(held)
            missing = [
                f"{topic.channel} at {node}"
                for topic in TOPICS
                for node in topic.holders
                if not self._is_complete(held, topic, node)
            ]
            if published and not missing:
                return
            demand(time.monotonic() < limit, f"not everything has arrived: {', '.join(missing)}", held)

    def _is_complete(self, held: Document, topic: Topic, node: str) -> bool:
        counts, found = self.counts.get(topic.channel), held[node].get(topic.channel)
        return counts is not None and found is not None and found["records"] == counts["accepted"]

    def _holdings(self) -> Document:
        """What every node says it holds: {node: {channel: summary}}."""
        lists = self.crew.pool.map(lambda place: self.product.run("channel", "list", "--home", place.home), PLACES)
        return {
            place.id: {each["head"]["channel"]: each for each in found["channels"]}
            for place, found in zip(PLACES, lists, strict=True)
        }

    def _holdings_table(self, held: Document) -> Table:
        table = Table(box=box.SIMPLE_HEAD, title="   records applied", title_justify="left")
        table.add_column("channel")
        for place in PLACES:
            table.add_column(place.id, justify="right")
        for topic in TOPICS:
            table.add_row(topic.channel, *(self._cell(held, topic, place.id) for place in PLACES))
        return table

    def _cell(self, held: Document, topic: Topic, node: str) -> str:
        if topic.channel not in held[node]:
            return "[dim]·[/]" if node in topic.holders else "[dim]–[/]"
        style = "green" if self._is_complete(held, topic, node) else "yellow"
        return f"[{style}]{held[node][topic.channel]['records']:,}[/]"

    def _show_a_rejection(self, topic: Topic) -> None:
        """Show one rejected row the way its sender finds it."""
        path = self.work / self.rejected[topic.channel]
        with path.open(encoding="utf-8-sig", newline="") as rows:
            row = next(csv.DictReader(rows))
        self.screen.say(f"the first of {path.relative_to(self.work)}:")
        # The first two columns, whose headings are in the language of the reader.
        reason, remedy = list(row.values())[:2]
        self.screen.quote(f"row {row['xq_row']}, {row['xq_code']}: {reason}", f"remedy: {remedy}")

    def show_holdings(self) -> None:
        """Compare every node with the origin: the same at its audience, nothing at the others."""
        held = self._holdings()
        table = Table(box=box.SIMPLE_HEAD)
        for column in ("channel", "audience", "held at", "entries", "records", "root"):
            table.add_column(column)
        for topic in TOPICS:
            mine = _holding(held[topic.origin][topic.channel])
            for place in PLACES:
                found = held[place.id].get(topic.channel)
                if place.id in topic.holders:
                    demand(
                        found is not None and _holding(found) == mine, f"{place.id} holds another {topic.channel}", held
                    )
                else:
                    demand(found is None, f"{place.id} holds {topic.channel}, which is not for it", held)
            size, root, records = mine
            table.add_row(
                *(topic.channel, topic.audience, " ".join(topic.holders), str(size), f"{records:,}", f"{root[:16]}…")
            )
            self.summary.setdefault("channels", {})[topic.channel] = {
                **self.counts[topic.channel],
                "records": records,
                "entries": size,
                "root": root,
                "held_by": list(topic.holders),
            }
        self.screen.table(table)
        self.screen.good("the same count and the same root at every node of the audience, nothing at the others")
        self._ask_an_outsider()

    def _ask_an_outsider(self) -> None:
        """Ask for a subject by its code where its records may be read, and where not."""
        topic = TOPICS[2]
        subject = self._first_record("national", topic.channel)["values"]["CF_XDR_SHXYM"]
        for node, expected in (("national", True), (PROVING, False)):
            found = self.product.run("records", "--subject", subject, "--home", BY_ID[node].home, show=True)["records"]
            demand(bool(found) is expected, f"{node} answers {len(found)} records about {subject}", found)
            self.screen.good(f"{node} answers {len(found)} record(s)")

    def _first_record(self, node: str, channel: str) -> Document:
        found = self.product.run("records", "--channel", channel, "--limit", "1", "--home", BY_ID[node].home)
        demand(len(found["records"]) == 1, f"{node} holds no record of {channel}", found)
        return dict(found["records"][0])

    # (4) evidence

    def prove(self) -> None:
        """Export one record's evidence at a node that did not publish it, verify it, damage it, verify again."""
        ref = self._first_record(PROVING, TOPICS[0].channel)["ref"]
        place = (ref["channel"], str(ref["index"]), str(ref["position"]))
        made = self.product.run("prove", *place, "-o", "evidence.xq", "--home", BY_ID[PROVING].home, show=True)
        anchor = ("--root-fingerprint", self.root_fingerprint)
        found = self.product.run("verify", "evidence.xq", *anchor, show=True)
        document_number = found["record"]["values"]["CF_WSH"]
        witnesses = ", ".join(each["node"] for each in found["confirmed_by"])
        self.screen.good(f"{made['bytes']:,} bytes prove {document_number}, published by {found['origin']['id']}")
        self.screen.good(f"its log is confirmed by {witnesses}; no node, no registry and no network was asked")
        content = bytearray((self.work / "evidence.xq").read_bytes())
        at = content.index(document_number.encode())
        content[at] ^= 1
        (self.work / "damaged.xq").write_bytes(content)
        error = self.product.refusal("verify", "damaged.xq", *anchor)
        self.screen.good(f"with one bit of byte {at} turned: {error['code']}: {error['text']}")
        self.summary["evidence"] = {"bytes": made["bytes"], "confirmed_by": found["confirmed_by"], "refused": error}

    # (5) suspension

    def suspend(self) -> None:
        """Suspend a node by ceremony; see it refused, its past kept and its future accepted nowhere."""
        topic = next(topic for topic in TOPICS if topic.origin == SUSPENDED)
        before = self._holdings()["national"][topic.channel]["records"]
        self.product.run(
            *("registry", "propose", "suspend", SUSPENDED, "--home", "registry"),
            *("--reason", REASON, "-o", "suspension.proposal"),
            show=True,
        )
        late = self._publish_late(topic)
        self._decide(self.work / "suspension.proposal", "suspension")
        self.crew.until(
            "nodes have drawn the line", len(PLACES), lambda: self.crew.count(PLACES, self._is_cut, topic, before)
        )
        self.screen.good(f"every node still answers {before:,} records of {topic.channel}, those up to the cut")
        refused = self._show_refusals(topic)
        with self.screen.progress("seconds for anybody to take it up", SETTLE_S) as advance:
            for second in range(SETTLE_S):
                time.sleep(1)
                advance(second + 1)
        demand(
            self.crew.count(PLACES, self._is_cut, topic, before) == len(PLACES),
            "somebody took up what lies above the cut",
        )
        self.screen.good(
            f"the {late} rows sent after the line was drawn are answered nowhere, and nothing more of it is accepted"
        )
        self.summary["suspension"] = {"node": SUSPENDED, "kept": before, "late": late, "refused": refused}

    def _publish_late(self, topic: Topic) -> int:
        """Publish while the officers are still signing: it travels, and lies above the cut that they sign."""
        place, file, late = BY_ID[SUSPENDED], self.work / "nodes" / "late.csv", 50
        write_file(Plan(topic.item, late, self.seed + 1, place.division, place.authority), file)
        self.screen.say(f"meanwhile {SUSPENDED}, still a member, goes on:")
        self.product.run("publish", topic.channel, "nodes/late.csv", "--home", place.home, show=True)
        return late

    def _is_cut(self, place: Place, topic: Topic, records: int) -> bool:
        """Whether a node knows the cut and answers exactly what lies below it."""
        found = self.product.run("channel", "list", "--home", place.home)["channels"]
        return any(
            each["head"]["channel"] == topic.channel and each["state"] == "cut" and each["records"] == records
            for each in found
        )

    def _refusals(self, place: Place) -> int:
        """How many peers have refused a node because it is suspended."""
        peers = self.product.run("peers", "--home", place.home)["peers"]
        return sum(peer["failure"]["code"] == "MEMBER_SUSPENDED" for peer in peers)

    def _show_refusals(self, topic: Topic) -> dict[str, str]:
        """Show what the suspended node reads: its own standing, why its peers refuse, why it cannot publish."""
        place = BY_ID[SUSPENDED]
        self.crew.until("peers refuse it", len(PLACES) - 1, lambda: self._refusals(place))
        self.product.run("peers", "--home", place.home, show=True)
        self.screen.good(f"refused by all {len(PLACES) - 1} peers: MEMBER_SUSPENDED")
        status = self.product.run("status", "--home", place.home, show=True)
        demand(status["membership"] == "suspended", f"{SUSPENDED} does not know of its suspension", status)
        self.screen.quote(f"{status['membership']}; waiting for: {status['waiting_for']}")
        error = self.product.refusal("publish", topic.channel, "nodes/late.csv", "--home", place.home)
        demand(error["code"] == "MEMBER_SUSPENDED", f"{SUSPENDED} is refused for another reason", error)
        self.screen.good(f"refused: {error['code']}: {error['text']}")
        return {str(name): str(text) for name, text in error.items()}

    # (6) the end

    def close(self) -> list[str]:
        """Stop every process and every thread; returns what did not go as it should."""
        faults = self.product.stop()
        self.crew.pool.shutdown()
        return faults

    def leave(self) -> Path:
        """Leave the servers running; returns the script that stops them."""
        self.crew.pool.shutdown()
        return self.product.let_go()


def _holding(summary: Document) -> tuple[int, str, int]:
    """Size, root and records of a channel as a node holds it."""
    return summary["head"]["size"], summary["head"]["root"], summary["records"]


# --- The command line -----------------------------------------------------------------------------------------


def parse() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="scripts/demo", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2000, metavar="N", help="rows of each file (default: 2000)")
    parser.add_argument("--seed", type=int, default=7, metavar="S", help="seed of the generated files (default: 7)")
    parser.add_argument("--dir", type=Path, help="work directory, new or empty; without it, a temporary one")
    parser.add_argument("--keep", action="store_true", help="leave the network up, and say how to talk to it")
    parser.add_argument(
        "--json", action="store_true", help="the summary as one JSON document on stdout, prose on stderr"
    )
    arguments = parser.parse_args()
    if not 100 <= arguments.rows <= 1_000_000:
        parser.error("--rows: between 100 and 1000000")
    if (
        arguments.dir is not None
        and arguments.dir.exists()
        and (not arguments.dir.is_dir() or any(arguments.dir.iterdir()))
    ):
        parser.error(f"--dir: {arguments.dir} exists and is not an empty directory")
    return arguments


def main() -> int:
    """Play the demonstration; returns the exit status."""
    arguments = parse()
    for number in SIGNALS:
        signal.signal(number, _interrupt)
    screen = Screen(on_stderr=arguments.json)
    work = arguments.dir.resolve() if arguments.dir else Path(tempfile.mkdtemp(prefix="xinqiao-demo-"))
    for name in ("logs", "nodes"):
        (work / name).mkdir(parents=True)
    screen.say(f"work directory {work}", "dim")
    demo = Demo(work, arguments.rows, arguments.seed, screen)
    status = _play(demo)
    if status == 0 and arguments.keep:
        _keep(demo)
    else:
        status = _stop(demo, status)
        if status == 0 and arguments.dir is None:
            shutil.rmtree(work)
    if arguments.json:
        pids = {server.name: server.process.pid for server in demo.product.servers.values()}
        print(json.dumps(demo.summary | {"processes": pids, "status": status}, ensure_ascii=False))
    return status


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    _ignore_signals()
    raise KeyboardInterrupt


def _ignore_signals() -> None:
    """From now on everything is being stopped, which takes seconds and is all that a further signal could ask for."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _play(demo: Demo) -> int:
    # On a thread of its own: an interrupt reaches the main thread only, never in the middle of starting a process.
    player = ThreadPoolExecutor(1)
    playing = player.submit(demo.play)
    player.shutdown(wait=False)
    try:
        playing.result()
    except StageError as error:
        demo.screen.console.print(f"\n[bold red]FAILED:[/] {escape(str(error))}")
        demo.screen.say(f"{error.details.strip()}\n\n{demo.product.tails()}")
        demo.summary["failure"] = str(error)
        return 1
    except KeyboardInterrupt:
        demo.screen.console.print("\n[bold red]interrupted[/]: stopping every process")
        return 130
    return 0


def _keep(demo: Demo) -> None:
    """Say how to talk to the network, and leave the means to stop it."""
    stop = demo.leave()
    demo.screen.console.print(f"\n[bold]The network stays up.[/] Its root fingerprint: {demo.root_fingerprint}")
    for line in (
        f"export PATH={XINQIAO.parent}:$PATH XINQIAO_HOME={demo.work / 'nodes' / PROVING}",
        "xinqiao status; xinqiao peers; xinqiao channel list; xinqiao records --channel 310000/penalties --limit 3",
        f"xinqiao registry show --home {demo.work / 'registry'}",
        f"{stop}   # stops all {len(demo.product.servers)} processes",
    ):
        demo.screen.console.print(f"   $ {escape(line)}", soft_wrap=True)


def _stop(demo: Demo, status: int) -> int:
    _ignore_signals()
    dead = demo.product.dead()
    faults = dead + demo.close()
    console = demo.screen.console
    if status == 0 and not faults:
        _summarise(demo)
        return 0
    for fault in faults if status == 0 else dead:
        console.print(f"[bold red]FAILED:[/] {escape(fault)}")
    console.print(f"everything is stopped; files and logs are in {demo.work}", soft_wrap=True)
    return status or 1


def _summarise(demo: Demo) -> None:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    demo.summary |= {
        "seconds": round(demo.screen.elapsed, 1),
        "processor_seconds": round(used.ru_utime + used.ru_stime, 1),
        "commands": len(demo.product.seconds),
        "steps": demo.screen.timings,
        "slowest": sorted(demo.product.seconds, reverse=True)[:5],
    }
    console, found = demo.screen.console, demo.summary
    console.print(f"\n[bold green]Done in {found['seconds']} s[/], nothing left running")
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("step")
    table.add_column("seconds", justify="right")
    for name, seconds in demo.screen.timings.items():
        table.add_row(name, f"{seconds:.1f}")
    console.print(table)
    rows = sum(each["rows"] for each in found["channels"].values())
    demo.screen.say(
        f"{len(demo.product.servers)} processes and {found['commands']} commands, "
        f"{found['processor_seconds']} s of processor time, {rows:,} rows"
    )


if __name__ == "__main__":
    sys.exit(main())
