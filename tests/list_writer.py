"""The origin of a joint list for tests: writes and signs its entries, and knows by a model of its own who stands on it.

    serious = ListWriter(LISTING_NODE)
    serious.manifest()
    entry, (acme,) = serious.change(enter(1))           # a VerifiedEntry, and the places of its operations
    serious.change(leave(acme))
    assert serious.model.digest() == ...                # every header carries it, too

The model replays operations one by one; it knows nothing of node.core.listing.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from node.core import merkle, muhash
from node.core.channel import HeadAt
from node.core.entry import SignedEntry, VerifiedEntry, commitment
from node.core.list_warrant import APPROVE, PROPOSE, batch_root, change_digest, change_root
from node.core.state import Place
from node.keys.signer import SoftwareSigner
from node.pb import channel_pb2, listing_pb2, record_pb2, registry_pb2
from scripts.xq_generate import example_division, example_uscc
from tests.builders import ChannelWriter, SigningNode, make_node, salt_of
from tests.lists import AUTHORITY, make_list_manifest
from tests.officers import make_keys, statement

LIST = "310000/lists/serious-tax"
DECIDED, UNTIL = "2026-01-05", "2028-12-31"
LISTED, SUSPENDED = "listed", "suspended"
ENDS = {1: "exited", 2: "repaired", 3: "annulled"}


@cache
def listing_node(node: str = "310000") -> SigningNode:
    """A node that speaks for the authority of the lists of tests."""
    return make_node(node, authorities=[registry_pb2.Authority(uscc=AUTHORITY)])


@cache
def officers() -> Sequence[tuple[str, SoftwareSigner]]:
    """Who signs changes: 李 proposes, 王 approves."""
    return list(zip(("li", "wang"), make_keys(2), strict=True))


def subject_of(serial: int) -> str:
    """A code that no registrar can issue."""
    return example_uscc("91", example_division("310000"), serial)


@dataclass(frozen=True)
class Said:
    """One operation and its words."""

    op: listing_pb2.ListOp
    words: listing_pb2.ListParticulars

    def but(self, **changes: Any) -> "Said":
        """The same with other fields, of the operation or of its words."""
        op, words = listing_pb2.ListOp(), listing_pb2.ListParticulars()
        op.CopyFrom(self.op)
        words.CopyFrom(self.words)
        for name, value in changes.items():
            holder = words if name in ("subject", "subject_name", "decision", "reason") else op
            holder.ClearField(name)
            if isinstance(value, (list, tuple)):
                getattr(holder, name).extend(value)
            elif value is not None:
                setattr(holder, name, value)
        return Said(op, words)


def enter(serial: int, until: str = UNTIL, measures: Sequence[str] = ("SHR-31-1",), subject: str | None = None) -> Said:
    """List the subject with a number."""
    op = listing_pb2.ListOp(
        act=listing_pb2.LIST_ACT_ENTER,
        decided_on=DECIDED,
        notice_served=DECIDED,
        until=until,
        measures=measures,
    )
    name, code = f"示例{serial}号有限公司", subject_of(serial) if subject is None else subject
    return Said(op, _words(f"沪税罚〔2026〕{serial}号", subject=code, subject_name=name))


def amend(target: Place, until: str = UNTIL, measures: Sequence[str] = ("SHR-31-2",)) -> Said:
    """Change last day and measures."""
    return _on(target, listing_pb2.LIST_ACT_AMEND, until=until, measures=measures)


def suspend(target: Place) -> Said:
    """Stop the effect."""
    return _on(target, listing_pb2.LIST_ACT_SUSPEND)


def resume(target: Place) -> Said:
    """End a suspension."""
    return _on(target, listing_pb2.LIST_ACT_RESUME)


def leave(target: Place, ground: int = 1, channel: str = LIST) -> Said:
    """Take off the list for good."""
    return _on(target, listing_pb2.LIST_ACT_EXIT, channel, ground=ground)


def _on(target: Place, act: int, channel: str = LIST, **fields: Any) -> Said:
    ref = record_pb2.RecordRef(channel=channel, epoch=target.epoch, index=target.index, position=target.position)
    op = listing_pb2.ListOp(act=listing_pb2.ListAct.Name(act), entry=ref, decided_on="2026-02-01", **fields)
    return Said(op, _words("沪税〔2026〕改1号"))


def _words(decision: str, **fields: str) -> listing_pb2.ListParticulars:
    return listing_pb2.ListParticulars(decision=decision, reason="逃避缴纳税款", **fields)


@dataclass
class Model:
    """Who stands on a list: every operation that was written validly, in the order of places, replayed by hand."""

    operations: dict[Place, listing_pb2.ListOp] = field(default_factory=dict)
    cuts: dict[int, int] = field(default_factory=dict)

    def states(self) -> dict[Place, tuple[str, str, tuple[str, ...]]]:
        """(state, last day, measures) of everybody who was ever entered, by place."""
        found: dict[Place, tuple[str, str, tuple[str, ...]]] = {}
        for place in sorted(self.operations):
            if place.index >= self.cuts.get(place.epoch, 1 << 62):
                continue
            op = self.operations[place]
            target = Place(op.entry.epoch, op.entry.index, op.entry.position) if op.HasField("entry") else place
            after = _replayed(found.get(target), op)
            if after is not None:
                found[target] = after
        return found

    def digest(self) -> bytes:
        """The digest of its members, from scratch."""
        product = 1
        for place, (state, until, measures) in self.states().items():
            if state in (LISTED, SUSPENDED):
                at = f"{place.epoch}/{place.index}/{place.position}"
                member = f"xinqiao/list-member/v1\n{at}\n{state}\n{until}\n{','.join(measures)}\n"
                product = product * muhash.number(member.encode()) % muhash.PRIME
        return hashlib.sha256(product.to_bytes(384, "little")).digest()


def _replayed(
    before: tuple[str, str, tuple[str, ...]] | None, op: listing_pb2.ListOp
) -> tuple[str, str, tuple[str, ...]] | None:
    if before is None:
        return (LISTED, op.until, tuple(op.measures)) if op.act == listing_pb2.LIST_ACT_ENTER else None
    state, until, measures = before
    if op.act == listing_pb2.LIST_ACT_EXIT:
        ends = state in (LISTED, SUSPENDED) or (op.ground == 3 and state != "annulled")
        return (ENDS[op.ground], until, measures) if ends else None
    if op.act == listing_pb2.LIST_ACT_AMEND and state in (LISTED, SUSPENDED):
        return state, op.until, tuple(op.measures)
    steps = {(LISTED, listing_pb2.LIST_ACT_SUSPEND): SUSPENDED, (SUSPENDED, listing_pb2.LIST_ACT_RESUME): LISTED}
    after = steps.get((state, op.act))
    return (after, until, measures) if after is not None else None


class ListWriter(ChannelWriter):
    """The origin of one epoch of a list; model may go on from the epoch before."""

    def __init__(
        self, node: SigningNode | None = None, epoch: int = 0, model: Model | None = None, channel: str = LIST
    ) -> None:
        super().__init__(node or listing_node(), channel, epoch)
        self.model = model or Model()
        self._changes = 0

    def manifest(self, **changes: Any) -> VerifiedEntry:
        """Write the manifest of the list."""
        return self.write(channel_pb2.ENTRY_KIND_MANIFEST, manifest=make_list_manifest(**changes))

    def resume_after(self, epoch: int, head: HeadAt) -> VerifiedEntry:
        """Write the manifest of an epoch that goes on from a cut."""
        cut = channel_pb2.CutReference(epoch=epoch, size=head.size, root=head.root)
        return self.manifest(resumes=cut)

    def sign(self, kind: int, records: Sequence[bytes] = (), **header: Any) -> SignedEntry:
        """Sign what would be the next entry, with the model's digest."""
        return super().sign(kind, records, **({"state_digest": self.model.digest()} | header))

    def change(
        self, *said: Said, void: Iterable[int] = (), warrant: bool = True, kind: int = 0, **header: Any
    ) -> tuple[VerifiedEntry, Sequence[Place]]:
        """Write operations, each with its words behind it, and their warrant.

        void are the numbers of those that nobody may take for valid, all of them without a warrant.
        """
        slots: list[bytes] = []
        places: list[Place] = []
        invalid = set(void) if warrant else set(range(len(said)))
        for number, each in enumerate(said):
            place = Place(self.log.epoch, self.log.size, len(slots))
            op = listing_pb2.ListOp()
            op.CopyFrom(each.op)
            op.particulars_slot = op.particulars_slot or len(slots) + 2
            if number not in invalid:
                self.model.operations[place] = op
            slots.append(listing_pb2.ListSlot(op=op).SerializeToString())
            slots.append(listing_pb2.ListSlot(particulars=each.words).SerializeToString())
            places.append(place)
        slots.append(self._warrant(slots, signers=2 if warrant else 1).SerializeToString())
        return self.write(kind or channel_pb2.ENTRY_KIND_LIST, slots, **header), places

    def _warrant(self, slots: Sequence[bytes], signers: int) -> listing_pb2.ListSlot:
        self._changes += 1
        change = f"{self.log.epoch:08x}{self._changes:08x}"
        batch = batch_root([commitment(salt_of(self.log, at), slot) for at, slot in enumerate(slots)])
        digest = change_digest(change, self.log.channel, 1, change_root([batch]))
        assert merkle.prove_inclusion(0, 1, merkle.HashList([merkle.leaf_hash(batch)])) == []
        signatures = [
            listing_pb2.OfficerSignature(
                officer=name,
                suite=key.public.suite,
                public_key=key.public.spki,
                statement=statement(act, change, digest, key),
            )
            for act, (name, key) in list(zip((PROPOSE, APPROVE), officers(), strict=True))[:signers]
        ]
        warrant = listing_pb2.ListWarrant(change=change, batches=1, signatures=signatures)
        return listing_pb2.ListSlot(warrant=warrant)


def states_of(held: Iterable[Any]) -> Mapping[Place, tuple[str, str, tuple[str, ...]]]:
    """What a store holds of a list, to be compared with a model."""
    return {each.listing.place: (each.listing.state, each.listing.until, each.listing.measures) for each in held}
