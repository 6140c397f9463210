"""The registry as a node sees it: several sources of the same signed files, of which the best verified state counts.

The configured registry is asked first, and with it a few nodes chosen at random, as every node serves what it has
verified. None of them is trusted: a source can only be late, and is named when it shows anything that is wrong.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations

from node.core.ageing import DEFAULT_GRACE_MS
from node.core.errors import XinqiaoError, to_refusal
from node.core.limits import DEFAULT_LIMITS, Limits
from node.pb import envelope_pb2
from node.ports import Entropy, RegistryNews, RegistryState
from node.rpc.registry_chain import chain_of, contradiction, faces
from node.rpc.registry_fetch import HeldFiles, PortFiles
from node.rpc.registry_reading import FIRST_ROOT, Reading, expired, fetch_first_root
from node.rpc.registry_transport import SOURCE_DEADLINE_S, PortTransport, RegistryTransport, Source, in_thread

REGISTRY = "the registry"
PEERS_PER_REFRESH = 3


class TufRegistry:
    """ports.Registry over TUF.

    sources gives the configured registry first, then the nodes whose registry port is known. With a
    root_fingerprint a node that holds nothing can begin again from any source. The transport is gRPC unless
    another is given; limits and source_deadline_s are those of gRPC's.
    """

    def __init__(
        self,
        sources: Callable[[], Sequence[Source]],
        entropy: Entropy,
        *,
        root_fingerprint: bytes | None = None,
        grace_ms: int = DEFAULT_GRACE_MS,
        limits: Limits = DEFAULT_LIMITS,
        source_deadline_s: float = SOURCE_DEADLINE_S,
        transport: RegistryTransport | None = None,
    ) -> None:
        self._sources = sources
        self._entropy = entropy
        self._root_fingerprint = root_fingerprint
        self._grace_ms = grace_ms
        self._transport = transport or PortTransport(limits, source_deadline_s)

    async def refresh(self, held: RegistryState | None, now_ms: int) -> RegistryNews:
        """Ask the sources; the newest state that continues the held one, and what was wrong with each source.

        The state is None where no source showed a valid one, and the held object where none is newer. A state
        that has expired counts within the grace period, as a node that starts while the authority is down needs
        its members; it is named REGISTRY_EXPIRED all the same.
        """
        # 1. Ask all at once; a source that fails or hangs delays nobody beyond its deadline.
        chosen = self._choose()
        valid_at = _moment(now_ms - self._grace_ms)
        asked = (self._ask(source, held, valid_at, number > 0) for number, source in enumerate(chosen))
        answers = await asyncio.gather(*asked)
        # 2. Name what is wrong with each.
        named = [(name, answer) for (name, _), answer in zip(chosen, answers, strict=True)]
        faults = [(name, answer) for name, answer in named if isinstance(answer, XinqiaoError)]
        states = [(name, answer) for name, answer in named if isinstance(answer, RegistryState)]
        faults += [(name, _expiry(name, state)) for name, state in states if state.expires_ms <= now_ms]
        # 3. Where two new states contradict each other, nobody can tell which one is right: believe neither.
        split = _contradictions([(name, state) for name, state in states if state is not held])
        faults += split
        doubted = {name for name, _ in split}
        # 4. Take the best of the others.
        best = max((state for name, state in states if name not in doubted), key=_rank, default=None)
        return RegistryNews(best, tuple((name, to_refusal(error)) for name, error in faults))

    async def report_heads(self, report: envelope_pb2.Envelope) -> None:
        """Hand a signed head report to the configured registry; nodes take none."""
        sources = self._sources()
        if not sources:
            raise XinqiaoError("WIRE_UNREACHABLE", peer=REGISTRY, address="-", detail="no registry is configured")
        await self._transport.report_heads(sources[0], report)

    async def share_addresses(
        self, address: envelope_pb2.Envelope, known_digest: bytes
    ) -> Sequence[envelope_pb2.Envelope]:
        """Introduce this node to the registry, or to a node where the registry is away; its answer."""
        failure = XinqiaoError("WIRE_UNREACHABLE", peer=REGISTRY, address="-", detail="no registry is configured")
        for source in self._choose():
            try:
                return await self._transport.share_addresses(source, address, known_digest)
            except XinqiaoError as error:
                failure = error
        raise failure

    def _choose(self) -> list[Source]:
        sources = list(self._sources())
        drawn = sorted((self._entropy.uniform(0.0, 1.0), peer) for peer in sources[1:])
        return sources[:1] + [peer for _, peer in drawn[:PEERS_PER_REFRESH]]

    async def _ask(
        self, source: Source, held: RegistryState | None, valid_at: datetime, may_be_late: bool
    ) -> RegistryState | XinqiaoError | None:
        try:
            return await self._transport.read(source, held, self._root_fingerprint, valid_at, may_be_late)
        except XinqiaoError as error:
            return error


async def bootstrap(
    endpoint: str,
    root_fingerprint: bytes,
    now_ms: int,
    *,
    limits: Limits = DEFAULT_LIMITS,
    deadline_s: float = SOURCE_DEADLINE_S,
) -> RegistryState:
    """The first contact: from root version 1 with this fingerprint up to the newest state, nothing expired.

    Raises REGISTRY_FINGERPRINT, REGISTRY_EXPIRED, REGISTRY_INVALID, REGISTRY_UNREACHABLE.
    """
    files = PortFiles(endpoint, limits)

    def work() -> RegistryState:
        root = fetch_first_root(REGISTRY, files, root_fingerprint)
        return _complete(Reading(REGISTRY, files, root, valid_at=_moment(now_ms)))

    return await in_thread(REGISTRY, files, work, deadline_s)


def load(files: Mapping[str, bytes], limits: Limits = DEFAULT_LIMITS) -> RegistryState:
    """The state that files held in the database add up to, verified anew from the first root on.

    Nothing is too old: how old it is, node.core.ageing.stage tells. Blocks for some milliseconds; raises
    REGISTRY_INVALID, REGISTRY_UNREACHABLE for a file that is missing.
    """
    source = "the database"
    if FIRST_ROOT not in files:
        raise XinqiaoError("REGISTRY_INVALID", source=source, detail=f"{FIRST_ROOT} is missing")
    return _complete(Reading(source, HeldFiles(files, limits), files[FIRST_ROOT]))


def _complete(reading: Reading) -> RegistryState:
    state = reading.read()
    assert state is not None, "only a source that may be late answers None"
    return state


def _contradictions(states: Sequence[tuple[str, RegistryState]]) -> list[tuple[str, XinqiaoError]]:
    # Mostly all show the same files, which contradict nobody.
    if all(state.files == states[0][1].files for _, state in states):
        return []
    shown = [(name, faces(chain_of(state.files))) for name, state in states]
    found = []
    for (one, its_faces), (other, other_faces) in combinations(shown, 2):
        split = contradiction(its_faces, other_faces)
        if split is not None:
            role, version = split
            for name in (one, other):
                error = XinqiaoError("REGISTRY_TWO_FACES", source=f"{one}, {other}", role=role, version=version)
                found.append((name, error))
    return found


def _expiry(name: str, state: RegistryState) -> XinqiaoError:
    role, expires_ms = min(chain_of(state.files).expiries().items(), key=lambda pair: pair[1])
    return expired(name, role, expires_ms)


def _rank(state: RegistryState) -> tuple[int, int]:
    return state.versions.root_version, state.versions.timestamp_version


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms / 1000, UTC)
