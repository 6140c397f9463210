"""The shorter way never says more than the long one: what it calls sound is sound, with the same values."""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from random import Random

import pytest

from node.bench.rows import Plan, example_resident_id, example_uscc, generate
from node.core.catalogue import Item, parse_edition, strip_never_public
from node.core.errors import XinqiaoError
from node.core.identifiers import USCC_PLACEHOLDER
from node.core.record import build_record, parse_record
from node.core.rules import Judge, compile_rules
from node.core.rules_edition import Effect, parse_rules
from node.core.sound import TEXTS_REMEMBERED, VALUES_REMEMBERED, compile_sound_reader
from node.core.validation import compile_validator
from node.pb import record_pb2

EDITIONS = Path(__file__).resolve().parents[2] / "registry" / "editions"
TODAY, DIVISION = "2026-03-01", "310000"
AUTHORITY = example_uscc("11", DIVISION, 1)
CASES = [("penalty.2018", "C"), ("penalty.2018", "A"), ("licence.2018", "C"), ("licence.2018", "A")]

TEXTS = (
    *(
        "",
        " ",
        "\u3000",
        "示例",
        "x" * 5000,
        "2024-02-30",
        "2031-01-01",
        "1899-12-31",
        "2024-05-06",
        "-1",
        "0.5",
        "1e9",
    ),
    *("警告-罚款", "其他-", "其他-示例", "行政处罚", "01", "法人及非法人组织", "自然人", "个体工商户", "组织"),
    *("居民身份证", "身份证", "护照", USCC_PLACEHOLDER, example_uscc("91", DIVISION, 7), "91319900MX0000000X"),
    *(example_resident_id(DIVISION, 12345), f"号 {example_resident_id(DIVISION, 99)} 示例", "11010519491231002X"),
    *("示例\n二行", "示例\t列", "示例\x00", "示例\u202e", "示例\ufffd", "示例\x7f", "é", "e\u0301", "𠀀" * 3),
)


@cache
def item_of(name: str) -> Item:
    return parse_edition((EDITIONS / "catalogue-2026.1.json").read_bytes()).item(name)


@cache
def bars_of(name: str, disclosure: str) -> Judge:
    rules = parse_rules((EDITIONS / "rules-2026.1.json").read_bytes())
    return compile_rules(rules, item_of(name), disclosure, TODAY, (DIVISION,), effects={Effect.REJECT})


def rows(name: str, disclosure: str, count: int) -> Iterator[dict[int, str]]:
    """Values of records that a publisher sends, persons among them."""
    item = item_of(name)
    for each in generate(Plan(name, count, 3, DIVISION, AUTHORITY, persons=0.1)):
        values = {item.by_code[code].number: text for code, text in each.row.items() if text}
        yield strip_never_public(item, values) if disclosure == "A" else values


def in_full(name: str, disclosure: str) -> Callable[[bytes], Mapping[int, str] | None]:
    """The long way."""
    item, validate = item_of(name), compile_validator(item_of(name), disclosure, TODAY, bars_of(name, disclosure))

    def read(payload: bytes) -> Mapping[int, str] | None:
        try:
            record = parse_record(payload)
        except XinqiaoError:
            return None
        return record.values if record.item == item.id and not validate(record.values) else None

    return read


def changed_values(draw: Random, item: Item, values: dict[int, str]) -> dict[int, str]:
    """One to three fields are other ones, or gone."""
    numbers = [field.number for field in item.fields]
    for _ in range(draw.randint(1, 3)):
        number, text = draw.choice([*numbers, 99, 127, 128, 300]), draw.choice(TEXTS)
        values.pop(number, None)
        if text and draw.random() < 0.8:
            values[number] = text
    return values


