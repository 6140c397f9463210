"""The registry's target files: their paths, their JSON, and the members they add up to.

    network.json              {"name", "created_at_unix_ms"}
    nodes/<region>/<id>.json  {"descriptor", "standing", "reason", "open_epoch", "decided_at_unix_ms"}
    cuts/<region>/<id>.json   {"node", "head_leaves", "decided_at_unix_ms"}
    requests/<region>/<id>.json  {"node", "rejections": [{"fingerprint", "reason", "decided_at_unix_ms"}]}
    catalogue/<version>.json  see node.core.catalogue
    calendar/<version>.json   see node.core.workdays
    rules/<version>.json      see node.core.rules_edition
    measures/<version>.json   see node.core.measures
    matters/<version>.json    see node.core.matters

Whoever calls a parse function here has verified the bytes as TUF targets before.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from securesystemslib.exceptions import FormatError
from securesystemslib.formats import encode_canonical

from node.core import envelope as envelopes
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import Cut, Member, Members, Standing, VerifiedDescriptor, open_descriptor
from node.pb import envelope_pb2

NETWORK_TARGET = "network.json"
CATALOGUE_FOLDER = "catalogue/"
CALENDAR_FOLDER = "calendar/"
RULES_FOLDER = "rules/"
MEASURES_FOLDER = "measures/"
MATTERS_FOLDER = "matters/"
NATIONWIDE_REGION = "00"
MAX_REJECTIONS_KEPT = 16


def root_fingerprint(root: bytes) -> bytes:
    """The SHA-256 of the canonical signed part of a root.json, 32 bytes; raises REGISTRY_INVALID.

    It covers exactly what the officers sign, so it is known before the first of them signs
    (docs/decisions/0001-root-fingerprint.md). Nothing is verified here: whoever pins it still has the
    root checked against its own threshold. Source: TUF 1.0.33 section 4.2 (canonical JSON).
    """
    try:
        signed = _decode(root)["signed"]
        canonical = encode_canonical(signed) if isinstance(signed, dict) else None
        if canonical is None:
            raise ValueError("it has no signed part")
        return hashlib.sha256(canonical.encode()).digest()
    # A hostile root.json may nest deeper than the parser goes.
    except (FormatError, KeyError, RecursionError, TypeError, ValueError) as error:
        raise _unreadable("root.json", error) from error


def network_id(name: str, fingerprint: bytes) -> str:
    """The network as signed messages name it: the name and 16 hex digits of the first root's fingerprint."""
    return f"{name}:{fingerprint.hex()[:16]}"


def region_of(node: str) -> str:
    """The delegation that lists a node: its first two digits, or 00 for a node without a division code."""
    return node[:2] if node.isdigit() else NATIONWIDE_REGION


def region_role(region: str) -> str:
    """The name of a region's TUF role."""
    return f"region-{region}"


def region_paths(region: str) -> list[str]:
    """The target paths a region's role may sign."""
    return [f"{folder}/{region}/*" for folder in ("nodes", "cuts", "requests")]


def node_path(node: str) -> str:
    """Where a node is listed."""
    return f"nodes/{region_of(node)}/{node}.json"


def cut_path(node: str) -> str:
    """Where a node's cut stands."""
    return f"cuts/{region_of(node)}/{node}.json"


def rejections_path(node: str) -> str:
    """Where rejections of a node's requests stand."""
    return f"requests/{region_of(node)}/{node}.json"


def catalogue_path(version: str) -> str:
    """Where an edition of the catalogue stands."""
    return f"{CATALOGUE_FOLDER}{version}.json"


def calendar_path(version: str) -> str:
    """Where a calendar of working days stands."""
    return f"{CALENDAR_FOLDER}{version}.json"


def rules_path(version: str) -> str:
    """Where an edition of the rules stands."""
    return f"{RULES_FOLDER}{version}.json"


def measures_path(version: str) -> str:
    """Where an edition of the measures stands."""
    return f"{MEASURES_FOLDER}{version}.json"


def matters_path(version: str) -> str:
    """Where an edition of the matters stands."""
    return f"{MATTERS_FOLDER}{version}.json"


def published_name(path: str, content: bytes) -> str:
    """The name a target is served under with consistent snapshots: its hash before the file name."""
    folder, _, name = path.rpartition("/")
    prefix = f"{folder}/" if folder else ""
    return f"{prefix}{hashlib.sha256(content).hexdigest()}.{name}"


@dataclass(frozen=True, slots=True)
class NodeTarget:
    """How the officers list a node."""

    descriptor: VerifiedDescriptor
    standing: Standing
    reason: str
    open_epoch: int
    decided_at_ms: int


@dataclass(frozen=True, slots=True)
class Rejection:
    """One refused membership request."""

    fingerprint: str
    reason: str
    decided_at_ms: int


