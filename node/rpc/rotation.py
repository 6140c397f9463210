"""Rotation: how this node's keys and descriptor follow the settings and the registry, without a pause.

    (1) the next key is made; a descriptor that names old and new is filed with the registry
    (2) the officers list it; peers learn of it within the settle time
    (3) the node signs, or shows itself, with the new key; the old one stays valid
    (4) after another settle time a descriptor without the old key is filed; the officers list it

Each step is taken by follow(), called after every refresh of the registry; an interruption anywhere is resumed.
"""

from collections.abc import Callable

from node.config import Config
from node.core.errors import XinqiaoError
from node.core.membership import Member, fingerprint_of, open_descriptor
from node.home import Home
from node.keys import KeyRing, build_descriptor, needs_descriptor
from node.keys.ring import KeyRecord, State, Use
from node.node import Node
from node.pb import admin_service_pb2 as pb
from node.pb import envelope_pb2
from node.rpc import registry_client

_STATES = {
    State.CURRENT: "active",
    State.PREVIOUS: "retiring",
    State.RETIRED: "retired",
    State.REVOKED: "revoked",
}


class HomeRotation:
    """Replaces the keys of a home, one step at a time."""

    def __init__(self, home: Home, config: Config, ring: KeyRing, node: Node, tls_changed: Callable[[], None]) -> None:
        self._home = home
        self._config = config
        self._ring = ring
        self._node = node
        self._tls_changed = tls_changed

    def lines(self) -> list[pb.KeyLine]:
        """The keys with their state."""
        return [_line(record) for record in self._ring.records]

    async def rotate(self, kind: str) -> pb.RotateKeyResponse:
        """Make the next key of a kind and file it, or tell how far it is; raises KEY_ROTATION, WIRE_*."""
        now_ms = self._node.world.clock.now_ms()
        if kind == Use.SIGNING.value:
            self._ring.prepare_next_signing(now_ms)
        else:
            self._ring.prepare_next_tls(self._config.id, self._config.network, now_ms)
        fingerprint = await self.file_descriptor()
        return pb.RotateKeyResponse(keys=self.lines(), fingerprint=fingerprint, waiting_for=self._waits_for(kind))

    async def follow(self) -> None:
        """Take every rotation one step further where the registry and the time allow it."""
        listed = self._listed().descriptor.message
        settle_ms = self._config.key_settle_s * 1000
        changed = self._ring.follow(listed, self._node.world.clock.now_ms(), settle_ms)
        if any(record.use is Use.TLS for record in changed):
            self._tls_changed()
        await self.file_descriptor()

    async def file_descriptor(self) -> str:
        """File the descriptor that settings and keys call for; its fingerprint, empty when the listed one fits."""
        listed = self._listed().descriptor.message
        if not needs_descriptor(listed, self._config, self._ring):
            return ""
        descriptor = self._pending(listed.version + 1)
        if self._config.registry is None:
            raise XinqiaoError("NOT_A_MEMBER", detail="no registry is configured")
        await registry_client.request_membership(str(self._config.registry), descriptor)
        return fingerprint_of(descriptor)

    def _pending(self, version: int) -> envelope_pb2.Envelope:
        """The descriptor filed before where it still says what is wanted, so that its fingerprint stays."""
        kept = self._home.descriptor()
        message = open_descriptor(kept).message
        if message.version == version and not needs_descriptor(message, self._config, self._ring):
            return kept
        listed = self._listed().descriptor.message
        fresh = build_descriptor(listed, self._config, self._ring, self._node.world.clock.now_ms())
        self._home.write_descriptor(fresh)
        return fresh

    def _listed(self) -> Member:
        member = self._node.membership.members.get(self._config.id)
        if member is None:
            raise XinqiaoError("NOT_A_MEMBER", detail="the registry does not list it")
        return member

    def _waits_for(self, kind: str) -> str:
        use = Use(kind)
        fresh, previous = self._ring.find(use, State.NEXT), self._ring.find(use, State.PREVIOUS)
        if fresh is not None and not fresh.listed_at_ms:
            return "the officers, who list the descriptor with this fingerprint"
        if fresh is not None:
            return f"{self._config.key_settle_s} s for every peer to learn of the new key"
        return "the old key's retirement" if previous is not None else ""


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
