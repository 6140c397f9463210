"""The officers of a simulated network and their registry: real TUF files, signed with keys from a seed.

What is decided waits for publish(), which makes one new version of it, as one signing of the officers does. The
layout, the roles and how long they are valid are those of a real registry; nothing here reads a clock.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import Random
from types import MappingProxyType
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from securesystemslib.signer import CryptoSigner, Key
from tuf.api.metadata import (
    DelegatedRole,
    Delegations,
    Metadata,
    MetaFile,
    Root,
    Snapshot,
    TargetFile,
    Targets,
    Timestamp,
)

from node.core import envelope as envelopes
from node.core import registry_targets as paths
from node.core.address import book_digest, open_address
from node.core.catalogue import parse_edition
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import Cut, Member, Members, Standing
from node.core.registry_targets import NodeTarget
from node.pb import envelope_pb2, registry_pb2
from node.simulator.identity import START_MS, Identity

Files = Mapping[str, bytes]

OFFICERS = 3
THRESHOLD = 2
TARGETS = "targets"
DAYS = {"root": 365, TARGETS: 180, "snapshot": 7, "timestamp": 3}
REGION_DAYS = 90
SNAPSHOT_RENEWED_BELOW = timedelta(days=3)
TIMESTAMP_RENEWED_AFTER = timedelta(hours=12)
LONG_EXPIRED = timedelta(days=400)
"""How long ago the timestamp of expired_face() has ended: further back than any period of grace."""

SECOND_FACE_TARGET = "rules/second-face.json"


@dataclass(slots=True)
class _Role:
    """A targets role as signed last: its version, its targets and its bytes."""

    version: int = 0
    targets: dict[str, TargetFile] = field(default_factory=dict)
    content: bytes = b""


class Authority:
    """One network's officers and online key. Founded and published, without members, from the start.

    edition_json is the edition of the catalogue, also are further targets that it begins with, by path.

    files() is what is published; the mapping it returns is never changed afterwards.
    """

    def __init__(
        self,
        name: str,
        edition_json: bytes,
        random: Random,
        start_ms: int = START_MS,
        limits: Limits = DEFAULT_LIMITS,
        also: Files = MappingProxyType({}),
    ) -> None:
        self._limits = limits
        self._officers = [_signer(random) for _ in range(OFFICERS)]
        self._online = _signer(random)
        edition = paths.catalogue_path(parse_edition(edition_json).version)
        self._targets: dict[str, bytes] = {}
        self._roles: dict[str, _Role] = {TARGETS: _Role()}
        self._nodes: dict[str, NodeTarget] = {}
        self._cuts: dict[str, frozenset[bytes]] = {}
        self._undecided: set[str] = set()
        self._undecided_cuts: set[str] = set()
        self._reports: dict[str, registry_pb2.HeadReport] = {}
        self._addresses: dict[str, tuple[registry_pb2.AddressRecord, envelope_pb2.Envelope]] = {}
        self._root = self._sign_root(start_ms)
        self._snapshot_version = self._timestamp_version = self._shown_timestamp_version = 0
        self._snapshot = self._timestamp = b""
        self._second: Files | None = None
        self._expired: Files | None = None
        self._is_split = False
        self._history: list[tuple[int, Files]] = []
        self.now_ms = start_ms
        self.network = paths.network_id(name, self.root_fingerprint)
        self.members = Members(self.network, {})
        founding = {paths.NETWORK_TARGET: paths.encode_network(name, start_ms), edition: edition_json}
        self._publish(start_ms, {**founding, **also})

    @property
    def root_fingerprint(self) -> bytes:
        """The SHA-256 that an officer reads out, 32 bytes."""
        return paths.root_fingerprint(self._root)

    @property
    def versions(self) -> registry_pb2.RegistryVersions:
        """The versions of what is published."""
        return registry_pb2.RegistryVersions(
            root_version=1,
            timestamp_version=self._shown_timestamp_version,
            snapshot_version=self._snapshot_version,
            snapshot_hash=hashlib.sha256(self._snapshot).digest(),
        )

    # -- what the officers decide ------------------------------------------------------------------------------

    def list_node(self, identity: Identity) -> None:
        """Admit a new member; raises JOIN_ID_TAKEN for a listed one."""
        if identity.id in self._nodes:
            listed = self._nodes[identity.id].descriptor.fingerprint
            raise XinqiaoError("JOIN_ID_TAKEN", id=identity.id, listed=listed, found=identity.descriptor.fingerprint)
        self._decide(identity.id, NodeTarget(identity.descriptor, Standing.ACTIVE, "", 0, 0))

    def revise(self, identity: Identity) -> None:
        """List the next version of a member's descriptor, which keeps its standing; raises JOIN_*, MEMBER_UNKNOWN."""
        present, offered = self._listed(identity.id), identity.descriptor
        active = [key.public for key in present.descriptor.signing_keys if key.state == registry_pb2.KEY_STATE_ACTIVE]
        if not envelopes.signers(offered.envelope, envelopes.NODE_DESCRIPTOR, active, self._limits):
            raise XinqiaoError(
                "JOIN_ID_TAKEN", id=identity.id, listed=present.descriptor.fingerprint, found=offered.fingerprint
            )
        due = present.descriptor.message.version + 1
        if offered.message.version != due:
            raise XinqiaoError(
                "JOIN_REQUEST", detail=f"version {due} is due, this is version {offered.message.version}"
            )
        self._decide(identity.id, replace(present, descriptor=offered))

    def suspend(self, node: str, reason: str) -> None:
        """Stop a member: what its cut covers stays valid, nothing else is accepted; raises MEMBER_UNKNOWN.

        The cut is every head leaf of it that active members and the node itself have reported, and its earlier cut.
        """
        present = self._listed(node)
        self._cuts[node] = self._cuts.get(node, frozenset()) | self._leaves(node)
        self._undecided_cuts.add(node)
        self._decide(node, replace(present, standing=Standing.SUSPENDED, reason=reason))

    def reinstate(self, node: str) -> None:
        """Take a suspended member back in the next epoch, with its cut; raises MEMBER_UNKNOWN, STANDING."""
        present = self._listed(node)
        if present.standing is Standing.ACTIVE:
            raise XinqiaoError("STANDING", id=node, standing="active", action="reinstated")
        self._decide(node, replace(present, standing=Standing.ACTIVE, reason="", open_epoch=present.open_epoch + 1))

    def _decide(self, node: str, target: NodeTarget) -> None:
        self._nodes[node] = target
        self._undecided.add(node)

    def _listed(self, node: str) -> NodeTarget:
        if node not in self._nodes:
            raise XinqiaoError("MEMBER_UNKNOWN", node=node)
        return self._nodes[node]

    def _leaves(self, origin: str) -> frozenset[bytes]:
        """The leaves reported of an origin; those that the fewest reported go first where a cut may not hold them."""
        found: Counter[bytes] = Counter()
        for reporter, report in self._reports.items():
            if reporter != origin and self._nodes[reporter].standing is not Standing.ACTIVE:
                continue
            for heads in report.origins:
                if heads.origin == origin:
                    found.update(dict.fromkeys(heads.head_leaves, 1))
        ranked = sorted(found, key=lambda leaf: (-found[leaf], leaf))
        return frozenset(ranked[: self._limits.max_cut_leaves])

    # -- what members tell the registry ------------------------------------------------------------------------

    def take_report(self, envelope: envelope_pb2.Envelope, now_ms: int) -> None:
        """Keep a member's newest head report; raises HEAD_REPORT, SIGNATURE, CLOCK_SKEW, MEMBER_*."""
        if len(envelope.payload) > self._limits.max_head_report_bytes:
            raise XinqiaoError("HEAD_REPORT", node="the caller", detail="it is too large")
        report = envelopes.parse(registry_pb2.HeadReport, envelope.payload)
        node = report.reporter
        # (1) from an active member of this network, by one of its active keys
        if report.network != self.network:
            raise XinqiaoError("HEAD_REPORT", node=node[:64], detail=f"it is of the network {report.network[:80]}")
        keys = self.members.active(node).active_keys
        if not envelopes.signers(envelope, envelopes.HEAD_REPORT, keys, self._limits):
            raise XinqiaoError("SIGNATURE", signer=node)
        # (2) in order, and newer than what is held
        ahead_s, limit_s = (report.time_unix_ms - now_ms) // 1000, self._limits.max_clock_skew_ms // 1000
        if ahead_s > limit_s:
            raise XinqiaoError("CLOCK_SKEW", node="the registry", peer=node, skew_s=ahead_s, limit_s=limit_s)
        if any(len(leaf) != 32 for heads in report.origins for leaf in heads.head_leaves):
            raise XinqiaoError("HEAD_REPORT", node=node, detail="a head leaf is not 32 bytes")
        held = self._reports.get(node)
        if held is not None and held.time_unix_ms >= report.time_unix_ms:
            raise XinqiaoError("HEAD_REPORT", node=node, detail="a newer one is held")
        self._reports[node] = report

    def share_addresses(self, address: envelope_pb2.Envelope, known_digest: bytes) -> list[envelope_pb2.Envelope]:
        """Take an active member's address and give all others; raises ADDRESS, SIGNATURE, MEMBER_*."""
        verified = open_address(address, self.members, self._limits)
        record = verified.record
        self.members.active(record.node)
        known = self._addresses.get(record.node)
        if known is None or known[0].sequence < record.sequence:
            self._addresses[record.node] = (record, verified.envelope)
        held = dict(sorted(self._addresses.items()))
        if known_digest == book_digest(each for each, _ in held.values()):
            return []
        others = [envelope for node, (_, envelope) in held.items() if node != record.node]
        return others[: self._limits.max_addresses_per_hello]

    # -- publishing --------------------------------------------------------------------------------------------

    def files(self) -> Files:
        """Everything published, by published name: all roots, and the rest as it is in force."""
        return self._history[-1][1]

    def earlier_files(self) -> Files:
        """What was published before the newest snapshot, as of its last renewal; the newest where there is none."""
        before = (files for snapshot, files in reversed(self._history) if snapshot < self._snapshot_version)
        return next(before, self.files())

    def publish(self, now_ms: int) -> Files:
        """Make a new version of whatever was decided, and of snapshot and timestamp; what is published then."""
        changed: dict[str, bytes] = {}
        for node in sorted(self._undecided):
            self._nodes[node] = replace(self._nodes[node], decided_at_ms=now_ms)
            changed[paths.node_path(node)] = paths.encode_node(self._nodes[node])
        for node in sorted(self._undecided_cuts):
            changed[paths.cut_path(node)] = paths.encode_cut(node, self._cuts[node], now_ms)
        self._undecided.clear()
        self._undecided_cuts.clear()
        return self._publish(now_ms, changed)

    def renew(self, now_ms: int) -> bool:
        """Sign the timestamp anew every 12 h, the snapshot in its last 3 days; tells whether anything was due."""
        snapshot_left = _expires(self._snapshot) - _moment(now_ms)
        timestamp_left = _expires(self._timestamp) - _moment(now_ms)
        timestamp_is_due = timedelta(days=DAYS["timestamp"]) - timestamp_left >= TIMESTAMP_RENEWED_AFTER
        if snapshot_left < SNAPSHOT_RENEWED_BELOW or (timestamp_is_due and self._is_split):
            self._publish(now_ms, {})
        elif timestamp_is_due:
            self._renew_timestamp(now_ms)
            self._show(now_ms)
        else:
            return False
        return True

    def _publish(self, now_ms: int, changed: Files) -> Files:
        # (1) the officers: every role with a changed file, targets for a new region or after a second face
        self._targets.update(changed)
        roles = {_role_of(path) for path in changed}
        if self._is_split or roles - self._roles.keys():
            roles.add(TARGETS)
        self._is_split = False
        for role in sorted(roles - {TARGETS}):
            self._sign_role(role, changed, now_ms)
        if TARGETS in roles:
            self._sign_role(TARGETS, changed, now_ms)
        # (2) the online key
        self._snapshot_version += 1
        self._snapshot = self._sign_snapshot(_contents(self._roles), now_ms)
        self._renew_timestamp(now_ms)
        self.members = Members(self.network, {node: self._member(node) for node in sorted(self._nodes)})
        return self._show(now_ms)

    def _member(self, node: str) -> Member:
        listed, cut = self._nodes[node], self._cuts.get(node)
        return Member(
            listed.descriptor, listed.standing, listed.reason, Cut(cut) if cut is not None else None, listed.open_epoch
        )

    def _show(self, now_ms: int) -> Files:
        self.now_ms = now_ms
        self._second = self._expired = None
        files = self._named(_contents(self._roles), self._snapshot, self._timestamp, self._targets)
        self._history.append((self._snapshot_version, files))
        return files

    def _named(self, roles: Files, snapshot: bytes, timestamp: bytes, targets: Files) -> Files:
        named = {"1.root.json": self._root, "timestamp.json": timestamp}
        named[f"{self._snapshot_version}.snapshot.json"] = snapshot
        named |= {f"{self._roles[role].version}.{role}.json": content for role, content in roles.items()}
        return named | {paths.published_name(path, content): content for path, content in targets.items()}

    # -- what an honest registry never shows -------------------------------------------------------------------

    def part(self, now_ms: int) -> Files:
        """Publish a version of which a reader of the one before takes either face; what is published then."""
        self._is_split = True
        return self.publish(now_ms)

    def second_face(self) -> Files:
        """The same versions with other content, signed by the same keys; every node is a member in both.

        The next publication is one that holders of either face can take.
        """
        if self._second is None:
            self._is_split = True
            other = {SECOND_FACE_TARGET: b'{"face": 2}\n'}
            top = self._signed_targets(TARGETS, self._roles[TARGETS].targets | _listings(other), self.now_ms)
            roles = _contents(self._roles) | {TARGETS: top}
            snapshot = self._sign_snapshot(roles, self.now_ms)
            expires = _expires(self._timestamp)
            timestamp = self._sign_timestamp(snapshot, self._shown_timestamp_version, expires)
            self._second = self._named(roles, snapshot, timestamp, self._targets | other)
        return self._second

    def expired_face(self) -> Files:
        """What is published, under a new timestamp that has expired long ago; its version is not used again."""
        if self._expired is None:
            timestamp = self._next_timestamp(_moment(self.now_ms) - LONG_EXPIRED)
            self._expired = dict(self.files()) | {"timestamp.json": timestamp}
        return self._expired

    # -- signing -----------------------------------------------------------------------------------------------

    def _sign_root(self, now_ms: int) -> bytes:
        root = Root(version=1, expires=_expiry("root", now_ms), consistent_snapshot=True)
        for role in ("root", TARGETS):
            for officer in self._officers:
                root.add_key(officer.public_key, role)
            root.roles[role].threshold = THRESHOLD
        for role in ("snapshot", "timestamp"):
            root.add_key(self._online.public_key, role)
        return _signed(root, self._officers)

    def _sign_role(self, role: str, changed: Files, now_ms: int) -> None:
        made = self._roles.setdefault(role, _Role())
        made.version += 1
        made.targets.update(_listings({path: changed[path] for path in changed if _role_of(path) == role}))
        made.content = self._signed_targets(role, made.targets, now_ms)

    def _signed_targets(self, role: str, targets: Mapping[str, TargetFile], now_ms: int) -> bytes:
        version, expires = self._roles[role].version, _expiry(role, now_ms)
        delegations = self._delegations() if role == TARGETS else None
        return _signed(Targets(version, expires=expires, targets=dict(targets), delegations=delegations), self._quorum)

    @property
    def _quorum(self) -> list[CryptoSigner]:
        return self._officers[:THRESHOLD]

    def _delegations(self) -> Delegations:
        keys: dict[str, Key] = {officer.public_key.keyid: officer.public_key for officer in self._officers}
        regions = sorted(role.removeprefix(paths.region_role("")) for role in self._roles if role != TARGETS)
        named = {paths.region_role(region): paths.region_paths(region) for region in regions}
        roles = {
            role: DelegatedRole(role, list(keys), THRESHOLD, terminating=True, paths=patterns)
            for role, patterns in named.items()
        }
        return Delegations(keys=keys, roles=roles)

    def _sign_snapshot(self, roles: Files, now_ms: int) -> bytes:
        meta = {f"{role}.json": _meta(self._roles[role].version, content) for role, content in roles.items()}
        expires = _expiry("snapshot", now_ms)
        return _signed(Snapshot(self._snapshot_version, expires=expires, meta=meta), [self._online])

    def _next_timestamp(self, expires: datetime) -> bytes:
        self._timestamp_version += 1
        return self._sign_timestamp(self._snapshot, self._timestamp_version, expires)

    def _renew_timestamp(self, now_ms: int) -> None:
        self._timestamp = self._next_timestamp(_expiry("timestamp", now_ms))
        self._shown_timestamp_version = self._timestamp_version

    def _sign_timestamp(self, snapshot: bytes, version: int, expires: datetime) -> bytes:
        meta = _meta(self._snapshot_version, snapshot)
        return _signed(Timestamp(version, expires=expires, snapshot_meta=meta), [self._online])


