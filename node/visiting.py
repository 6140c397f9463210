"""Visiting: how a node that nobody can call meets the members it has no link with.

The origin of a channel cannot call it, and may be a member that it has no reason to call: then nobody would ever tell
it of the channel. So it compares with all other active members in turn, a few at every interval, one after another.
What it learns of there has an origin, and with that it keeps a link from then on.

A visit brings what is urgent, and the beginning of everything else. The rest of the bulk comes after it, and holds up
no other visit: it may be the history of years.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from node.core.delivery import choose_visits
from node.core.errors import XinqiaoError
from node.core.membership import Standing
from node.links import Link, ended, wait
from node.ports import Entropy, View

VISITS_PER_INTERVAL = 8


class Visiting:
    """Pays the visits. linked says who needs none; meet is the control lane's part of one, carry that of the bulk."""

    def __init__(
        self,
        *,
        view: View,
        entropy: Entropy,
        interval_s: float,
        only_dials_out: Callable[[str], bool],
        linked: Callable[[], Collection[str]],
        meet: Callable[[Link], Awaitable[None]],
        carry: Callable[[Link], Awaitable[None]],
        report: Callable[[str, Exception], None],
    ) -> None:
        self._view = view
        self._entropy = entropy
        self._interval_s = interval_s
        self._only_dials_out = only_dials_out
        self._linked = linked
        self._meet = meet
        self._carry = carry
        self._report = report
        self._last = ""
        self._met: dict[str, Link] = {}
        self._met_some = asyncio.Event()
        # What is known of each member since the last visit, so that a visit tells no more than what is new.
        self.links: dict[str, Link] = {}
        self.failed = 0

    async def run(self) -> None:
        """Visit some members at every interval, as long as this node says that nobody can call it."""
        never, carrying = asyncio.Event(), asyncio.create_task(self._carry_on())
        try:
            while True:
                await wait(never, self._interval_s * self._entropy.uniform(0.8, 1.2))
                if self._only_dials_out(self._view.me):
                    await self._visit_some()
        finally:
            carrying.cancel()
            await ended(carrying)

    async def _carry_on(self) -> None:
        """Bring the bulk of those met, one after another; whoever has become a link meanwhile brings it as such."""
        while True:
            await self._met_some.wait()
            self._met_some.clear()
            while self._met:
                link = self._met.pop(next(iter(self._met)))
                if link.node not in self._linked():
                    await self._attempt(self._carry, link)

    async def _visit_some(self) -> None:
        members = self._view.members
        active = {node for node, member in members.by_id.items() if member.standing is Standing.ACTIVE}
        self.links = {node: link for node, link in self.links.items() if node in active}
        passed_by = [*self._linked(), *filter(self._only_dials_out, sorted(active))]
        for node in choose_visits(members, self._view.me, passed_by, self._last, VISITS_PER_INTERVAL):
            self._last = node
            link = self.links.setdefault(node, Link(node))
            if await self._attempt(self._meet, link):
                self._met[node] = link
                self._met_some.set()

    async def _attempt(self, part: Callable[[Link], Awaitable[None]], link: Link) -> bool:
        """Whether a part of a visit went well; one that fails costs no more than its turn."""
        try:
            await part(link)
        except XinqiaoError:
            self.failed += 1
            return False
        except Exception as error:  # noqa: BLE001 - as for a link: a fault of ours is reported and ends one visit
            self.failed += 1
            self._report(link.node, error)
            return False
        return True
