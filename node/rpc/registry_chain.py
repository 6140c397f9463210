"""The registry's metadata of one state, and what two such states say of each other. Nothing is fetched here.

A face is what is signed as one version of one role. Two faces of one version mean that somebody signed two
histories: an alarm, whoever serves them.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuf.api.metadata import Metadata, MetaFile, Root, Snapshot, Timestamp

Faces = dict[tuple[str, int], str]

_PUBLISHED = re.compile(r"([1-9][0-9]{0,9})\.([a-z0-9-]{1,64})\.json")
TIMESTAMP_NAME = "timestamp.json"


@dataclass(frozen=True, slots=True)
class Chain:
    """The metadata of one state: all roots from version 1, timestamp, snapshot, and every targets role by name."""

    roots: tuple[bytes, ...]
    timestamp: bytes
    snapshot: bytes
    roles: Mapping[str, bytes]

    def files(self) -> dict[str, bytes]:
        """The metadata under its published names."""
        named = {f"{version}.root.json": root for version, root in enumerate(self.roots, start=1)}
        named[TIMESTAMP_NAME] = self.timestamp
        named[f"{version_of(self.snapshot)}.snapshot.json"] = self.snapshot
        named |= {f"{version_of(content)}.{role}.json": content for role, content in self.roles.items()}
        return named

    def expiries(self) -> dict[str, int]:
        """When each role in force expires, in Unix ms."""
        named = {"root": self.roots[-1], "timestamp": self.timestamp, "snapshot": self.snapshot, **self.roles}
        return {role: int(parse(content).signed.expires.timestamp() * 1000) for role, content in named.items()}


def parse(content: bytes) -> Metadata[Any]:
    """Parsed metadata, of any role; raises DeserializationError."""
    return Metadata.from_bytes(content)


def version_of(content: bytes) -> int:
    """The version of parsed metadata."""
    return int(parse(content).signed.version)


def local_names(files: Mapping[str, bytes]) -> dict[str, str]:
    """Published name -> where python-tuf looks for it in its directory, for the newest metadata of each role."""
    found: dict[str, tuple[int, str]] = {}
    local: dict[str, str] = {}
    for name in files:
        matched = _PUBLISHED.fullmatch(name)
        if name == TIMESTAMP_NAME:
            local[name] = name
        elif matched is not None and matched[2] == "root":
            local[name] = f"root_history/{name}"
        elif matched is not None:
            found[matched[2]] = max(found.get(matched[2], (0, "")), (int(matched[1]), name))
    return local | {name: f"{role}.json" for role, (_, name) in found.items()}


def chain_of(files: Mapping[str, bytes]) -> Chain:
    """The metadata among verified files; KeyError when it is not complete."""
    newest = {local: files[name] for name, local in local_names(files).items()}
    roots = sorted((int(local.split("/")[1].split(".")[0]), local) for local in newest if local.startswith("root_"))
    special = {local for _, local in roots} | {TIMESTAMP_NAME, "snapshot.json"}
    return Chain(
        roots=tuple(newest[local] for _, local in roots),
        timestamp=newest[TIMESTAMP_NAME],
        snapshot=newest["snapshot.json"],
        roles={local.removesuffix(".json"): newest[local] for local in newest if local not in special},
    )


# --- Faces --------------------------------------------------------------------------------------------------


def faces(chain: Chain) -> Faces:
    """Every version that a state shows, and the hash of what it shows as that version.

    Roots and timestamps count by what is signed, as others may have signed the same; the rest by their bytes,
    as timestamp and snapshot fix these.
    """
    return root_faces(chain) | timestamp_faces(chain.timestamp) | snapshot_faces(chain.snapshot)


def root_faces(chain: Chain) -> Faces:
    """What the chain of roots shows."""
    return {("root", version): _signed_hash(root) for version, root in enumerate(chain.roots, start=1)}


def timestamp_faces(content: bytes) -> Faces:
    """What a timestamp shows: itself and the snapshot it names."""
    timestamp: Timestamp = parse(content).signed
    meta = timestamp.snapshot_meta
    return {("timestamp", timestamp.version): _signed_hash(content), ("snapshot", meta.version): _sha256(meta)}


def snapshot_faces(content: bytes) -> Faces:
    """What a snapshot shows of every targets role."""
    snapshot: Snapshot = parse(content).signed
    return {(name.removesuffix(".json"), meta.version): _sha256(meta) for name, meta in snapshot.meta.items()}


def binding_faces(held: Chain, root: Root) -> Faces:
    """The held faces that bind under a newer root: not those of an online key that the officers have replaced.

    After the theft of an online key, versions may start again below what the thief signed (TUF 5.3.11).
    """
    shown = root_faces(held)
    if _signed_under(root, "timestamp", held.timestamp):
        shown |= timestamp_faces(held.timestamp)
    if _signed_under(root, "snapshot", held.snapshot):
        shown |= snapshot_faces(held.snapshot)
    return shown


def contradiction(one: Faces, other: Faces) -> tuple[str, int] | None:
    """The first (role, version) of which two states show different files."""
    return min((key for key in one.keys() & other.keys() if one[key] != other[key]), default=None)


def is_second_root(held: Chain, found: bytes) -> bool:
    """Whether a file is a second face of the newest held root: other content, signed as that one had to be."""
    newest, other = parse(held.roots[-1]), parse(found)
    if len(held.roots) == 1 or not isinstance(other.signed, Root) or other.signed.version != newest.signed.version:
        return False
    delegators = (parse(held.roots[-2]).signed, other.signed)
    signed = all(_signed_under(delegator, "root", found) for delegator in delegators)
    return signed and bool(other.signed_bytes != newest.signed_bytes)


def lowered(held: Chain, timestamp: bytes | None, snapshot: bytes | None) -> tuple[str, int, int] | None:
    """The first (role, found, held) whose version lies below the held one; reads what python-tuf has verified."""
    held_versions = {role: version for role, version in faces(held) if role != "root"}
    shown: Faces = timestamp_faces(timestamp) if timestamp else {}
    shown |= snapshot_faces(snapshot) if snapshot else {}
    below = ((role, found, held_versions.get(role, 0)) for role, found in shown)
    return next((each for each in below if each[1] < each[2]), None)


def _signed_hash(content: bytes) -> str:
    return hashlib.sha256(parse(content).signed_bytes).hexdigest()


def _sha256(meta: MetaFile) -> str:
    return (meta.hashes or {}).get("sha256", "")


def _signed_under(delegator: Root, role: str, content: bytes) -> bool:
    metadata = parse(content)
    return bool(delegator.get_verification_result(role, metadata.signed_bytes, metadata.signatures))
