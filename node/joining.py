"""Joining: from a fresh home to a listed member, one resumable command.

(1) the registry's root is fetched and compared with the fingerprint an officer read out
(2) registry and fingerprint are kept in the settings, so that the command can be run again without them
(3) a listing of our descriptor ends it; a signed rejection of it ends it with the reason
(4) else the descriptor is filed, once, and the registry is asked again until the officers have decided; that may
    take a day, in which the registry may be away for a while
(5) the verified files are stored: from then on this node needs the registry no more to know its peers
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from node.config import Config, Endpoint, update
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS
from node.core.membership import fingerprint_of
from node.core.registry_targets import parse_rejections, rejections_path
from node.home import Home
from node.pb import envelope_pb2, registry_pb2, registry_service_pb2
from node.ports import RegistryState

POLL_S, POLL_MAX_S = 1.0, 30.0
"""Officers who sit together decide within a minute; who waits a day asks every half minute."""
APPROVED = "the next refresh"
_AWAY = ("REGISTRY_UNREACHABLE", "WIRE_UNREACHABLE", "RATE_LIMITED")


class JoiningWorld(Protocol):
    """What joining needs of the world."""

    def now_ms(self) -> int: ...
    async def sleep(self, seconds: float) -> None: ...
    async def bootstrap(self, endpoint: str, root_fingerprint: bytes) -> RegistryState: ...
    async def file_request(
        self, endpoint: str, descriptor: envelope_pb2.Envelope
    ) -> registry_service_pb2.RequestMembershipResponse: ...
    async def request_state(
        self, endpoint: str, node: str, fingerprint: bytes
    ) -> registry_service_pb2.GetRequestStateResponse: ...
    def keep(self, state: RegistryState) -> None: ...
    def renewed_descriptor(self) -> envelope_pb2.Envelope: ...


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a pending request waits for."""

    node: str
    fingerprint: str
    waits_for: str


@dataclass(frozen=True, slots=True)
class Joined:
    """Where the request stands when the command ends."""

    is_member: bool
    network: str
    waits_for: str


async def join(
    home: Home,
    config: Config,
    world: JoiningWorld,
    endpoint: Endpoint,
    root_fingerprint: bytes,
    wait_s: float,
    *,
    renew: bool,
    tell: Callable[[Waiting], None],
) -> Joined:
    """Apply and wait; raises REGISTRY_*, JOIN_ID_TAKEN, JOIN_REJECTED, CLOCK_SKEW."""
    # (1) the root
    state = await world.bootstrap(str(endpoint), root_fingerprint)
    # (2) what to resume with
    update(home.path, registry=endpoint, root_fingerprint=root_fingerprint.hex(), network=state.network)
    descriptor = world.renewed_descriptor() if renew else home.descriptor()
    fingerprint = fingerprint_of(descriptor)
    applying = _Applying(world, str(endpoint), root_fingerprint, config.id, descriptor)
    told, waited = "", 0.0
    while not _is_listed(config.id, fingerprint, state):  # (3)
        # (4) file and wait
        waits_for = await applying.ask()
        # Approved between two questions: the next look at the registry shows it, and nobody has to do anything.
        if waits_for not in (told, APPROVED):
            tell(Waiting(config.id, fingerprint, waits_for))
            told = waits_for
        if waited >= wait_s:
            return Joined(False, state.network, waits_for)
        pause_s = min(POLL_S + waited / 20, POLL_MAX_S)
        await world.sleep(pause_s)
        waited += pause_s
        state = await applying.newest(state)
    # (5) keep what was verified
    world.keep(state)
    return Joined(True, state.network, "")


def _is_listed(node: str, fingerprint: str, state: RegistryState) -> bool:
    member = state.members.get(node)
    if member is not None and member.descriptor.fingerprint == fingerprint:
        return True
    if member is not None:
        raise XinqiaoError("JOIN_ID_TAKEN", id=node, listed=member.descriptor.fingerprint, found=fingerprint)
    rejections = state.targets.get(rejections_path(node))
    for rejection in parse_rejections(rejections) if rejections is not None else []:
        if rejection.fingerprint == fingerprint:
            raise XinqiaoError("JOIN_REJECTED", id=node, reason=rejection.reason)
    return False


class _Applying:
    """A request on its way: filed once by each run of the command, and again where the registry has lost it."""

    def __init__(
        self,
        world: JoiningWorld,
        endpoint: str,
        root_fingerprint: bytes,
        node: str,
        descriptor: envelope_pb2.Envelope,
    ) -> None:
        self._world = world
        self._endpoint = endpoint
        self._root_fingerprint = root_fingerprint
        self._node = node
        self._descriptor = descriptor
        self._filed = False

    async def ask(self) -> str:
        """What the request waits for."""
        try:
            if not self._filed:
                await self._file()
            fingerprint = bytes.fromhex(fingerprint_of(self._descriptor))
            state = await self._world.request_state(self._endpoint, self._node, fingerprint)
        except XinqiaoError as error:
            return _away(error)
        self._filed = state.state != registry_pb2.JOIN_STATE_UNKNOWN
        if state.state == registry_pb2.JOIN_STATE_LISTED:
            return APPROVED
        if state.signatures_needed:
            return f"officers' signatures: {state.signatures_present} of {state.signatures_needed} are there"
        return "an officer to propose the approval"

    async def newest(self, held: RegistryState) -> RegistryState:
        """The registry's state now, the one held while it is away."""
        try:
            return await self._world.bootstrap(self._endpoint, self._root_fingerprint)
        except XinqiaoError as error:
            _away(error)
            return held

    async def _file(self) -> None:
        answer = await self._world.file_request(self._endpoint, self._descriptor)
        _check_clock(self._node, answer.time_unix_ms - self._world.now_ms())
        self._filed = True


def _away(error: XinqiaoError) -> str:
    """The words for a registry that is away; any other error is no reason to wait, and is raised."""
    if error.code not in _AWAY:
        raise error
    return "the registry, which does not answer" if error.code != "RATE_LIMITED" else "the registry, which is busy"


def _check_clock(node: str, skew_ms: int) -> None:
    if abs(skew_ms) > DEFAULT_LIMITS.max_clock_skew_ms:
        limit_s = DEFAULT_LIMITS.max_clock_skew_ms // 1000
        raise XinqiaoError("CLOCK_SKEW", node=node, peer="the registry", skew_s=skew_ms // 1000, limit_s=limit_s)
