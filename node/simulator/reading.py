"""Scenario files: YAML read strictly, and every mistake in one named with its key and what is allowed there."""

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from node.core.audience import parse_audience
from node.core.channel import is_channel_name
from node.core.errors import CODES, XinqiaoError
from node.core.identifiers import is_node_id
from node.core.strict_yaml import YamlError, read_yaml
from node.simulator.scenario import (
    FAULTS,
    MAX_NODES,
    PARTS,
    AnyFault,
    Channel,
    Equivocate,
    JointList,
    Lie,
    LinkOptions,
    NodeTemplate,
    Partition,
    Scenario,
    keys_of,
)

MAX_FILE_CHARS = 1024 * 1024
DISHONEST_SHARE = 3
"""At most one node of so many equivocates or lies."""

FOLDER = "lists/"
EACH, ANY, DRAWN = "each", "any", "drawn"
_RESERVED = frozenset({EACH, ANY, DRAWN, "everyone", "registry"})
_NUMBER = re.compile(r"\{n(?::0(\d))?\}")
_SHOWN_CHARS = 60


def read_scenario(text: str, name: str) -> Scenario:
    """The scenario in a YAML file of that name; raises SCENARIO, which names everything that is wrong with it."""
    return scenario_of(_parsed(text, name), name)


def scenario_of(document: object, name: str) -> Scenario:
    """The scenario in what a file of that name holds; raises SCENARIO."""
    try:
        # By way of JSON, because pydantic is strict there and yet takes a list for a pair.
        scenario = Scenario.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        raise _refusal(name, map(_fault, error.errors(include_url=False))) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise _refusal(name, [f"it cannot be read: {error}"]) from None
    faults = mistakes(scenario)
    if faults:
        raise _refusal(name, faults)
    return scenario


def _refusal(name: str, faults: Iterable[str]) -> XinqiaoError:
    return XinqiaoError("SCENARIO", file=name, detail="; ".join(faults))


def _parsed(text: str, name: str) -> object:
    try:
        return read_yaml(text, MAX_FILE_CHARS)
    except YamlError as error:
        raise _refusal(name, [str(error)]) from None


# -- single keys ---------------------------------------------------------------------------------------------


def _fault(error: ErrorDetails) -> str:
    """One mistake in a sentence that begins with its key."""
    place, part = _located(error["loc"])
    match error["type"]:
        case "extra_forbidden":
            return f"{place}: there is no such key; {_nearest(str(error['loc'][-1]), part)}"
        case "missing":
            return f"{place}: it must be given"
        case "union_tag_not_found":
            return f"{place}.kind: it must be given: {', '.join(FAULTS)}"
        case "union_tag_invalid":
            return f"{place}.kind: it is one of {', '.join(FAULTS)}"
    text = error["msg"].removeprefix("Value error, ").replace("Input should", "it should")
    return f"{place}: {text}{_found(error['input'])}"


def _located(place: Sequence[str | int]) -> tuple[str, str]:
    """The path of a key as people write it, and the part of the schema it belongs to."""
    steps = list(place)
    part = str(steps[0]) if len(steps) > 1 else ""
    if part == "faults" and len(steps) > 2:
        part = str(steps.pop(2))  # the kind of the fault, which pydantic puts into the path
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in steps)
    return text.removeprefix(".") or "the file", part


def _nearest(key: str, part: str) -> str:
    known = list(keys_of((PARTS | FAULTS).get(part, Scenario)))
    near = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {near[0]}?" if near else f"the keys are {', '.join(known)}"


def _found(value: object) -> str:
    if isinstance(value, dict | list):
        return ""
    return f"; it is {json.dumps(value, ensure_ascii=False)[:_SHOWN_CHARS]}"


# -- the whole -----------------------------------------------------------------------------------------------