def _signer(random: Random) -> CryptoSigner:
    return CryptoSigner(Ed25519PrivateKey.from_private_bytes(random.randbytes(32)))


def _signed(body: Any, signers: Iterable[CryptoSigner]) -> bytes:
    metadata: Metadata[Any] = Metadata(body)
    for signer in signers:
        metadata.sign(signer, append=True)
    return metadata.to_bytes()


def _contents(roles: Mapping[str, _Role]) -> dict[str, bytes]:
    return {role: made.content for role, made in roles.items()}


def _listings(files: Files) -> dict[str, TargetFile]:
    return {path: TargetFile.from_data(path, content, ["sha256"]) for path, content in files.items()}


def _role_of(path: str) -> str:
    folder, _, rest = path.partition("/")
    return paths.region_role(rest.partition("/")[0]) if folder in ("nodes", "cuts", "requests") else TARGETS


def _meta(version: int, content: bytes) -> MetaFile:
    return MetaFile(version, len(content), {"sha256": hashlib.sha256(content).hexdigest()})


def _moment(unix_ms: int) -> datetime:
    return datetime.fromtimestamp(unix_ms // 1000, UTC)


def _expiry(role: str, now_ms: int) -> datetime:
    return _moment(now_ms) + timedelta(days=DAYS.get(role, REGION_DAYS))


def _expires(content: bytes) -> datetime:
    expires: datetime = Metadata[Any].from_bytes(content).signed.expires
    return expires
