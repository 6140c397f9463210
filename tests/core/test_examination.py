"""What is found out of an entry before its turn is what its turn would find out."""

import pickle
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from node.bench.rows import Plan, example_uscc, generate
from node.core.catalogue import parse_edition
from node.core.entry import SALT_BYTES, VerifiedBody, build_body, erase_slots, open_body
from node.core.examination import examine, unpack
from node.core.membership import Standing
from node.core.record import build_record
from node.core.record_terms import key_term, subject_term
from node.core.rules_edition import parse_rules
from node.core.state import (
    Applied,
    HeldKey,
    Judged,
    Judgement,
    NewRecords,
    Place,
    Standard,
    Unfolded,
    Verdicts,
    fold,
    judge_slots,
    standard_of,
)
from node.pb import channel_pb2
from tests.builders import make_node

EDITIONS = Path(__file__).resolve().parents[2] / "registry" / "editions"
EDITION = parse_edition((EDITIONS / "catalogue-2026.1.json").read_bytes())
RULES = parse_rules((EDITIONS / "rules-2026.1.json").read_bytes())
ITEM = EDITION.item("penalty.2018")
DIVISION, ISSUED_AT_MS = "310000", 1_790_000_000_000
AUTHORITY = example_uscc("11", DIVISION, 1)


def records(count: int, seed: int = 1) -> list[bytes]:
    """Records of a file, some of which break a rule or are none."""
    random = Random(seed)
    found = []
    for each in generate(Plan(ITEM.id, count, seed, DIVISION, AUTHORITY, persons=0.2)):
        values = {ITEM.by_code[code].number: text for code, text in each.row.items() if text}
        if random.random() < 0.2:
            values[random.choice(list(values))] = random.choice(["2024-02-30", "\x00", "-1"])
        found.append(build_record(ITEM.id, values) if random.random() > 0.05 else b"no record")
    return found


def header_of(root: bytes, body: bytes, count: int, **changes: object) -> channel_pb2.EntryHeader:
    fields = {
        "channel": f"{DIVISION}/penalties",
        "index": 1,
        "kind": channel_pb2.ENTRY_KIND_RECORDS,
        "record_count": count,
        "records_root": root,
        "uncompressed_bytes_max": len(body),
        "issued_at_unix_ms": ISSUED_AT_MS,
        "catalogue_version": EDITION.version,
        "rules_version": RULES.version,
    }
    return channel_pb2.EntryHeader(**(fields | changes))  # type: ignore[arg-type]


MANIFEST = channel_pb2.Manifest(item=ITEM.id, disclosure=channel_pb2.DISCLOSURE_CLASS_C)
Entry = tuple[channel_pb2.EntryHeader, VerifiedBody, Standard]


def entry(contents: Sequence[bytes], bare: Sequence[int] = ()) -> Entry:
    """The header and the body of an entry, some slots of which hold only a commitment, and what judges it."""
    body, root = build_body(contents, [at.to_bytes(SALT_BYTES, "big") for at in range(len(contents))])
    header = header_of(root, body, len(contents))
    opened = erase_slots(open_body(header, body), bare)
    return header, opened, standard_of(header, MANIFEST, DIVISION, EDITION, RULES)


def found(header: channel_pb2.EntryHeader, body: bytes, standard: Standard) -> tuple[VerifiedBody, Judgement]:
    """What an examination tells after its way between two processes."""
    packed = examine(header.SerializeToString(), body, standard)
    assert packed is not None
    return unpack(body, standard, pickle.loads(pickle.dumps(packed)))


