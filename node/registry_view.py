"""The registry as the duties see it: its sources, its verified state, and the View of what is in force.

node.ports hands these on: who needs ports imports them from there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Protocol

from node.core.catalogue import Edition
from node.core.matters import MattersEdition
from node.core.measures import MeasuresEdition
from node.core.membership import Members
from node.core.rules_edition import RulesEdition
from node.core.workdays import Calendar
from node.pb import envelope_pb2, registry_pb2


class Stage(IntEnum):
    """How old the trust in the registry's word is."""

    FRESH = 0
    STALE = 1
    EXPIRED = 2


@dataclass(frozen=True, slots=True)
class RegistryState:
    """One verified state of the registry.

    targets holds the verified targets by path; files every verified file by its published name.
    expires_ms is the earliest expiry among timestamp, snapshot, targets and regions.
    """

    network: str
    members: Members
    targets: Mapping[str, bytes]
    versions: registry_pb2.RegistryVersions
    expires_ms: int
    files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegistryNews:
    """What a refresh brought: the best verified state of all sources, and what went wrong with others."""

    state: RegistryState | None
    faults: Sequence[tuple[str, envelope_pb2.Refusal]] = ()


class Registry(Protocol):
    """The sources of registry files: the registry itself and every known node's registry port."""

    async def refresh(self, held: RegistryState | None, now_ms: int) -> RegistryNews:
        """Ask the sources and return the newest state that continues the held one; never raises for a bad source."""

    async def report_heads(self, report: envelope_pb2.Envelope) -> None:
        """Hand a signed head report to the registry; raises WIRE_* when no registry takes it."""

    async def share_addresses(
        self, address: envelope_pb2.Envelope, known_digest: bytes
    ) -> Sequence[envelope_pb2.Envelope]:
        """Introduce this node and learn the addresses of others; raises WIRE_* when no source answers."""


class View(Protocol):
    """What the duties know of the network: always the verified state in force."""

    @property
    def network(self) -> str:
        """The network as signed messages name it."""

    @property
    def me(self) -> str:
        """This node's id."""

    @property
    def members(self) -> Members:
        """All members."""

    @property
    def editions(self) -> Mapping[str, Edition]:
        """The catalogue editions by version."""

    @property
    def edition_in_force(self) -> Edition | None:
        """The edition this node publishes under, None before the registry has any."""

    @property
    def rules(self) -> Mapping[str, RulesEdition]:
        """The rules editions by version, the one that this software always has among them."""

    @property
    def rules_in_force(self) -> RulesEdition:
        """The rules edition this node publishes under."""

    def measures_in_force(self, now_ms: int) -> MeasuresEdition | None:
        """The edition of the measures that came into force last by a time, None before the first."""

    def matters_in_force(self, now_ms: int) -> MattersEdition | None:
        """The edition of the matters that came into force last by a time, None before the first."""

    @property
    def calendar(self) -> Calendar:
        """The calendar of working days in force; by weekends alone before the registry has any."""

    @property
    def versions(self) -> registry_pb2.RegistryVersions:
        """The versions of the registry's files held."""

    @property
    def read_at_ms(self) -> int:
        """When the registry was last read to the end without a fault. 0 means never."""

    @property
    def stage(self) -> Stage:
        """How old the trust in the registry's word is."""
