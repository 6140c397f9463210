"""The compiled reader of slots never says more than the long way: what it calls sound is so, and found the same."""

import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random

import pytest

from node.core.catalogue import Field, authority_of, natural_key, subject_of
from node.core.entry import SALT_BYTES, build_body, commitment, records_root
from node.core.errors import XinqiaoError
from node.core.identifiers import (
    USCC_ALPHABET,
    USCC_PLACEHOLDER,
    resident_id_check_character,
    uscc_check_character,
)
from node.core.limits import DEFAULT_LIMITS
from node.core.record import build_record, parse_record
from node.core.record_terms import read_terms, sorted_terms
from node.core.slot_reading import IS_COMPILED, SlotReader, compile_slot_reader
from node.pb import channel_pb2, record_pb2
from tests.variants import CASES, TODAY, bars_of, changed_bytes, changed_values, in_full, item_of, rows

ROOT = Path(__file__).resolve().parents[2]
MOST_BYTES = DEFAULT_LIMITS.max_record_bytes
DOCUMENTS = (
    *("示罚字〔2024〕1号", "示罚字[2024]1号", "示罚字【2024】1号", "示罚字（2024）1号", "示罚字(2024)1号", "{2024}-Aa"),
    *(
        "示 罚 字 2024",
        "Ａ２０２４",
        "①",
        "ﬁ",
        "e\u0301",
        "示\u200b罚",
        "葛\U000e0100",
        "\u3000号",
        "．2024",
        "豈",
        "号" * 700,
    ),
    *("1" * 17, "1 " * 9, "-" * 20, "“引”——…·", "、。《》", "\ufe0f", "\u2024", "％"),
)
compiled = pytest.mark.skipif(not IS_COMPILED, reason="nothing compiled the reader of slots here")


def reader_of(name: str, disclosure: str) -> SlotReader:
    reader = compile_slot_reader(item_of(name), disclosure, TODAY, bars_of(name, disclosure))
    assert reader is not None
    return reader


def body_of(contents: Sequence[bytes]) -> tuple[bytes, bytes]:
    return build_body(contents, [at.to_bytes(SALT_BYTES, "big") for at in range(len(contents))])


