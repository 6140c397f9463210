"""Proposal files: everything an officer needs to judge and sign a change, on a machine without a network.

    format        "xinqiao-proposal/1"
    network       the network's id
    created_at_unix_ms
    roots         every published root.json, oldest first; empty for the proposal that founds a network
    base          the published metadata that is continued, by role; targets always among them
    changed       the new metadata in full, by role, with the signatures made so far
    files         the contents of the target files that are new
    previous      the contents of the target files that they replace or belong to

A proposal's identity is what its signatures cover: the changed metadata of its network.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from securesystemslib.signer import CryptoSigner
from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import Metadata, Root, Targets

from node.core import registry_targets as paths
from node.core.errors import XinqiaoError
from registry import keys, repository
from registry.repository import ROOT, TARGETS, Signatures, State

FORMAT = "xinqiao-proposal/1"
MAX_PROPOSAL_BYTES = 32 * 1024 * 1024


@dataclass(frozen=True)
class Proposal:
    """One change as a file hands it around."""

    network: str
    created_at_ms: int
    roots: tuple[bytes, ...]
    base: Mapping[str, bytes]
    changed: Mapping[str, Metadata[Any]]
    files: Mapping[str, bytes]
    previous: Mapping[str, bytes]

    @property
    def id(self) -> str:
        """Hex SHA-256 over the network and what is signed; signatures and remarks are not part of it."""
        digests = {role: hashlib.sha256(repository.body(each)).hexdigest() for role, each in self.changed.items()}
        return hashlib.sha256(json.dumps([self.network, digests], sort_keys=True).encode()).hexdigest()

    @property
    def founds(self) -> bool:
        """Whether this proposal founds a network."""
        return not self.roots

    @property
    def first_root(self) -> bytes:
        """Root version 1, which names the network."""
        return self.changed[ROOT].to_bytes() if self.founds else self.roots[0]


# --- Make ---------------------------------------------------------------------------------------------------


def found(root: Metadata[Root], files: Mapping[str, bytes], now: int) -> Proposal:
    """The proposal that founds a network."""
    name = paths.parse_network(files[paths.NETWORK_TARGET])
    network = paths.network_id(name, paths.root_fingerprint(root.to_bytes()))
    changed: dict[str, Metadata[Any]] = {ROOT: root, TARGETS: repository.new_targets(files, now)}
    return Proposal(network, now, (), {}, changed, dict(files), {})


def make(state: State, files: Mapping[str, bytes], now: int) -> Proposal:
    """The proposal to publish these files on top of a published state."""
    changing = {path: content for path, content in files.items() if state.files.get(path) != content}
    if not changing:
        raise XinqiaoError(
            "ARGUMENT_INVALID", argument="the decision", detail="everything it says is published already"
        )
    return _on(state, repository.draft(state, changing, now), changing, now)


def renew(state: State, roles: list[str], now: int) -> Proposal:
    """The proposal to sign roles anew with a later expiry."""
    return _on(state, repository.renew(state, roles, now), {}, now)


def _on(state: State, changed: dict[str, Metadata[Any]], files: Mapping[str, bytes], now: int) -> Proposal:
    base = {role: content for role, content in state.roles.items() if role in changed or role == TARGETS}
    # What the officers compare with: the whole former listing of every node that is touched.
    related = {paths.NETWORK_TARGET, *files}
    for path in files:
        folder, _, rest = path.partition("/")
        if folder in ("nodes", "cuts", "requests"):
            related |= {f"{each}/{rest}" for each in ("nodes", "cuts", "requests")}
    previous = {path: state.files[path] for path in sorted(related) if path in state.files}
    return Proposal(state.network, now, state.roots, base, changed, dict(files), previous)


# --- Read and write -----------------------------------------------------------------------------------------


def encode(proposal: Proposal) -> bytes:
    """The proposal as a JSON file."""
    document = {
        "format": FORMAT,
        "network": proposal.network,
        "created_at_unix_ms": proposal.created_at_ms,
        "roots": [json.loads(content) for content in proposal.roots],
        "base": {role: json.loads(content) for role, content in proposal.base.items()},
        "changed": {role: metadata.to_dict() for role, metadata in proposal.changed.items()},
        "files": {path: content.decode() for path, content in proposal.files.items()},
        "previous": {path: content.decode() for path, content in proposal.previous.items()},
    }
    return json.dumps(document, ensure_ascii=False, indent=1, sort_keys=True).encode() + b"\n"


def parse(content: bytes, file: str) -> Proposal:
    """Read a proposal file; raises PROPOSAL_INVALID. Verifies nothing."""
    if len(content) > MAX_PROPOSAL_BYTES:
        raise XinqiaoError("PROPOSAL_INVALID", file=file, detail=f"more than {MAX_PROPOSAL_BYTES} bytes")
    try:
        document = json.loads(content)
        if document["format"] != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        return Proposal(
            network=str(document["network"]),
            created_at_ms=int(document["created_at_unix_ms"]),
            roots=tuple(_bytes(each) for each in document["roots"]),
            base={role: _bytes(each) for role, each in document["base"].items()},
            changed={str(role): Metadata[Any].from_dict(each) for role, each in document["changed"].items()},
            files={path: text.encode() for path, text in document["files"].items()},
            previous={path: text.encode() for path, text in document["previous"].items()},
        )
    except (KeyError, ValueError, TypeError, AttributeError, RecursionError, RepositoryError) as error:
        raise XinqiaoError("PROPOSAL_INVALID", file=file, detail=f"it cannot be read ({error})") from error


def _bytes(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


# --- Sign ---------------------------------------------------------------------------------------------------


def progress(proposal: Proposal) -> dict[str, Signatures]:
    """How far each changed role is signed, by its officers; raises PROPOSAL_INVALID when nobody is named."""
    root, targets = _delegators(proposal)
    try:
        return {
            role: repository.signatures_of(role, metadata, repository.delegator_of(role, root, targets))
            for role, metadata in sorted(proposal.changed.items())
        }
    except (ValueError, RepositoryError) as error:
        raise XinqiaoError("PROPOSAL_INVALID", file="", detail="it changes a role that nobody is named for") from error


def _delegators(proposal: Proposal) -> tuple[Root, Targets]:
    """Who names the officers: the newest published root, and targets as they will be, for regions that are new."""
    try:
        changed = proposal.changed.get(TARGETS)
        targets = changed or repository.read(Targets, proposal.base[TARGETS])
        root = proposal.changed[ROOT] if proposal.founds else repository.read(Root, proposal.roots[-1])
    except KeyError as error:
        raise XinqiaoError("PROPOSAL_INVALID", file="", detail=f"{error} is missing") from error
    if not isinstance(root.signed, Root) or not isinstance(targets.signed, Targets):
        raise XinqiaoError("PROPOSAL_INVALID", file="", detail="root or targets is of another type")
    return root.signed, targets.signed


def roles_signed_by(proposal: Proposal, signer: CryptoSigner) -> list[str]:
    """The changed roles that this key may sign; raises OFFICER_KEY when there is none."""
    public = keys.public_of(signer)
    roles = [
        role
        for role, signatures in progress(proposal).items()
        if any(keys.public_from_tuf(key).key_id == public.key_id for key in signatures.officers)
    ]
    if not roles:
        raise XinqiaoError(
            "OFFICER_KEY", key=public.key_id[:16], roles=", ".join(proposal.changed), network=proposal.network
        )
    return roles


def sign(proposal: Proposal, signer: CryptoSigner) -> Proposal:
    """The proposal with this officer's signature on every role the officer signs."""
    changed = dict(proposal.changed)
    for role in roles_signed_by(proposal, signer):
        changed[role] = repository.copy(changed[role])
        changed[role].sign(signer, append=True)
    return replace(proposal, changed=changed)


def check_signatures(proposal: Proposal, file: str) -> None:
    """Raise PROPOSAL_INVALID for a signature that is not an officer's, or not over this content."""
    for role, signatures in progress(proposal).items():
        officers = {key.keyid for key in signatures.officers}
        for keyid in proposal.changed[role].signatures:
            if keyid not in officers:
                raise XinqiaoError("PROPOSAL_INVALID", file=file, detail=f"{keyid[:16]} is no officer for {role}")
            if keyid not in signatures.signed:
                detail = f"the signature by {keyid[:16]} is not over this {role}: one of them was changed"
                raise XinqiaoError("PROPOSAL_INVALID", file=file, detail=detail)


def merge(first: Proposal, second: Proposal) -> Proposal:
    """One proposal with the signatures of both; they must have the same id."""
    changed = {role: repository.copy(metadata) for role, metadata in first.changed.items()}
    for role, metadata in second.changed.items():
        changed[role].signatures |= metadata.signatures
    return replace(first, changed=changed)


def is_complete(proposal: Proposal) -> bool:
    """Whether every changed role has its threshold of officers."""
    return all(signatures.enough for signatures in progress(proposal).values())
