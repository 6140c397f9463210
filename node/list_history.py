"""Who is on a list, or was, and by which steps: read from operations and entries as they are held."""

from collections.abc import Iterator
from dataclasses import dataclass

from node.admission import header_of
from node.core.entry import VerifiedBody, open_body
from node.core.list_warrant import Signed, signatures_on, warrant_in
from node.core.listing import LIVE, Listing, ListOperation, ListState, list_slot, listing_of
from node.core.state import Place
from node.core.workdays import china_day
from node.held_lists import HeldListing, HeldOperation
from node.pb import channel_pb2, listing_pb2
from node.ports import StoreReader

PAGE = 500


@dataclass(frozen=True, slots=True)
class Standing:
    """How an entry stands at a time: state as it is answered, over where its last day has passed."""

    held: HeldListing
    listing: Listing
    state: ListState
    over: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One operation on an entry: as published, with its words while they are here and what its warrant shows.

    effect is "effective", "waiting", "void" or "no effect".
    """

    operation: ListOperation
    op: listing_pb2.ListOp
    words: listing_pb2.ListParticulars | None
    effect: str
    change: str
    signed: tuple[Signed, ...]


def standings(
    reader: StoreReader, channel: str, now_ms: int, as_of_ms: int = 0, *, everything: bool = False
) -> Iterator[list[Standing]]:
    """Yield the entries of a list by place, a page at a time, as of now or by what was issued up to a time.

    Those that have ended or run out only where everything is asked for.
    """
    after: Place | None = None
    while page := reader.listings(channel, after, PAGE):
        found = [_standing(held, now_ms, as_of_ms) for held in page]
        yield [each for each in found if each is not None and (everything or _is_in_force(each))]
        after = page[-1].listing.place


def standing_of(held: HeldListing, now_ms: int) -> Standing:
    """How an entry stands now."""
    over = held.listing.until < china_day(now_ms).isoformat()
    return Standing(held, held.listing, held.answered, over)


def _standing(held: HeldListing, now_ms: int, as_of_ms: int) -> Standing | None:
    if not as_of_ms:
        return standing_of(held, now_ms)
    listing = listing_of(each for each in held.listing.operations if each.at_ms <= as_of_ms)
    if listing is None:
        return None
    return Standing(held, listing, listing.state, listing.until < china_day(as_of_ms).isoformat())


def _is_in_force(standing: Standing) -> bool:
    return standing.state in LIVE and not standing.over


def steps_of(reader: StoreReader, channel: str, place: Place) -> list[Step]:
    """Every operation held on an entry, by place; signatures are verified again."""
    held = reader.listing(channel, place)
    effective = set(held.listing.operations) if held is not None else set()
    return [
        _step(reader, channel, each, each.operation in effective) for each in reader.list_operations(channel, place)
    ]


def _step(reader: StoreReader, channel: str, held: HeldOperation, is_effective: bool) -> Step:
    operation = held.operation
    header, body = _entry(reader, channel, operation.place)
    warrant = warrant_in(body) if body is not None else None
    return Step(
        operation=operation,
        op=_op(body, operation),
        words=words_of(reader, channel, operation),
        effect="effective" if is_effective else _effect(held),
        change=warrant.change if warrant is not None else "",
        signed=signatures_on(header, body) if header is not None and body is not None else (),
    )


def _effect(held: HeldOperation) -> str:
    if held.is_valid is None:
        return "waiting"
    return "no effect" if held.is_asserted else "void"


def _entry(
    reader: StoreReader, channel: str, place: Place
) -> tuple[channel_pb2.EntryHeader | None, VerifiedBody | None]:
    """The entry at a place, as far as it is here."""
    entry = reader.entry(channel, place.epoch, place.index)
    if entry is None:
        return None, None
    header = header_of(entry)
    return header, open_body(header, entry.body) if entry.body is not None else None


def _op(body: VerifiedBody | None, operation: ListOperation) -> listing_pb2.ListOp:
    slot = body.records[operation.place.position] if body is not None else None
    read = list_slot(slot[1]) if slot is not None else None
    return read.op if read is not None else listing_pb2.ListOp(act=listing_pb2.ListAct.Name(operation.act))


def words_of(reader: StoreReader, channel: str, operation: ListOperation) -> listing_pb2.ListParticulars | None:
    """The words of an operation; None where they are erased, withheld or not here."""
    _, body = _entry(reader, channel, operation.place)
    slot = body.records[operation.particulars] if body is not None else None
    read = list_slot(slot[1]) if slot is not None else None
    return read.particulars if read is not None and read.HasField("particulars") else None


def entry_text(channel: str, place: Place) -> str:
    """An entry of a list as people name it."""
    return f"{channel}#{place.epoch}/{place.index}/{place.position}"
