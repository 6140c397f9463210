"""The registry's files in a bundle, verified from a root fingerprint up to the listing of each node in question.

Verified with tuf.api.metadata alone: python-tuf's client wants a directory and fetches by itself. The layout is
that of the registry (node.core.registry_targets): whatever a listing must not depend on is refused, not followed.

    walk_roots    1.root.json has the fingerprint; each root is signed by itself and by the one before
    read_word     timestamp -> snapshot -> targets -> region -> listing, none expired as of a date

The hash in another file binds every file but the roots and the timestamp. Of these only the signed part is bound,
so they have one permitted form: compact JSON, no further field, just the signatures that verify, in order.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from securesystemslib.signer import Signature
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, TargetFile, Targets, Timestamp

from node.core import registry_targets as paths
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import Members

FIRST_ROOT_NAME = "1.root.json"
TIMESTAMP_NAME = "timestamp.json"
TARGETS = "targets"

REFUSALS = (RepositoryError, ValueError, RecursionError)
"""What the functions here raise for files that do not hold, besides REGISTRY_INVALID and JOIN_REQUEST of the core."""

S = TypeVar("S", Root, Snapshot, Targets, Timestamp)
Delegator = Root | Targets


class NamedFiles:
    """Files by published name; remembers which of them were needed."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self.taken: set[str] = set()

    def __contains__(self, name: str) -> bool:
        return name in self._files

    def take(self, name: str) -> bytes:
        """The file of that name; raises ValueError when it is not there."""
        if name not in self._files:
            raise ValueError(f"the registry's file {name[:100]} is missing")
        self.taken.add(name)
        return self._files[name]

    @property
    def left(self) -> list[str]:
        """The names of the files that nothing needed so far."""
        return sorted(self._files.keys() - self.taken)


@dataclass(frozen=True, slots=True)
class Word:
    """What the officers say, verified: members holds the nodes asked for as far as they are listed.

    edition is the catalogue edition's file, empty where none was asked for. decided_at_ms is the latest decision on one
    of these nodes, 0 without any. valid_until_ms is the earliest expiry of the metadata.
    """

    network: str
    name: str
    members: Members
    edition: bytes
    decided_at_ms: int
    valid_until_ms: int


# --- Roots --------------------------------------------------------------------------------------------------


def walk_roots(files: NamedFiles, fingerprint: bytes) -> Root:
    """The newest of the roots that begin with the one of this fingerprint, each signed by the one before.

    Raises what REFUSALS names, and REGISTRY_INVALID.
    """
    content = files.take(FIRST_ROOT_NAME)
    found = paths.root_fingerprint(content)
    if found != fingerprint:
        raise ValueError(f"the first root has the fingerprint {found.hex()}, you gave {fingerprint.hex()}")
    newest = _open_root(content, 1, ())
    while (name := f"{newest.version + 1}.root.json") in files:
        newest = _open_root(files.take(name), newest.version + 1, (newest,))
    return newest


def _open_root(content: bytes, version: int, before: tuple[Root, ...]) -> Root:
    metadata = _parse(Root, content, f"{version}.root.json", version)
    delegators = (*before, metadata.signed)
    for delegator in delegators:
        _check_signed("root", metadata, delegator)
    _check_form(metadata, content, "root", delegators)
    return metadata.signed


# --- From the timestamp to the listings ---------------------------------------------------------------------


def read_word(
    files: NamedFiles,
    root: Root,
    fingerprint: bytes,
    as_of_ms: int,
    origin: str,
    subscribers: Collection[str],
    edition: str,
    limits: Limits = DEFAULT_LIMITS,
) -> Word:
    """What the officers say of these nodes, the origin's cut included, and of this catalogue edition, none if empty.

    as_of_ms is a time in Unix ms. Raises what REFUSALS names, REGISTRY_INVALID and JOIN_REQUEST.
    """
    reading = _Reading(files, root, as_of_ms)
    wanted = [paths.node_path(node) for node in (origin, *subscribers)] + [paths.cut_path(origin)]
    targets = reading.listed(wanted)
    name = paths.parse_network(reading.official(paths.NETWORK_TARGET))
    network = paths.network_id(name, fingerprint)
    listed = [paths.parse_node(content, limits) for path, content in targets.items() if path.startswith("nodes/")]
    return Word(
        network=network,
        name=name,
        members=paths.members_from(network, targets, limits),
        edition=reading.official(paths.catalogue_path(edition)) if edition else b"",
        decided_at_ms=max((target.decided_at_ms for target in listed), default=0),
        valid_until_ms=min(reading.expiries_ms),
    )


