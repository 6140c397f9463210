"""Exits from a joint list: its entries are put on it by two officers, and taken off one after another."""

import csv
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random

from node.bench.network import Network, wait_until
from node.bench.programs import demand
from node.bench.rows import example_uscc
from node.core import envelope as envelopes
from node.core.limits import DEFAULT_LIMITS
from node.core.list_warrant import APPROVE, PROPOSE
from node.core.officers import OfficerBook, build_statement
from node.keys import Passphrase, SoftwareSigner
from node.keys.officer import key_file, open_officer_key
from node.pb import decision_service_pb2, listing_pb2, record_pb2
from node.pb import list_service_pb2 as pb
from node.rpc.list_client import ListClient

CODE = "bench"
OFFICERS = ("li", "wang")
DECIDED = ("--decided-on", "2026-01-15", "--notice-served", "2025-12-20", "--measures", "SHR-31-1")
ENTERING_LIMIT_S = 3600.0
PER_ENTRY = DEFAULT_LIMITS.max_list_operations_per_entry
DEFINITION = """
code: {code}
title_zh: 示例名单
title_en: Example list
kind: serious
authority: "{authority}"
legal_basis:
  - {{title: 示例法, article: 第一条}}
entry_conditions: 示例列入条件
exit_conditions: 示例移出条件
remedy: 示例救济途径
measures: [SHR-31-1]
term_months: 36
disclosure: A
audience: everyone
staleness_limit_s: 86400
"""


@dataclass
class Exits:
    """Entries of a serious list that leave it, each by the signatures of two officers."""

    network: Network
    owner: ListClient
    entries: int
    channel: str = ""
    _signers: list[SoftwareSigner] = field(default_factory=list)
    _live: list[record_pb2.RecordRef] = field(default_factory=list)
    _subjects: "count[int]" = field(default_factory=lambda: count(1))
    _random: Random = field(default_factory=lambda: Random(1))

    def prepare(self, number: int) -> None:
        """Put so many on the list that its entries and those to be taken off it stand there."""
        if not self.channel:
            self._define()
        missing = self.entries + number - len(self._live)
        if missing > 0:
            self._live += self._enter(missing)
            # Those that stand anywhere in a long list leave it, not those that came last.
            self._random.shuffle(self._live)

    def order(self) -> "Approval":
        """An exit that one officer has proposed and another one has signed."""
        ref = self._live.pop()
        change = self.owner.draft_change(
            pb.DraftChangeRequest(
                entry=ref,
                act=listing_pb2.LIST_ACT_EXIT,
                decision="示出〔2026〕1号",
                reason="示例移出",
                ground=listing_pb2.EXIT_GROUND_CONDITIONS_MET,
            )
        )
        digest = self.owner.change_line(change).digest
        self.owner.submit(self._signed(self._signers[0], PROPOSE, change, digest))
        return Approval(self.owner, self._signed(self._signers[1], APPROVE, change, digest), self._size())

    # -- before any clock runs

    def _define(self) -> None:
        node, home = self.network.owner, self.network.home(self.network.owner)
        for name in OFFICERS:
            secret = f"bench-{name}-passphrase"
            self._passphrase(name).write_text(secret, "utf-8")
            self._passphrase(name).chmod(0o600)
            self.network.run(node, "officer", "add", name, "--passphrase-file", str(self._passphrase(name)))
            self._signers.append(open_officer_key(key_file(home, name), Passphrase(secret.encode())))
        file = self.network.programs.work / "list.yaml"
        file.write_text(DEFINITION.format(code=CODE, authority=example_uscc("11", node, 1)), "utf-8")
        self.network.run(node, "list", "define", str(file))
        self.channel = f"{node}/lists/{CODE}"

    def _passphrase(self, name: str) -> Path:
        return self.network.programs.work / f"{name}.passphrase"

    def _enter(self, number: int) -> list[record_pb2.RecordRef]:
        """Have two officers put so many subjects on the list; returns their entries, when every reader has them."""
        node, before = self.network.owner, self._size()
        file = self.network.programs.work / f"subjects-{before}.csv"
        with file.open("w", encoding="utf-8", newline="") as out:
            rows = csv.writer(out)
            rows.writerow(["subject", "subject_name", "decision", "reason"])
            for _ in range(number):
                serial = next(self._subjects)
                code = example_uscc("91", node, serial)
                rows.writerow([code, f"示例企业{serial}", f"示罚〔2026〕{serial}号", "示例列入"])
        add = (node, "list", "add", CODE, "--file", str(file), *DECIDED, *self._by(OFFICERS[0]))
        change = self.network.run(*add)["change"]["id"]
        approved = self.network.run(node, "list", "approve", change, *self._by(OFFICERS[1]))
        demand(approved["state"] == "published", "the entries of the list were not published", approved)
        wait_until(self._is_applied_by_all, "every reader has the list", ENTERING_LIMIT_S)
        places = self.owner.change_line(change).entries
        return [
            record_pb2.RecordRef(channel=self.channel, epoch=place.epoch, index=place.index, position=at % PER_ENTRY)
            for at in range(number)
            for place in [places[at // PER_ENTRY]]
        ]

    def _by(self, name: str) -> tuple[str, ...]:
        return "--officer", name, "--passphrase-file", str(self._passphrase(name))

    def _size(self) -> int:
        return self.owner.channel(self.channel).channel.head.size

    def _is_applied_by_all(self) -> bool:
        found = self.owner.channel(self.channel)
        size = found.channel.head.size
        applied = {line.node: line.applied_size for line in found.deliveries}
        return all(applied.get(node, 0) >= size for node in self.network.readers)

    def _signed(
        self, signer: SoftwareSigner, act: str, change: str, digest: bytes
    ) -> decision_service_pb2.SubmitStatementRequest:
        found = self.owner.officers()
        book = OfficerBook(found.network, found.node)
        payload = build_statement(book, act, change, digest, "", found.time_unix_ms)
        statement = envelopes.seal(payload, envelopes.OFFICER_STATEMENT, signer)
        return decision_service_pb2.SubmitStatementRequest(statement=statement)


@dataclass(frozen=True, slots=True)
class Approval:
    """The last signature of an exit; handed over, it publishes the entry at this index of the list's log."""

    owner: ListClient
    request: decision_service_pb2.SubmitStatementRequest
    index: int

    def __call__(self) -> int:
        """Hand it over; the exit is published and durable when this returns."""
        taken = self.owner.submit(self.request)
        demand(taken.state == "published", f"an exit is {taken.state} and not published")
        return self.index
