"""Records of files as publishers send them, and others that are nearly so: some break a rule, some are none.

What judges them by a shorter way is compared with in_full(), the long one.
"""

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from random import Random

from node.bench.rows import Plan, example_resident_id, example_uscc, generate
from node.core.catalogue import Item, parse_edition, strip_never_public
from node.core.errors import XinqiaoError
from node.core.identifiers import USCC_PLACEHOLDER
from node.core.record import parse_record
from node.core.rules import Judge, compile_rules
from node.core.rules_edition import Effect, parse_rules
from node.core.validation import compile_validator

EDITIONS = Path(__file__).resolve().parents[1] / "registry" / "editions"
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
