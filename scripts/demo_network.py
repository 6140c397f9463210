"""What the steps of the demonstration share: the network as far as it stands, and the officers' ceremony."""

import shutil
from pathlib import Path

from scripts.xq_places import BY_ID, PLACES, SIGNING, TOPICS
from scripts.xq_stage import Crew, Document, Product, Screen, demand, free_ports

PROVING = "310115"  # the node where somebody looks for a proof, and where the network left up is talked to
MANY_LINES = 8


class Demo:
    """What one step finds out and a later one needs, and what several of them do."""

    def __init__(self, work: Path, rows: int, seed: int, screen: Screen) -> None:
        self.work, self.rows, self.seed, self.screen = work, rows, seed, screen
        self.product = Product(work, screen=screen)
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

    def decide(self, proposal: Path, name: str) -> None:
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

    def holdings(self) -> Document:
        """What every node says it holds: {node: {channel: summary}}."""
        lists = self.crew.pool.map(lambda place: self.product.run("channel", "list", "--home", place.home), PLACES)
        return {
            place.id: {each["head"]["channel"]: each for each in found["channels"]}
            for place, found in zip(PLACES, lists, strict=True)
        }

    def first_record(self, node: str, channel: str) -> Document:
        """One record of a channel as a node answers it; the node must hold one."""
        found = self.product.run("records", "--channel", channel, "--limit", "1", "--home", BY_ID[node].home)
        demand(len(found["records"]) == 1, f"{node} holds no record of {channel}", found)
        return dict(found["records"][0])

    def close(self) -> list[str]:
        """Stop every process and every thread; returns what did not go as it should."""
        faults = self.product.stop()
        self.crew.pool.shutdown()
        return faults

    def leave(self) -> Path:
        """Leave the servers running; returns the script that stops them."""
        self.crew.pool.shutdown()
        return self.product.let_go()
