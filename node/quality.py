"""Quality: counts, entry by entry, what becomes the quality figures of every channel held.

Nothing is counted twice: a tally remembers up to which entry it goes, and is kept in the database with that. What is
counted costs time once, when the scheduler asks for a slice, or whoever wants to see the figures; reading them costs
one look at the corrections of the months asked for. Nobody waits for what the scheduler asks for: while logs move it
takes a slice now and then, as it shares the interpreter with what moves them. A tally begins anew where the rules, the
calendar or a cut say otherwise of what is counted already.
"""

import asyncio
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from node.admission import header_of
from node.aside import Aside
from node.core.catalogue import Edition
from node.core.errors import XinqiaoError
from node.core.identifiers import iso_date
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.quality import (
    ChannelTally,
    Corrections,
    Figure,
    Rows,
    Tally,
    Yardstick,
    as_document,
    duty_days,
    figures,
    from_document,
    measure_entry,
)
from node.core.record import parse_record
from node.core.rules import VERSION_1
from node.core.state import disclosure_letter, validator_for
from node.core.workdays import china_day
from node.pb import channel_pb2
from node.ports import Clock, HeldChannel, HeldEntry, Lane, Store, StoreTransaction, View, Writer

FORMAT = 2
"""Grows with what is counted, so that everything is counted again."""
SLICE_RECORDS = 5_000
PAUSE_S = 0.05
STAND_BACK_S = 20.0
"""The longest pause between two slices, while logs move."""
STILL_S = 10.0
"""So long after logs were last seen moving: what was sent may be on its way. And after a start: they are about to."""
YARDSTICKS_KEPT = 64
_TALLY, _ROWS = "quality.tally ", "quality.rows "
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True, slots=True)
class Quality:
    """The figures of a channel for one month, or for all that is counted; month is empty for all.

    counted of entries have been read. duty_days is the term that holds today, None where no rule gives one.
    """

    channel: str
    month: str
    months: Sequence[str]
    figures: Sequence[Figure]
    tally: Tally
    rows: Rows
    corrections: Corrections
    duty_days: int | None
    counted: int
    entries: int