def changed_bytes(draw: Random, payload: bytes) -> bytes:
    """Bytes that say nearly the same, some of them in a way no serializer writes."""
    at = draw.randrange(len(payload))
    ways = (
        lambda: payload,
        lambda: payload[:at] + bytes([payload[at] ^ (1 << draw.randrange(8))]) + payload[at + 1 :],
        lambda: payload[:at] + payload[at + 1 :],
        lambda: payload + payload[draw.randrange(len(payload)) :],
        lambda: payload + bytes((0x1A, 0x00)),
        lambda: payload.replace(b"\x12\x03", b"\x12\x83\x00", 1),
        lambda: payload.replace(b"\x12", b"\x12\x00\x12", 1),
        lambda: payload.replace(b"\x08\x02\x12", b"\x12\x00\x08\x02", 1),
        lambda: moved_item(payload),
    )
    return draw.choice(ways)()


def moved_item(payload: bytes) -> bytes:
    """The item after the fields: parsers read it all the same."""
    end = 2 + payload[1]
    return payload[end:] + payload[:end]


@pytest.mark.parametrize(("name", "disclosure"), CASES)
def test_what_is_called_sound_is_so_in_full(name: str, disclosure: str) -> None:
    draw, item = Random(f"{name} {disclosure}"), item_of(name)
    sound, full = compile_sound_reader(item, disclosure, TODAY, bars_of(name, disclosure)), in_full(name, disclosure)
    found = {True: 0, False: 0}
    for values in rows(name, disclosure, 1500):
        changed = changed_values(draw, item, dict(values)) if draw.random() < 0.6 else values
        payload = changed_bytes(draw, build_record(item.id, changed))
        found[sound(payload) is not None] += 1
        assert sound(payload) in (None, full(payload))
    assert min(found.values()) > 50


@pytest.mark.parametrize(("name", "disclosure"), CASES)
def test_what_publishers_send_takes_the_shorter_way(name: str, disclosure: str) -> None:
    sound, full = (
        compile_sound_reader(item_of(name), disclosure, TODAY, bars_of(name, disclosure)),
        in_full(name, disclosure),
    )
    payloads = [build_record(name, values) for values in rows(name, disclosure, 400)]
    good = [payload for payload in payloads if full(payload) is not None]
    assert len(good) > 200
    assert [sound(payload) for payload in good] == [full(payload) for payload in good]


def test_more_values_than_are_remembered_are_judged_the_same() -> None:
    sound, full = compile_sound_reader(item_of("penalty.2018"), "C", TODAY), in_full("penalty.2018", "C")
    count = VALUES_REMEMBERED + TEXTS_REMEMBERED + 200
    payloads = [build_record("penalty.2018", values) for values in rows("penalty.2018", "C", count)]
    assert [sound(payload) is None for payload in payloads] == [full(payload) is None for payload in payloads]


def test_another_item_is_not_its_own() -> None:
    sound = compile_sound_reader(item_of("penalty.2018"), "C", TODAY)
    values = next(rows("penalty.2018", "C", 1))
    assert sound(build_record("penalty.2018", values)) is not None
    assert sound(build_record("licence.2018", values)) is None
    assert sound(b"") is None
    assert sound(b"\xff" * 40) is None


def test_other_bytes_of_the_same_values_are_not_sound() -> None:
    sound = compile_sound_reader(item_of("penalty.2018"), "C", TODAY)
    values = next(rows("penalty.2018", "C", 1))
    fields = [written(number, text.encode()) for number, text in sorted(values.items())]
    assert sound(of_fields(fields)) == values
    assert sound(of_fields([*fields[1:], fields[0]])) is None
    assert sound(of_fields([*fields[:-1], written(31, b"02", size=b"\x82\x00")])) is None
    assert sound(of_fields([*fields[:-1], written(30, b""), fields[-1]])) is None


def written(number: int, text: bytes, size: bytes | None = None) -> bytes:
    length = len(text)
    varint = bytes([length]) if length < 128 else bytes([length & 0x7F | 0x80, length >> 7])
    return bytes([0x08, number, 0x12]) + (size or varint) + text


def of_fields(fields: list[bytes]) -> bytes:
    return record_pb2.RecordParts(item="penalty.2018", fields=fields).SerializeToString()
