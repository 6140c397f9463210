"""A ring of keys in real files, as tests make one."""

from dataclasses import dataclass
from pathlib import Path

from node.core.membership import VerifiedDescriptor, open_descriptor
from node.keys import KeyRing, Passphrase
from node.pb import envelope_pb2, registry_pb2
from registry.decisions import check_succession

NOW = 1_790_000_000_000
HOUR = 3_600_000
PASSPHRASE = Passphrase("correct horse 马".encode())


@dataclass(frozen=True)
class Named:
    """The settings a descriptor is made of."""

    id: str = "310115"
    name: str = "浦东新区"
    level: str = "district"
    division: str = "310115"
    parent: str = "310000"
    authorities: tuple[str, ...] = ("11319900MX00000001",)


def new_ring(tmp_path: Path, name: str = "keys", passphrase: Passphrase | None = None) -> KeyRing:
    return KeyRing.create(tmp_path / name, "310115", NOW, passphrase)


def message_of(envelope: envelope_pb2.Envelope) -> registry_pb2.NodeDescriptor:
    return open_descriptor(envelope).message


def listed_after(previous: VerifiedDescriptor, envelope: envelope_pb2.Envelope) -> VerifiedDescriptor:
    """List a change if the registry's own check lets it follow the version before."""
    found = open_descriptor(envelope)
    check_succession(previous, found)
    return found
