"""The registry's home on disk.

    registry.json        the network's name, and that this folder is a registry
    online.pem           the key for snapshot and timestamp, 0600
    founding.proposal    what the officers sign first
    published/           the TUF repository under its published names: what anybody may fetch
    signed.json          the newest version and digest the online key signed, by role
    requests/            pending membership requests, by id and fingerprint
    reports/             the newest head report of each member
    proposals/           submitted proposals with the signatures gathered so far
    write.lock           held by whoever changes anything; serve.lock by the one serving process

Order of a publication, and what a crash leaves:
    (1) target files            names are their hashes: files nobody refers to
    (2) root.json               valid by itself; clients walk up to it whatever else happens
    (3) targets, regions        versions nobody refers to
    (4) signed.json, snapshot   a version nobody refers to, never signed with other content again
    (5) timestamp.json          the one mutable name. Before this rename the old state is served, after it the new one
A publication that is repeated after a crash finds the files of (1) to (3) in place and leaves them as they are.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuf.api.metadata import Metadata, Snapshot, Targets, Timestamp

from node.core import envelope as envelopes
from node.core import registry_targets as paths
from node.core.errors import XinqiaoError
from node.core.identifiers import is_node_id
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import Members, VerifiedDescriptor, open_descriptor
from node.pb import envelope_pb2, registry_pb2
from registry import proposals, repository
from registry.disk import Disk, holder, locked
from registry.proposals import Proposal
from registry.repository import ROOT, SNAPSHOT, TIMESTAMP_FILE, State

PUBLISHED_NAME = re.compile(r"(?:[a-z0-9-]{1,32}/){0,2}[A-Za-z0-9-][A-Za-z0-9.-]{0,160}\.json")
FINGERPRINT = re.compile(r"[0-9a-f]{64}")
REQUEST_LIFE_MS = 60 * 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Request:
    """One pending membership request."""

    descriptor: VerifiedDescriptor
    received_at_ms: int

    @property
    def id(self) -> str:
        """The node that asks."""
        return self.descriptor.message.id


class Store:
    """One registry home."""

    def __init__(self, home: Path, limits: Limits = DEFAULT_LIMITS, disk: Disk | None = None) -> None:
        self.home = home
        self.limits = limits
        self.disk = disk or Disk()
        self._held: tuple[bytes, State] | None = None
        self._members: tuple[State, Members] | None = None

    # -- the home itself

    @property
    def name(self) -> str:
        """The network's name; raises REGISTRY_HOME_MISSING."""
        try:
            return str(json.loads((self.home / "registry.json").read_bytes())["network"])
        except (OSError, ValueError, KeyError) as error:
            raise XinqiaoError("REGISTRY_HOME_MISSING", home=self.home) from error

    def prepare(self) -> None:
        """Make the folder of a new home; raises REGISTRY_HOME_EXISTS."""
        if (self.home / "registry.json").exists():
            raise XinqiaoError("REGISTRY_HOME_EXISTS", home=self.home, network=self.name)
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, network: str) -> None:
        """Write registry.json, the last file of `init`: a folder without it is no home, and can be made one again."""
        self.disk.write(self.home / "registry.json", _json({"network": network}))

    @property
    def online_key(self) -> Path:
        """Where the key for snapshot and timestamp lies."""
        return self.home / "online.pem"

    @property
    def founding(self) -> Path:
        """Where the first proposal lies."""
        return self.home / "founding.proposal"

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Exclude every other process and thread that changes this home, for a moment."""
        with locked(self.home / "write.lock", wait=True):
            yield

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Be the one process that serves this home; raises HOME_LOCKED."""
        path = self.home / "serve.lock"
        with locked(path, wait=False) as held:
            if not held:
                raise XinqiaoError("HOME_LOCKED", pid=holder(path), home=self.home)
            yield

    # -- what is published

    def file(self, name: str) -> bytes | None:
        """A published file by its published name, None when there is none or the name is no such name."""
        if PUBLISHED_NAME.fullmatch(name) is None:
            return None
        path = self.home / "published" / name
        # A published file is never a link, so the name cannot lead anywhere else.
        return path.read_bytes() if path.is_file() and not path.is_symlink() else None

    def state(self) -> State | None:
        """The published state, None before the founding. Read by another process's timestamp, so never torn."""
        timestamp = self.file(TIMESTAMP_FILE)
        if timestamp is None:
            return None
        if self._held is None or self._held[0] != timestamp:
            self._held = (timestamp, self._read(timestamp))
        return self._held[1]

    def _read(self, timestamp: bytes) -> State:
        version = repository.read(Timestamp, timestamp).signed.snapshot_meta.version
        snapshot = self._published(repository.versioned(SNAPSHOT, version))
        versions = {
            name.removesuffix(".json"): meta.version
            for name, meta in repository.read(Snapshot, snapshot).signed.meta.items()
        }
        roles = {role: self._published(repository.versioned(role, number)) for role, number in versions.items()}
        files: dict[str, bytes] = {}
        for content in roles.values():
            for path, info in repository.read(Targets, content).signed.targets.items():
                files[path] = self._published(info.get_prefixed_paths()[0])
        return State(self._roots(), roles, snapshot, timestamp, files)

    def _published(self, name: str) -> bytes:
        content = self.file(name)
        if content is None:
            raise XinqiaoError("REGISTRY_INVALID", source=self.home, detail=f"published/{name} is missing")
        return content

    def _roots(self) -> tuple[bytes, ...]:
        roots: list[bytes] = []
        while (content := self.file(repository.versioned(ROOT, len(roots) + 1))) is not None:
            roots.append(content)
        return tuple(roots)

    def members(self) -> Members:
        """All members of the published state."""
        state = self.founded()
        if self._members is None or self._members[0] is not state:
            # Every listed descriptor's signatures are checked, which takes a while for hundreds of members.
            self._members = (state, paths.members_from(state.network, state.files, self.limits))
        return self._members[1]

    def founded(self) -> State:
        """The published state; raises REGISTRY_UNSIGNED before the founding."""
        state = self.state()
        if state is None:
            raise XinqiaoError("REGISTRY_UNSIGNED", network=self.name, file=self.founding)
        return state

    def put_target(self, path: str, content: bytes) -> None:
        """Write a target under its published name, which holds its hash."""
        name = paths.published_name(path, content)
        if self.file(name) is None:
            self.disk.write(self.home / "published" / name, content)

    def put_role(self, role: str, metadata: Metadata[Any]) -> bytes:
        """Write a version of a role that is not visible yet, and return what stands under its name.

        What an interrupted publication left there stays when it is the same version with other signatures. A
        root is visible at once, so another one of that version is refused: REGISTRY_TWO_FACES.
        """
        version = metadata.signed.version
        name = repository.versioned(role, version)
        present = self.file(name)
        if present is not None:
            if repository.body(repository.read(type(metadata.signed), present)) == repository.body(metadata):
                return present
            if role == ROOT:
                raise XinqiaoError("REGISTRY_TWO_FACES", role=role, version=version)
        content = metadata.to_bytes()
        self.disk.write(self.home / "published" / name, content)
        return content

    def put_timestamp(self, content: bytes) -> None:
        """Make a publication visible."""
        self.disk.write(self.home / "published" / TIMESTAMP_FILE, content)

    # -- what the online key has signed

    def next_version(self, role: str, published: int) -> int:
        """The next version this home may sign: above what is published and above what was ever signed."""
        claimed: int = self._signed().get(role, {"version": 0})["version"]
        return max(published, claimed) + 1

    def claim(self, role: str, version: int, body: bytes) -> None:
        """Note what the online key is about to publish; raises REGISTRY_TWO_FACES for a second body."""
        signed = self._signed()
        digest = hashlib.sha256(body).hexdigest()
        newest = signed.get(role)
        repeated = newest is not None and (version, digest) == (newest["version"], newest["sha256"])
        if newest is not None and version <= newest["version"] and not repeated:
            raise XinqiaoError("REGISTRY_TWO_FACES", role=role, version=version)
        signed[role] = {"version": version, "sha256": digest}
        self.disk.write(self.home / "signed.json", _json(signed))

    def _signed(self) -> dict[str, Any]:
        path = self.home / "signed.json"
        return dict(json.loads(path.read_bytes())) if path.exists() else {}

    # -- membership requests

    def requests(self) -> list[Request]:
        """All pending requests, the oldest first."""
        found = [self._request(path) for path in sorted((self.home / "requests").glob("*.json"))]
        return sorted(found, key=lambda request: (request.received_at_ms, request.id))

    def request(self, node: str, fingerprint: str) -> Request | None:
        """One pending request."""
        path = self._request_path(node, fingerprint)
        return self._request(path) if path.exists() else None

    def add_request(self, descriptor: VerifiedDescriptor, now: int) -> None:
        """File a request beside all others; filing it again changes nothing. Raises RATE_LIMITED when full."""
        node, fingerprint = descriptor.message.id, descriptor.fingerprint
        path = self._request_path(node, fingerprint)
        if path.exists():
            return
        # Nobody's request is pushed out by another's; only age removes one.
        names = [each.name for each in self._drop_aged(now)]
        own = [name for name in names if name.startswith(f"{node}.")]
        if len(names) >= self.limits.max_join_requests or len(own) >= self.limits.max_join_requests_per_id:
            raise XinqiaoError("RATE_LIMITED", what="membership requests are pending", retry_s=3600)
        envelope = descriptor.envelope.SerializeToString().hex()
        self.disk.write(path, _json({"received_at_unix_ms": now, "descriptor": envelope}))

    def drop_request(self, node: str, fingerprint: str) -> None:
        """Forget a request that was decided, or that an operator does not want to see."""
        path = self._request_path(node, fingerprint)
        if path.exists():
            self.disk.remove(path)

    def _drop_aged(self, now: int) -> list[Path]:
        kept: list[Path] = []
        for path in sorted((self.home / "requests").glob("*.json")):
            if self._received_at(path) + REQUEST_LIFE_MS < now:
                self.disk.remove(path)
            else:
                kept.append(path)
        return kept

    def _received_at(self, path: Path) -> int:
        return int(json.loads(path.read_bytes())["received_at_unix_ms"])

    def _request(self, path: Path) -> Request:
        document = json.loads(path.read_bytes())
        envelope = envelopes.parse(envelope_pb2.Envelope, bytes.fromhex(document["descriptor"]))
        return Request(open_descriptor(envelope, self.limits), int(document["received_at_unix_ms"]))

    def _request_path(self, node: str, fingerprint: str) -> Path:
        # Both come from callers who may be anybody, and become a file name.
        if not is_node_id(node) or FINGERPRINT.fullmatch(fingerprint) is None:
            raise XinqiaoError("ARGUMENT_INVALID", argument="fingerprint", detail="a node id and 64 hex digits are due")
        return self.home / "requests" / f"{node}.{fingerprint}.json"

    # -- head reports

    def reports(self) -> list[registry_pb2.HeadReport]:
        """The newest report of each reporter, in ascending id."""
        found = [path.read_bytes() for path in sorted((self.home / "reports").glob("*.binpb"))]
        return [self._report(content) for content in found]

    def report(self, reporter: str) -> registry_pb2.HeadReport | None:
        """The newest report of one reporter."""
        path = self.home / "reports" / f"{reporter}.binpb"
        return self._report(path.read_bytes()) if path.exists() else None

    def put_report(self, reporter: str, envelope: envelope_pb2.Envelope) -> None:
        """Keep a verified report, signed as it came, in place of the reporter's former one."""
        self.disk.write(self.home / "reports" / f"{reporter}.binpb", envelope.SerializeToString())

    def _report(self, content: bytes) -> registry_pb2.HeadReport:
        envelope = envelopes.parse(envelope_pb2.Envelope, content)
        return envelopes.parse(registry_pb2.HeadReport, envelope.payload)

    # -- submitted proposals

    def proposals(self) -> list[Proposal]:
        """All submitted proposals that are neither published nor outdated."""
        found = sorted((self.home / "proposals").glob("*.json"))
        return [proposals.parse(path.read_bytes(), path.name) for path in found]

    def proposal(self, identity: str) -> Proposal | None:
        """One submitted proposal by its id."""
        path = self.home / "proposals" / f"{identity}.json"
        return proposals.parse(path.read_bytes(), path.name) if path.exists() else None

    def put_proposal(self, proposal: Proposal) -> None:
        """Keep a proposal with its signatures."""
        self.disk.write(self.home / "proposals" / f"{proposal.id}.json", proposals.encode(proposal))

    def drop_proposal(self, proposal: Proposal) -> None:
        """Forget a proposal that was published or overtaken."""
        self.disk.remove(self.home / "proposals" / f"{proposal.id}.json")


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"
