"""Visiting: how a node that nobody can call meets the members it has no link with.

The origin of a channel cannot call it, and may be a member that it has no reason to call: then nobody would ever tell
it of the channel. So it compares with all other active members in turn, a few at every interval, one after another.
What it learns of there has an origin, and with that it keeps a link from then on.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from node.core.delivery import choose_visits
from node.core.errors import XinqiaoError
from node.core.membership import Standing
from node.links import Link, wait
from node.ports import Entropy, View

VISITS_PER_INTERVAL = 8


class Visiting:
    """Pays the visits. linked says who needs none; meet makes one whole round of a link."""

    def __init__(
        self,
        *,
        view: View,
        entropy: Entropy,
        interval_s: float,
        only_dials_out: Callable[[str], bool],
        linked: Callable[[], Collection[str]],
        meet: Callable[[Link], Awaitable[None]],
        report: Callable[[str, Exception], None],
    ) -> None:
        self._view = view
        self._entropy = entropy
        self._interval_s = interval_s
        self._only_dials_out = only_dials_out
        self._linked = linked
        self._meet = meet
        self._report = report
        self._last = ""
        # What is known of each member since the last visit, so that a visit tells no more than what is new.
        self.links: dict[str, Link] = {}
        self.failed = 0

    async def run(self) -> None:
        """Visit some members at every interval, as long as this node says that nobody can call it."""
        never = asyncio.Event()
        while True:
            await wait(never, self._interval_s * self._entropy.uniform(0.8, 1.2))
            if self._only_dials_out(self._view.me):
                await self._visit_some()

    async def _visit_some(self) -> None:
        members = self._view.members
        active = {node for node, member in members.by_id.items() if member.standing is Standing.ACTIVE}
        self.links = {node: link for node, link in self.links.items() if node in active}
        passed_by = [*self._linked(), *filter(self._only_dials_out, sorted(active))]
        for node in choose_visits(members, self._view.me, passed_by, self._last, VISITS_PER_INTERVAL):
            self._last = node
            await self._visit(self.links.setdefault(node, Link(node)))

    async def _visit(self, link: Link) -> None:
        """One visit; one that fails costs no more than its turn."""
        try:
            await self._meet(link)
        except XinqiaoError:
            self.failed += 1
        except Exception as error:  # noqa: BLE001 - as for a link: a fault of ours is reported and ends one visit
            self.failed += 1
            self._report(link.node, error)