@compiled
@pytest.mark.parametrize(("name", "disclosure"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_what_it_finds_is_what_the_long_way_finds(name: str, disclosure: str, seed: int) -> None:
    draw, item, full = Random(f"{name} {disclosure} {seed}"), item_of(name), in_full(name, disclosure)
    contents = []
    for values in rows(name, disclosure, 1200):
        changed = changed_values(draw, item, dict(values)) if draw.random() < 0.4 else dict(values)
        if draw.random() < 0.2:
            changed[draw.choice([each.number for each in item.fields])] = draw.choice(DOCUMENTS)
        payload = build_record(item.id, changed)
        contents.append(changed_bytes(draw, payload) or b"\x00" if draw.random() < 0.3 else payload)
    body, root = body_of(contents)
    found = reader_of(name, disclosure).read(body, len(contents), MOST_BYTES)
    assert found is not None
    assert found[0] == root
    leaves, positions, keys, hashes, subjects, authorities, terms, rest = found[1:]
    slots = channel_pb2.EntryBody.FromString(body).slots
    assert leaves == b"".join(commitment(slot.salt, slot.record) for slot in slots)
    assert dict(rest) == {at: record for at, record in enumerate(contents) if at not in positions}
    assert len(positions) > 300
    assert read_terms(*terms) == sorted_terms(
        positions, [keys[at : at + 32] for at in range(0, len(keys), 32)], subjects
    )
    for at, position in enumerate(positions):
        sound = full(contents[position])
        assert sound is not None, parse_record(contents[position])
        assert subjects[at] == subject_of(item, sound)
        assert authorities[at] == authority_of(item, sound)
        assert keys[32 * at : 32 * at + 32] == natural_key(item, sound)
        assert hashes[32 * at : 32 * at + 32] == sha256(contents[position]).digest()


@compiled
@pytest.mark.parametrize(("name", "disclosure"), CASES)
@pytest.mark.parametrize("seed", range(3))
def test_a_record_that_it_builds_is_the_one_that_is_built_the_long_way(name: str, disclosure: str, seed: int) -> None:
    draw, item, full = Random(f"{name} {disclosure} {seed}"), item_of(name), in_full(name, disclosure)
    reader, built = reader_of(name, disclosure), 0
    for values in rows(name, disclosure, 1200):
        changed = changed_values(draw, item, dict(values)) if draw.random() < 0.4 else dict(values)
        if draw.random() < 0.2:
            changed[draw.choice([each.number for each in item.fields])] = draw.choice(DOCUMENTS)
        shuffled = dict(draw.sample(list(changed.items()), len(changed)))
        found = reader.build(shuffled, MOST_BYTES)
        if found is None:
            continue
        built += 1
        record = build_record(item.id, changed)
        assert full(record) == changed
        key, subject, authority = natural_key(item, changed), subject_of(item, changed), authority_of(item, changed)
        assert found == (record, key, sha256(record).digest(), subject, authority)
    assert built > 300


class OtherText(str):
    """A text that is of no plain kind, as those that a spreadsheet's numbers are read as."""

    __slots__ = ()


@compiled
def test_values_without_usual_bytes_are_not_certain() -> None:
    reader, usual = reader_of("penalty.2018", "C"), next(rows("penalty.2018", "C", 1))
    size = len(build_record("penalty.2018", usual))
    assert reader.build(usual, size) is not None
    assert reader.build(usual, size - 1) is None
    assert reader.build({}, MOST_BYTES) is None
    texts = ("", "\ud800", "x" * 20_000, OtherText(usual[1]))
    assert [reader.build(usual | {1: text}, MOST_BYTES) for text in texts] == [None] * len(texts)
    numbers = (-1, 0, 127, 128, 2**31, 2**40)
    assert [reader.build(usual | {number: "示例"}, MOST_BYTES) for number in numbers] == [None] * len(numbers)
    assert reader.build(usual, MOST_BYTES) is not None


@compiled
@pytest.mark.parametrize("size", [1, 126, 127, 128, 129, 16_000, 16_374, 16_375, 16_376, 16_400])
def test_lengths_of_every_size_are_written_as_they_are(size: int) -> None:
    item, values = item_of("penalty.2018"), next(rows("penalty.2018", "C", 1))
    reader = compile_slot_reader(replace(item, fields=tuple(map(wide, item.fields))), "C", TODAY, lambda _: ())
    assert reader is not None
    number = item.numbers["remark"]
    found = reader.build(values | {number: "x" * size}, MOST_BYTES)
    assert (found is not None) == (size < 16_376)
    assert found is None or found[0] == build_record(item.id, values | {number: "x" * size})


def wide(field: Field) -> Field:
    return replace(field, max_chars=20_000)


@compiled
@pytest.mark.parametrize(("name", "disclosure"), CASES)
def test_what_publishers_send_of_organisations_is_certain(name: str, disclosure: str) -> None:
    item, full = item_of(name), in_full(name, disclosure)
    contents = [build_record(name, values) for values in rows(name, disclosure, 600)]
    found = reader_of(name, disclosure).read(body_of(contents)[0], len(contents), MOST_BYTES)
    assert found is not None
    persons = item.natural_person_texts
    category = item.numbers["subject_category"]
    doubtful = [values for _, record in found[-1] if (values := full(record)) is not None]
    assert all(values.get(category) in persons for values in doubtful)
    traders = [at for at, record in enumerate(contents) if USCC_PLACEHOLDER.encode() in record]
    assert set(traders) & set(found[2])


def edges(draw: Random) -> list[str]:
    """Texts at the edge of what fields may hold."""
    alphabets = (USCC_ALPHABET, USCC_ALPHABET[:10])
    first_17 = ["".join(draw.choices(alphabet, k=17)) for alphabet in alphabets for _ in range(300)]
    first_17 += [f"0{code[1:2]}310000{code[8:]}" for code in first_17[:100]]
    first_17 += [f"91310000{code[8:]}" for code in first_17[:100]]
    codes = [code + uscc_check_character(code) for code in first_17]
    persons = (f"{31 + at % 7}0101{1950 + at % 60}0{1 + at % 9}1{at % 10}{at % 1000:03d}" for at in range(3000))
    ids = [first + resident_id_check_character(first) for first in persons]
    codes += [number for number in ids if uscc_check_character(number[:17]) == number[17]]
    wide = str.maketrans("0123456789X", "０１２３４５６７８９Ｘ")
    numbers = [
        each for number in ids[:20] for each in (number, number.translate(wide), f"号{number[:9]} {number[9:]}示")
    ]
    amounts = [
        f"{whole}{rest}"
        for whole in ("0", "00", "7", "07", "1" * 12, "1" * 13, "1" * 16, "1" * 17, "", "-1", "٣")
        for rest in ("", ".", ".1", ".12", ".120", ".123", ".123456", ".1234567", ".1234560", ".0a", ",1")
    ]
    days = [
        f"{year}-{month:02d}-{day:02d}"
        for year in (1899, 1900, 2000, 2023, 2024, 2026, 2100)
        for month in (0, 1, 2, 3, 4, 12, 13)
        for day in (0, 1, 2, 28, 29, 30, 31, 32)
    ]
    return [
        *codes,
        *numbers,
        *amounts,
        *days,
        "2026-3-01",
        "2026-03-0１",
        "2026/03/01",
        "20260301",
        "/" * 10,
        "2:26-03-01",
    ]


@compiled
@pytest.mark.parametrize(("name", "disclosure"), CASES)
def test_texts_at_the_edge_are_judged_alike(name: str, disclosure: str) -> None:
    draw, item, full = Random(3), item_of(name), in_full(name, disclosure)
    usual = [values for values in rows(name, disclosure, 40) if full(build_record(name, values)) is not None]
    kinds = {field.type: field.number for field in item.fields if field.number in usual[0]}
    places = {*kinds.values(), item.numbers["uscc"], *(each.number for each in item.fields if each.not_future)}
    contents = [
        build_record(name, draw.choice(usual) | {number: text}) for text in edges(draw) if text for number in places
    ]
    found = reader_of(name, disclosure).read(body_of(contents)[0], len(contents), MOST_BYTES)
    assert found is not None
    assert [contents[at] for at in found[2] if full(contents[at]) is None] == []
    sound = sum(full(record) is not None for record in contents)
    assert len(found[2]) > sound / 2


@compiled
def test_other_bytes_of_the_same_values_are_not_certain() -> None:
    values = next(rows("penalty.2018", "C", 1))
    fields = [written(number, text.encode()) for number, text in sorted(values.items())]
    plain, last = of_fields(fields), written(31, b"02")
    name = values[1].encode()
    others = [
        of_fields([*fields[1:], fields[0]]),
        of_fields([*fields, fields[-1]]),
        of_fields([*fields[:-1], written(31, b"02", size=b"\x82\x00")]),
        of_fields([*fields[:-1], written(31, b"02") + b"\x12\x01"]),
        of_fields([*fields[:-1], last + b"\x18\x01"]),
        of_fields([*fields[:-1], written(31, b"02", size=b"\x03")]),
        of_fields([written(1, name) + b"\x18\x01", *fields[1:]]),
        of_fields([written(1, name, size=bytes([len(name) | 0x80, 0])), *fields[1:]]),
        of_fields([written(1, name, size=bytes([len(name) | 0x80, 0x80, 0])), *fields[1:]]),
        of_fields([*fields[:-1], written(30, b""), fields[-1]]),
        plain + b"\x18\x01",
        plain.replace(b"\x12", b"\x12\x80\x00", 1),
        b"",
        b"\x0a",
    ]
    contents = [plain, *(each or b"\x00" for each in others), plain]
    found = reader_of("penalty.2018", "C").read(body_of(contents)[0], len(contents), MOST_BYTES)
    assert found is not None
    assert found[2] == [0, len(contents) - 1]


def written(number: int, text: bytes, size: bytes | None = None) -> bytes:
    length = len(text)
    varint = bytes([length]) if length < 128 else bytes([length & 0x7F | 0x80, length >> 7])
    return bytes([0x08, number, 0x12]) + (size or varint) + text


def of_fields(fields: list[bytes]) -> bytes:
    return record_pb2.RecordParts(item="penalty.2018", fields=fields).SerializeToString()


@compiled
def test_a_slot_without_the_salt_of_its_size_is_left_to_the_long_way() -> None:
    record = build_record("penalty.2018", next(rows("penalty.2018", "C", 1)))
    for salt in (b"", bytes(15), bytes(17), bytes(16)):
        body = channel_pb2.EntryBody(slots=[channel_pb2.Slot(salt=salt, record=record)]).SerializeToString()
        found = reader_of("penalty.2018", "C").read(body, 1, MOST_BYTES)
        assert (found is not None) == (len(salt) == SALT_BYTES)


@compiled
def test_a_body_that_is_written_otherwise_is_left_to_the_long_way() -> None:
    contents = [build_record("penalty.2018", values) for values in rows("penalty.2018", "C", 6)]
    body, _ = body_of(contents)
    reader = reader_of("penalty.2018", "C")
    assert reader.read(body, 6, MOST_BYTES) is not None
    for count in (0, -1, 5, 7, 2**40):
        assert reader.read(body, count, MOST_BYTES) is None
    assert reader.read(body, 6, len(contents[0]) - 1) is None
    assert reader.read(b"", 0, MOST_BYTES) is None
    bare = channel_pb2.EntryBody(slots=[channel_pb2.Slot(commitment=bytes(32))] * 3).SerializeToString()
    assert reader.read(bare, 3, MOST_BYTES) is None
    for end in range(len(body)):
        assert reader.read(body[:end], 6, MOST_BYTES) is None


@compiled
def test_no_bytes_make_it_find_what_is_not_there() -> None:
    draw, reader, full = Random(7), reader_of("penalty.2018", "C"), in_full("penalty.2018", "C")
    body, _ = body_of([build_record("penalty.2018", values) for values in rows("penalty.2018", "C", 4)])
    understood = 0
    for _ in range(6000):
        changed = bytearray(body)
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(len(changed))
            changed[at : at + draw.randint(0, 2)] = draw.randbytes(draw.randint(0, 2))
        found = reader.read(bytes(changed), 4, MOST_BYTES)
        if found is None:
            continue
        understood += 1
        message = channel_pb2.EntryBody.FromString(bytes(changed))
        assert message.SerializeToString() == bytes(changed)
        assert found[0] == records_root([commitment(slot.salt, slot.record) for slot in message.slots])
        assert all(full(message.slots[position].record) is not None for position in found[2])
    assert understood > 1000


@compiled
def test_it_goes_on_where_answers_are_more_than_it_remembers() -> None:
    """A rule that asks for what every record has of its own must not make it wrong, or large."""
    item, number = item_of("penalty.2018"), item_of("penalty.2018").numbers["decision_doc_no"]
    bars = bars_of("penalty.2018", "C")

    def barred(values: Mapping[int, str]) -> object:
        return bars(values) or values.get(number, "").endswith("7号")

    reader = compile_slot_reader(item, "C", TODAY, barred)  # type: ignore[arg-type]
    assert reader is not None
    contents = [build_record("penalty.2018", values) for values in rows("penalty.2018", "C", 4000)]
    body, _ = body_of(contents)
    first, second = reader.read(body, len(contents), MOST_BYTES), reader.read(body, len(contents), MOST_BYTES)
    assert first is not None
    assert first == second
    ends = {parse_record(contents[position]).values[number][-2:] for position in first[2]}
    assert ends == {f"{digit}号" for digit in "012345689"}


@compiled
def test_a_rule_that_looks_at_everything_is_asked_each_time() -> None:
    item, bars = item_of("penalty.2018"), bars_of("penalty.2018", "C")
    count = 0

    def barred(values: Mapping[int, str]) -> object:
        nonlocal count
        count += 1
        return bars(values) if len(values) < 100 else ()

    reader = compile_slot_reader(item, "C", TODAY, barred)  # type: ignore[arg-type]
    assert reader is not None
    contents = [build_record("penalty.2018", values) for values in rows("penalty.2018", "C", 50)]
    assert reader.read(body_of(contents)[0], 50, MOST_BYTES) is not None
    assert count > 40


@compiled
def test_what_a_rule_raises_is_raised() -> None:
    def barred(_values: object) -> object:
        raise XinqiaoError("CATALOGUE_INVALID", detail="a rule gone wrong")

    reader = compile_slot_reader(item_of("penalty.2018"), "C", TODAY, barred)  # type: ignore[arg-type]
    assert reader is not None
    contents = [build_record("penalty.2018", values) for values in rows("penalty.2018", "C", 5)]
    with pytest.raises(XinqiaoError):
        reader.read(body_of(contents)[0], 5, MOST_BYTES)


@pytest.mark.skipif(not (ROOT / ".venv").exists(), reason="not an installation")
def test_an_installation_with_a_compiler_has_it() -> None:
    headers = Path(sysconfig.get_path("include")) / "Python.h", Path("/usr/include/openssl/evp.h")
    if not all(each.exists() for each in headers):
        pytest.skip("no headers of Python and OpenSSL here")
    assert IS_COMPILED


def test_a_node_without_compiled_parts_starts_and_examines() -> None:
    told = (
        "import sys\n"
        "sys.modules['node.core.slot_reader'] = sys.modules['node.core.term_bits'] = None\n"
        "from tests.core.test_examination import entry, found, records\n"
        "from node.core.slot_reading import IS_COMPILED\n"
        "import node.app, node.examiner\n"
        "header, body, standard = entry(records(30))\n"
        "print(IS_COMPILED, len(found(header, body.serialized, standard)[1].verdicts))\n"
    )
    done = subprocess.run([sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("False 30\n", 0), done.stderr
