"""The guarantees over joint lists: who stands on one where, and what its digests and receipts say.

G3   a list's digest is that of what its origin has signed, at the origin and wherever a receipt says one
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache

from node.core.entry import VerifiedBody
from node.core.state import Place
from node.pb import channel_pb2
from node.ports import Store
from node.simulator.holdings import Holder
from node.simulator.list_truth import Listings, TrueListing, TrueOperation, digest_by, listings_by
from node.simulator.observing import Violation
from node.simulator.truth import LogKey, Truth

PAGE = 500


class ListWatch:
    """Follows every joint list of an honest origin at every node; raises Violation."""

    def __init__(self, truth: Truth) -> None:
        self._truth = truth
        # By label and channel: what was ever stored in subjects' favour.
        self._favours: dict[tuple[str, str], set[TrueOperation]] = {}
        # By node and log: the sizes that its receipts said, each with the root at it.
        self._receipted: dict[tuple[str, LogKey], dict[int, bytes | None]] = {}

    # -- who stands on a list -----------------------------------------------------------------------------

    def asserted(self, at: Holder, channel: str) -> list[TrueOperation]:
        """The operations that a node has applied, at or below the cuts it knows.

        Nothing of a list whose audience it has left: that is gone.
        """
        found: list[TrueOperation] = []
        for epoch in at.epochs.get(channel, ()):
            key = (channel, epoch)
            held = at.logs[key]
            if held.left_at is not None:
                continue
            cut, _ = at.cuts.get(key, (None, 0))
            found += self.written(key, held.applied if cut is None else min(held.applied, cut.size))
        return found

    def written(self, key: LogKey, size: int) -> list[TrueOperation]:
        """The operations in the first entries of a log, as its origin wrote them."""
        entries = self._truth.logs[key].entries[:size] if key in self._truth.logs else []
        return [operation for entry in entries for operation in entry.operations]

    def _resumed(self, key: LogKey, size: int) -> Iterator[tuple[LogKey, int]]:
        while True:
            yield key, size
            log = self._truth.logs.get(key)
            first = log.entries[0].header.manifest if log is not None and log.entries else channel_pb2.Manifest()
            if not first.HasField("resumes") or first.resumes.epoch >= key[1]:
                return
            key, size = (key[0], first.resumes.epoch), first.resumes.size

    def stored(self, at: Holder, key: LogKey, index: int, body: VerifiedBody) -> None:
        """Note a body: what it does in subjects' favour holds from now on."""
        for operation in self._truth.log(key).entries[index].operations:
            if operation.favours and body.records[operation.place.position] is not None:
                self._favours.setdefault((at.label, key[0]), set()).add(operation)

    def put_back(self, at: Holder) -> None:
        """Note that a database is as it was in a backup."""
        for label, channel in [pair for pair in self._favours if pair[0] == at.label]:
            del self._favours[label, channel]
        for key, held in at.logs.items():
            entries = self._truth.logs[key].entries if key in self._truth.logs else []
            found = [entries[index].operations for index in sorted(held.bodies) if index < len(entries)]
            favours = {operation for each in found for operation in each if operation.favours}
            self._favours.setdefault((at.label, key[0]), set()).update(favours)

    def answered(self, at: Holder, channel: str, now_ms: int) -> Listings:
        """How every listing is to be answered by a node whose clock shows a time."""
        asserted = self.asserted(at, channel)
        early = [operation for operation in asserted if operation.favours or operation.at_ms <= now_ms]
        favours = self._favours.get((at.label, channel), set())
        return listings_of(sorted({*early, *favours}))

    def ended(self, at: Holder, channel: str) -> set[Place]:
        """The listings whose end a node has receipted; a backup may take from it what lay above a cut, and is void."""
        found: list[TrueOperation] = []
        for (node, key), sizes in self._receipted.items():
            if node != at.node or key[0] != channel or key not in self._truth.logs:
                continue
            log = self._truth.logs[key]
            size = max((size for size, root in sizes.items() if log.root(size) == root), default=0)
            cut, _ = at.cuts.get(key, (None, 0))
            found += self.written(key, size if cut is None else min(size, cut.size))
        return {operation.target for operation in found if operation.ends}

    # -- digests ------------------------------------------------------------------------------------------

    def written_by_origin(self, at: Holder, key: LogKey, index: int) -> None:
        """An origin has written an entry: its digest is that of all it has signed so far, as far as it knows."""
        written = self._truth.log(key).entries[index]
        header = written.header
        if not is_list(key[0]):
            return
        due = digest_of(sorted({*self.asserted(at, key[0]), *written.operations}))
        if header.state_digest != due:
            found = f"{key[0]} {key[1]}/{index} is signed with the digest {_shown(header.state_digest)}"
            raise Violation("G3", at.label, f"{found}, {_shown(due)} is due")

    def receipted(self, at: Holder, message: channel_pb2.Receipt) -> None:
        """A subscriber has signed a receipt: its digest is that of what it had applied then."""
        key = (message.channel, message.epoch)
        if not is_list(key[0]) or not self._truth.is_true(key[0]):
            return
        root = self._truth.log(key).root(message.applied_size)
        self._receipted.setdefault((at.node, key), {})[message.applied_size] = root
        due = digest_of(self._applied(at, key, message.applied_size))
        if not message.state_digest and not self._is_all(at, key, message.applied_size):
            return  # it is not said where it would not be that of what was applied
        if message.state_digest != due:
            found = f"a receipt for {key[0]} {key[1]} says the digest {_shown(message.state_digest)}"
            raise Violation("G3", at.label, f"{found} after {message.applied_size} entries, {_shown(due)} is due")

    def _applied(self, at: Holder, key: LogKey, size: int) -> list[TrueOperation]:
        """The operations in the first entries of a log, and in all that it goes on from.

        A receipt says what was so at its signing: the log may be cut, left, or followed by an epoch before it is kept.
        """
        sizes = {before: cited for before, cited in self._resumed(key, size) if cited}
        for before in [(key[0], epoch) for epoch in at.epochs[key[0]] if epoch < key[1]]:
            held, (cut, _) = at.logs[before], at.cuts.get(before, (None, 0))
            if held.left_at is None:
                sizes.setdefault(before, held.applied if cut is None else min(held.applied, cut.size))
        return [operation for each, most in sorted(sizes.items()) for operation in self.written(each, most)]

    # -- where a quiet network must end -------------------------------------------------------------------

    def unequal(self, at: Holder, store: Store, channel: str, sizes: Mapping[LogKey, int]) -> Iterator[str]:
        """How a store differs from what the first entries of these logs make of a list."""
        operations = [operation for key, size in sorted(sizes.items()) for operation in self.written(key, size)]
        due, found = listings_of(operations), dict(stored_listings(store, channel))
        for place in sorted(due.keys() | found.keys()):
            if _standing(due.get(place)) != _standing(found.get(place)):
                told = f"{_standing(found.get(place))}, not {_standing(due.get(place))}"
                yield f"{at.label} holds the listing {channel} {at_place(place)} as {told}"
        erased = at.erased.get(channel, {})
        for place in sorted(due.keys() & found.keys()):
            particulars = Place(place.epoch, place.index, due[place].particulars)
            subject = "" if particulars in erased else due[place].subject
            if found[place].subject != subject:
                yield f"{at.label} holds the listing {channel} {at_place(place)} of {found[place].subject!r}"
        state, digest = store.list_state(channel), digest_of(operations)
        status = state.status if state is not None else ""
        # Whoever was first named after a cut is given nothing of before, and can say nothing of the whole.
        may_be = "match" if self._is_whole(sizes) or digest == self._signed(sizes) else "unknown"
        if sizes and (state is None or state.digest != digest or status != may_be):
            shown = f"{_shown(state.digest)}, {state.status}" if state is not None else "none"
            yield f"{at.label} has the digest of {channel}: {shown}, {_shown(digest)} is due"

    def _signed(self, sizes: Mapping[LogKey, int]) -> bytes:
        """What the origin has signed last of these logs."""
        key, size = max(sizes.items())
        return self._truth.logs[key].entries[size - 1].header.state_digest if size else b""

    def _is_all(self, at: Holder, key: LogKey, applied_size: int) -> bool:
        """Whether so much of a log is all that a node has applied, and nothing of an earlier epoch is missing."""
        held, newest = at.log(key), at.newest(key[0])
        is_now = newest is not None and newest.key == key and held.applied == applied_size and held.left_at is None
        sizes = {(key[0], epoch): at.logs[key[0], epoch].applied for epoch in at.epochs[key[0]] if epoch <= key[1]}
        is_all = is_now and key not in at.cuts and applied_size > 0
        return is_all and self._is_whole(sizes) and self._is_cut_where_cited(at, key, applied_size)

    def _is_cut_where_cited(self, at: Holder, key: LogKey, size: int) -> bool:
        """Whether each earlier epoch was cut where its successor goes on from: its writer may have lost some of it."""
        _, *earlier = self._resumed(key, size)
        cuts = [(cited, at.cuts.get(before, (None, 0))[0]) for before, cited in earlier if cited]
        return all(cut is not None and cut.size == cited for cited, cut in cuts)

    def _is_whole(self, sizes: Mapping[LogKey, int]) -> bool:
        """Whether these logs are all that the newest of them goes on from."""
        return all(sizes.get(key, 0) >= size for key, size in self._resumed(*max(sizes.items()))) if sizes else True


