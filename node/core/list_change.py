"""Changes of a joint list: what officers decide together, from the draft to the entries that carry it.

A change is one or more operations of one kind. It is split into batches, one for each entry of the list's channel, and
officers sign one digest over all of them (node.core.list_warrant), so that nobody shows them one thing and publishes
another:

    draft       built, signed by nobody yet
    pending     proposed by one officer; a serious list waits for another one
    approved    decided: it is published as soon as this node can
    published   it is
    refused     another officer has refused it: its content is gone
    withdrawn   its author has withdrawn it: its content is gone
    superseded  the entry that it is about has changed since: its content is gone
    expired     nobody has decided in time: its content is gone
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from node.core import merkle
from node.core.entry import SALT_BYTES, commitment
from node.core.envelope import parse
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_type import SERIOUS
from node.core.list_warrant import APPROVE, PROPOSE, batch_root, change_digest, change_root
from node.pb import channel_pb2, listing_pb2

REFUSE = "list.refuse"
WITHDRAW = "list.withdraw"
ACTS = (PROPOSE, APPROVE, REFUSE, WITHDRAW)


class ChangeState(StrEnum):
    """Where a change stands."""

    DRAFT = "draft"
    PENDING = "pending"
    APPROVED = "approved"
    PUBLISHED = "published"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"


WAITING = (ChangeState.DRAFT, ChangeState.PENDING, ChangeState.APPROVED)
"""The states in which the content of a change is kept."""

TRANSITIONS: Mapping[tuple[ChangeState, str], ChangeState] = {
    (ChangeState.DRAFT, PROPOSE): ChangeState.PENDING,
    (ChangeState.PENDING, APPROVE): ChangeState.APPROVED,
    (ChangeState.PENDING, REFUSE): ChangeState.REFUSED,
    (ChangeState.PENDING, WITHDRAW): ChangeState.WITHDRAWN,
    # What is decided and cannot be published, because the world has moved on.
    (ChangeState.APPROVED, REFUSE): ChangeState.REFUSED,
    (ChangeState.APPROVED, WITHDRAW): ChangeState.WITHDRAWN,
}
"""What a change becomes by what an officer signs; what is not here may not follow."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation and its words, as they will stand in an entry."""

    op: listing_pb2.ListOp
    words: listing_pb2.ListParticulars


def following_state(change: str, state: ChangeState, act: str, kind: int) -> ChangeState:
    """Where a change stands after what an officer signs; raises LIST_CHANGED, LIST_CHANGE_SETTLED.

    One signature decides about a red or a watch list, two about a serious one.
    """
    if state is ChangeState.SUPERSEDED:
        raise XinqiaoError("LIST_CHANGED", change=change)
    found = TRANSITIONS.get((state, act))
    if found is None:
        raise XinqiaoError("LIST_CHANGE_SETTLED", change=change, standing=state.value)
    return ChangeState.APPROVED if act == PROPOSE and kind != SERIOUS else found


def check_officer(act: str, officer: str, proposer: str) -> None:
    """See that who proposed a change neither approves nor refuses it, and nobody else withdraws it.

    Raises LIST_SAME_OFFICER, LIST_OTHER_OFFICER.
    """
    if act in (APPROVE, REFUSE) and officer == proposer:
        raise XinqiaoError("LIST_SAME_OFFICER", officer=officer)
    if act == WITHDRAW and officer != proposer:
        raise XinqiaoError("LIST_OTHER_OFFICER", officer=officer, proposer=proposer)


# --- Batches ------------------------------------------------------------------------------------------------


def in_batches(
    operations: Iterable[Operation], salts: Callable[[int], bytes], limits: Limits = DEFAULT_LIMITS
) -> Iterator[bytes]:
    """Yield the bodies of a change without their warrants; salts gives fresh random bytes."""
    rest = iter(operations)
    while batch := list(islice(rest, limits.max_list_operations_per_entry)):
        yield build_batch(batch, salts)


def build_batch(operations: Sequence[Operation], salts: Callable[[int], bytes]) -> bytes:
    """Serialize one batch: all operations, then their words in the same order."""
    count = len(operations)
    slots = []
    for position, each in enumerate(operations):
        op = listing_pb2.ListOp()
        op.CopyFrom(each.op)
        op.particulars_slot = 1 + count + position
        slots.append(listing_pb2.ListSlot(op=op))
    slots += [listing_pb2.ListSlot(particulars=each.words) for each in operations]
    fresh = salts(SALT_BYTES * len(slots))
    body = channel_pb2.EntryBody()
    for at, slot in enumerate(slots):
        body.slots.add(salt=fresh[at * SALT_BYTES : (at + 1) * SALT_BYTES], record=slot.SerializeToString())
    return body.SerializeToString()


def read_batch(batch: bytes) -> list[Operation]:
    """The operations of a batch with their words; raises LIST_CHANGE for what is none."""
    body = parse(channel_pb2.EntryBody, batch)
    slots = [parse(listing_pb2.ListSlot, slot.record) for slot in body.slots]
    count = len(slots) // 2
    operations = [Operation(op.op, words.particulars) for op, words in zip(slots[:count], slots[count:], strict=True)]
    for position, each in enumerate(operations):
        if each.op.particulars_slot != 1 + count + position:
            raise XinqiaoError("LIST_CHANGE", detail="its operations and words do not belong together")
    return operations


def root_of(batch: bytes) -> bytes:
    """The root of a batch: over the commitments of its slots, 32 bytes."""
    body = parse(channel_pb2.EntryBody, batch)
    return batch_root([commitment(slot.salt, slot.record) for slot in body.slots])


def digest_of(change: str, channel: str, roots: Sequence[bytes]) -> bytes:
    """What officers sign of a change with batches of these roots, 32 bytes."""
    return change_digest(change, channel, len(roots), change_root(roots))


def warrant_of(
    change: str, batch: int, roots: Sequence[bytes], signatures: Sequence[listing_pb2.OfficerSignature]
) -> bytes:
    """The slot that shows who decided a batch."""
    tree = merkle.HashList(merkle.leaf_hash(root) for root in roots)
    warrant = listing_pb2.ListWarrant(
        change=change,
        batch=batch,
        batches=len(roots),
        path=merkle.prove_inclusion(batch, len(roots), tree),
        signatures=signatures,
    )
    return listing_pb2.ListSlot(warrant=warrant).SerializeToString()


def with_warrant(batch: bytes, warrant: bytes, salt: bytes) -> tuple[list[bytes], list[bytes]]:
    """The records and salts of the entry that carries a batch."""
    body = parse(channel_pb2.EntryBody, batch)
    return [*(slot.record for slot in body.slots), warrant], [*(slot.salt for slot in body.slots), salt]
