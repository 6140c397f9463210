"""A record as it travels, and what becomes of a row on its way to being one.

A record is a catalogue item's name and a text for each field that has a value, in ascending field number. Its
bytes are canonical: the same values always make the same bytes, so that equal content has an equal hash, and
nothing that the catalogue does not know can hide in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from google.protobuf.message import DecodeError

from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import record_pb2


@dataclass(frozen=True, slots=True)
class Record:
    """A parsed record: the item and the texts by field number, ascending."""

    item: str
    values: Mapping[int, str]


def build_record(item: str, values: Mapping[int, str]) -> bytes:
    """Return the canonical bytes of a record; empty texts are absent values and must not be handed in.

    Raises ValueError for an empty text, a field number that is not positive or has more than 32 bits, or a text that
    UTF-8 cannot hold.
    """
    if "" in values.values() or (values and (min(values) < 1 or max(values) > _MAX_NUMBER)):
        raise ValueError("an absent value is an absent field, and field numbers are 1 to 4294967295")
    name = item.encode()
    parts = [_ITEM, _varint(len(name)), name] if name else []
    # Written out, which takes two thirds of the time of messages; a test compares the bytes with the serializer's.
    for number in sorted(values):
        text = values[number].encode()
        parts.append(_head(number, len(text)))
        parts.append(text)
    return b"".join(parts)


_MAX_NUMBER = 2**32 - 1
# Tags of the messages Record and Field: the field's number there, and its wire type.
_ITEM, _FIELD, _NUMBER, _TEXT = b"\x0a", b"\x12", b"\x08", b"\x12"


@lru_cache(maxsize=16_384)
def _head(number: int, size: int) -> bytes:
    """Return what stands before the text of a field, which has so many bytes."""
    inner = _NUMBER + _varint(number) + _TEXT + _varint(size)
    return _FIELD + _varint(len(inner) + size) + inner


def _varint(number: int) -> bytes:
    """Return a number as protobuf writes it: 7 bits a byte, the lowest first."""
    written = bytearray()
    while number > 0x7F:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*written, number))


def parse_record(payload: bytes, limits: Limits = DEFAULT_LIMITS) -> Record:
    """Return the record in these bytes.

    Raises XinqiaoError VERDICT_RECORD where they are too many, no record, or not canonical: fields out of order,
    repeated, empty or numbered 0, unknown protobuf fields, or an encoding the serializer would not write.
    """
    if len(payload) > limits.max_record_bytes:
        raise _unreadable(f"{len(payload)} bytes, at most {limits.max_record_bytes} are allowed")
    message = record_pb2.Record()
    try:
        message.ParseFromString(payload)
    except DecodeError:
        raise _unreadable("not a Record message") from None
    values = {entry.number: entry.text for entry in message.fields}
    if not message.item or not _is_canonical(message, values, payload):
        raise _unreadable("not in canonical form")
    return Record(message.item, values)


def _is_canonical(message: record_pb2.Record, values: dict[int, str], payload: bytes) -> bool:
    numbers = list(values)
    if len(numbers) != len(message.fields) or numbers != sorted(numbers) or "" in values.values():
        return False
    if numbers and numbers[0] < 1:
        return False
    # Whatever else differs shows here: unknown fields are dropped, then the bytes must come out the same.
    message.DiscardUnknownFields()
    return message.SerializeToString(deterministic=True) == payload


def _unreadable(detail: str) -> XinqiaoError:
    return XinqiaoError("VERDICT_RECORD", detail=detail)


def content_hash(payload: bytes) -> bytes:
    """Return SHA-256 over a record's bytes: equal for equal content, whatever the salt of its slot."""
    return sha256(payload).digest()


# --- From rows to records -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Defect:
    """One reason to refuse a record: a code of errors.CODES, the field at fault ("" for the whole) and parameters.

    Parameters never hold the value itself. Where a rule bars it, they hold `rule` (its id) and `article`.
    """

    code: str
    field_code: str = ""
    params: Mapping[str, object] = field(default_factory=dict)

    @property
    def error(self) -> XinqiaoError:
        """The defect as an error, which has the texts and travels as a Refusal."""
        return XinqiaoError(self.code, **self.params)


@dataclass(frozen=True, slots=True)
class Sheet:
    """Where rows stand: the name of a workbook's sheet ("" in other files), and the column letters by column code."""

    name: str
    letters: Mapping[str, str]

    def cell(self, row: int, column: str) -> str:
        """Return the address of a cell as a spreadsheet writes it: sheet!B7, or sheet!7 for the whole row."""
        address = f"{self.letters.get(column, '')}{row}"
        return f"{self.name}!{address}" if self.name else address


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a file: its number as a spreadsheet shows it, the text by column code, and what reading found wrong.

    A row that could not be told apart into columns has no values but its text.
    """

    number: int
    values: Mapping[str, str]
    defects: tuple[Defect, ...] = ()
    sheet: Sheet | None = field(default=None, compare=False)

    @property
    def defect(self) -> Defect | None:
        """The first defect, None where reading found none."""
        return self.defects[0] if self.defects else None


class Candidate(NamedTuple):
    """A row that became a record, awaiting publication; holds are why two officers must look at it first."""

    row: int
    record: bytes
    key: bytes
    content_hash: bytes
    subject: str
    authority: str
    doubts: tuple[Defect, ...] = ()
    holds: tuple[Defect, ...] = ()


@dataclass(frozen=True, slots=True)
class Rejection:
    """A row that is returned to its source unit, with everything found wrong with it and its values as read."""

    row: int
    defects: tuple[Defect, ...]
    values: Mapping[str, str]

    @property
    def code(self) -> str:
        """The code of the first defect."""
        return self.defects[0].code

    @property
    def column(self) -> str:
        """The column of the first defect, empty where it is the whole row."""
        return self.defects[0].field_code

    @property
    def reason(self) -> str:
        """What is wrong, all of it, for people."""
        return "; ".join(defect.error.text for defect in self.defects)

    @property
    def remedy(self) -> str:
        """What to do, without repeating itself."""
        return "; ".join(dict.fromkeys(defect.error.next for defect in self.defects))


@dataclass(frozen=True, slots=True)
class Batch:
    """Consecutive rows of a file, each either a candidate or a rejection, each list in row order.

    All of them stand in one sheet, so that row numbers tell them apart.
    """

    candidates: tuple[Candidate, ...]
    rejections: tuple[Rejection, ...]
    sheet: Sheet | None = None

    @property
    def rows(self) -> int:
        """How many rows of the file the batch accounts for."""
        return len(self.candidates) + len(self.rejections)


class OutcomeKind(StrEnum):
    """What became of a row."""

    ACCEPTED = "accepted"
    REVISED = "revised"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    HELD = "held"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one row; a rejected one says why, a held one under which id it waits."""

    row: int
    kind: OutcomeKind
    rejection: Rejection | None = None
    hold: str = ""
