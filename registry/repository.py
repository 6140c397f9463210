"""The TUF repository as bytes: what root, targets, regions, snapshot and timestamp say, and who must sign them.

    root, targets     the officers, by threshold                    targets: network.json, catalogue/*, rules/*,
                                                                    calendar/*
    region-<rr>       the same officers; terminating                targets: nodes/<rr>/*, cuts/<rr>/*, requests/<rr>/*
    snapshot          the online key of the registry
    timestamp         the online key of the registry

Nothing here reads a file or a clock. Source: The Update Framework specification 1.0.33; written with
tuf.api.metadata only, as tuf.repository is no stable interface.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from securesystemslib.signer import CryptoSigner, Key
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Role,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)
from tuf.api.serialization import DeserializationError, SerializationError

from node.core import registry_targets as paths
from node.core.errors import XinqiaoError
from node.core.suites import PublicKey
from registry import keys

ROOT, TARGETS, SNAPSHOT, TIMESTAMP = "root", "targets", "snapshot", "timestamp"
TIMESTAMP_FILE = "timestamp.json"

S = TypeVar("S", Root, Snapshot, Targets, Timestamp)


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long each role is valid, and when the online roles are signed anew."""

    root_days: int = 365
    targets_days: int = 180
    region_days: int = 90
    snapshot_days: int = 7
    timestamp_days: int = 3
    snapshot_renewed_below_days: int = 3
    timestamp_renewed_every_hours: int = 12
    officers_warned_below_days: int = 30

    def days(self, role: str) -> int:
        """The days a role is valid from its signing."""
        named = {
            ROOT: self.root_days,
            TARGETS: self.targets_days,
            SNAPSHOT: self.snapshot_days,
            TIMESTAMP: self.timestamp_days,
        }
        return named.get(role, self.region_days)

    def expiry(self, role: str, now: int) -> datetime:
        """When a role signed now expires; now in Unix ms."""
        return moment(now) + timedelta(days=self.days(role))


LIFETIMES = Lifetimes()


@dataclass(frozen=True, slots=True)
class State:
    """One published state: the bytes of its metadata, the chain of roots, and its target files by path."""

    roots: tuple[bytes, ...]
    roles: Mapping[str, bytes]
    snapshot: bytes
    timestamp: bytes
    files: Mapping[str, bytes]

    @property
    def network(self) -> str:
        """The network's id."""
        name = paths.parse_network(self.files[paths.NETWORK_TARGET])
        return paths.network_id(name, paths.root_fingerprint(self.roots[0]))

    @property
    def root(self) -> Metadata[Root]:
        """The newest root."""
        return read(Root, self.roots[-1])

    def role(self, name: str) -> Metadata[Targets]:
        """The targets role of that name; KeyError when there is none."""
        return read(Targets, self.roles[name])