@pytest.mark.parametrize("is_compiled", [True, False])
@pytest.mark.parametrize(("count", "bare"), [(120, ()), (40, (0, 7, 39)), (1, ()), (3, (0, 1, 2))])
def test_an_examination_finds_what_opening_and_judging_find(
    count: int, bare: Sequence[int], is_compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not is_compiled:
        monkeypatch.setattr("node.core.examination._slot_reader", lambda _: None)
    header, opened, standard = entry(records(count), bare)
    body, judgement = found(header, opened.serialized, standard)
    expected = judge_slots(standard, opened.records)
    assert list(judgement.verdicts) == expected.verdicts
    assert len(judgement.verdicts) == count
    assert judgement.standard == standard
    assert (body.commitments, body.bare, body.serialized) == (opened.commitments, tuple(bare), opened.serialized)
    assert body.records == opened.records
    if count == 120:
        assert {type(each) for each in expected.verdicts} == {Judged, str}


def test_nothing_is_found_of_a_body_that_its_header_has_not_signed() -> None:
    header, opened, standard = entry(records(5))
    other, _, _ = entry(records(5, seed=2))
    assert examine(other.SerializeToString(), opened.serialized, standard) is None
    assert examine(header.SerializeToString(), opened.serialized[:-1], standard) is None
    assert examine(b"\xff", opened.serialized, standard) is None


def unfolded(parts: Entry, judgement: Judgement | None, speaks: bool = True) -> Unfolded:
    header, body, _ = parts
    authorities = [{"uscc": AUTHORITY, "from_unix_ms": 1}] if speaks else []
    origin = make_node(DIVISION, authorities=authorities).member
    assert origin.standing is Standing.ACTIVE
    return Unfolded(header, body, MANIFEST, origin, {EDITION.version: EDITION}, True, {RULES.version: RULES}, judgement)


def test_a_fold_is_the_same_with_a_judgement_made_before() -> None:
    parts = entry(records(60), (3, 4))
    _, judgement = found(parts[0], parts[1].serialized, parts[2])
    assert fold(unfolded(parts, judgement), lambda _: {}) == fold(unfolded(parts, None), lambda _: {})


@pytest.mark.parametrize("seed", range(12))
def test_a_fold_of_columns_is_the_fold_of_each_verdict(seed: int) -> None:
    """Whatever of its records is refused, comes twice, is held already or is told by somebody who may not."""
    random = Random(seed)
    contents = records(40, seed)
    contents += random.sample(contents, random.choice([0, 0, 3]))
    parts = entry(contents, random.sample(range(len(contents)), random.choice([0, 2])))
    header, body, standard = parts
    _, judgement = found(header, body.serialized, standard)
    singly = Judgement(standard, list(judgement.verdicts))
    keys = [verdict.key for verdict in singly.verdicts if isinstance(verdict, Judged)]
    places = [Place(0, 0, 1), Place(2, 0, 1)]
    known = {key: HeldKey(random.choice(places), bytes(32)) for key in random.sample(keys, random.choice([0, 0, 2]))}
    speaks = random.random() < 0.8

    def folded(judged: Judgement) -> Applied | None:
        return fold(unfolded(parts, judged, speaks), lambda asked: {key: known[key] for key in asked if key in known})

    expected = folded(singly)
    assert expected is not None
    assert folded(judgement) == expected
    is_usual = bool(keys) and speaks and not known and len(set(keys)) == len(keys)
    assert isinstance(folded(judgement).in_force, NewRecords) == is_usual  # type: ignore[union-attr]


def test_the_terms_of_columns_are_those_of_their_records_in_order() -> None:
    header, body, standard = entry(records(30), (2,))
    _, judgement = found(header, body.serialized, standard)
    columns = judgement.verdicts
    assert isinstance(columns, Verdicts)
    rows = zip(columns.positions, columns.keys, columns.subjects, strict=True)
    expected = [(term, at) for at, key, subject in rows for term in (key_term(key), subject_term(subject))]
    in_order = list(zip(*columns.terms, strict=True))
    assert sorted(in_order) == sorted(expected)
    assert list(columns.terms.terms) == sorted(columns.terms.terms)


def test_a_judgement_by_another_standard_counts_for_nothing() -> None:
    parts = entry(records(10))
    header, body, standard = parts
    refusing: list[Judged | str | None] = ["FIELD_DATE"] * len(body.commitments)
    as_judged = fold(unfolded(parts, Judgement(standard, refusing)), lambda _: {})
    assert as_judged is not None
    assert not as_judged.in_force
    for changes in ({"disclosure": "A"}, {"as_of": "2020-01-01"}, {"division": "330000"}):
        other = Standard(**({name: getattr(standard, name) for name in Standard.__slots__} | changes))
        assert fold(unfolded(parts, Judgement(other, refusing)), lambda _: {}) == fold(
            unfolded(parts, None), lambda _: {}
        )
    assert header.record_count == 10


def test_a_record_of_an_authority_that_its_origin_does_not_speak_for_is_refused_all_the_same() -> None:
    header, body, standard = entry(records(10, seed=5))
    _, judgement = found(header, body.serialized, standard)
    stranger = Unfolded(
        header,
        body,
        MANIFEST,
        make_node(DIVISION).member,
        {EDITION.version: EDITION},
        True,
        {RULES.version: RULES},
        judgement,
    )
    applied = fold(stranger, lambda _: {})
    assert applied is not None
    assert not applied.in_force
    assert applied.counts[channel_pb2.RECORD_OUTCOME_REJECTED, "VERDICT_AUTHORITY"] > 0
