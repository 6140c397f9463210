"""A small simulated network for tests: one authority, some members, and what they report."""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from node.core import envelope as envelopes
from node.pb import envelope_pb2, registry_pb2
from node.ports import RegistryNews, RegistryState
from node.rpc.registry_source import TufRegistry
from node.simulator.authority import Authority
from node.simulator.identity import START_MS, Identity, make_identity
from node.simulator.registry_transport import Files, Readings, SimulatedTransport

ROOT = Path(__file__).resolve().parents[2]
EDITION = (ROOT / "registry" / "editions" / "catalogue-2026.1.json").read_bytes()
NODES = ("310115", "330100", "hub")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


class SeededEntropy:
    """Randomness that repeats."""

    def __init__(self, seed: int = 7) -> None:
        self._random = Random(seed)

    def bytes(self, count: int) -> bytes:
        return self._random.randbytes(count)

    def uniform(self, low: float, high: float) -> float:
        return self._random.uniform(low, high)


def member(node: str) -> Identity:
    """The identity of a member."""
    return make_identity(node, "towns")


def town(seed: str = "towns") -> Authority:
    """An authority that has published the members; timestamp 2, snapshot 2."""
    made = Authority("delta", EDITION, Random(seed))
    for node in NODES:
        made.list_node(member(node))
    made.publish(START_MS)
    return made


def report(
    authority: Authority, node: str, leaves: Mapping[str, Sequence[bytes]], at_ms: int = START_MS
) -> envelope_pb2.Envelope:
    """A signed head report of a member."""
    origins = [registry_pb2.OriginHeads(origin=each, head_leaves=leaves[each]) for each in sorted(leaves)]
    message = registry_pb2.HeadReport(network=authority.network, reporter=node, time_unix_ms=at_ms, origins=origins)
    return envelopes.seal(message.SerializeToString(), envelopes.HEAD_REPORT, member(node).signer)


def refresh(
    held: RegistryState | None, now_ms: int, readings: Readings, *sources: Files | None, fingerprint: bytes = b""
) -> RegistryNews:
    """One refresh over the simulated transport; the first source is the registry, then nodes."""
    named = {"the registry" if not number else f"31000{number}": files for number, files in enumerate(sources)}

    async def fetch(name: str) -> Files | None:
        return named[name]

    async def report_heads(_: envelope_pb2.Envelope) -> None:
        raise AssertionError("nobody reports")

    async def share(*_: object) -> Sequence[envelope_pb2.Envelope]:
        raise AssertionError("nobody introduces itself")

    registry = TufRegistry(
        lambda: [(name, f"{name}:1") for name in named],
        SeededEntropy(),
        root_fingerprint=fingerprint or None,
        transport=SimulatedTransport(fetch, report_heads, share, readings),
    )
    return asyncio.run(registry.refresh(held, now_ms))


def codes(news: RegistryNews) -> list[tuple[str, str]]:
    """Who was named, and with which code."""
    return [(source, refusal.code) for source, refusal in news.faults]


def held_by(authority: Authority) -> RegistryState:
    """What a node holds that has just read the authority."""
    return Readings().load(authority.files())