def moment(unix_ms: int) -> datetime:
    """A time as TUF counts it: whole seconds, UTC."""
    return datetime.fromtimestamp(unix_ms // 1000, UTC)


def unix_ms(when: datetime) -> int:
    """A time of TUF in Unix ms."""
    return int(when.timestamp()) * 1000


def read(kind: type[S], content: bytes) -> Metadata[S]:
    """Parse metadata of one type; raises REGISTRY_INVALID. Verifies nothing."""
    try:
        metadata = Metadata[S].from_bytes(content)
    except (DeserializationError, RecursionError) as error:
        raise _invalid(f"{kind.type}.json cannot be read") from error
    if not isinstance(metadata.signed, kind):
        raise _invalid(f"{kind.type}.json holds {metadata.signed.type}")
    return metadata


def copy(metadata: Metadata[S]) -> Metadata[S]:
    """The same metadata, sharing nothing with the original."""
    return Metadata[S].from_bytes(metadata.to_bytes())


def body(metadata: Metadata[Any]) -> bytes:
    """The canonical bytes that signatures cover; raises REGISTRY_INVALID for what has none."""
    try:
        return metadata.signed_bytes
    except (SerializationError, RecursionError) as error:
        raise _invalid("metadata that has no canonical form") from error


def role_of(path: str) -> str:
    """The role that signs a target."""
    folder, _, rest = path.partition("/")
    return paths.region_role(rest.partition("/")[0]) if folder in ("nodes", "cuts", "requests") else TARGETS


# --- Found a network ----------------------------------------------------------------------------------------


def new_root(officers: Iterable[PublicKey], threshold: int, online: PublicKey, now: int) -> Metadata[Root]:
    """Root version 1, unsigned: the officers sign root and targets, the online key snapshot and timestamp."""
    official = [keys.tuf_key(officer) for officer in officers]
    automatic = keys.tuf_key(online)
    by_officers = [key.keyid for key in official]
    root = Root(
        version=1,
        expires=LIFETIMES.expiry(ROOT, now),
        keys={key.keyid: key for key in (*official, automatic)},
        roles={
            ROOT: Role(by_officers, threshold),
            TARGETS: Role(by_officers, threshold),
            SNAPSHOT: Role([automatic.keyid], 1),
            TIMESTAMP: Role([automatic.keyid], 1),
        },
        consistent_snapshot=True,
    )
    return Metadata(root)


def new_targets(files: Mapping[str, bytes], now: int) -> Metadata[Targets]:
    """Targets version 1, unsigned, over its files and without regions."""
    targets = Targets(version=1, expires=LIFETIMES.expiry(TARGETS, now), targets=target_files(files))
    return Metadata(targets)


def target_files(files: Mapping[str, bytes]) -> dict[str, TargetFile]:
    """What metadata says of each file: its length and SHA-256."""
    return {path: TargetFile.from_data(path, files[path], ["sha256"]) for path in sorted(files)}


# --- Change what officers sign ------------------------------------------------------------------------------


def draft(state: State, files: Mapping[str, bytes], now: int) -> dict[str, Metadata[Any]]:
    """The new versions, unsigned, of every role that must change for these files to be published."""
    drafted: dict[str, Metadata[Any]] = {}
    for role in sorted({role_of(path) for path in files}):
        own = {path: content for path, content in files.items() if role_of(path) == role}
        if role in state.roles:
            drafted[role] = succeed(state.role(role), role, now)
        else:
            # A region that was never used: targets must name it in the same breath.
            drafted[role] = Metadata(Targets(version=1, expires=LIFETIMES.expiry(role, now)))
            delegating = drafted.setdefault(TARGETS, succeed(state.role(TARGETS), TARGETS, now))
            delegate(delegating.signed, state.root.signed, role)
        drafted[role].signed.targets.update(target_files(own))
    return drafted


def renew(state: State, roles: Iterable[str], now: int) -> dict[str, Metadata[Any]]:
    """The same roles with a later expiry, unsigned."""
    current: dict[str, Metadata[Any]] = {ROOT: state.root}
    current |= {role: state.role(role) for role in state.roles}
    return {role: succeed(current[role], role, now) for role in sorted(roles)}


def succeed(metadata: Metadata[S], role: str, now: int) -> Metadata[S]:
    """The next version with a new expiry and without signatures."""
    successor = copy(metadata)
    successor.signatures.clear()
    successor.signed.version += 1
    successor.signed.expires = LIFETIMES.expiry(role, now)
    return successor


def delegate(targets: Targets, root: Root, role: str) -> None:
    """Add a region to targets: its own paths, signed by the officers who sign targets, nobody asked after it."""
    officers = root.roles[TARGETS]
    delegations = targets.delegations or Delegations(keys={}, roles={})
    regions = dict(delegations.roles or {})
    region = role.removeprefix(paths.region_role(""))
    regions[role] = DelegatedRole(
        name=role,
        keyids=list(officers.keyids),
        threshold=officers.threshold,
        terminating=True,
        paths=paths.region_paths(region),
    )
    # In ascending order, so that a proposal made again is the same bytes.
    delegations.roles = {name: regions[name] for name in sorted(regions)}
    delegations.keys |= {keyid: root.keys[keyid] for keyid in officers.keyids}
    targets.delegations = delegations


# --- Sign and verify ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Signatures:
    """How far a role is signed: the officers' keys, those that signed, and how many must."""

    officers: tuple[Key, ...]
    signed: frozenset[str]
    threshold: int

    @property
    def enough(self) -> bool:
        """Whether the threshold is reached."""
        return len(self.signed) >= self.threshold


def signatures_of(role: str, metadata: Metadata[Any], delegator: Root | Targets) -> Signatures:
    """The distinct keys of a role that signed this metadata; a key counts once, under whatever id it is listed."""
    found = delegator.get_verification_result(role, body(metadata), metadata.signatures)
    by_value = {str(key.keyval): keyid for keyid, key in found.signed.items()}
    officers = tuple(delegator.get_key(keyid) for keyid in delegator.get_delegated_role(role).keyids)
    return Signatures(officers, frozenset(by_value.values()), found.threshold)


def delegator_of(role: str, root: Root, targets: Targets) -> Root | Targets:
    """Who says which keys sign a role."""
    return root if role in (ROOT, TARGETS, SNAPSHOT, TIMESTAMP) else targets


def check_roots(roots: tuple[bytes, ...]) -> Root:
    """The newest root of a chain in which each is signed by itself and by the one before; raises REGISTRY_INVALID."""
    if not roots:
        raise _invalid("there is no root")
    previous: Root | None = None
    for version, content in enumerate(roots, start=1):
        metadata = read(Root, content)
        if metadata.signed.version != version:
            raise _invalid(f"root version {metadata.signed.version} stands where version {version} is due")
        check_signed(ROOT, metadata, metadata.signed)
        if previous is not None:
            check_signed(ROOT, metadata, previous)
        previous = metadata.signed
    return cast("Root", previous)


def check_signed(role: str, metadata: Metadata[Any], delegator: Root | Targets) -> None:
    """Raise REGISTRY_INVALID unless enough distinct keys of the role have signed."""
    try:
        signatures = signatures_of(role, metadata, delegator)
    except (ValueError, RepositoryError) as error:
        raise _invalid(f"nobody is named to sign {role}.json") from error
    if not signatures.enough:
        present = f"{len(signatures.signed)} of {signatures.threshold}"
        raise _invalid(f"{role}.json version {metadata.signed.version} bears {present} signatures")


def sign_snapshot(roles: Mapping[str, bytes], version: int, signer: CryptoSigner, now: int) -> Metadata[Snapshot]:
    """The snapshot that fixes version, length and hash of every targets role."""
    meta = {f"{role}.json": _meta(read(Targets, content).signed.version, content) for role, content in roles.items()}
    snapshot = Metadata(Snapshot(version=version, expires=LIFETIMES.expiry(SNAPSHOT, now), meta=meta))
    snapshot.sign(signer)
    return snapshot


def sign_timestamp(snapshot: bytes, version: int, signer: CryptoSigner, now: int) -> Metadata[Timestamp]:
    """The timestamp that names the one snapshot in force."""
    meta = _meta(read(Snapshot, snapshot).signed.version, snapshot)
    timestamp = Metadata(Timestamp(version=version, expires=LIFETIMES.expiry(TIMESTAMP, now), snapshot_meta=meta))
    timestamp.sign(signer)
    return timestamp


def _meta(version: int, content: bytes) -> MetaFile:
    return MetaFile(version, len(content), {"sha256": hashlib.sha256(content).hexdigest()})


def snapshot_is_due(snapshot: bytes, now: int) -> bool:
    """Whether the snapshot is so near its expiry that it is signed anew."""
    left = read(Snapshot, snapshot).signed.expires - moment(now)
    return left < timedelta(days=LIFETIMES.snapshot_renewed_below_days)


def timestamp_is_due(timestamp: bytes, now: int) -> bool:
    """Whether the timestamp is so old that it is signed anew."""
    left = read(Timestamp, timestamp).signed.expires - moment(now)
    age = timedelta(days=LIFETIMES.timestamp_days) - left
    return age >= timedelta(hours=LIFETIMES.timestamp_renewed_every_hours)


def near_expiry(state: State, now: int) -> dict[str, int]:
    """The days left of each role that the officers should soon sign anew."""
    signed = {ROOT: state.root.signed} | {role: state.role(role).signed for role in sorted(state.roles)}
    left = {role: (each.expires - moment(now)).days for role, each in signed.items()}
    return {role: days for role, days in left.items() if days < LIFETIMES.officers_warned_below_days}


def versioned(role: str, version: int) -> str:
    """The name a version of a role is published under."""
    return f"{version}.{role}.json"


def _invalid(detail: str) -> XinqiaoError:
    return XinqiaoError("REGISTRY_INVALID", source="the registry", detail=detail)
