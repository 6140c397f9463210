"""Failures of simulations as files that replay them, and how one is made smaller.

A file holds all that a run needs: the scenario, the seed and the plan; and what came of it, so that a replay can tell
whether it is still the same run. Making it smaller is delta debugging over the acts of the plan, the nodes and the
options: whatever can be left out while the same guarantee still fails is left out.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeVar

from pydantic import Field, ValidationError

from node.core.errors import XinqiaoError
from node.simulator.plan import PlannedEvent, Value
from node.simulator.reading import (
    DISHONEST_SHARE,
    expand_channels,
    expand_lists,
    expand_nodes,
    mistakes,
    scenario_of,
)
from node.simulator.scenario import ClockOptions, DiskOptions, LinkOptions, NodeSettings, NodeTemplate, Part, Scenario

T = TypeVar("T")
VERSION = 1
MAX_FILE_CHARS = 64 * 1024 * 1024
SEEDS_TRIED = 3
"""Leaving something out moves every later draw of the network; a few seeds show whether the fault is still there."""

ARGUMENTS: Mapping[str, Mapping[str, type]] = {
    "create_channel": {"channel": str, "audience": str, "priority": str},
    "create_list": {"channel": str, "audience": str, "list_kind": str, "staleness_limit_s": int},
    "change_list": {"channel": str, "operations": int, "exits": int, "seed": int},
    "check": {"channel": str, "pick": int},
    "publish": {"channel": str, "records": int, "revised": int, "repeated": int, "padding": int, "seed": int},
    "erase": {"channel": str, "pick": int},
    "set_audience": {"channel": str, "audience": str},
    "rotate_key": {"revoke": bool},
    "suspend": {"for_ms": int},
    "crash": {"down_ms": int},
    "backup": {"name": str},
    "restore": {"name": str, "down_ms": int, "sidecar": str},
    "disk_full": {"for_ms": int},
    "partition": {"senders": list, "receivers": list, "one_way": bool, "for_ms": int},
    "slow": {"times": float, "for_ms": int},
    "clock_step": {"by_ms": int, "for_ms": int},
    "equivocate": {"visible_to": list, "for_ms": int},
    "lie": {"how": str, "for_ms": int},
    "registry": {"how": str, "nodes": list, "for_ms": int},
}
"""The arguments of every kind of event of a plan."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A run in which a guarantee did not hold."""

    scenario: Scenario
    seed: int
    plan: Sequence[PlannedEvent]
    guarantee: str
    node: str
    found: str
    trace_digest: str


# -- the file ------------------------------------------------------------------------------------------------


class _Event(Part):
    at_ms: int = Field(ge=0)
    number: int = Field(ge=0)
    kind: str
    node: str
    arguments: dict[str, str | int | float | bool | list[str]]


class _Violation(Part):
    guarantee: str
    node: str
    found: str


class _File(Part):
    version: Literal[1]
    seed: int
    violation: _Violation
    trace_digest: str
    scenario: dict[str, Any]
    plan: list[_Event]


