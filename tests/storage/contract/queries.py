"""The query log."""

from dataclasses import replace

import pytest

from node.core.query_log import LoggedQuery, Question, SubjectKey, follow, query_of, query_of_batch
from node.ports import Store
from scripts.xq_generate import example_resident_id, example_uscc
from tests.builders import NOW_MS
from tests.storage.contract.steps import refused


def logged_queries() -> list[LoggedQuery]:
    """A log of a check of a company, of a batch, and of a person."""
    asked, key = Question(NOW_MS, "li", "市住建委", "bidding", "2026.1", "第三十三条"), SubjectKey(bytes(32))
    company, person = example_uscc("91", "310000", 1), example_resident_id("310000", 1)
    first = follow(None, query_of(asked, key, company))
    second = follow(first, query_of_batch(replace(asked, at_ms=NOW_MS + 1), key, [person, company]))
    return [first, second, follow(second, query_of(replace(asked, officer="王芳"), key, person))]


class QueryLogContract:
    """The query log grows at its end and stays; leaves are read apart."""

    def test_entries_are_read_back_in_order_as_they_were_logged_and_leaves_apart(self, store: Store) -> None:
        assert (store.last_query(), store.queries(), store.next_leaves(0)) == (None, [], None)
        entries = logged_queries()
        for entry in entries:
            with store.transaction() as tx:
                tx.add_query(entry)
        bare = [replace(entry, query=replace(entry.query, leaves=b"")) for entry in entries]
        assert store.queries() == bare
        assert store.queries(1, 1) == [bare[1]]
        assert (store.last_query(), store.query(2), store.query(4)) == (bare[2], bare[1], None)
        assert (store.query_leaves(2), store.query_leaves(1)) == (entries[1].query.leaves, b"")
        assert store.next_leaves(0) == (2, entries[1].query.leaves)
        assert store.next_leaves(2) is None

    def test_entries_are_found_by_subject_and_counted_by_key(self, store: Store) -> None:
        first, second, third = logged_queries()
        with store.transaction() as tx:
            for entry in (first, second, third):
                tx.add_query(entry)
            assert [entry.sequence for entry in tx.queries_of(first.query.subject)] == [1]
        assert [entry.sequence for entry in store.queries_of(third.query.subject)] == [3]
        assert store.queries_of(example_uscc("91", "310000", 2)) == []
        assert store.queries_under_other_keys(first.query.key_id) == 0
        assert store.queries_under_other_keys("another") == 3

    def test_an_entry_is_never_replaced_and_a_failed_transaction_leaves_none(self, store: Store) -> None:
        first, second, _ = logged_queries()

        def fail_at_the_end() -> None:
            with store.transaction() as tx:
                tx.add_query(first)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail_at_the_end()
        assert store.queries() == []
        with store.transaction() as tx:
            tx.add_query(first)
        with refused("DATABASE"), store.transaction() as tx:
            tx.add_query(replace(second, sequence=1))
        assert store.queries() == [first]
        assert store.next_leaves(0) is None