class Measuring:
    """Keeps a tally for each channel and tells the figures. is_moving says whether a log moves just now."""

    def __init__(
        self,
        view: View,
        store: Store,
        writer: Writer,
        clock: Clock,
        aside: Aside,
        is_moving: Callable[[], bool],
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        self._aside = aside
        self._is_moving = is_moving
        self._view = view
        self._store = store
        self._writer = writer
        self._clock = clock
        self._limits = limits
        self._counting = asyncio.Lock()
        self._moved_s = clock.monotonic_s()
        self._yardsticks: dict[tuple[object, ...], Yardstick] = {}
        self.latest: Mapping[str, tuple[Quality, Quality]] = {}

    # -- counting -----------------------------------------------------------------------------------------

    async def count_all(self) -> None:
        """One tick: count what is new everywhere, then take the figures of each channel that has changed."""
        for channel in self._channels():
            before = self._store.setting(_TALLY + channel)
            while await self.count(channel):
                await self._pause()
            if self._store.setting(_TALLY + channel) != before or self._is_new(channel):
                await self._take_figures(channel)

    async def _pause(self) -> None:
        until_s = self._clock.monotonic_s() + STAND_BACK_S
        await self._clock.sleep(PAUSE_S)
        while self._stands_back() and self._clock.monotonic_s() < until_s:
            await self._clock.sleep(PAUSE_S)

    def _stands_back(self) -> bool:
        now_s = self._clock.monotonic_s()
        if self._is_moving():
            self._moved_s = now_s
        return now_s - self._moved_s < STILL_S

    def _channels(self) -> list[str]:
        return sorted({held.log.channel for held in self._store.channels()})

    def _is_new(self, channel: str) -> bool:
        """Whether the figures taken are of no month or of another one."""
        return channel not in self.latest or self.latest[channel][1].month != self._this_month()

    def _this_month(self) -> str:
        return _month_of(china_day(self._clock.now_ms()))

    async def _take_figures(self, channel: str) -> None:
        taken = await self._aside(self.quality, channel), await self._aside(self.quality, channel, self._this_month())
        self.latest = {**self.latest, channel: taken}

    async def counted(self, channel: str, month: str, patience_s: float) -> Quality:
        """The figures, after counting what is new for a while; raises CHANNEL_UNKNOWN, ARGUMENT_INVALID."""
        if month and not _MONTH.fullmatch(month):
            raise XinqiaoError("ARGUMENT_INVALID", argument="month", detail=f"{month[:20]!r} is no YYYY-MM")
        if self._store.channel(channel) is None:
            raise XinqiaoError("CHANNEL_UNKNOWN", channel=channel)
        until_s = self._clock.monotonic_s() + patience_s
        while await self.count(channel) and self._clock.monotonic_s() < until_s:
            pass
        await self._take_figures(channel)
        return await self._aside(self.quality, channel, month)

    async def count(self, channel: str) -> bool:
        """Count a slice of what is new in a channel; returns whether there is more.

        Reading and judging happen beside the event loop; what was counted is kept in one transaction.
        """
        async with self._counting:
            tally, has_more = await self._aside(self._slice, channel)
            if tally is not None:
                kept = json.dumps(as_document(tally))
                await self._writer.run(Lane.BULK, lambda tx: tx.set_setting(_TALLY + channel, kept))
            return has_more

    def _slice(self, channel: str) -> tuple[ChannelTally | None, bool]:
        """(the tally with one slice more, None where nothing is new; whether there is more)."""
        logs, tally = self._logs(channel), self._tally(channel)
        if any(tally.at.get(log.log.epoch, 0) > _end(log) for log in logs):
            tally = ChannelTally(self._basis())
        waiting = [log for log in logs if tally.at.get(log.log.epoch, 0) < _end(log)]
        left = SLICE_RECORDS
        for log in waiting:
            left = self._count_log(tally, log, left)
            if left <= 0:
                break
        tally.trim()
        return (tally if waiting else None), left <= 0

    def _count_log(self, tally: ChannelTally, log: HeldChannel, left: int) -> int:
        """Count entries of one epoch; returns how many records of the slice are left."""
        epoch = log.log.epoch
        for entry in self._store.entries(*log.key, tally.at.get(epoch, 0), _end(log)):
            left -= self._count_entry(tally, log, entry)
            tally.at[epoch] = entry.index + 1
            if left <= 0:
                break
        return left

    def _logs(self, channel: str) -> list[HeldChannel]:
        """The epochs of a channel that this node may read, in order."""
        newest = self._store.channel(channel)
        last = newest.log.epoch if newest is not None else -1
        held = (self._store.channel(channel, epoch) for epoch in range(last + 1))
        return [log for log in held if log is not None and log.left_at is None]

    def _tally(self, channel: str) -> ChannelTally:
        kept = json.loads(self._store.setting(_TALLY + channel) or "{}")
        return from_document(kept) if kept.get("basis") == self._basis() else ChannelTally(self._basis())

    def _basis(self) -> str:
        """By what is counted; another calendar or edition of the rules counts otherwise."""
        return f"{FORMAT} {self._view.calendar.version} {self._view.rules_in_force.version}"

    def _count_entry(self, tally: ChannelTally, log: HeldChannel, entry: HeldEntry) -> int:
        """Count one entry; returns how many records it has, 1 for none."""
        header = header_of(entry)
        if header.kind != channel_pb2.ENTRY_KIND_RECORDS:
            return 1
        # A date that lies ahead is no date of publication: what arrived is public since then at the latest.
        day = china_day(min(max(0, entry.issued_at_ms), entry.received_at_ms))
        tally.published = max(tally.published, day.isoformat())
        month = tally.month(_month_of(day))
        month.covers(log.log.epoch, entry.index)
        month.records += header.record_count
        records = list(_records(entry))
        month.unreadable += header.record_count - len(records)
        if 0 <= header.issued_at_unix_ms <= self._limits.max_time_unix_ms:
            self._measure(month, log, header, day, records)
        else:
            month.defects["VERDICT_FUTURE"] += len(records)
        return max(1, header.record_count)

    def _measure(
        self,
        month: Tally,
        log: HeldChannel,
        header: channel_pb2.EntryHeader,
        day: date,
        records: Sequence[tuple[int, bytes]],
    ) -> None:
        edition = self._view.editions.get(header.catalogue_version)
        item_id, letter = log.manifest.item, disclosure_letter(log.manifest.disclosure)
        origin = self._view.members.get(log.origin)
        division = origin.division if origin is not None else ""
        rules = self._view.rules.get(header.rules_version or VERSION_1.version, VERSION_1)
        if edition is None or item_id not in edition.items or letter not in edition.items[item_id].disclosure:
            month.defects["VERDICT_CATALOGUE"] += len(records)
            return
        validate = validator_for(
            edition, item_id, letter, china_day(header.issued_at_unix_ms).isoformat(), rules, division
        )
        yardstick = self._yardstick(edition, item_id, letter, division, day)
        parsed = ((position, self._values(item_id, record)) for position, record in records)
        revisions = self._store.revisions_in(*log.key, header.index)
        measure_entry(month, yardstick, validate, parsed, revisions)

    def _values(self, item_id: str, record: bytes) -> Mapping[int, str] | None:
        try:
            parsed = parse_record(record, self._limits)
        except XinqiaoError:
            return None
        return parsed.values if parsed.item == item_id else None

    def _yardstick(self, edition: Edition, item_id: str, letter: str, division: str, day: date) -> Yardstick:
        key = (edition.version, item_id, letter, division, day, self._basis())
        if key not in self._yardsticks:
            if len(self._yardsticks) >= YARDSTICKS_KEPT:
                self._yardsticks.clear()
            item = edition.items[item_id]
            term = duty_days(self._view.rules_in_force, item, letter, division, day)
            self._yardsticks[key] = Yardstick(item, letter, day, self._view.calendar, term)
        return self._yardsticks[key]

    # -- rows offered -------------------------------------------------------------------------------------

    async def offered(self, channel: str, rows: Rows) -> None:
        """Count the rows of a file that were offered to this node for a channel of its own."""
        if not rows.offered:
            return
        month = self._this_month()

        def note(tx: StoreTransaction) -> None:
            held = _rows(tx.setting(_ROWS + channel))
            held[month] = held.get(month, Rows()) + rows
            kept = {name: (each.offered, each.rejected, each.flagged) for name, each in held.items()}
            tx.set_setting(_ROWS + channel, json.dumps(kept))

        await self._writer.run(Lane.CONTROL, note)

    # -- figures ------------------------------------------------------------------------------------------

    def quality(self, channel: str, month: str = "") -> Quality:
        """The figures as far as they are counted; raises CHANNEL_UNKNOWN."""
        newest = self._store.channel(channel)
        if newest is None:
            raise XinqiaoError("CHANNEL_UNKNOWN", channel=channel)
        kept, rows = self._tally(channel), _rows(self._store.setting(_ROWS + channel))
        wanted = (month,) if month else ()
        tally = kept.total(wanted)
        offered = sum((each for name, each in rows.items() if not month or name == month), Rows())
        corrections = self._corrections(channel, tally)
        return Quality(
            channel=channel,
            month=month,
            months=sorted({*kept.months, *rows}),
            figures=figures(tally, offered, corrections),
            tally=tally,
            rows=offered,
            corrections=corrections,
            duty_days=self._duty_days(newest),
            counted=sum(kept.at.values()),
            entries=sum(_end(log) for log in self._logs(channel)),
        )

    def published(self, channel: str) -> date | None:
        """The day of the last entry with records of a channel, as far as it is counted."""
        return iso_date(self._tally(channel).published)

    def ends(self, channel: str) -> Mapping[str, int]:
        """How many records end a period in a month, by "query 2031-03"; those revised or erased since, too."""
        return self._tally(channel).total().ends

    def _corrections(self, channel: str, tally: Tally) -> Corrections:
        spans = ((epoch, first, last + 1) for epoch, (first, last) in tally.spans.items())
        return sum((self._store.corrections(channel, *span) for span in spans), Corrections())

    def _duty_days(self, held: HeldChannel) -> int | None:
        edition, origin = self._view.edition_in_force, self._view.members.get(held.origin)
        item = edition.items.get(held.manifest.item) if edition is not None else None
        if item is None or origin is None:
            return None
        letter, day = disclosure_letter(held.manifest.disclosure), china_day(self._clock.now_ms())
        return duty_days(self._view.rules_in_force, item, letter, origin.division, day)


def _end(held: HeldChannel) -> int:
    """Up to where a log is counted: what is applied, at or below its cut."""
    return held.applied_size if held.log.cut is None else min(held.applied_size, held.log.cut.size)


def _month_of(day: date) -> str:
    return f"{day:%Y-%m}"


def _records(entry: HeldEntry) -> Iterator[tuple[int, bytes]]:
    """(position, bytes) of the records of an entry that are here."""
    slots = channel_pb2.EntryBody.FromString(entry.body or b"").slots
    return ((position, slot.record) for position, slot in enumerate(slots) if not slot.commitment)


def _rows(kept: str | None) -> dict[str, Rows]:
    return {month: Rows(*counts) for month, counts in json.loads(kept or "{}").items()}