class _Reading:
    """One descent from a verified root; expiries_ms are those of the metadata it went through."""

    def __init__(self, files: NamedFiles, root: Root, as_of_ms: int) -> None:
        self._files = files
        self._root = root
        self._as_of_ms = as_of_ms
        self.expiries_ms: list[int] = []
        self._check_expiry("root", root)
        self._snapshot = self._open_snapshot(self._open_timestamp())
        self._targets = self._open_role(TARGETS, root)
        self._regions: dict[str, Targets] = {}

    def official(self, path: str) -> bytes:
        """A target that the officers list for the whole network."""
        listed = self._targets.targets.get(path)
        if listed is None:
            raise ValueError(f"the registry does not list {path[:100]}")
        return self._take_target(path, listed)

    def listed(self, wanted: Collection[str]) -> dict[str, bytes]:
        """Those of the wanted listings and cuts that there are, by path."""
        found = {}
        for path in sorted(set(wanted)):
            region = self._region(paths.region_role(path.split("/")[1]), path)
            target = region.targets.get(path) if region is not None else None
            if target is not None:
                found[path] = self._take_target(path, target)
        return found

    # --- Roles ----------------------------------------------------------------------------------------------

    def _open_timestamp(self) -> MetaFile:
        content = self._files.take(TIMESTAMP_NAME)
        metadata = _parse(Timestamp, content, TIMESTAMP_NAME)
        _check_signed("timestamp", metadata, self._root)
        _check_form(metadata, content, "timestamp", (self._root,))
        self._check_expiry("timestamp", metadata.signed)
        return metadata.signed.snapshot_meta

    def _open_snapshot(self, meta: MetaFile) -> Snapshot:
        name = f"{meta.version}.snapshot.json"
        content = self._files.take(name)
        _check_hash(meta, content, name)
        metadata = _parse(Snapshot, content, name, meta.version)
        _check_signed("snapshot", metadata, self._root)
        self._check_expiry("snapshot", metadata.signed)
        return metadata.signed

    def _open_role(self, role: str, delegator: Delegator) -> Targets:
        meta = self._snapshot.meta.get(f"{role}.json")
        if meta is None:
            raise ValueError(f"the snapshot does not name {role}.json")
        name = f"{meta.version}.{role}.json"
        content = self._files.take(name)
        _check_hash(meta, content, name)
        metadata = _parse(Targets, content, name, meta.version)
        _check_signed(role, metadata, delegator)
        self._check_expiry(role, metadata.signed)
        return metadata.signed

    def _region(self, role: str, path: str) -> Targets | None:
        """The region that alone may list a path; None where there is none."""
        if path in self._targets.targets:
            raise ValueError(f"{path} is listed outside its region")
        delegations = self._targets.delegations
        responsible = list(delegations.get_roles_for_target(path)) if delegations is not None else []
        if not responsible:
            return None
        if responsible != [(role, True)]:
            raise ValueError(f"{path} is not left to {role} alone")
        if role not in self._regions:
            self._regions[role] = self._open_role(role, self._targets)
        return self._regions[role]

    def _take_target(self, path: str, listed: TargetFile) -> bytes:
        folder, slash, name = path.rpartition("/")
        published = f"{folder}{slash}{listed.hashes.get('sha256')}.{name}"
        content = self._files.take(published)
        _check_hash(listed, content, published)
        return content

    def _check_expiry(self, role: str, signed: Root | Timestamp | Snapshot | Targets) -> None:
        expires_ms = int(signed.expires.timestamp()) * 1000
        if expires_ms <= self._as_of_ms:
            raise ValueError(f"the registry's {role} had expired at {signed.expires:%Y-%m-%dT%H:%M:%SZ}")
        self.expiries_ms.append(expires_ms)


# --- Checks of one file -------------------------------------------------------------------------------------


def _parse(kind: type[S], content: bytes, name: str, version: int | None = None) -> Metadata[S]:
    metadata = Metadata[S].from_bytes(content)
    if not isinstance(metadata.signed, kind) or version not in (None, metadata.signed.version):
        raise ValueError(f"{name} holds {metadata.signed.type} version {metadata.signed.version}")
    return metadata


def _check_signed(role: str, metadata: Metadata[Any], delegator: Delegator) -> None:
    delegator.verify_delegate(role, metadata.signed_bytes, metadata.signatures)


def _check_hash(listed: MetaFile | TargetFile, content: bytes, name: str) -> None:
    # Without its hash in a signed file nothing would bind the bytes: python-tuf lets metadata go without.
    if "sha256" not in (listed.hashes or {}):
        raise ValueError(f"{name} is named without its SHA-256")
    listed.verify_length_and_hashes(content)


def _check_form(metadata: Metadata[Any], content: bytes, role: str, delegators: tuple[Delegator, ...]) -> None:
    if _in_form(metadata, role, delegators) != content:
        raise ValueError(f"{role}.json carries more than is signed: a needless signature, a field, or another form")


def _in_form(metadata: Metadata[Any], role: str, delegators: tuple[Delegator, ...]) -> bytes:
    signed = metadata.signed_bytes
    valid = {
        keyid for each in delegators for keyid in each.get_verification_result(role, signed, metadata.signatures).signed
    }
    signatures = {keyid: bytes.fromhex(metadata.signatures[keyid].signature).hex() for keyid in sorted(valid)}
    kept = {keyid: Signature(keyid, signature) for keyid, signature in signatures.items()}
    return Metadata(metadata.signed, kept).to_bytes()


# --- For the maker of a bundle ------------------------------------------------------------------------------


def in_permitted_form(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Verified files with the roots and the timestamp in the one form that a bundle may carry."""
    changed: dict[str, bytes] = {}
    before: tuple[Root, ...] = ()
    while (name := f"{len(changed) + 1}.root.json") in files:
        metadata = _parse(Root, files[name], name)
        changed[name] = _in_form(metadata, "root", (*before, metadata.signed))
        before = (metadata.signed,)
    timestamp = _parse(Timestamp, files[TIMESTAMP_NAME], TIMESTAMP_NAME)
    changed[TIMESTAMP_NAME] = _in_form(timestamp, "timestamp", before)
    return {**files, **changed}
