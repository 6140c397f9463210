"""The oracle: follows a whole run, and knows at every step whether the guarantees still hold.

    G1   what is stored, answered and relayed is what its origin has written and signed
    G2   logs are gapless and in order; what was acknowledged is there; nothing leaves before it is durable
    G3   every entry takes effect once, every record has exactly one outcome, the right one
    G4   a control entry arrives in bounded time; what is erased is never answered or given again
    G5   a log is as fresh as a heartbeat over what is applied
    G6   two histories are proven where their holders meet; an honest origin is never accused
    G7   a node that was put back never writes a second entry where it has written one
    G8   nothing of a channel leaves its audience, its name and size included
    G9   content is erased by its origin's word alone, and then everywhere
    G10  the registry's word never goes back, whatever the registry shows
    G12  what leaves and what is kept stays within the limits

It works on committed transactions and on messages; a store is read after a restore and at the end only. What honest
origins commit is the truth. An origin that writes two histories is held to nothing from then on; whoever lies about
the entries of others still runs the production code on its own store, and is held to what it stores.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from node.core.answer import Answer
from node.core.record import Candidate, Outcome, OutcomeKind
from node.core.state import Place
from node.node import Node
from node.pb import exchange_service_pb2
from node.ports import Store
from node.simulator.answers import Answers
from node.simulator.commits import Commits
from node.simulator.convergence import Convergence
from node.simulator.crossings import Crossings
from node.simulator.deadlines import Deadlines
from node.simulator.holdings import Holder
from node.simulator.list_watch import ListWatch
from node.simulator.observing import Crossing, Violation, Write
from node.simulator.scenario import Scenario
from node.simulator.truth import Truth

_PUT_BACK = ("restore", "lost_on_crash")
_WRITTEN = (OutcomeKind.ACCEPTED, OutcomeKind.REVISED)


class Oracle:
    """A Watcher that raises Violation at the very step; reaches and travel_s are set by whoever runs the network."""

    def __init__(self, scenario: Scenario, start_ms: int, now_ms: Callable[[], int]) -> None:
        self.reaches: Callable[[str, str], bool] = _nobody
        self.travel_s: Callable[[str, str, int], float] = _at_once
        self._start_ms = start_ms
        self._now_ms = now_ms
        self._truth = Truth()
        self._holders: dict[str, Holder] = {}
        self._lists = ListWatch(self._truth)
        self._answers = Answers(self._truth, self._lists)
        self._commits = Commits(self._truth, self._holders, self._lists)
        self._crossings = Crossings(self._truth, self._holders)
        self._deadlines = Deadlines(self._truth, self._holders, scenario.expect.control_delay_s)
        self._convergence = Convergence(self._truth, self._holders, self._lists)

    # -- what a Watcher is told ---------------------------------------------------------------------------

    def started(self, node: str, instance: Node, store: Store, cause: str) -> None:
        """A process begins: what it had acknowledged is there, unless its database was put back."""
        holder = self._holder(node)
        holder.instance = instance
        holder.is_copy = holder.is_copy or cause == "copy"
        if holder.is_copy:
            self._truth.dishonest.add(holder.node)
        elif cause in _PUT_BACK:
            holder.was_restored = True
            holder.read(store, self._now_ms())
            holder.forget_versions()
            holder.noted = None if holder.sidecar_lost else holder.noted
            self._commits.put_back(holder)
        elif self._is_honest(node):
            self._check_durable(holder, store)
        self._look(holder)

    def committed(self, node: str, writes: Sequence[Write]) -> None:
        """A transaction is durable."""
        if not self._is_honest(node):
            return
        holder, now_ms = self._holder(node), self._now_ms()
        self._look(holder)
        self._commits.committed(holder, writes, now_ms)
        for at, key, index in self._commits.appended:
            if at.node == key[0].partition("/")[0]:
                self._deadlines.written(at, key, index, now_ms)
        for pair in self._commits.rested:
            self._deadlines.rests(*pair, now_ms)
        self._commits.appended.clear()
        self._commits.rested.clear()

    def crossing(self, crossing: Crossing) -> None:
        """A message leaves a process."""
        now_ms = self._now_ms()
        holder = self._holders.get(crossing.sender)
        if holder is not None:
            self._look(holder)
        self._crossings.crossing(crossing, now_ms)
        if isinstance(crossing.message, exchange_service_pb2.HelloResponse):
            self._deadlines.compared(crossing.sender, crossing.receiver, now_ms)

    def published(self, node: str, channel: str, candidates: Sequence[Candidate], outcomes: Sequence[Outcome]) -> None:
        """An operator was told: each row has one outcome, and what was accepted is durable."""
        if not self._is_honest(node):
            return
        kinds = {outcome.row: outcome.kind for outcome in outcomes}
        if sorted(kinds) != sorted(candidate.row for candidate in candidates) or len(outcomes) != len(kinds):
            raise Violation("G3", node, f"{len(outcomes)} outcomes are told for {len(candidates)} rows of {channel}")
        written, untold = self._truth.content.get(channel, {}), self._truth.untold.get(channel, {})
        for candidate in candidates:
            kind = kinds[candidate.row]
            if kind in (*_WRITTEN, OutcomeKind.DUPLICATE) and candidate.content_hash not in written:
                raise Violation("G2", node, f"row {candidate.row} of {channel} is {kind} and nowhere written")
            if kind in _WRITTEN and candidate.content_hash not in untold:
                raise Violation("G3", node, f"row {candidate.row} of {channel} is {kind}, and was written before")
            if kind in _WRITTEN:
                del untold[candidate.content_hash]

    def erased(self, node: str, channel: str, place: str) -> None:
        """An operator was told: the erasure is written and done."""
        if not self._is_honest(node):
            return
        epoch, index, position = map(int, place.split("/"))
        at = Place(epoch, index, position)
        if at not in self._truth.erasures.get(channel, {}) or at not in self._holder(node).erased.get(channel, {}):
            raise Violation("G2", node, f"{channel} {place} counts as erased, and that is nowhere written")
        older = self._truth.older(channel, at)
        left = [each for each in older if each in self._holder(node).rows(channel)]
        if left:
            found = f"its revision {left[0].epoch}/{left[0].index}/{left[0].position} is still there"
            raise Violation("G9", node, f"{channel} {place} counts as erased, and {found}")

    def checked(self, node: str, now_ms: int, ground: str, answer: Answer) -> None:
        """An officer was answered: the question is in the query log, and the answer is right, or in doubt."""
        if self._is_honest(node):
            holder = self._holder(node)
            if ground not in holder.asked:
                raise Violation("QUERIES", node, f"a question is answered and not logged: {ground}")
            self._answers.told(holder, now_ms, answer)

    def happened(self, kind: str, node: str, arguments: Mapping[str, Any]) -> None:
        """An act of the plan: from then on some node is taken at no word, or has lost its sidecar."""
        if kind == "equivocate":
            self._truth.dishonest.add(node)
        elif kind == "lie":
            self._truth.liars.add(node)
        elif kind == "restore":
            self._holder(node).sidecar_lost = arguments.get("sidecar") == "lost"

    # -- what whoever runs the network calls --------------------------------------------------------------

    def check(self, now_ms: int) -> None:
        """What must have happened by now; call it every virtual second or so."""
        for holder in self._holders.values():
            self._look(holder)
        self._deadlines.check(self.reaches, self.travel_s, now_ms)

    @property
    def has_dishonest(self) -> bool:
        """Whether some node has two histories: nothing is said of what it must hold, nor of who must hold its logs."""
        return bool(self._truth.dishonest)

    def not_converged(self, instances: Mapping[str, Node], stores: Mapping[str, Store]) -> list[str]:
        """Why not every honest reader holds and has applied all it may read; empty when they do."""
        for label in sorted(instances):
            self._look(self._holder(label))
        return self._convergence.reasons(instances, stores)

    def check_end(self, stores: Mapping[str, Store]) -> None:
        """Compare every honest store, whole, with what was written."""
        self._convergence.check_end(stores)

    # -- inside -------------------------------------------------------------------------------------------

    def _holder(self, label: str) -> Holder:
        if label not in self._holders:
            self._holders[label] = Holder(label)
        return self._holders[label]

    def _is_honest(self, label: str) -> bool:
        """Whether a node is held to what it writes: not a copy, nor who a copy was made of."""
        holder = self._holder(label)
        return not holder.is_copy and holder.node not in self._truth.dishonest

    def _look(self, holder: Holder) -> None:
        """Note a change of the registry's word at a node; it never goes back, and is never forgotten."""
        known = holder.members()
        if holder.instance is not None and holder.instance.membership.members is known:
            return
        before = holder.look(self._now_ms())
        now = holder.members()
        if known is not now and known is not None and now is not None and holder.versions == before:
            gone = sorted(known.by_id.keys() - now.by_id.keys())
            if gone:
                raise Violation("G10", holder.label, f"it forgets {', '.join(gone)}, and the registry said nothing new")
        if any(now < then for now, then in zip(holder.versions, before, strict=True)):
            found = f"root, timestamp and snapshot {holder.versions} follow {before}"
            raise Violation("G10", holder.label, f"the registry's word goes back: {found}")

    def _check_durable(self, holder: Holder, store: Store) -> None:
        held = {log.key: log for log in store.channels()}
        for key, log in holder.logs.items():
            stored = held[key].log if key in held else None
            if log.size and (stored is None or (stored.size, stored.root) != (log.size, log.roots[-1])):
                found = stored.size if stored is not None else 0
                raise Violation("G2", holder.label, f"{found} of {log.size} entries of {key[0]} {key[1]} are left")
            if log.size and held[key].applied_size != log.applied:
                found = held[key].applied_size
                raise Violation("G3", holder.label, f"{key[0]} {key[1]} is applied to {found}, not to {log.applied}")


def _nobody(_one: str, _other: str) -> bool:
    return False


def _at_once(_one: str, _other: str, _size: int) -> float:
    return 0.0
