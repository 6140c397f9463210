"""What the operators of a simulated network publish: records of one small item, with codes that nobody can issue.

The rows go through the ingest that files go through; what comes out is what `publish` takes.
"""

import json
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from random import Random
from typing import Any

from node.core.catalogue import Item, parse_edition
from node.core.identifiers import USCC_ALPHABET, org_code_check_character, uscc_check_character
from node.core.record import Candidate, Row
from node.ingest.batching import batches

ITEM = "registration.base"
_NO_DIVISION = "319900"
_LONGEST = 20_000
_FIELDS: Sequence[tuple[str, str, str, str, int, str]] = (
    ("uni_social_crd_cd", "uscc", "统一社会信用代码", "uscc", 18, "yes"),
    ("comp_nm", "subject_name", "企业名称", "text", 200, "yes"),
    ("opt_scop", "business_scope", "经营范围", "text", _LONGEST, "no"),
)


@cache
def edition() -> bytes:
    """The edition of the catalogue that a simulated registry publishes: one item of three fields."""
    fields = [
        {
            "number": number,
            "code": code,
            "name": name,
            "title_zh": title,
            "title_en": name,
            "type": kind,
            "max_chars": length,
            "required": required,
        }
        for number, (code, name, title, kind, length, required) in enumerate(_FIELDS, start=1)
    ]
    item: dict[str, Any] = {
        "id": ITEM,
        "title_zh": "企业登记基本信息",
        "title_en": "Enterprise registration",
        "content": "-",
        "entry_rule": "-",
        "query_period_years": None,
        "source": "made for simulations",
        "disclosure": ["A", "B", "C"],
        "key": {},
        "fields": fields,
    }
    whole = {"format": 1, "version": "2026.1", "in_force_from": "2026-01-01", "items": [item]}
    return json.dumps(whole, ensure_ascii=False).encode()


@cache
def item() -> Item:
    """The item of every simulated channel."""
    return parse_edition(edition()).item(ITEM)


@cache
def subject_code(serial: int) -> str:
    """A code of a subject that checks and cannot be issued: no such division exists."""
    return _code("91", serial)


@cache
def authority_code(node: str) -> str:
    """The code of the public body that a node speaks for, made likewise."""
    return _code("11", int.from_bytes(sha256(node.encode()).digest()[:3]))


def _code(kind: str, serial: int) -> str:
    body, base = "", len(USCC_ALPHABET)
    for _ in range(6):
        serial, digit = divmod(serial, base)
        body = USCC_ALPHABET[digit] + body
    organisation = f"MX{body}"
    first_17 = f"{kind}{_NO_DIVISION}{organisation}{org_code_check_character(organisation)}"
    return first_17 + uscc_check_character(first_17)


def subject_name(serial: int) -> str:
    """What a subject of a joint list is called."""
    return f"示例{serial:06}有限公司"


class Register:
    """What the operator of one channel has in its own books; serials of different registers do not meet."""

    def __init__(self, number: int) -> None:
        self._first = number * 1_000_000
        self._names: list[str] = []

    def batch(self, random: Random, records: int, revised: int, repeated: int, padding: int) -> list[Candidate]:
        """Rows for one entry: new subjects, some revised, some the same as before; padding is a length of text."""
        old = len(self._names)
        known = [random.randrange(old) for _ in range(revised + repeated)] if old else []
        for serial in known[:revised]:
            self._names[serial] = self._name(random)
        fresh = range(old, old + max(records - len(known), 0))
        self._names += [self._name(random) for _ in fresh]
        rows = [self._row(number, serial, padding) for number, serial in enumerate([*known, *fresh], start=1)]
        return [candidate for batch in batches(rows, item(), "A", 4096, 1 << 22) for candidate in batch.candidates]

    def _name(self, random: Random) -> str:
        return f"示例{random.randrange(1_000_000):06}有限公司"

    def _row(self, number: int, serial: int, padding: int) -> Row:
        values = {"uni_social_crd_cd": subject_code(self._first + serial), "comp_nm": self._names[serial]}
        if padding:
            values["opt_scop"] = _incompressible(
                f"{self._first + serial} {self._names[serial]}", min(padding, _LONGEST)
            )
        return Row(number, values)


def _incompressible(seed: str, length: int) -> str:
    """A text of that length that no frame makes much shorter, so that bandwidth counts."""
    digests = (sha256(f"{seed} {at}".encode()).hexdigest() for at in range(0, length, 64))
    return "".join(digests)[:length]
