"""Who stands on a joint list, by what its origin has signed: a small fold beside the one of the node itself.

It shares no code with the one it is to catch: states, transitions and digest are written down here once more, from
the protocol.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from node.core.state import Place
from node.pb import channel_pb2, listing_pb2

LISTED, SUSPENDED, EXITED, REPAIRED, ANNULLED = "listed", "suspended", "exited", "repaired", "annulled"
NO_DIGEST = b""

_ENTER, _AMEND = listing_pb2.LIST_ACT_ENTER, listing_pb2.LIST_ACT_AMEND
_SUSPEND, _RESUME = listing_pb2.LIST_ACT_SUSPEND, listing_pb2.LIST_ACT_RESUME
_EXIT = listing_pb2.LIST_ACT_EXIT
_NEXT: Mapping[tuple[str, int], str] = {
    ("", _ENTER): LISTED,
    (LISTED, _AMEND): LISTED,
    (LISTED, _SUSPEND): SUSPENDED,
    (SUSPENDED, _AMEND): SUSPENDED,
    (SUSPENDED, _RESUME): LISTED,
}
_ENDS: Mapping[int, str] = {
    listing_pb2.EXIT_GROUND_CONDITIONS_MET: EXITED,
    listing_pb2.EXIT_GROUND_REPAIRED: REPAIRED,
    listing_pb2.EXIT_GROUND_ANNULLED: ANNULLED,
}
_MODULUS = 2**3072 - 1103717


@dataclass(frozen=True, slots=True, order=True)
class TrueOperation:
    """One operation as its origin wrote it, at_ms in Unix ms; particulars is the position of its words in the entry.

    subject is empty but where it enters somebody.
    """

    place: Place
    target: Place
    act: int
    at_ms: int
    ground: int
    until: str
    measures: tuple[str, ...]
    subject: str
    particulars: int

    @property
    def favours(self) -> bool:
        """Whether it is in its subject's favour, and holds wherever it is stored."""
        return self.act in (_SUSPEND, _EXIT)

    @property
    def ends(self) -> bool:
        """Whether it takes a listing off the list."""
        return self.act == _EXIT


@dataclass(frozen=True, slots=True)
class TrueListing:
    """How one listing stands; particulars is the position of the words that name its subject."""

    state: str
    until: str
    measures: tuple[str, ...]
    subject: str
    particulars: int = 0

    @property
    def is_member(self) -> bool:
        """Whether it counts in the digest of its list."""
        return self.state in (LISTED, SUSPENDED)


Listings = Mapping[Place, TrueListing]


def operations_written(header: channel_pb2.EntryHeader, contents: Sequence[bytes]) -> tuple[TrueOperation, ...]:
    """The operations of an entry of a list, from all its slots as the origin wrote them."""
    if header.kind != channel_pb2.ENTRY_KIND_LIST:
        return ()
    slots = [listing_pb2.ListSlot.FromString(content) for content in contents]
    found = []
    for position, slot in enumerate(slots):
        if slot.WhichOneof("content") != "op":
            continue
        op, place = slot.op, Place(header.epoch, header.index, position)
        enters = op.act == _ENTER
        target = place if enters else Place(op.entry.epoch, op.entry.index, op.entry.position)
        subject = slots[op.particulars_slot - 1].particulars.subject if enters else ""
        said = (
            op.act,
            header.issued_at_unix_ms,
            op.ground,
            op.until,
            tuple(op.measures),
            subject,
            op.particulars_slot - 1,
        )
        found.append(TrueOperation(place, target, *said))
    return tuple(found)


def listings_by(operations: Iterable[TrueOperation]) -> Listings:
    """How every listing stands by these operations, taken by their places; what may not follow does nothing."""
    found: dict[Place, TrueListing] = {}
    for operation in sorted(operations):
        before = found.get(operation.target)
        state = _after(before.state if before is not None else "", operation)
        if not state:
            continue
        entered = before or TrueListing(
            state, operation.until, operation.measures, operation.subject, operation.particulars
        )
        said = operation if operation.act == _AMEND else entered
        found[operation.target] = replace(entered, state=state, until=said.until, measures=said.measures)
    return found


def _after(state: str, operation: TrueOperation) -> str:
    """The state after an operation; empty where it may not follow."""
    if operation.act != _EXIT:
        return _NEXT.get((state, operation.act), "")
    end = _ENDS.get(operation.ground, "")
    may_follow = state in (LISTED, SUSPENDED) or (state in (EXITED, REPAIRED) and end == ANNULLED)
    return end if may_follow else ""


def digest_by(listings: Listings) -> bytes:
    """The digest of the members, 32 bytes: a product of numbers, whatever the order."""
    product = 1
    for place, listing in listings.items():
        if listing.is_member:
            product = product * _number(place, listing.state, listing.until, listing.measures) % _MODULUS
    return hashlib.sha256(product.to_bytes(384, "little")).digest()


@lru_cache(maxsize=65536)
def _number(place: Place, state: str, until: str, measures: tuple[str, ...]) -> int:
    named = f"{place.epoch}/{place.index}/{place.position}"
    member = "\n".join(("xinqiao/list-member/v1", named, state, until, ",".join(measures), ""))
    stream = Cipher(ChaCha20(hashlib.sha256(member.encode()).digest(), bytes(16)), mode=None).encryptor()
    return int.from_bytes(stream.update(bytes(384)), "little") % _MODULUS