def mistakes(scenario: Scenario) -> list[str]:
    """What is wrong with a scenario although each of its keys is right; empty when nothing is."""
    faults = list(_node_mistakes(scenario))
    if faults:
        return faults
    ids = [node.id for node in expand_nodes(scenario)]
    return [
        *_parent_mistakes(scenario),
        *_channel_mistakes(scenario, ids),
        *_list_mistakes(scenario, ids),
        *_link_mistakes(scenario, ids),
        *(
            mistake
            for number, fault in enumerate(scenario.faults)
            for mistake in _fault_mistakes(scenario, ids, number, fault)
        ),
        *_dishonest_mistakes(scenario, ids),
        *_expectation_mistakes(scenario),
    ]


def _node_mistakes(scenario: Scenario) -> Iterator[str]:
    for number, template in enumerate(scenario.nodes):
        numbers = len(_NUMBER.findall(template.id))
        if numbers != bool(template.count):
            yield f'nodes[{number}].id: "{{n}}" or "{{n:02}}" stands in it once with count, and never without'
        elif template.id in _RESERVED or not all(map(is_node_id, _ids_of(template))):
            yield f"nodes[{number}].id: {template.id!r} is no id: six digits, or a short name in lower case"
    if sum(template.count or 1 for template in scenario.nodes) > MAX_NODES:
        yield f"nodes: they are more than {MAX_NODES}"
    yield from (f"nodes: {each} stands twice" for each in _twice(id for each in scenario.nodes for id in _ids_of(each)))


def _parent_mistakes(scenario: Scenario) -> Iterator[str]:
    parents = {node.id: node.parent for node in expand_nodes(scenario)}
    for node, parent in parents.items():
        if parent and parent not in parents:
            yield f"nodes: the parent {parent!r} of {node} is none of the nodes"
    # Above a node stand at most all the others: whoever climbs further goes round in a circle.
    for node, parent in parents.items():
        above, steps = parent, 0
        while above in parents and above != node and steps <= len(parents):
            above, steps = parents[above], steps + 1
        if above == node:
            yield f"nodes: {node} stands above itself"


def _channel_mistakes(scenario: Scenario, ids: Sequence[str]) -> Iterator[str]:
    for number, channel in enumerate(scenario.channels):
        place = f"channels[{number}]"
        if channel.origin != EACH:
            yield from _unknown(f"{place}.origin", [channel.origin], ids)
        if not is_channel_name(f"{ids[0]}/{channel.name}"):
            yield f"{place}.name: {channel.name!r} is no name: a-z, 0-9, '-' and '/', beginning with a letter"
        if channel.name.startswith(FOLDER):
            yield f"{place}.name: {channel.name!r} is that of a joint list; those stand under lists"
        if channel.audience != DRAWN:
            yield from _audience_mistakes(f"{place}.audience", channel.audience, ids)
    names = [f"{channel.origin}/{channel.name}" for channel in expand_channels(scenario)]
    yield from (f"channels: {name} stands twice" for name in _twice(names))


def _list_mistakes(scenario: Scenario, ids: Sequence[str]) -> Iterator[str]:
    for number, joint in enumerate(scenario.lists):
        place = f"lists[{number}]"
        if joint.origin != EACH:
            yield from _unknown(f"{place}.origin", [joint.origin], ids)
        if not is_channel_name(f"{ids[0]}/{FOLDER}{joint.code}"):
            yield f"{place}.code: {joint.code!r} is no code: a-z, 0-9 and '-', beginning with a letter"
        if joint.audience != DRAWN:
            yield from _audience_mistakes(f"{place}.audience", joint.audience, ids)
    yield from (f"lists: {name} stands twice" for name in _twice(map(list_channel, expand_lists(scenario))))


def _audience_mistakes(place: str, expression: str, ids: Sequence[str]) -> Iterator[str]:
    try:
        audience = parse_audience(expression)
    except XinqiaoError as error:
        yield f"{place}: {error.text}"
        return
    for term in audience.terms:
        yield from _unknown(place, [*term.node_ids, *([term.parent] if term.parent else [])], ids)


def _link_mistakes(scenario: Scenario, ids: Sequence[str]) -> Iterator[str]:
    for number, rule in enumerate(scenario.links):
        yield from _unknown(f"links[{number}].between", rule.between, [ANY, *ids])
        yield from _unknown(f"links[{number}].and", rule.and_, [ANY, *ids])


