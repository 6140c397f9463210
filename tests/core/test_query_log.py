"""The query log: what an entry's hash covers, and what its chain gives away."""

import hmac
from collections.abc import Callable
from dataclasses import asdict, fields, replace
from hashlib import sha256

import pytest

from node.core import merkle
from node.core.query_log import (
    NO_HASH,
    Fault,
    Head,
    LoggedQuery,
    Question,
    SubjectKey,
    Verified,
    follow,
    is_among,
    query_of,
    query_of_batch,
    verify,
)
from scripts.xq_generate import example_resident_id, example_uscc

KEY = SubjectKey(b"k" * 32)
OTHER = SubjectKey(b"o" * 32)
ASKED = Question(1_789_000_000_000, "li", "市住建委", "bidding", "2026.1", "招标投标法第三十三条")
TEXTS = [each.name for each in fields(Question) if each.name != "at_ms"]
USCC = example_uscc("91", "310000", 1)
PERSON = example_resident_id("310000", 1)


def chain(count: int = 5) -> tuple[list[LoggedQuery], dict[int, bytes]]:
    """A log of questions, every third about many subjects, and the leaves of those."""
    entries: list[LoggedQuery] = []
    leaves: dict[int, bytes] = {}
    for at in range(count):
        asked = replace(ASKED, at_ms=ASKED.at_ms + at)
        query = query_of_batch(asked, KEY, [PERSON, USCC]) if at % 3 == 2 else query_of(asked, KEY, PERSON)
        entries.append(follow(entries[-1] if entries else None, query))
        leaves[at + 1] = query.leaves
    return entries, leaves


def test_an_entry_hash_is_laid_out_as_the_protocol_says() -> None:
    entry = follow(None, query_of(ASKED, KEY, USCC))

    def text(content: bytes) -> bytes:
        return len(content).to_bytes(8, "big") + content

    laid_out = (
        b"xinqiao/query/v1\n"
        + (1).to_bytes(8, "big")
        + text(bytes(32))
        + ASKED.at_ms.to_bytes(8, "big")
        + text(b"li")
        + text("市住建委".encode())
        + text(b"bidding")
        + text(b"2026.1")
        + text("招标投标法第三十三条".encode())
        + (1).to_bytes(8, "big")
        + text(USCC.encode())
        + text(b"")
        + text(KEY.id.encode())
    )
    assert entry == LoggedQuery(1, NO_HASH, sha256(laid_out).digest(), entry.query)


def test_a_company_stands_in_the_log_by_its_code_and_a_person_by_what_the_key_makes_of_the_number() -> None:
    leaf = hmac.digest(b"k" * 32, b"xinqiao/query-subject/v1\n" + PERSON.encode(), "sha256")
    assert query_of(ASKED, KEY, USCC).subject == USCC
    assert query_of(ASKED, KEY, PERSON).subject == f"hmac:{leaf.hex()}"
    assert query_of(ASKED, OTHER, PERSON).subject != f"hmac:{leaf.hex()}"


def test_a_batch_names_nobody_and_is_found_by_each_of_its_subjects() -> None:
    query = query_of_batch(ASKED, KEY, [PERSON, USCC, PERSON])
    leaves = sorted([KEY.leaf(PERSON), KEY.leaf(USCC)])
    assert (query.subject, query.count, query.leaves) == ("", 2, b"".join(leaves))
    assert query.root == merkle.root([merkle.leaf_hash(leaf) for leaf in leaves])
    assert is_among(KEY.leaf(PERSON), query.leaves)
    assert is_among(KEY.leaf(USCC), query.leaves)
    assert not is_among(OTHER.leaf(USCC), query.leaves)


def test_a_leaf_is_looked_for_at_the_bounds_of_leaves_alone() -> None:
    leaf = bytes(range(32))
    assert is_among(leaf, b"x" * 32 + leaf)
    assert not is_among(leaf, b"x" * 16 + leaf + b"x" * 16)
    assert is_among(leaf, b"x" * 16 + leaf + b"x" * 16 + leaf)


def test_the_key_shows_itself_nowhere() -> None:
    secret = bytes(range(32))
    key = SubjectKey(secret)
    shown = f"{key!r} {query_of_batch(ASKED, key, [PERSON])!r} {query_of(ASKED, key, PERSON)!r}"
    assert secret.hex() not in shown
    assert repr(secret) not in shown
    assert PERSON not in shown
    with pytest.raises(ValueError, match="32 bytes"):
        SubjectKey(b"short")


