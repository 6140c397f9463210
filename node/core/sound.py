"""Which records are certainly sound? A shorter way to the answer that nearly all of them get.

A file has the same dates, authorities and kinds of decision over and over, and its rows leave the same fields empty.
So what has once been found sound of a value, of a set of fields or of the values that conditions ask about is
remembered by their bytes, and the record itself is read without making a message of each of its fields.

Nothing is ever found wrong here: whatever is not certainly sound is read and judged in full (node.core.record,
node.core.validation), which says what is wrong with it. A test compares the two ways on records of every kind.
"""

from collections.abc import Callable, Mapping

from google.protobuf.message import DecodeError

from node.core.catalogue import Item
from node.core.identifiers import holds_resident_id
from node.core.rules import Judge
from node.core.validation import LOST, UNCLEAN, Conditions, Predicate, compile_conditions
from node.pb import record_pb2

SoundReader = Callable[[bytes], Mapping[int, str] | None]
Pair = tuple[int, str]
FieldReader = Callable[[bytes], Pair | None]

VALUES_REMEMBERED = 1024
TEXTS_REMEMBERED = 128
"""Of each field: a value that takes a check, or one of a few texts; the values beyond are looked at each time."""
LONGEST_REMEMBERED_BYTES = 128
_SHAPES_REMEMBERED = 1024
_NUMBER_TAG, _TEXT_TAG = 0x08, 0x12
_MORE = 0x80


def compile_sound_reader(item: Item, disclosure: str, as_of: str = "", rules: Judge | None = None) -> SoundReader:
    """Return the function that gives the values of a record of an item where it is certainly sound, else None.

    Parameters and errors are those of compile_validator; the bytes must be no more than a record may have.
    """
    asked = compile_conditions(item, disclosure, as_of, rules)
    bars, relations, name = asked.bars, asked.relations, item.id
    known: dict[bytes, Pair] = {}
    pair_of = _remembering_reader(asked, known)
    shapes: dict[tuple[int, ...], tuple[Predicate, ...] | None] = {}

    def read(payload: bytes) -> Mapping[int, str] | None:
        # (1) the parts, in canonical form
        parts = record_pb2.RecordParts()
        try:
            parts.ParseFromString(payload)
        except DecodeError:
            return None
        parts.DiscardUnknownFields()
        if parts.item != name or parts.SerializeToString() != payload:
            return None
        # (2) each value by itself
        pairs = [known.get(field) or pair_of(field) for field in parts.fields[:]]
        if None in pairs:
            return None
        # (3) which fields there are, and what is missing under a condition
        values: dict[int, str] = dict(pairs)  # type: ignore[arg-type]
        shape = tuple(values)
        if shape not in shapes and len(shapes) < _SHAPES_REMEMBERED:
            shapes[shape] = _missing_if(asked, shape)
        missing_if = shapes[shape] if shape in shapes else _missing_if(asked, shape)
        if missing_if is None or len(shape) != len(pairs):
            return None
        for applies in missing_if:
            if applies(values):
                return None
        # (4) values against each other, and the rules that bar a record
        for relation in relations:
            if relation(values) is not None:
                return None
        return None if bars(values) else values

    return read


def _missing_if(asked: Conditions, shape: tuple[int, ...]) -> tuple[Predicate, ...] | None:
    """Under which conditions something is missing where exactly these fields are given; None where it is anyway."""
    if list(shape) != sorted(shape) or not asked.required.issubset(shape):
        return None
    return tuple(applies for field, applies in asked.conditional if field.number not in shape)


def _remembering_reader(asked: Conditions, known: dict[bytes, Pair]) -> FieldReader:
    """Return a field reader by which what is sound becomes known while there is room for it."""
    read_field = compile_field_reader(asked)
    room = {
        number: VALUES_REMEMBERED if check is not None else TEXTS_REMEMBERED
        for number, (_, check) in asked.told.items()
    }

    def read(field: bytes) -> Pair | None:
        pair = read_field(field)
        if pair is not None and room[pair[0]] and len(field) <= LONGEST_REMEMBERED_BYTES:
            room[pair[0]] -= 1
            known[field] = pair
        return pair

    return read


def compile_field_reader(asked: Conditions) -> FieldReader:
    """Return the function that reads a serialized field that is canonical, known to the item and sound by itself."""
    told, texts = asked.told, asked.texts

    def read(field: bytes) -> Pair | None:
        start = _text_start(field)
        number = field[1] if start else 0
        if number not in told:
            return None
        try:
            text = str(field[start:], "utf-8")
        except UnicodeDecodeError:
            return None
        longest, check = told[number]
        if not text or len(text) > longest or text.isspace() or (check is not None and check(text) is not None):
            return None
        if LOST in text or (not text.isprintable() and UNCLEAN.search(text)):
            return None
        if number in texts and holds_resident_id(text):
            return None
        return number, text

    return read


def _text_start(field: bytes) -> int:
    """Where the text of a field begins, which has a number below 128 and less than 16 KiB; 0 for any other bytes."""
    if len(field) < 5 or field[0] != _NUMBER_TAG or field[1] >= _MORE or field[2] != _TEXT_TAG:
        return 0
    size = field[3]
    if size < _MORE:
        return 4 if len(field) == size + 4 else 0
    size = (size & 0x7F) | field[4] << 7
    return 5 if 0 < field[4] < _MORE and len(field) == size + 5 else 0
