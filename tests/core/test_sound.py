"""The shorter way never says more than the long one: what it calls sound is sound, with the same values."""

from random import Random

import pytest

from node.core.record import build_record
from node.core.sound import TEXTS_REMEMBERED, VALUES_REMEMBERED, compile_sound_reader
from node.pb import record_pb2
from tests.variants import CASES, TODAY, bars_of, changed_bytes, changed_values, in_full, item_of, rows


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
