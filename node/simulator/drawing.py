"""The plan of a run, drawn from a scenario and a seed.

Every rule and every kind of work draws from its own generator, made from the seed, its name and its number: whoever
takes one out or adds one at the end does not move what the others do. Only what random.Random does alike on every
machine and in every version of Python is used: no logarithms, no hashes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from node.core.audience import parse_audience
from node.pb import channel_pb2
from node.simulator.plan import PlannedEvent, Value
from node.simulator.reading import (
    DISHONEST_SHARE,
    DRAWN,
    expand_channels,
    expand_lists,
    expand_nodes,
    list_channel,
)
from node.simulator.scenario import (
    AnyFault,
    ClockStep,
    Equivocate,
    Lie,
    LostOnCrash,
    NodeTemplate,
    Partition,
    RegistryFault,
    Restore,
    RotateKey,
    Scenario,
    Slow,
)

MINUTE_MS = 60_000
CREATION_PAUSE_MS = 10
QUIET_START_MS = 2_000
"""How long after the last channel is created the first work and the first drawn fault may come."""
SUSPENSION_S = (60.0, 600.0)
LIES = ("withhold", "re-encode", "replay", "fake-erasure", "false-heads", "forge")
REGISTRY_FAULTS = ("unreachable", "rolled-back", "frozen", "expired", "two-faced")


def draw(scenario: Scenario, seed: int) -> list[PlannedEvent]:
    """Everything that operators do and that goes wrong in a run, in the order of its times."""
    drawing = _Drawing.of(scenario, seed)
    drawn = [*_creations(drawing), *_work(drawing), *_faults(drawing)]
    drawn.sort(key=lambda event: event.at_ms)  # stable: what falls on the same millisecond keeps its order
    return [PlannedEvent(at.at_ms, number, at.kind, at.node, at.arguments) for number, at in enumerate(drawn)]


@dataclass(frozen=True, slots=True)
class _Drawing:
    """What all rules look at: audiences of channels and of joint lists, times in ms from the start of the run."""

    scenario: Scenario
    seed: int
    nodes: Sequence[NodeTemplate]
    ids: Sequence[str]
    audiences: dict[str, str]
    lists: dict[str, str]
    start_ms: int
    end_ms: int

    @classmethod
    def of(cls, scenario: Scenario, seed: int) -> "_Drawing":
        nodes = expand_nodes(scenario)
        ids = [node.id for node in nodes]
        channels = [(f"{each.origin}/{each.name}", each.audience) for each in expand_channels(scenario)]
        joint = [(list_channel(each), each.audience) for each in expand_lists(scenario)]
        audiences = {name: _audience(seed, ids, name, said) for name, said in channels}
        lists = {name: _audience(seed, ids, name, said) for name, said in joint}
        end = max(1, int(scenario.minutes * MINUTE_MS))
        start = min((len(audiences) + len(lists)) * CREATION_PAUSE_MS + QUIET_START_MS, end // 2)
        return cls(scenario, seed, nodes, ids, audiences, lists, start, end)

    def random(self, what: str, number: int = 0) -> Random:
        """The generator of one rule."""
        return Random(f"{self.seed} {what} {number}")

    def times(self, random: Random, an_hour: float) -> list[int]:
        """So many times an hour, spread evenly; a fraction of a time comes with that probability."""
        expected = an_hour * (self.end_ms - self.start_ms) / (60 * MINUTE_MS)
        count = int(expected) + (random.random() < expected % 1)
        return [random.randrange(self.start_ms, max(self.end_ms, self.start_ms + 1)) for _ in range(count)]

    def for_ms(self, at_ms: int, lasts_s: float) -> int:
        """How long something lasts that begins then: what settles must be free of faults."""
        return max(1, min(int(lasts_s * 1000), self.end_ms - at_ms))


def _event(at_ms: int, kind: str, node: str, **arguments: Value) -> PlannedEvent:
    return PlannedEvent(at_ms, 0, kind, node, arguments)


# -- channels and what operators do --------------------------------------------------------------------------


def _audience(seed: int, ids: Sequence[str], name: str, said: str) -> str:
    """The audience of a channel as the scenario says it, or as it is drawn."""
    return _drawn_audience(Random(f"{seed} audience {name}"), ids, name.partition("/")[0]) if said == DRAWN else said


def _drawn_audience(random: Random, ids: Sequence[str], origin: str) -> str:
    """Some of the other nodes, at least one; everyone where there is no other."""
    others = [node for node in ids if node != origin]
    if not others:
        return "everyone"
    chosen = set(random.sample(others, random.randint(1, len(others))))
    return ",".join(node for node in others if node in chosen)


def _creations(drawing: _Drawing) -> Iterator[PlannedEvent]:
    for number, channel in enumerate(expand_channels(drawing.scenario)):
        name = f"{channel.origin}/{channel.name}"
        audience = drawing.audiences[name]
        at_ms = min(number * CREATION_PAUSE_MS, drawing.start_ms)
        yield _event(
            at_ms, "create_channel", channel.origin, channel=name, audience=audience, priority=channel.priority
        )

    for number, joint in enumerate(expand_lists(drawing.scenario), start=len(drawing.audiences)):
        name, at_ms = list_channel(joint), min(number * CREATION_PAUSE_MS, drawing.start_ms)
        what: dict[str, Value] = {"list_kind": joint.kind, "staleness_limit_s": joint.staleness_limit_s}
        yield _event(at_ms, "create_list", joint.origin, channel=name, audience=drawing.lists[name], **what)


def _work(drawing: _Drawing) -> Iterator[PlannedEvent]:
    work = drawing.scenario.workload
    if drawing.audiences:
        yield from _each(drawing, "batches", work.batches, _publish)
        yield from _each(drawing, "erasures", work.erasures, _erase)
        yield from _audience_changes(drawing, "audience_changes", work.audience_changes, drawing.audiences)
    if drawing.lists:
        yield from _each(drawing, "list_changes", work.list_changes, _change_list)
        yield from _audience_changes(drawing, "list_audience_changes", work.list_audience_changes, drawing.lists)
        yield from _each(drawing, "checks", work.checks, _check)
    yield from _each(drawing, "key_rotations", work.key_rotations, _rotate)
    yield from _each(drawing, "suspensions", work.suspensions, _suspend)


def _each(
    drawing: _Drawing, what: str, an_hour: float, act: Callable[[_Drawing, Random, int], PlannedEvent]
) -> Iterator[PlannedEvent]:
    random = drawing.random(what)
    for at_ms in drawing.times(random, an_hour):
        yield act(drawing, random, at_ms)


def _channel(drawing: _Drawing, random: Random) -> tuple[str, str]:
    name = random.choice(list(drawing.audiences))
    return name.partition("/")[0], name


def _publish(drawing: _Drawing, random: Random, at_ms: int) -> PlannedEvent:
    work = drawing.scenario.workload
    origin, name = _channel(drawing, random)
    records = random.randint(*work.records)
    drawn = [random.random() for _ in range(records)]
    revised = sum(share < work.revised for share in drawn)
    repeated = sum(work.revised <= share < work.revised + work.repeated for share in drawn)
    padding, seed = random.randint(*work.padding_bytes), random.getrandbits(32)
    counts: dict[str, Value] = {"records": records, "revised": revised, "repeated": repeated}
    return _event(at_ms, "publish", origin, channel=name, **counts, padding=padding, seed=seed)


def _erase(drawing: _Drawing, random: Random, at_ms: int) -> PlannedEvent:
    origin, name = _channel(drawing, random)
    return _event(at_ms, "erase", origin, channel=name, pick=random.getrandbits(32))


def _list(drawing: _Drawing, random: Random) -> tuple[str, str]:
    name = random.choice(list(drawing.lists))
    return name.partition("/")[0], name


def _change_list(drawing: _Drawing, random: Random, at_ms: int) -> PlannedEvent:
    work = drawing.scenario.workload
    origin, name = _list(drawing, random)
    operations = random.randint(*work.list_operations)
    exits = sum(random.random() < work.list_exits for _ in range(operations))
    seed = random.getrandbits(32)
    return _event(at_ms, "change_list", origin, channel=name, operations=operations, exits=exits, seed=seed)


def _check(drawing: _Drawing, random: Random, at_ms: int) -> PlannedEvent:
    node, (_, name) = random.choice(drawing.ids), _list(drawing, random)
    return _event(at_ms, "check", node, channel=name, pick=random.getrandbits(32))


def _rotate(drawing: _Drawing, random: Random, at_ms: int) -> PlannedEvent:
    return _event(at_ms, "rotate_key", random.choice(drawing.ids), revoke=random.random() < 0.25)


def _suspend(drawing: _Drawing, random: Random, at_ms: int) -> PlannedEvent:
    node, lasts_s = random.choice(drawing.ids), random.uniform(*SUSPENSION_S)
    return _event(at_ms, "suspend", node, for_ms=drawing.for_ms(at_ms, lasts_s))


def _audience_changes(
    drawing: _Drawing, what: str, an_hour: float, audiences: Mapping[str, str]
) -> Iterator[PlannedEvent]:
    """Each drops a reader or adds one, in the order of their times; one always stays."""
    random = drawing.random(what)
    readers: dict[str, list[str]] = {}
    for at_ms in sorted(drawing.times(random, an_hour)):
        name = random.choice(list(audiences))
        origin = name.partition("/")[0]
        before = readers.get(name) or _readers(drawing, audiences[name], origin)
        others = [node for node in drawing.ids if node != origin]
        changes = [node for node in others if [node] != before]
        if not changes:
            continue
        changed = random.choice(changes)
        readers[name] = [node for node in others if (node in before) != (node == changed)]
        yield _event(at_ms, "set_audience", origin, channel=name, audience=",".join(readers[name]))


def _readers(drawing: _Drawing, expression: str, origin: str) -> list[str]:
    """The nodes beside the origin that the first audience of a channel names."""
    audience = parse_audience(expression)
    fits = [node for node in drawing.nodes if any(_matches(term, node) for term in audience.terms)]
    return [node.id for node in fits if node.id != origin]


def _matches(term: channel_pb2.AudienceTerm, node: NodeTemplate) -> bool:
    return (
        (not term.node_ids or node.id in term.node_ids)
        and (not term.level or node.level == term.level)
        and (not term.parent or node.parent == term.parent)
        and (not term.region or (node.id.isdigit() and node.id.startswith(term.region)))
    )


# -- faults --------------------------------------------------------------------------------------------------


def _faults(drawing: _Drawing) -> Iterator[PlannedEvent]:
    dishonest = _dishonest(drawing)
    for number, fault in enumerate(drawing.scenario.faults):
        rule = _Rule(drawing, number, fault, drawing.random(f"fault {fault.kind}", number), dishonest)
        yield from rule.events()


def _dishonest(drawing: _Drawing) -> list[str]:
    """Who may lie or equivocate: those that rules name, then others, up to a third."""
    rules = [fault for fault in drawing.scenario.faults if isinstance(fault, Equivocate | Lie)]
    named = sorted({node for fault in rules for node in fault.nodes})
    others = [node for node in drawing.ids if node not in named]
    drawing.random("dishonest").shuffle(others)
    return [*named, *others[: max(0, len(drawing.ids) // DISHONEST_SHARE - len(named))]]


@dataclass(frozen=True, slots=True)
class _Rule:
    """One fault of the scenario, which happens once or many times."""

    drawing: _Drawing
    number: int
    fault: AnyFault
    random: Random
    dishonest: Sequence[str]

    def events(self) -> Iterator[PlannedEvent]:
        """Everything that the rule does."""
        if self.fault.at_minute is not None:
            times = [min(int(self.fault.at_minute * MINUTE_MS), self.drawing.end_ms)]
        else:
            times = self.drawing.times(self.random, self.fault.each_hour or 0.0)
        for nth, at_ms in enumerate(times):
            yield from self._happens(at_ms, nth)

    def _happens(self, at_ms: int, nth: int) -> Iterator[PlannedEvent]:
        fault, random = self.fault, self.random
        for_ms = self.drawing.for_ms(at_ms, random.uniform(*fault.lasts_s))
        if isinstance(fault, Partition):
            yield from self._partition(fault, at_ms, for_ms)
            return
        if isinstance(fault, RegistryFault):
            how = random.choice(REGISTRY_FAULTS) if fault.how == "any" else fault.how
            towards = list(fault.nodes) or self._some(len(self.drawing.ids))
            yield _event(at_ms, fault.kind, "", how=how, nodes=towards, for_ms=for_ms)
            return
        node = self._one()
        if node and isinstance(fault, Restore | LostOnCrash):
            yield from self._restore(fault, at_ms, node, f"{fault.kind}-{self.number}-{nth}", for_ms)
        elif node:
            yield _event(at_ms, fault.kind, node, **self._arguments(node, for_ms))

    def _one(self) -> str:
        """The node it happens to, empty where none may."""
        among = list(self.fault.nodes) or list(self.drawing.ids)
        if isinstance(self.fault, Equivocate | Lie):
            # The whole order is drawn, so that it does not hang on who else may.
            self.random.shuffle(among)
            return next((node for node in among if node in self.dishonest), "")
        return self.random.choice(among)

    def _some(self, most: int) -> list[str]:
        """Any of the nodes, at least one and all of them half of the time if that may be."""
        ids = self.drawing.ids
        share = self.random.randint(1, most)
        count = most if most == len(ids) and self.random.random() < 0.5 else share
        chosen = set(self.random.sample(list(ids), count))
        return [node for node in ids if node in chosen]

    def _arguments(self, node: str, for_ms: int) -> dict[str, Value]:
        match self.fault:
            case RotateKey(revoke=revoke):
                return {"revoke": revoke}
            case Slow(times=times):
                return {"times": times, "for_ms": for_ms}
            case ClockStep(by_s=by_s):
                return {"by_ms": int(self.random.uniform(*by_s) * 1000), "for_ms": for_ms}
            case Lie(how=how):
                return {"how": self.random.choice(LIES) if how == "any" else how, "for_ms": for_ms}
            case Equivocate():
                others = _drawn_audience(self.random, self.drawing.ids, node)
                return {"visible_to": others.split(","), "for_ms": for_ms}
        return {"down_ms" if self.fault.kind == "crash" else "for_ms": for_ms}

    def _partition(self, fault: Partition, at_ms: int, for_ms: int) -> Iterator[PlannedEvent]:
        ids = [node for node in self.drawing.ids if node not in fault.others]
        senders = (
            list(fault.nodes) or [node for node in self._some(len(self.drawing.ids) - 1) if node in ids] or ids[:1]
        )
        receivers = list(fault.others) or [node for node in self.drawing.ids if node not in senders]
        if senders and receivers:
            sides: dict[str, Value] = {"senders": senders, "receivers": receivers}
            yield _event(at_ms, fault.kind, senders[0], **sides, one_way=fault.one_way, for_ms=for_ms)

    def _restore(
        self, fault: Restore | LostOnCrash, at_ms: int, node: str, name: str, down_ms: int
    ) -> Iterator[PlannedEvent]:
        """A backup, at the earliest when the first channels are there, and later the crash that needs it."""
        age_ms = max(1, int(self.random.uniform(*fault.age_s) * 1000))
        sidecar = fault.sidecar if isinstance(fault, Restore) else "kept"
        backup_ms = max(at_ms - age_ms, min(at_ms, self.drawing.start_ms))
        yield _event(backup_ms, "backup", node, name=name)
        yield _event(at_ms, "restore", node, name=name, down_ms=down_ms, sidecar=sidecar)