def _fault_mistakes(scenario: Scenario, ids: Sequence[str], number: int, fault: AnyFault) -> Iterator[str]:
    place = f"faults[{number}]"
    yield from _unknown(f"{place}.nodes", fault.nodes, ids)
    if fault.at_minute is not None and fault.at_minute > scenario.minutes:
        yield f"{place}.at_minute: {fault.at_minute:g} lies after the {scenario.minutes:g} minutes of the scenario"
    if isinstance(fault, Partition):
        yield from _unknown(f"{place}.others", fault.others, ids)
        if set(fault.nodes) & set(fault.others):
            yield f"{place}.others: a node stands on both sides"
        if len(ids) < 2 or set(fault.nodes) == set(ids):
            yield f"{place}.nodes: nobody is left on the other side"


def _dishonest_mistakes(scenario: Scenario, ids: Sequence[str]) -> Iterator[str]:
    rules = [fault for fault in scenario.faults if isinstance(fault, Equivocate | Lie)]
    most = len(ids) // DISHONEST_SHARE
    named = {node for fault in rules for node in fault.nodes}
    if rules and (not most or len(named) > most):
        yield f"faults: at most a third of the nodes equivocate or lie, of these {len(ids)} no more than {most}"


def _expectation_mistakes(scenario: Scenario) -> Iterator[str]:
    for key, codes in (("alarms", scenario.expect.alarms), ("no_alarms", scenario.expect.no_alarms)):
        yield from (f"expect.{key}: {code!r} is no code of an alarm" for code in codes if code not in CODES)


def _unknown(place: str, named: Iterable[str], known: Sequence[str]) -> Iterator[str]:
    for each in named:
        if each not in known:
            near = difflib.get_close_matches(each, known, n=1)
            yield f"{place}: {each!r} is none of the nodes" + (f"; did you mean {near[0]}?" if near else "")


def _twice(items: Iterable[str]) -> list[str]:
    counts: dict[str, int] = {}
    for item in items:
        counts[item] = counts.get(item, 0) + 1
    return [item for item, count in counts.items() if count > 1]


# -- what templates stand for --------------------------------------------------------------------------------


def expand_nodes(scenario: Scenario) -> list[NodeTemplate]:
    """Every node by itself, in the order of the file; its count is 0 and its id has no place for a number."""
    return [
        template.model_copy(update={"id": node, "count": 0})
        for template in scenario.nodes
        for node in _ids_of(template)
    ]


def _ids_of(template: NodeTemplate) -> list[str]:
    def numbered(number: int) -> str:
        return _NUMBER.sub(lambda match: str(number).zfill(int(match[1] or 0)), template.id)

    return [numbered(number) for number in range(1, template.count + 1)] if template.count else [template.id]


def expand_channels(scenario: Scenario) -> list[Channel]:
    """Every channel by itself, with one node as its origin; "each" stands for one of every node."""
    ids = [node.id for node in expand_nodes(scenario)]
    return [
        channel.model_copy(update={"origin": origin})
        for channel in scenario.channels
        for origin in (ids if channel.origin == EACH else [channel.origin])
    ]


def expand_lists(scenario: Scenario) -> list[JointList]:
    """Every joint list by itself, with one node as its origin."""
    ids = [node.id for node in expand_nodes(scenario)]
    return [
        joint.model_copy(update={"origin": origin})
        for joint in scenario.lists
        for origin in (ids if joint.origin == EACH else [joint.origin])
    ]


def list_channel(joint: JointList) -> str:
    """The channel of a joint list that has one node as its origin."""
    return f"{joint.origin}/{FOLDER}{joint.code}"


def options_between(scenario: Scenario, sender: str, receiver: str) -> LinkOptions:
    """How the link between two nodes behaves: as the last rule says that fits, in either direction."""
    found: LinkOptions = scenario.network
    for rule in scenario.links:
        if _fits(rule.between, rule.and_, sender, receiver) or _fits(rule.between, rule.and_, receiver, sender):
            found = rule
    return found


def _fits(between: Sequence[str], and_: Sequence[str], one: str, other: str) -> bool:
    return (ANY in between or one in between) and (ANY in and_ or other in and_)
