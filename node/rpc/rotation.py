"""Rotation: how this node's keys and descriptor follow the settings and the registry, without a pause.

    (1) the next key is made; a descriptor that names old and new is filed with the registry
    (2) the officers list it; peers learn of it within the settle time
    (3) the node signs, or shows itself, with the new key; the old one stays valid
    (4) after another settle time a descriptor without the old key is filed; the officers list it

Each step is taken by follow(), called after every refresh of the registry; an interruption anywhere is resumed.
"""

from node.config import Config
from node.core.errors import XinqiaoError
from node.core.membership import fingerprint_of
from node.home import Home
from node.keys import KeyRing, next_descriptor
from node.keys.ring import KeyRecord, State, Use
from node.node import Node
from node.pb import admin_service_pb2 as pb
from node.pb import registry_pb2
from node.rpc import registry_client

_STATES = {
    State.CURRENT: "active",
    State.PREVIOUS: "retiring",
    State.RETIRED: "retired",
    State.REVOKED: "revoked",
}


class HomeRotation:
    """Replaces the keys of a home, one step at a time."""

    def __init__(self, home: Home, config: Config, ring: KeyRing, node: Node) -> None:
        self._home = home
        self._config = config
        self._ring = ring
        self._node = node

    def lines(self) -> list[pb.KeyLine]:
        """The keys with their state."""
        return [_line(record) for record in self._ring.records]

    async def rotate(self, kind: str) -> pb.RotateKeyResponse:
        """Make the next key of a kind and file it, or tell how far it is; raises KEY_ROTATION, WIRE_*."""
        if kind not in [use.value for use in Use]:
            detail = f"there is no {kind[:20]!r} key; use {' or '.join(use.value for use in Use)}"
            raise XinqiaoError("ARGUMENT_INVALID", argument="kind", detail=detail)
        # The officers may have decided since the last look at the registry.
        await self._node.refresh_registry()
        await self.follow()
        now_ms = self._node.world.clock.now_ms()
        if not self._waits_for(kind, now_ms):
            self._prepare(kind, now_ms)
        fingerprint = await self.file_descriptor()
        waits_for = self._waits_for(kind, now_ms)
        return pb.RotateKeyResponse(keys=self.lines(), fingerprint=fingerprint, waiting_for=waits_for)

    def _prepare(self, kind: str, now_ms: int) -> None:
        if kind == Use.SIGNING.value:
            self._ring.prepare_next_signing(now_ms)
        else:
            self._ring.prepare_next_tls(self._config.id, self._config.network, now_ms)

    def _waits_for(self, kind: str, now_ms: int) -> str:
        """What a rotation under way waits for; empty when none is."""
        return self._ring.waits_for(Use(kind), self._listed(), now_ms, self._config.key_settle_s * 1000)

    async def follow(self) -> None:
        """Take every rotation one step further where the registry and the time allow it."""
        settle_ms = self._config.key_settle_s * 1000
        self._ring.follow(self._listed(), self._node.world.clock.now_ms(), settle_ms)
        await self.file_descriptor()

    async def file_descriptor(self) -> str:
        """File the descriptor that settings and keys call for; its fingerprint, empty when the listed one fits."""
        newest = self._home.descriptor()
        now_ms = self._node.world.clock.now_ms()
        wanted = next_descriptor(self._listed(), newest, self._config, self._ring, now_ms)
        if wanted is None:
            return ""
        if wanted is not newest:
            self._home.write_descriptor(wanted)
        if self._config.registry is None:
            raise XinqiaoError("NOT_A_MEMBER", detail="no registry is configured")
        await registry_client.request_membership(str(self._config.registry), wanted)
        return fingerprint_of(wanted)

    def _listed(self) -> registry_pb2.NodeDescriptor:
        member = self._node.membership.members.get(self._config.id)
        if member is None:
            raise XinqiaoError("NOT_A_MEMBER", detail="the registry does not list it")
        return member.descriptor.message


def _line(record: KeyRecord) -> pb.KeyLine:
    waiting = "waiting for the registry" if not record.listed_at_ms else "next"
    return pb.KeyLine(
        kind=record.use.value,
        key_id=record.key_id,
        suite=record.suite,
        state=_STATES.get(record.state, waiting),
        not_before_unix_ms=record.not_before_ms,
        not_after_unix_ms=record.not_after_ms,
    )
