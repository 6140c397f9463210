"""Changes of lists: what they become by what officers sign, and what exactly is signed."""

from dataclasses import replace
from itertools import product

import pytest

from node.core import merkle
from node.core.entry import SALT_BYTES, build_body
from node.core.errors import XinqiaoError
from node.core.limits import Limits
from node.core.list_change import (
    ACTS,
    REFUSE,
    WAITING,
    WITHDRAW,
    ChangeState,
    Operation,
    build_batch,
    check_officer,
    digest_of,
    following_state,
    in_batches,
    read_batch,
    root_of,
    warrant_of,
    with_warrant,
)
from node.core.list_type import RED, SERIOUS, WATCH
from node.core.list_warrant import APPROVE, PROPOSE, batch_root, change_digest, change_root
from node.pb import listing_pb2

CHANNEL = "310000/lists/serious-tax"


def operations(count: int) -> list[Operation]:
    return [
        Operation(
            listing_pb2.ListOp(act=listing_pb2.LIST_ACT_ENTER, decided_on="2026-01-05"),
            listing_pb2.ListParticulars(subject=f"S{at}", decision=f"文{at}", reason="某故"),
        )
        for at in range(count)
    ]


def salts(count: int) -> bytes:
    return bytes(at % 251 for at in range(count))


@pytest.mark.parametrize(
    ("state", "act", "kind", "expected"),
    [
        (ChangeState.DRAFT, PROPOSE, SERIOUS, ChangeState.PENDING),
        (ChangeState.DRAFT, PROPOSE, RED, ChangeState.APPROVED),
        (ChangeState.DRAFT, PROPOSE, WATCH, ChangeState.APPROVED),
        (ChangeState.PENDING, APPROVE, SERIOUS, ChangeState.APPROVED),
        (ChangeState.PENDING, REFUSE, SERIOUS, ChangeState.REFUSED),
        (ChangeState.PENDING, WITHDRAW, SERIOUS, ChangeState.WITHDRAWN),
        (ChangeState.APPROVED, WITHDRAW, RED, ChangeState.WITHDRAWN),
        (ChangeState.APPROVED, REFUSE, SERIOUS, ChangeState.REFUSED),
    ],
)
def test_a_change_becomes_what_the_table_says(state: ChangeState, act: str, kind: int, expected: ChangeState) -> None:
    assert following_state("1", state, act, kind) is expected


def test_nothing_else_follows_anything() -> None:
    allowed = {
        *((ChangeState.DRAFT, PROPOSE), (ChangeState.PENDING, APPROVE)),
        *product((ChangeState.PENDING, ChangeState.APPROVED), (REFUSE, WITHDRAW)),
    }
    for state, act in set(product(ChangeState, ACTS)) - allowed:
        with pytest.raises(XinqiaoError) as caught:
            following_state("1", state, act, SERIOUS)
        code = "LIST_CHANGED" if state is ChangeState.SUPERSEDED else "LIST_CHANGE_SETTLED"
        assert caught.value.code == code


def test_nobody_decides_about_what_he_has_proposed_and_only_he_withdraws_it() -> None:
    for act, officer, code in (
        (APPROVE, "li", "LIST_SAME_OFFICER"),
        (REFUSE, "li", "LIST_SAME_OFFICER"),
        (WITHDRAW, "wang", "LIST_OTHER_OFFICER"),
    ):
        with pytest.raises(XinqiaoError) as caught:
            check_officer(act, officer, "li")
        assert caught.value.code == code
    for act, officer in ((PROPOSE, "li"), (APPROVE, "wang"), (REFUSE, "wang"), (WITHDRAW, "li")):
        check_officer(act, officer, "li")


def test_a_batch_is_read_back_as_it_was_built() -> None:
    found = read_batch(build_batch(operations(3), salts))
    assert [each.words.subject for each in found] == ["S0", "S1", "S2"]
    assert [each.op.particulars_slot for each in found] == [4, 5, 6]


def test_a_change_is_split_by_the_limit() -> None:
    batches = list(in_batches(operations(5), salts, Limits(max_list_operations_per_entry=2)))
    assert [len(read_batch(batch)) for batch in batches] == [2, 2, 1]


def test_what_is_signed_changes_with_every_word_salt_and_batch() -> None:
    batches = [build_batch(operations(2), salts), build_batch(operations(1), salts)]
    other_words = [replace(each, words=listing_pb2.ListParticulars(subject="S")) for each in operations(1)]
    other = build_batch(other_words, salts)
    resalted = build_batch(operations(1), bytes)
    given = {
        digest_of(change, channel, [root_of(each) for each in found])
        for change, channel, found in (
            ("1", CHANNEL, batches),
            ("2", CHANNEL, batches),
            ("1", "310000/lists/b", batches),
            ("1", CHANNEL, batches[:1]),
            ("1", CHANNEL, [batches[0], other]),
            ("1", CHANNEL, [batches[0], resalted]),
            ("1", CHANNEL, batches[::-1]),
        )
    }
    assert len(given) == 7


def test_the_entry_of_a_batch_has_its_slots_and_a_path_to_what_was_signed() -> None:
    batches = [build_batch(operations(count), salts) for count in (2, 3, 1)]
    roots = [root_of(each) for each in batches]
    for number, batch in enumerate(batches):
        records, fresh = with_warrant(batch, warrant_of("1", number, roots, []), b"s" * SALT_BYTES)
        body, _ = build_body(records, fresh)
        assert body.startswith(batch)
        commitments = [merkle.leaf_hash(salt + record) for salt, record in zip(fresh, records, strict=True)]
        assert batch_root(commitments[:-1]) == roots[number]
        warrant = listing_pb2.ListSlot.FromString(records[-1]).warrant
        leaf = merkle.leaf_hash(roots[number])
        assert merkle.check_inclusion(leaf, number, 3, list(warrant.path), change_root(roots))
    assert digest_of("1", CHANNEL, roots) == change_digest("1", CHANNEL, 3, change_root(roots))


def test_a_batch_whose_words_belong_to_another_operation_is_none() -> None:
    batch = build_batch(operations(2), salts)
    with pytest.raises(XinqiaoError) as caught:
        read_batch(batch.replace(b"\x40\x03", b"\x40\x04"))
    assert caught.value.code == "LIST_CHANGE"


def test_content_is_kept_in_the_states_that_wait() -> None:
    assert set(WAITING) == {ChangeState.DRAFT, ChangeState.PENDING, ChangeState.APPROVED}