def write_failure(failure: Failure) -> str:
    """The text of a failure file: JSON, one line for each act of the plan."""
    violation = {"guarantee": failure.guarantee, "node": failure.node, "found": failure.found}
    head = {
        "version": VERSION,
        "seed": failure.seed,
        "violation": violation,
        "trace_digest": failure.trace_digest,
        "scenario": failure.scenario.model_dump(mode="json"),
    }
    lines = [f"  {_json(key)}: {_json(value)}," for key, value in head.items()]
    acts = ",\n".join(f"    {_json(asdict(event))}" for event in failure.plan)
    return "\n".join(["{", *lines, '  "plan": [', *([acts] if acts else []), "  ]", "}", ""])


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def read_failure(text: str, name: str) -> Failure:
    """The failure in a file of that name; raises FAILURE_FILE, SCENARIO."""
    if len(text) > MAX_FILE_CHARS:
        raise XinqiaoError("FAILURE_FILE", file=name, detail=f"it has more than {MAX_FILE_CHARS} characters")
    try:
        file = _File.model_validate_json(text, strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise XinqiaoError("FAILURE_FILE", file=name, detail=f"{place}: {first['msg']}") from None
    scenario = scenario_of(file.scenario, name)
    plan = [PlannedEvent(**event.model_dump()) for event in file.plan]
    defect = next(filter(None, (_defect(event, scenario) for event in plan)), "")
    if defect:
        raise XinqiaoError("FAILURE_FILE", file=name, detail=defect)
    return Failure(scenario, file.seed, plan, **file.violation.model_dump(), trace_digest=file.trace_digest)


def _defect(event: PlannedEvent, scenario: Scenario) -> str:
    """What is wrong with one act of a plan; empty when nothing is."""
    place, wanted = f"plan, number {event.number}", ARGUMENTS.get(event.kind)
    if wanted is None:
        return f"{place}: the kind {event.kind!r} is none of {', '.join(ARGUMENTS)}"
    found = {name: type(value) for name, value in event.arguments.items()}
    if found.keys() != wanted.keys() or any(found[name] is not kind for name, kind in wanted.items()):
        return f"{place}: {event.kind} takes {', '.join(f'{name} ({kind.__name__})' for name, kind in wanted.items())}"
    ids = {"", *(node.id for node in expand_nodes(scenario))}
    unknown = [node for node in _mentioned(event) if node not in ids]
    return f"{place}: {unknown[0]!r} is none of the nodes" if unknown else ""


def _mentioned(event: PlannedEvent) -> Iterator[str]:
    """Every node that an act names, but for those in an audience."""
    yield event.node
    for value in event.arguments.values():
        yield from value if isinstance(value, list) else ()
    if "channel" in event.arguments:
        yield str(event.arguments["channel"]).partition("/")[0]


# -- making it smaller ---------------------------------------------------------------------------------------

Run = Callable[[Scenario, int, Sequence[PlannedEvent]], Failure | None]
Tell = Callable[[Failure, int], None]

HARMLESS: Mapping[str, Part] = {
    "network": LinkOptions(slow_share=0.0),
    "disk": DiskOptions(),
    "clocks": ClockOptions(skew_s=0.0, drift_ppm=0.0),
    "settings": NodeSettings(),
}


def shrink(failure: Failure, run: Run, budget: int, tell: Tell | None = None) -> Failure:
    """The smallest failure of the same guarantee that so many runs find; the failure itself if it is not seen again.

    run gives what fails in a run, None when all holds; tell hears of every smaller failure and of the runs so far.
    The same failure and budget always give the same result.
    """
    search = _Search(failure, run, budget, tell)
    if not search.attempt(failure.scenario, failure.plan):
        return failure
    before = None
    while before is not search.best and search.runs < budget:
        before = search.best
        _fewer_acts(search)
        _fewer_nodes(search)
        _plainer_options(search)
        _plainer_acts(search)
    return search.best


class _Search:
    """The smallest failure so far, and what was tried; counts runs."""

    def __init__(self, failure: Failure, run: Run, budget: int, tell: Tell | None) -> None:
        self.best = failure
        self.runs = 0
        self._run = run
        self._budget = budget
        self._tell = tell
        self._tried: set[str] = set()

    def attempt(self, scenario: Scenario, plan: Sequence[PlannedEvent]) -> bool:
        """Whether the same guarantee fails in that run or, by another seed, in one of the next; keeps it if so."""
        candidate = replace(self.best, scenario=scenario, plan=plan)
        key = f"{scenario.model_dump_json()} {list(plan)}"
        if key in self._tried or _is_wrong(candidate):
            return False
        self._tried.add(key)
        for seed in range(self.best.seed, self.best.seed + SEEDS_TRIED):
            if self.runs >= self._budget:
                return False
            self.runs += 1
            found = self._run(scenario, seed, plan)
            if found is not None and found.guarantee == self.best.guarantee:
                self.best = found
                if self._tell is not None:
                    self._tell(found, self.runs)
                return True
        return False


def _is_wrong(candidate: Failure) -> bool:
    """Whether a run would show nothing: a scenario nobody could write, or too few honest nodes."""
    dishonest = {event.node for event in candidate.plan if event.kind in ("lie", "equivocate")}
    honest_enough = len(dishonest) <= len(expand_nodes(candidate.scenario)) // DISHONEST_SHARE
    return not honest_enough or bool(mistakes(candidate.scenario))


def _fewer(items: Sequence[T], attempt: Callable[[list[T]], bool]) -> None:
    """Leave out halves, then quarters, down to single items, wherever attempt says that it still fails."""
    kept, size = list(items), max(1, len(items) // 2)
    while kept and size:
        at = 0
        while at < len(kept):
            rest = kept[:at] + kept[at + size :]
            if attempt(rest):
                kept = rest
            else:
                at += size
        size //= 2


def _fewer_acts(search: _Search) -> None:
    scenario = search.best.scenario
    _fewer(search.best.plan, lambda acts: search.attempt(scenario, _without_loose_ends(acts)))


def _without_loose_ends(acts: Sequence[PlannedEvent]) -> list[PlannedEvent]:
    """The acts that make sense: in channels that are created, and restores of backups that were made."""
    channels = {act.arguments["channel"] for act in acts if act.kind in ("create_channel", "create_list")}
    backups = {act.arguments["name"] for act in acts if act.kind == "backup"}
    return [
        act
        for act in acts
        if act.arguments.get("channel") in channels | {None} and act.arguments.get("name") in backups | {None}
    ]


def _fewer_nodes(search: _Search) -> None:
    ids = [node.id for node in expand_nodes(search.best.scenario)]
    _fewer(ids, lambda rest: bool(rest) and _attempt_with(search, rest))


def _attempt_with(search: _Search, ids: Sequence[str]) -> bool:
    scenario = only_with(search.best.scenario, ids)
    nodes = {node.id: node for node in expand_nodes(search.best.scenario)}
    acts = [kept for act in search.best.plan if (kept := _act_among(act, nodes, ids)) is not None]
    return search.attempt(scenario, _without_loose_ends(acts))


def only_with(scenario: Scenario, ids: Sequence[str]) -> Scenario:
    """The scenario without all other nodes; its faults are in the plan already, and are left out."""
    nodes = {node.id: node for node in expand_nodes(scenario)}
    kept = [
        node.model_copy(update={"parent": _parent_among(node, nodes, ids)}) for node in nodes.values() if node.id in ids
    ]
    channels = [
        channel.model_copy(update={"audience": audience})
        for channel in expand_channels(scenario)
        if channel.origin in ids and (audience := _audience_among(channel.audience, nodes, ids))
    ]
    lists = [
        joint.model_copy(update={"audience": audience})
        for joint in expand_lists(scenario)
        if joint.origin in ids and (audience := _audience_among(joint.audience, nodes, ids))
    ]
    allowed = [*ids, "any"]
    links = [
        rule.model_copy(update={"between": between, "and_": and_})
        for rule in scenario.links
        if (between := [id for id in rule.between if id in allowed])
        and (and_ := [id for id in rule.and_ if id in allowed])
    ]
    changed = {"nodes": kept, "channels": channels, "lists": lists, "links": links, "faults": []}
    return scenario.model_copy(update=changed)


def _parent_among(node: NodeTemplate, nodes: Mapping[str, NodeTemplate], ids: Sequence[str]) -> str:
    """The nearest node above that stays; empty for none."""
    above = node.parent
    while above and above not in ids:
        above = nodes[above].parent
    return above


def _audience_among(expression: str, nodes: Mapping[str, NodeTemplate], ids: Sequence[str]) -> str:
    """The audience without the terms that name a node that goes; empty when nobody is left."""
    gone = {word for node in nodes if node not in ids for word in (node, f"parent={node}")}
    terms = [term.strip() for term in expression.split(",")]
    return ",".join(term for term in terms if not gone & {word.strip() for word in term.split("&")})


def _act_among(act: PlannedEvent, nodes: Mapping[str, NodeTemplate], ids: Sequence[str]) -> PlannedEvent | None:
    """The act as it concerns these nodes, None where it concerns none of them."""
    arguments: dict[str, Value] = {}
    for name, value in act.arguments.items():
        if isinstance(value, list):
            arguments[name] = [node for node in value if node in ids]
        else:
            arguments[name] = _audience_among(str(value), nodes, ids) if name == "audience" else value
    senders = arguments.get("senders")
    node = senders[0] if isinstance(senders, list) and senders else act.node
    is_empty = any(value in ("", []) for value in arguments.values())
    concerns = node in ids or act.kind == "registry"
    return replace(act, node=node, arguments=arguments) if concerns and not is_empty else None


def _plainer_options(search: _Search) -> None:
    """Take what goes wrong by chance out of the world: rules of links, faults of network, disks and clocks, time."""

    def attempt(**changes: object) -> bool:
        return search.attempt(search.best.scenario.model_copy(update=changes), search.best.plan)

    attempt(faults=[])
    attempt(nodes=[node.model_copy(update={"dials_out": False}) for node in expand_nodes(search.best.scenario)])
    _fewer(search.best.scenario.links, lambda links: attempt(links=links))
    for key, harmless in HARMLESS.items():
        if attempt(**{key: harmless}):
            continue
        for name in type(harmless).model_fields:
            now: Part = getattr(search.best.scenario, key)
            attempt(**{key: now.model_copy(update={name: getattr(harmless, name)})})
    minutes = _minutes_needed(search.best.plan)
    if minutes < search.best.scenario.minutes:
        attempt(minutes=minutes)


def _minutes_needed(plan: Sequence[PlannedEvent]) -> float:
    """Whole minutes until the last act is over, at least one."""
    ends = [act.at_ms + int(str(act.arguments.get("for_ms", act.arguments.get("down_ms", 0)))) for act in plan]
    return float(max(1, -(-max(ends, default=0) // 60_000)))


PLAINER: Sequence[Mapping[str, Value]] = (
    {"records": 1, "revised": 0, "repeated": 0, "padding": 0},
    {"operations": 1, "exits": 0},
    {"operations": 1, "exits": 1},
    {"for_ms": 1_000},
    {"down_ms": 1_000},
)
"""Arguments that make an act smaller."""


def _plainer_acts(search: _Search) -> None:
    for place in range(len(search.best.plan)):
        for plainer in PLAINER:
            acts = list(search.best.plan)
            if plainer.keys() <= acts[place].arguments.keys():
                acts[place] = replace(acts[place], arguments={**acts[place].arguments, **plainer})
                search.attempt(search.best.scenario, acts)
