"""The query log: who asked about whom, when and what for, chained by hashes (R-QRY-3).

It holds questions and no answers: an answer is worked out when its question is durable, since one that was worked out
before could be overtaken by an exit that this node has acknowledged meanwhile.

    entry hash    = SHA-256("xinqiao/query/v1\\n" || number(sequence) || text(previous hash) || number(time in Unix ms)
                    || text(officer) || text(unit) || text(matter) || text(matters version) || text(ground)
                    || number(count of subjects) || text(subject) || text(root) || text(key id))
    number(n)     = n as 8 bytes, text(t) = length of t as 8 bytes || t; both big-endian, texts in UTF-8
    previous hash = the entry hash before, 32 zero bytes where the log begins; sequence counts from 1

A check of one subject names it: an organisation by its unified social credit code, a natural person as
"hmac:" || hex(leaf). A check of many names none: root is the RFC 6962 root over their leaves, ascending, each once, and
the leaves are kept beside the entry, so that a subject can be told of it.

    leaf          = HMAC-SHA256(key of the node, "xinqiao/query-subject/v1\\n" || subject)

The key never leaves its node, so nobody can try numbers of persons against a log without it.
"""

import hmac
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256

from node.core import merkle
from node.core.identifiers import is_uscc

NO_HASH = bytes(merkle.HASH_BYTES)
KEY_BYTES = 32
_ENTRY = b"xinqiao/query/v1\n"
_SUBJECT = b"xinqiao/query-subject/v1\n"
_KEY = b"xinqiao/query-key/v1\n"
_PERSON = "hmac:"


class SubjectKey:
    """The node's key for the subjects of its log; it never shows itself."""

    __slots__ = ("_key", "id")

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ValueError(f"a key for subjects has {KEY_BYTES} bytes")
        self._key = key
        self.id = sha256(_KEY + key).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"SubjectKey({self.id})"

    def leaf(self, subject: str) -> bytes:
        """What stands for a subject in a batch."""
        return hmac.digest(self._key, _SUBJECT + subject.encode(), "sha256")

    def shown(self, subject: str) -> str:
        """How a subject stands in the entry of a check of its own."""
        return subject if is_uscc(subject) else _PERSON + self.leaf(subject).hex()


@dataclass(frozen=True, slots=True)
class Question:
    """Who asks, when and what for; at_ms in Unix ms, matters_version names the edition that the matter stands in."""

    at_ms: int
    officer: str
    unit: str
    matter: str
    matters_version: str
    ground: str


@dataclass(frozen=True, slots=True)
class Query:
    """A question and whom it is about: one subject, or a root over the leaves of count subjects.

    leaves are those of a batch one after the other, empty where an entry is read back: they are read apart.
    """

    question: Question
    key_id: str
    count: int = 1
    subject: str = ""
    root: bytes = b""
    leaves: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class LoggedQuery:
    """An entry of the log."""

    sequence: int
    previous: bytes
    entry_hash: bytes
    query: Query


def query_of(question: Question, key: SubjectKey, subject: str) -> Query:
    """A question about one subject."""
    return Query(question, key.id, subject=key.shown(subject))


def query_of_batch(question: Question, key: SubjectKey, subjects: Iterable[str]) -> Query:
    """A question about many subjects at once, each counted once."""
    leaves = sorted({key.leaf(subject) for subject in subjects})
    return Query(question, key.id, len(leaves), root=_root(leaves), leaves=b"".join(leaves))


def follow(last: LoggedQuery | None, query: Query) -> LoggedQuery:
    """The entry that comes after the last one."""
    sequence, previous = (last.sequence + 1, last.entry_hash) if last is not None else (1, NO_HASH)
    return LoggedQuery(sequence, previous, hash_of(sequence, previous, query), query)