def stored_listings(store: Store, channel: str) -> Iterator[tuple[Place, TrueListing]]:
    """Every listing of a list as a store holds it."""
    after: Place | None = None
    while page := store.listings(channel, after, PAGE):
        for held in page:
            listing = held.listing
            yield listing.place, TrueListing(str(listing.state), listing.until, listing.measures, held.subject or "")
        after = page[-1].listing.place


def _standing(listing: TrueListing | None) -> str:
    return f"{listing.state} until {listing.until} {listing.measures}" if listing is not None else "unknown"


def is_list(channel: str) -> bool:
    """Whether a channel is a joint list."""
    return channel.partition("/")[2].startswith("lists/")


def digest_of(operations: list[TrueOperation]) -> bytes:
    """The digest of the members that these operations make."""
    return _digest(tuple(operations))


def listings_of(operations: list[TrueOperation]) -> Listings:
    """How every listing stands by these operations."""
    return _listings(tuple(operations))


@lru_cache(maxsize=1024)
def _listings(operations: tuple[TrueOperation, ...]) -> Listings:
    return listings_by(operations)


@lru_cache(maxsize=1024)
def _digest(operations: tuple[TrueOperation, ...]) -> bytes:
    return digest_by(_listings(operations))


def _shown(digest: bytes) -> str:
    return digest.hex()[:8] or "-"


def at_place(place: Place) -> str:
    """A place as people read it."""
    return f"{place.epoch}/{place.index}/{place.position}"