def encode_node(target: NodeTarget) -> bytes:
    """The JSON of nodes/<region>/<id>.json."""
    return _encode(
        {
            "descriptor": base64.b64encode(target.descriptor.envelope.SerializeToString()).decode(),
            "standing": target.standing.value,
            "reason": target.reason,
            "open_epoch": target.open_epoch,
            "decided_at_unix_ms": target.decided_at_ms,
        }
    )


def parse_node(content: bytes, limits: Limits = DEFAULT_LIMITS) -> NodeTarget:
    """Read nodes/<region>/<id>.json; raises REGISTRY_INVALID, JOIN_REQUEST."""
    document = _decode(content)
    try:
        envelope = envelopes.parse(envelope_pb2.Envelope, base64.b64decode(document["descriptor"], validate=True))
        return NodeTarget(
            descriptor=open_descriptor(envelope, limits),
            standing=Standing(document["standing"]),
            reason=str(document["reason"]),
            open_epoch=int(document["open_epoch"]),
            decided_at_ms=int(document["decided_at_unix_ms"]),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise _unreadable("a node target", error) from error


def decided_at_ms(content: bytes) -> int:
    """When the officers decided what nodes/<region>/<id>.json says, in Unix ms; raises REGISTRY_INVALID."""
    try:
        return int(_decode(content)["decided_at_unix_ms"])
    except (KeyError, ValueError, TypeError) as error:
        raise _unreadable("a node target", error) from error


def encode_cut(node: str, head_leaves: frozenset[bytes], decided_at_ms: int) -> bytes:
    """The JSON of cuts/<region>/<id>.json."""
    leaves = sorted(leaf.hex() for leaf in head_leaves)
    return _encode({"node": node, "head_leaves": leaves, "decided_at_unix_ms": decided_at_ms})


def parse_cut(content: bytes) -> Cut:
    """Read cuts/<region>/<id>.json; raises REGISTRY_INVALID."""
    document = _decode(content)
    try:
        return Cut(frozenset(bytes.fromhex(leaf) for leaf in document["head_leaves"]))
    except (KeyError, ValueError, TypeError) as error:
        raise _unreadable("a cut target", error) from error


def encode_rejections(node: str, rejections: list[Rejection]) -> bytes:
    """The JSON of requests/<region>/<id>.json; the newest MAX_REJECTIONS_KEPT are kept."""
    lines = [
        {"fingerprint": line.fingerprint, "reason": line.reason, "decided_at_unix_ms": line.decided_at_ms}
        for line in rejections[-MAX_REJECTIONS_KEPT:]
    ]
    return _encode({"node": node, "rejections": lines})


def parse_rejections(content: bytes) -> list[Rejection]:
    """Read requests/<region>/<id>.json; raises REGISTRY_INVALID."""
    document = _decode(content)
    try:
        return [
            Rejection(str(line["fingerprint"]), str(line["reason"]), int(line["decided_at_unix_ms"]))
            for line in document["rejections"]
        ]
    except (KeyError, ValueError, TypeError) as error:
        raise _unreadable("a rejection target", error) from error


def encode_network(name: str, created_at_ms: int) -> bytes:
    """The JSON of network.json."""
    return _encode({"name": name, "created_at_unix_ms": created_at_ms})


def parse_network(content: bytes) -> str:
    """The name in network.json; raises REGISTRY_INVALID."""
    document = _decode(content)
    name = document.get("name")
    if not isinstance(name, str) or not name:
        raise XinqiaoError("REGISTRY_INVALID", source="the registry", detail="network.json has no name")
    return name


def members_from(network: str, targets: Mapping[str, bytes], limits: Limits = DEFAULT_LIMITS) -> Members:
    """All members that verified targets add up to; a node listed under another id's path is refused."""
    members: dict[str, Member] = {}
    for path in sorted(path for path in targets if path.startswith("nodes/")):
        listed = parse_node(targets[path], limits)
        node = listed.descriptor.message.id
        if node_path(node) != path:
            raise XinqiaoError("REGISTRY_INVALID", source="the registry", detail=f"{path} lists the node {node}")
        cut = targets.get(cut_path(node))
        members[node] = Member(
            descriptor=listed.descriptor,
            standing=listed.standing,
            reason=listed.reason,
            cut=parse_cut(cut) if cut is not None else None,
            open_epoch=listed.open_epoch,
        )
    return Members(network, members)


def _encode(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def _decode(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError as error:
        raise _unreadable("a target", error) from error
    if not isinstance(document, dict):
        raise XinqiaoError("REGISTRY_INVALID", source="the registry", detail="a target is not an object")
    return document


def _unreadable(what: str, error: Exception) -> XinqiaoError:
    return XinqiaoError("REGISTRY_INVALID", source="the registry", detail=f"{what} cannot be read ({error})")
