"""Terms: watches what the rules want done about whole channels, and by when (effect timer).

    from publication   whoever writes a channel publishes again in time, by the law of its region (R-INC-11)
    from receipt       this node has applied what it received in time, by the law of its own region (R-INC-13)

A term that depends on a record, or on what other systems publish, is told by `xinqiao rules explain` and not watched:
nothing here knows whether it was kept. What has run out for this node is an alarm until it is done.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import date

from node.core.catalogue import Item
from node.core.deadlines import Due, due_days
from node.core.forecast import Ending, term_ends
from node.core.membership import Standing
from node.core.state import disclosure_letter
from node.core.workdays import china_day
from node.ports import Clock, HeldChannel, Lane, Store, StoreTransaction, View, Writer

OVER = "TERM_OVER"


class Terms:
    """Knows the terms of the channels held; published tells the last day on which a channel had new records."""

    def __init__(
        self,
        view: View,
        store: Store,
        writer: Writer,
        clock: Clock,
        aside: Callable[[Callable[[], list[Ending]]], Awaitable[list[Ending]]],
        published: Callable[[str], date | None],
    ) -> None:
        self._aside = aside
        self._view = view
        self._store = store
        self._writer = writer
        self._clock = clock
        self._published = published

    def endings(self) -> list[Ending]:
        """Every term that runs or has run out."""
        today = china_day(self._clock.now_ms())
        return [ending for held in self._newest() for ending in self._of(held, today)]

    async def watch(self) -> None:
        """Raise an alarm for what this node has let run out, and clear those of what is done."""
        now_ms, me = self._clock.now_ms(), self._view.me
        endings = await self._aside(self.endings)
        over = {each.subject: each.error for each in endings if each.node == me and each.error.code == OVER}
        known = {alarm.subject for alarm in self._store.alarms() if alarm.code == OVER}

        def note(tx: StoreTransaction) -> None:
            for subject, error in over.items():
                tx.raise_alarm(OVER, subject, error.parameters, now_ms)
            for subject in known - over.keys():
                tx.clear_alarm(OVER, subject)

        if over or known:
            await self._writer.run(Lane.CONTROL, note)

    def _newest(self) -> list[HeldChannel]:
        """The newest epoch of every channel whose origin is active and that this node may read."""
        newest = {held.log.channel: held for held in self._store.channels()}
        return [held for held in newest.values() if held.left_at is None and self._is_active(held.origin)]

    def _is_active(self, node: str) -> bool:
        member = self._view.members.get(node)
        return member is not None and member.standing is Standing.ACTIVE

    def _of(self, held: HeldChannel, today: date) -> Iterator[Ending]:
        edition, channel = self._view.edition_in_force, held.log.channel
        item = edition.items.get(held.manifest.item) if edition is not None else None
        if item is None:
            return
        published, received = self._published(channel), self._waiting_since(held)
        for node, event, since in ((held.origin, "publication", published), (self._view.me, "receipt", received)):
            if since is not None:
                for due in self._due(held, item, node, event, since, today):
                    yield term_ends(node, channel, due, today)

    def _waiting_since(self, held: HeldChannel) -> date | None:
        """Since when the first entry waits that was received and is not applied, None where none does."""
        if held.applied_size >= held.log.size:
            return None
        entry = self._store.entry(*held.key, held.applied_size)
        return china_day(entry.received_at_ms) if entry is not None else None

    def _due(self, held: HeldChannel, item: Item, node: str, event: str, since: date, today: date) -> Sequence[Due]:
        """What one member owes a channel since an event, whatever its records are."""
        member = self._view.members.get(node)
        division = member.division if member is not None else ""
        letter = disclosure_letter(held.manifest.disclosure)
        workdays, rules = self._view.calendar.add_working_days, self._view.rules_in_force
        return due_days(rules, item, {}, letter, today.isoformat(), (division,), {event: since}, workdays)
