"""Nodes with joint lists, and officers who sign their changes, for tests of what officers decide."""

from node.core.limits import DEFAULT_LIMITS
from node.core.list_change import ChangeState
from node.core.list_entry import Terms
from node.core.list_warrant import APPROVE, PROPOSE
from node.core.listing import ENTER, EXIT
from node.core.state import Place
from node.held_changes import HeldChange
from node.keys.signer import SoftwareSigner
from node.pb import channel_pb2, listing_pb2
from scripts.xq_generate import example_uscc
from tests.builders import make_node
from tests.lists import AUTHORITY, make_list_manifest, make_list_type
from tests.officers import adding, disabling, make_keys, statement
from tests.wire import Network

ORIGIN, READER, OTHER = "310000", "330100", "320500"
CHANNEL = f"{ORIGIN}/lists/serious-tax"
LI, WANG, ZHAO = make_keys(3)
TODAY = "2026-09-21"
SUBJECT = example_uscc("91", "310000", 7)
ENTRY = {
    "subject": SUBJECT,
    "subject_name": "示例公司",
    "decision": "税稽罚〔2026〕1号",
    "reason": "逃避缴纳税款",
    "decided_on": "2026-09-18",
    "notice_served": "2026-09-01",
    "measures": "SHR-31-1",
}


class Town:
    """An origin with two officers and a list, and readers."""

    def __init__(self, *readers: str) -> None:
        self.network = Network(ORIGIN, *(readers or (READER,)))

    async def open(self, manifest: channel_pb2.Manifest | None = None) -> "Town":
        """Bring everything up to the point where somebody can be listed."""
        self.network.signing[ORIGIN] = make_node(ORIGIN, authorities=[{"uscc": AUTHORITY}])
        await self.network.publish_registry()
        for name, key in (("李明", LI), ("王芳", WANG)):
            await self.node.deciding.submit(*adding(name, key, self.network.signing[ORIGIN].signer, node=ORIGIN))
        await self.define(manifest or make_list_manifest())
        return self

    @property
    def node(self):  # type: ignore[no-untyped-def]
        """The origin."""
        return self.network[ORIGIN]

    @property
    def changes(self):  # type: ignore[no-untyped-def]
        """Its changes."""
        return self.node.listing.changes

    async def define(self, manifest: channel_pb2.Manifest) -> None:
        """Define another list."""
        await self.node.listing.define(manifest)

    def errors(self, name: str = "serious-tax", **values: str) -> list[tuple[str, str]]:
        """What is wrong with an entry, by column and code."""
        listing = self.node.listing
        held = listing.own_list(name)
        judge = listing.judge(held)
        found = listing.entry_defects(judge, held, judge.entry(ENTRY | values))
        return [(column, error.code) for column, error in found]

    async def draft(self, *entries: dict[str, str], name: str = "serious-tax") -> HeldChange:
        """Draft a change that enters subjects; ENTRY with the values given."""
        listing = self.node.listing
        held = listing.own_list(name)
        judge = listing.judge(held)
        draft = await listing.changes.draft(held, ENTER)
        await draft.add(judge.entry(ENTRY | each) for each in entries or ({},))
        change: HeldChange = await draft.close()
        return change

    async def draft_change(
        self, place: Place, act: int = EXIT, name: str = "serious-tax", reason: str = "已缴清", **terms: object
    ) -> HeldChange:
        """Draft a change of one entry."""
        words = listing_pb2.ListParticulars(decision="税稽撤〔2026〕9号", reason=reason)
        given = {"ground": listing_pb2.EXIT_GROUND_CONDITIONS_MET} if act == EXIT else {}
        change: HeldChange = await self.node.listing.draft_change(name, place, act, words, Terms(**(given | terms)))  # type: ignore[arg-type]
        return change

    async def sign(self, act: str, change: HeldChange, key: SoftwareSigner, reason: str = "") -> str:
        """Have an officer sign, without publishing what is approved."""
        self.network.clock.time_ms += 1  # nobody signs twice in one millisecond
        at_ms = self.network.clock.time_ms
        signed = statement(act, change.id, change.digest, key, reason=reason, node=ORIGIN, at_ms=at_ms)
        taken = await self.node.deciding.submit(signed)
        return str(taken.state)

    async def decide(self, change: HeldChange) -> ChangeState:
        """Have two officers decide and the change published; raises why it is not."""
        if await self.sign(PROPOSE, change, LI) == "pending":
            await self.sign(APPROVE, change, WANG)
        state, fault = await self.changes.finish(change.id)
        if fault is not None:
            raise fault
        found: ChangeState = state
        return found

    async def enter(self, *entries: dict[str, str], name: str = "serious-tax") -> list[Place]:
        """Enter subjects; returns the places of their entries."""
        change = await self.draft(*entries, name=name)
        await self.decide(change)
        written = self.changes.published(self.node.world.store, change)
        size = len(entries) or 1
        most = DEFAULT_LIMITS.max_list_operations_per_entry
        per = [min(most, size - most * batch) for batch in sorted(written)]
        return [Place(written[b].epoch, written[b].index, at) for b in sorted(written) for at in range(per[b])]

    async def disable(self, name: str, key: SoftwareSigner) -> None:
        """Disable an officer by the node's own key."""
        await self.node.deciding.submit(*disabling(name, key, self.network.signing[ORIGIN].signer, node=ORIGIN))

    def digests(self, node: str, channel: str = CHANNEL) -> tuple[bytes, str]:
        """The digest of a list at a node, and how it compares with its origin's."""
        state = self.network[node].world.store.list_state(channel)
        return (state.digest, state.status.value) if state is not None else (b"", "none")


def red(**changes: object) -> channel_pb2.Manifest:
    """The manifest of a red list."""
    fields = {"code": "red-a", "kind": listing_pb2.LIST_KIND_RED, "measures": ["SHR-29-1"]}
    return make_list_manifest(list=make_list_type(**fields), **changes)
