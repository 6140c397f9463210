"""Delivery: whom to link to, when to try again, and how far an entry has come at a subscriber.

    links    parent, children, the origins of the channels held, the readers of our own channels, and up to
             `further` more members chosen by rendezvous hashing, the same choice at both ends of a pair
    visits   all other members in turn, by a node that nobody can call: who would have to tell it of a channel
             may be a member it has no link with

TRANSITIONS is the life of an entry at one subscriber as its origin sees it; receipts move it, nothing else.
"""

from collections.abc import Collection, Iterable, Mapping
from enum import Enum
from hashlib import sha256

from node.core.membership import Members, Standing
from node.pb import channel_pb2


class Delivery(Enum):
    """How far one entry has come at one subscriber."""

    SENT = "sent"
    RECEIVED = "received"
    APPLIED = "applied"


TRANSITIONS: Mapping[Delivery, frozenset[Delivery]] = {
    Delivery.SENT: frozenset({Delivery.RECEIVED, Delivery.APPLIED}),
    Delivery.RECEIVED: frozenset({Delivery.APPLIED}),
    Delivery.APPLIED: frozenset(),
}


def delivery_of(index: int, receipt: channel_pb2.Receipt | None) -> Delivery:
    """How far the largest receipt of a subscriber says that an entry has come."""
    if receipt is None or receipt.size <= index:
        return Delivery.SENT
    return Delivery.APPLIED if receipt.applied_size > index else Delivery.RECEIVED


def choose_links(
    members: Members, me: str, origins: Iterable[str], readers: Iterable[str], further: int
) -> tuple[str, ...]:
    """The active members to keep a link with, ascending."""
    others = _active_others(members, me)
    mine = members.get(me)
    parent = mine.descriptor.message.parent if mine is not None else ""
    children = {node for node in others if members.by_id[node].descriptor.message.parent == me}
    near = others & ({parent, *origins, *readers} | children)
    return tuple(sorted(near | set(_ranked(me, others - near)[:further])))


def choose_visits(members: Members, me: str, linked: Collection[str], last: str, count: int) -> tuple[str, ...]:
    """The next active members to visit after the last one, of those without a link; each once before any twice."""
    order = _ranked(me, _active_others(members, me) - set(linked))
    passed = [node for node in order if last and _weight(me, node) >= _weight(me, last)]
    return tuple([*order[len(passed) :], *passed][:count])


def _active_others(members: Members, me: str) -> set[str]:
    return {node for node, member in members.by_id.items() if node != me and member.standing is Standing.ACTIVE}


def _ranked(me: str, nodes: Iterable[str]) -> list[str]:
    return sorted(nodes, key=lambda node: _weight(me, node), reverse=True)


def _weight(one: str, other: str) -> bytes:
    """The rendezvous weight of a pair, the same from both ends."""
    return sha256("\n".join(sorted((one, other))).encode()).digest()


def retry_delay_s(failures: int, jitter: float, cap_s: float) -> float:
    """How long to wait after that many failures in a row: doubling from 1 s to the cap, times 0.5 to 1.

    jitter is between 0 and 1.
    """
    doubled = 2.0 ** min(failures - 1, 20)
    return float(min(doubled, cap_s)) * (0.5 + jitter / 2)