def hash_of(sequence: int, previous: bytes, query: Query) -> bytes:
    """The entry hash, laid out as the module says."""
    asked = query.question
    parts = (
        *(_number(sequence), _text(previous), _number(asked.at_ms)),
        *(_text(text.encode()) for text in (asked.officer, asked.unit, asked.matter, asked.matters_version)),
        *(_text(asked.ground.encode()), _number(query.count), _text(query.subject.encode())),
        *(_text(query.root), _text(query.key_id.encode())),
    )
    return sha256(_ENTRY + b"".join(parts)).digest()


def is_among(leaf: bytes, leaves: bytes) -> bool:
    """Whether a leaf is one of those that a batch keeps."""
    at = leaves.find(leaf)
    while at % merkle.HASH_BYTES and at >= 0:
        at = leaves.find(leaf, at + 1)
    return at >= 0


# --- Verifying ----------------------------------------------------------------------------------------------


class Fault(StrEnum):
    """What is wrong at the first place where a log is broken."""

    ALTERED = "altered"
    MISSING = "missing"
    UNCHAINED = "unchained"
    LEAVES = "leaves"
    FORKED = "forked"


FAULTS: Mapping[Fault, str] = {
    Fault.ALTERED: "the entry is not what its hash was made of",
    Fault.MISSING: "there is no such entry, and there was one",
    Fault.UNCHAINED: "the entry does not follow the one before it: one of the two took the place of another",
    Fault.LEAVES: "the subjects that are kept beside the entry are not those that it was made of",
    Fault.FORKED: "the entry is sound, and not the one that was noted before",
}
"""What each fault means."""


@dataclass(frozen=True, slots=True)
class Head:
    """How far a log goes: its last sequence number and entry hash."""

    sequence: int = 0
    entry_hash: bytes = NO_HASH


@dataclass(frozen=True, slots=True)
class Verified:
    """What verifying a log found: the head of what is sound, and what is wrong with the entry after it."""

    head: Head
    fault: Fault | None = None


def verify(entries: Iterable[LoggedQuery], leaves: Callable[[int], bytes], noted: Collection[Head] = ()) -> Verified:
    """Walk a log from its beginning to the first broken place; leaves reads those of an entry.

    noted are heads that were seen before: what they name must still stand there.
    """
    expected = {(head.sequence, head.entry_hash) for head in noted}
    head = Head()
    for entry in entries:
        fault = _fault(head, entry, leaves) or _forked(entry, expected)
        if fault is not None:
            return Verified(head, fault)
        head = Head(entry.sequence, entry.entry_hash)
    is_short = any(sequence > head.sequence for sequence, _ in expected)
    return Verified(head, Fault.MISSING if is_short else None)


def _fault(head: Head, entry: LoggedQuery, leaves: Callable[[int], bytes]) -> Fault | None:
    query = entry.query
    if entry.sequence != head.sequence + 1:
        return Fault.MISSING if entry.sequence > head.sequence else Fault.UNCHAINED
    if hash_of(entry.sequence, entry.previous, query) != entry.entry_hash:
        return Fault.ALTERED
    if entry.previous != head.entry_hash:
        return Fault.UNCHAINED
    return Fault.LEAVES if query.root and not _are_leaves(query, leaves(entry.sequence)) else None


def _forked(entry: LoggedQuery, expected: Collection[tuple[int, bytes]]) -> Fault | None:
    noted = {entry_hash for sequence, entry_hash in expected if sequence == entry.sequence}
    return Fault.FORKED if noted - {entry.entry_hash} else None


def _are_leaves(query: Query, leaves: bytes) -> bool:
    size = merkle.HASH_BYTES
    cut = [leaves[at : at + size] for at in range(0, len(leaves), size)]
    return len(leaves) == query.count * size and _root(cut) == query.root


def _root(leaves: Iterable[bytes]) -> bytes:
    return merkle.root([merkle.leaf_hash(leaf) for leaf in leaves])


def _number(value: int) -> bytes:
    return value.to_bytes(8, "big")


def _text(content: bytes) -> bytes:
    return _number(len(content)) + content
