"""Records: canonical bytes, and nothing that can hide in them."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.core.errors import CODES, XinqiaoError
from node.core.limits import Limits
from node.core.record import Defect, Rejection, build_record, content_hash, parse_record
from node.pb import record_pb2

_texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=30)
_values = st.dictionaries(st.integers(1, 2**32 - 1), _texts, max_size=30)


@given(_values)
def test_values_come_back_as_they_went_in(values: dict[int, str]) -> None:
    record = parse_record(build_record("penalty.2018", values))
    assert record.item == "penalty.2018"
    assert dict(record.values) == values
    assert list(record.values) == sorted(values)


@given(_values)
def test_the_order_of_values_does_not_change_the_bytes(values: dict[int, str]) -> None:
    backwards = dict(reversed(values.items()))
    assert build_record("penalty.2018", values) == build_record("penalty.2018", backwards)


def test_the_bytes_are_those_of_the_schema() -> None:
    payload = build_record("a", {1: "中", 300: "b"})
    assert payload.hex() == "0a0161" + "1207" + "0801" + "1203e4b8ad" + "1206" + "08ac02" + "120162"
    # What sha256sum prints for these 20 bytes.
    assert content_hash(payload).hex() == "96dfb68066291d20ec8a2aa8975ff7487e3e94c9ddca9580d2f795617ac50f37"


@given(
    _values,
    st.text(st.characters(codec="utf-8"), max_size=200),
    st.sampled_from([1, 126, 127, 128, 16383, 16384, 70000]),
)
def test_the_bytes_are_those_that_the_serializer_writes(values: dict[int, str], item: str, size: int) -> None:
    values = values | {7: "x" * size, 127: "中", 128: "é", 2**32 - 1: "𠀀"}
    message = record_pb2.Record(item=item)
    for number in sorted(values):
        message.fields.add(number=number, text=values[number])
    assert build_record(item, values) == message.SerializeToString(deterministic=True)


@pytest.mark.parametrize("values", [{1: ""}, {0: "a"}, {-1: "a"}, {2**32: "a"}, {1: "\ud800"}])
def test_values_no_record_may_hold_are_not_built(values: dict[int, str]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - protobuf words some of them
        build_record("a", values)


def _encoded(item: str, *fields: tuple[int, str]) -> bytes:
    entries = [record_pb2.Field(number=number, text=text) for number, text in fields]
    return record_pb2.Record(item=item, fields=entries).SerializeToString(deterministic=True)


_SOUND = _encoded("a", (1, "x"), (2, "y"))
_NOT_CANONICAL = {
    "descending": _encoded("a", (2, "y"), (1, "x")),
    "repeated": _encoded("a", (1, "x"), (1, "x")),
    "repeated with another text": _encoded("a", (1, "x"), (1, "y")),
    "an empty text": _encoded("a", (1, ""), (2, "y")),
    "numbered 0": _encoded("a", (0, "x"), (2, "y")),
    "no item": _encoded("", (1, "x")),
    "nothing": b"",
    "an unknown field in the record": _SOUND + b"\x1a\x01z",
    "an unknown field in a field": bytes.fromhex("0a0161" + "1208" + "0801" + "120178" + "1a017a"),
    "an item twice": b"\x0a\x01b" + _SOUND,
    "the item at the end": _SOUND[3:] + _SOUND[:3],
    "a length of more bytes than needed": b"\x0a\x81\x00a" + _SOUND[3:],
    "cut short": _SOUND[:-1],
    "text that is no UTF-8": _SOUND[:-1] + b"\xff",
    "no message at all": b"\xff\xff\xff",
}


@pytest.mark.parametrize("payload", _NOT_CANONICAL.values(), ids=_NOT_CANONICAL.keys())
def test_bytes_in_any_other_form_are_refused(payload: bytes) -> None:
    assert dict(parse_record(_SOUND).values) == {1: "x", 2: "y"}
    with pytest.raises(XinqiaoError) as refused:
        parse_record(payload)
    assert refused.value.code == "VERDICT_RECORD"


@given(_values, st.data())
def test_a_changed_byte_is_refused_or_is_another_record(values: dict[int, str], data: st.DataObject) -> None:
    payload = bytearray(build_record("penalty.2018", values))
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= data.draw(st.integers(1, 255))
    with suppress(XinqiaoError):
        record = parse_record(bytes(payload))
        assert build_record(record.item, record.values) == bytes(payload)
        assert (record.item, dict(record.values)) != ("penalty.2018", values)


def test_a_record_over_the_limit_is_refused_unread() -> None:
    with pytest.raises(XinqiaoError) as refused:
        parse_record(b"\xff" * 11, Limits(max_record_bytes=10))
    assert "at most 10" in refused.value.text


def test_a_rejection_names_the_first_defect_and_tells_all() -> None:
    defects = (
        Defect("FIELD_DATE", "CF_JDRQ", {"title": "处罚决定日期"}),
        Defect("FIELD_DIGITS", "BZ", {"title": "备注"}),
    )
    rejection = Rejection(7, defects, {})
    assert (rejection.code, rejection.column) == ("FIELD_DATE", "CF_JDRQ")
    assert "处罚决定日期: not a date" in rejection.reason
    assert "备注: not all digits" in rejection.reason
    assert "YYYY-MM-DD" in rejection.remedy
    assert "digits only" in rejection.remedy


def test_every_defect_has_a_row_in_the_one_table() -> None:
    for code in ("FIELD_DATE", "RULE_SIMPLE_PROCEDURE", "ROW_QUOTES", "FILE_HEADER", "CATALOGUE_INVALID"):
        assert CODES[code].text
        assert CODES[code].next
