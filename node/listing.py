"""Listing: the duty that keeps this node's joint lists: what they are, and who is on them by whose decision.

(1) a list is defined: its manifest says what it rests on, and which measures it may attach
(2) a change is drafted: its operations, as they will be published
(3) officers sign it; nothing is decided before
(4) it is published through the one way of an entry, and carries what they have signed
"""

from collections.abc import Awaitable, Callable, Sequence

from node.admission import is_own
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.list_type import DECISION, FOLDER, KIND_NAMES, barred, list_defect
from node.pb import channel_pb2, listing_pb2
from node.ports import Clock, HeldChannel, Store, View

Declare = Callable[[str, channel_pb2.Manifest], Awaitable[tuple[HeldChannel, bool]]]


class Listing:
    """Defines this node's lists."""

    def __init__(
        self, view: View, store: Store, clock: Clock, declare: Declare, limits: Limits = DEFAULT_LIMITS
    ) -> None:
        self._view = view
        self._store = store
        self._clock = clock
        self._declare = declare
        self._limits = limits

    def channel_of(self, name: str) -> str:
        """The channel of a list that is named by its code, or by its whole channel."""
        return name if "/" in name else f"{self._view.me}/{FOLDER}{name}"

    # -- what a list is -------------------------------------------------------------------------------

    async def define(self, manifest: channel_pb2.Manifest) -> tuple[HeldChannel, bool]:
        """Write what a list is; defined again, it is what the newest manifest says. False where nothing changes.

        Raises LIST_BASIS, LIST_CONDITIONS, LIST_FIELD, LIST_AUTHORITY, LIST_KIND, and what
        keeps this node from publishing.
        """
        defect = list_defect(manifest.list, self._limits)
        if defect is not None:
            raise defect
        self._check_authority(manifest.list)
        channel = self.channel_of(manifest.list.code)
        before = self._store.channel(channel)
        if before is not None and before.manifest.list.kind != manifest.list.kind:
            raise XinqiaoError("LIST_KIND", list=channel, kind=KIND_NAMES.get(before.manifest.list.kind, "none"))
        manifest.title = manifest.list.title_zh
        manifest.priority = channel_pb2.PRIORITY_CONTROL
        return await self._declare(channel, manifest)

    def lists(self) -> Sequence[HeldChannel]:
        """The newest epoch of every list held here, by channel."""
        newest = {held.log.channel: held for held in self._store.channels() if held.manifest.HasField("list")}
        return [newest[channel] for channel in sorted(newest)]

    def held(self, name: str) -> HeldChannel:
        """A list that is held here; raises LIST_UNKNOWN."""
        held = self._store.channel(self.channel_of(name))
        if held is None or not held.manifest.HasField("list"):
            raise XinqiaoError("LIST_UNKNOWN", list=name[:96])
        return held

    def own_list(self, name: str) -> HeldChannel:
        """A list of this node; raises LIST_UNKNOWN, LIST_NOT_OURS."""
        held = self.held(name)
        if not is_own(self._view, held.log.channel):
            parameters = {"list": held.log.channel, "origin": held.origin, "node": self._view.me}
            raise barred("LIST_NOT_OURS", DECISION, **parameters)
        return held

    def _check_authority(self, list_type: listing_pb2.ListType) -> None:
        me = self._view.members.active(self._view.me)
        if not me.may_speak_for(list_type.authority, self._clock.now_ms()):
            raise barred("LIST_AUTHORITY", DECISION, node=me.id, authority=list_type.authority)
