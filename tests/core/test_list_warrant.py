"""Warrants: what two officers signed holds for every entry of a change, after erasures too, and for nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from google.protobuf.message import DecodeError

from node.core import merkle
from node.core.entry import VerifiedBody, build_body, open_body
from node.core.list_warrant import (
    APPROVE,
    PROPOSE,
    Signed,
    batch_root,
    change_digest,
    change_root,
    is_sufficient,
    signatures_on,
)
from node.keys.signer import SoftwareSigner
from node.pb import channel_pb2, listing_pb2
from tests.builders import NETWORK, NOW_MS
from tests.officers import make_keys, statement

CHANNEL = "310000/lists/serious-tax"
CHANGE = "00112233445566aa"
LI, WANG = make_keys(2)
SERIOUS, RED = listing_pb2.LIST_KIND_SERIOUS, listing_pb2.LIST_KIND_RED


def slots_of(batch: int) -> list[bytes]:
    """An operation and its words; what they say does not matter to a warrant."""
    op = listing_pb2.ListOp(act=listing_pb2.LIST_ACT_ENTER, decided_on=f"2026-01-{batch + 1:02}", particulars_slot=2)
    words = listing_pb2.ListParticulars(subject="X" * 18, decision=f"沪税〔2026〕{batch}号", reason="欠税")
    slots = [listing_pb2.ListSlot(op=op), listing_pb2.ListSlot(particulars=words)]
    return [slot.SerializeToString() for slot in slots]


def salts_of(count: int) -> list[bytes]:
    return [bytes([position]) * 16 for position in range(count)]


def opened(slots: Sequence[bytes], erased: Sequence[int] = ()) -> tuple[channel_pb2.EntryHeader, VerifiedBody]:
    """The entry with these slots, as a receiver opens it."""
    serialized, root = build_body(slots, salts_of(len(slots)))
    header = channel_pb2.EntryHeader(
        network=NETWORK,
        channel=CHANNEL,
        kind=channel_pb2.ENTRY_KIND_LIST,
        record_count=len(slots),
        records_root=root,
        uncompressed_bytes_max=len(serialized),
    )
    body = channel_pb2.EntryBody.FromString(serialized)
    whole = open_body(header, serialized)
    for position in erased:
        body.slots[position].CopyFrom(channel_pb2.Slot(commitment=whole.commitments[position]))
    return header, open_body(header, body.SerializeToString())


@dataclass(frozen=True)
class Change:
    """A change of some batches and the digest that its officers sign."""

    batches: int = 1
    id: str = CHANGE
    channel: str = CHANNEL

    @property
    def roots(self) -> list[bytes]:
        bodies = [opened(slots_of(batch))[1] for batch in range(self.batches)]
        return [batch_root(body.commitments) for body in bodies]

    @property
    def digest(self) -> bytes:
        return change_digest(self.id, self.channel, self.batches, change_root(self.roots))

    def signature(self, act: str, officer: str, key: SoftwareSigner, **said: str) -> listing_pb2.OfficerSignature:
        envelope = statement(act, said.pop("subject", self.id), self.digest, key, **said)  # type: ignore[arg-type]
        public = key.public
        return listing_pb2.OfficerSignature(
            officer=officer, suite=public.suite, public_key=public.spki, statement=envelope
        )

    def warrant(self, batch: int, *signatures: listing_pb2.OfficerSignature) -> listing_pb2.ListWarrant:
        leaves = merkle.HashList(merkle.leaf_hash(root) for root in self.roots)
        path = merkle.prove_inclusion(batch, self.batches, leaves)
        return listing_pb2.ListWarrant(
            change=self.id, batch=batch, batches=self.batches, path=path, signatures=signatures
        )


def signed_entry(
    change: Change, batch: int, *signatures: listing_pb2.OfficerSignature, erased: Sequence[int] = ()
) -> tuple[channel_pb2.EntryHeader, VerifiedBody]:
    warrant = listing_pb2.ListSlot(warrant=change.warrant(batch, *signatures))
    return opened([*slots_of(batch), warrant.SerializeToString()], erased)


def both(change: Change) -> list[listing_pb2.OfficerSignature]:
    return [change.signature(PROPOSE, "li", LI), change.signature(APPROVE, "wang", WANG)]


@pytest.mark.parametrize("batches", [1, 2, 3, 7])
def test_one_pair_of_signatures_holds_for_every_entry_of_a_change(batches: int) -> None:
    change = Change(batches)
    for batch in range(batches):
        signed = signatures_on(*signed_entry(change, batch, *both(change)))
        assert [(each.act, each.officer) for each in signed] == [(PROPOSE, "li"), (APPROVE, "wang")]
        assert {each.key_id for each in signed} == {LI.key_id, WANG.key_id}
        assert is_sufficient(signed, SERIOUS)


def test_an_erased_subject_leaves_the_warrant_true() -> None:
    change = Change()
    header, body = signed_entry(change, 0, *both(change), erased=[1])
    assert body.bare == (1,)
    assert is_sufficient(signatures_on(header, body), SERIOUS)


def test_a_warrant_does_not_hold_for_another_batch_or_other_operations() -> None:
    change, other = Change(3), Change(3, id="ffffffffffffffff")
    pair = both(change)
    wrong_place = listing_pb2.ListSlot(warrant=change.warrant(1, *pair)).SerializeToString()
    assert signatures_on(*opened([*slots_of(0), wrong_place])) == ()
    changed = slots_of(0)[:1] + slots_of(2)[1:]
    right_place = listing_pb2.ListSlot(warrant=change.warrant(0, *pair)).SerializeToString()
    assert signatures_on(*opened([*changed, right_place])) == ()
    assert signatures_on(*signed_entry(other, 0, *pair)) == ()


@pytest.mark.parametrize("said", [{"subject": "another change"}, {"node": "320000"}])
def test_a_statement_about_something_else_is_no_signature(said: dict[str, str]) -> None:
    change = Change()
    foreign = change.signature(APPROVE, "wang", WANG, **said)
    assert signatures_on(*signed_entry(change, 0, both(change)[0], foreign)) == ()


def test_a_statement_of_another_act_or_key_is_no_signature() -> None:
    change = Change()
    proposal = both(change)[0]
    assert signatures_on(*signed_entry(change, 0, change.signature("hold.release", "li", LI))) == ()
    proposal.public_key = WANG.public.spki
    assert signatures_on(*signed_entry(change, 0, proposal)) == ()


def test_every_flipped_bit_of_a_warrant_is_found() -> None:
    change = Change(2)
    warrant = change.warrant(0, *both(change)).SerializeToString()
    for at in range(0, len(warrant), 7):
        bent = bytearray(warrant)
        bent[at] ^= 1
        try:
            altered = listing_pb2.ListWarrant.FromString(bytes(bent))
        except DecodeError:
            continue
        slot = listing_pb2.ListSlot(warrant=altered).SerializeToString()
        found = signatures_on(*opened([*slots_of(0), slot]))
        names = [each.officer for each in found]
        # An officer's name is the origin's word: it is signed by the header that holds the slot, not by the officer.
        assert found == () or names != ["li", "wang"] or altered.SerializeToString() == warrant


@pytest.mark.parametrize(
    ("acts", "officers", "keys", "kind", "sufficient"),
    [
        ((PROPOSE, APPROVE), ("li", "wang"), ("1", "2"), SERIOUS, True),
        ((PROPOSE,), ("li",), ("1",), SERIOUS, False),
        ((PROPOSE, APPROVE), ("li", "li"), ("1", "2"), SERIOUS, False),
        ((PROPOSE, APPROVE), ("li", "wang"), ("1", "1"), SERIOUS, False),
        ((APPROVE, PROPOSE), ("li", "wang"), ("1", "2"), SERIOUS, False),
        ((PROPOSE, PROPOSE), ("li", "wang"), ("1", "2"), SERIOUS, False),
        ((PROPOSE,), ("li",), ("1",), RED, True),
        ((APPROVE,), ("li",), ("1",), RED, False),
        ((), (), (), RED, False),
    ],
)
def test_serious_lists_need_a_proposal_and_the_approval_of_another_officer(
    acts: tuple[str, ...], officers: tuple[str, ...], keys: tuple[str, ...], kind: int, sufficient: bool
) -> None:
    signed = [Signed(act, officer, key, "", NOW_MS) for act, officer, key in zip(acts, officers, keys, strict=True)]
    assert is_sufficient(signed, kind) is sufficient


def test_a_body_without_a_warrant_has_no_signatures() -> None:
    assert signatures_on(*opened(slots_of(0))) == ()
    assert signatures_on(*opened([])) == ()