def test_a_sound_log_verifies_to_its_head() -> None:
    entries, leaves = chain()
    heads = [Head(3, entries[2].entry_hash), Head(5, entries[4].entry_hash)]
    assert verify(entries, leaves.__getitem__, heads) == Verified(heads[1])
    assert verify([], leaves.__getitem__) == Verified(Head())


Change = Callable[[list[LoggedQuery]], None]


def alter(entries: list[LoggedQuery]) -> None:
    query = entries[3].query
    entries[3] = replace(entries[3], query=replace(query, question=replace(query.question, officer="wang")))


def alter_and_hash_again(entries: list[LoggedQuery]) -> None:
    alter(entries)
    entries[3] = follow(entries[2], entries[3].query)


def remove(entries: list[LoggedQuery]) -> None:
    del entries[3]


def remove_and_count_again(entries: list[LoggedQuery]) -> None:
    remove(entries)
    entries[3] = replace(entries[3], sequence=4)


def insert(entries: list[LoggedQuery]) -> None:
    entries.insert(3, follow(entries[2], query_of(ASKED, KEY, USCC)))


def insert_and_count_again(entries: list[LoggedQuery]) -> None:
    insert(entries)
    entries[4] = replace(entries[4], sequence=5)


def exchange(entries: list[LoggedQuery]) -> None:
    entries[3], entries[4] = entries[4], entries[3]


def cut_off(entries: list[LoggedQuery]) -> None:
    del entries[3:]


def write_anew(entries: list[LoggedQuery]) -> None:
    queries = [entry.query for entry in entries]
    del entries[3:]
    for query in queries[3:]:
        entries.append(follow(entries[-1], replace(query, question=replace(query.question, officer="wang"))))


@pytest.mark.parametrize(
    ("change", "sound", "fault"),
    [
        (alter, 3, Fault.ALTERED),
        (alter_and_hash_again, 4, Fault.UNCHAINED),
        (remove, 3, Fault.MISSING),
        (remove_and_count_again, 3, Fault.ALTERED),
        (insert, 4, Fault.UNCHAINED),
        (insert_and_count_again, 4, Fault.ALTERED),
        (exchange, 3, Fault.MISSING),
        (cut_off, 3, Fault.MISSING),
        (write_anew, 4, Fault.FORKED),
    ],
)
def test_the_first_broken_place_is_named(change: Change, sound: int, fault: Fault) -> None:
    entries, leaves = chain()
    head = Head(5, entries[4].entry_hash)
    change(entries)
    found = verify(entries, lambda sequence: leaves.get(sequence, b""), [head])
    assert (found.head.sequence, found.fault) == (sound, fault)


@pytest.mark.parametrize(
    "changed",
    [
        lambda leaves: leaves[32:],
        lambda leaves: leaves + bytes(32),
        lambda leaves: bytes(32) + leaves[32:],
        lambda leaves: leaves[32:] + leaves[:32],
        lambda leaves: b"",  # noqa: ARG005
    ],
)
def test_leaves_that_are_not_those_of_the_root_break_the_log_at_their_entry(changed: Callable[[bytes], bytes]) -> None:
    entries, leaves = chain()
    found = verify(entries, lambda sequence: changed(leaves[sequence]))
    assert found == Verified(Head(2, entries[1].entry_hash), Fault.LEAVES)


def test_every_field_of_an_entry_is_covered_by_its_hash() -> None:
    entry = follow(None, query_of(ASKED, KEY, PERSON))
    query = entry.query
    changed = [
        *(replace(query, question=Question(**asdict(ASKED) | {name: "x"})) for name in TEXTS),
        replace(query, question=replace(ASKED, at_ms=ASKED.at_ms + 1)),
        *(replace(query, key_id="x"), replace(query, count=2), replace(query, subject="x"), replace(query, root=b"x")),
    ]
    found = [verify([replace(entry, query=each)], lambda _: b"").fault for each in changed]
    assert found == [Fault.ALTERED] * 10
    # Where one text ends and the next begins is part of it.
    moved = replace(query, question=replace(ASKED, officer="l", unit="i" + ASKED.unit))
    assert verify([replace(entry, query=moved)], lambda _: b"").fault is Fault.ALTERED
