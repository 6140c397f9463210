"""Querying: the duty that keeps the query log, durable before any answer leaves.

(1) checks that come together wait together: while one transaction is written, the next ones gather
(2) one transaction of the control lane chains them all to the entry that the database holds last, and notes the head
(3) only then does any of them go on to its answer; where the transaction fails, none does

Whether a transaction that failed was written all the same does not matter: the next one reads what is there.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from node.aside import Aside
from node.core.query_log import (
    Head,
    LoggedQuery,
    Query,
    Question,
    SubjectKey,
    Verified,
    follow,
    is_among,
    query_of,
    query_of_batch,
    verify,
)
from node.ports import Lane, Store, StoreReader, StoreTransaction, Writer

GROUP_ENTRIES = 512
PAGE_ENTRIES = 1_000
GATHER_S = 0.0015
"""How long questions wait for those that come at the same time, where there are such: they share a commit."""
_HEAD = "queries.head"


@dataclass(frozen=True, slots=True)
class _Waiting:
    query: Query
    logged: "asyncio.Future[LoggedQuery]"


class Querying:
    """Keeps the query log of one node."""

    def __init__(self, store: Store, writer: Writer, key: SubjectKey, aside: Aside) -> None:
        self._store = store
        self._writer = writer
        self._key = key
        self._aside = aside
        self._waiting: list[_Waiting] = []
        self._writing: asyncio.Task[None] | None = None

    # -- writing --------------------------------------------------------------------------------------

    async def log(self, question: Question, subject: str) -> LoggedQuery:
        """Keep a question about one subject; it is durable when this returns. Raises DISK_FULL, DATABASE."""
        return await self._append(query_of(question, self._key, subject))

    async def log_batch(self, question: Question, subjects: Sequence[str]) -> LoggedQuery:
        """Keep a question about many subjects as one entry; raises as log does."""
        return await self._append(await self._aside(query_of_batch, question, self._key, subjects))

    async def _append(self, query: Query) -> LoggedQuery:
        waiting = _Waiting(query, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._writing is None:
            # A task of its own: whoever asks may be gone before the others are served.
            self._writing = asyncio.create_task(self._write())
        return await waiting.logged

    async def _write(self) -> None:
        try:
            last = 0
            while self._waiting:
                if max(last, len(self._waiting)) > 1:
                    await asyncio.sleep(GATHER_S)
                group, self._waiting = self._waiting[:GROUP_ENTRIES], self._waiting[GROUP_ENTRIES:]
                await self._commit(group)
                last = len(group)
        finally:
            self._writing = None
            for each in self._waiting:
                each.logged.cancel()
            self._waiting = []

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        queries = [each.query for each in group]
        try:
            entries = await self._writer.run(Lane.CONTROL, lambda tx: _add(tx, queries))
        except asyncio.CancelledError:
            for each in group:
                each.logged.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is raised where the questions came from
            for each in group:
                if not each.logged.done():
                    each.logged.set_exception(error)
        else:
            for each, entry in zip(group, entries, strict=True):
                if not each.logged.done():
                    each.logged.set_result(entry)

    # -- reading --------------------------------------------------------------------------------------

    @property
    def head(self) -> Head:
        """How far the log goes."""
        return head_of(self._store)

    def entries(self, after: int = 0, limit: int = PAGE_ENTRIES) -> Sequence[LoggedQuery]:
        """A page of the log after a sequence number, ascending."""
        return self._store.queries(after, limit)

    async def about(self, subject: str) -> Sequence[LoggedQuery]:
        """Every question about a subject, alone or among others, ascending."""
        return await self._aside(self._about, subject)

    def _about(self, subject: str) -> Sequence[LoggedQuery]:
        found = list(self._store.queries_of(self._key.shown(subject)))
        leaf, batch = self._key.leaf(subject), self._store.next_leaves(0)
        while batch is not None:
            sequence, leaves = batch
            if is_among(leaf, leaves):
                found += [entry for entry in [self._store.query(sequence)] if entry is not None]
            batch = self._store.next_leaves(sequence)
        return sorted(found, key=lambda entry: entry.sequence)

    def unsearchable(self) -> int:
        """How many entries were made with a key that this node no longer has: persons and batches are not found."""
        return self._store.queries_under_other_keys(self._key.id)

    async def verify(self, noted: Iterable[Head] = ()) -> Verified:
        """Walk the chain to its first broken place; noted are heads that somebody has kept of it."""
        return await self._aside(self._verify, list(noted))

    def _verify(self, noted: Sequence[Head]) -> Verified:
        # What comes in while this walks lies behind the head that is read first.
        own = head_of(self._store)
        return verify(self._walk(), self._store.query_leaves, [*noted, own] if own.sequence else noted)

    def _walk(self) -> Iterator[LoggedQuery]:
        after = 0
        while page := self._store.queries(after, PAGE_ENTRIES):
            yield from page
            after = page[-1].sequence


def head_of(reader: StoreReader) -> Head:
    """The head as it was noted with the last entry: what was cut off the end of the log is missed by it."""
    sequence, _, entry_hash = (reader.setting(_HEAD) or "").partition(":")
    return Head(int(sequence), bytes.fromhex(entry_hash)) if entry_hash else Head()


def _add(tx: StoreTransaction, queries: Sequence[Query]) -> Sequence[LoggedQuery]:
    entries: list[LoggedQuery] = []
    last = tx.last_query()
    for query in queries:
        last = follow(last, query)
        tx.add_query(last)
        entries.append(last)
    if last is not None:
        tx.set_setting(_HEAD, f"{last.sequence}:{last.entry_hash.hex()}")
    return entries
