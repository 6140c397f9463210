"""What the registry does: found a network, gather signatures, publish, keep itself fresh, take requests and reports."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from securesystemslib.signer import CryptoSigner
from tuf.api.metadata import Snapshot, Targets, Timestamp

from node.core import envelope as envelopes
from node.core import registry_targets as paths
from node.core.errors import XinqiaoError
from node.core.membership import Standing, open_descriptor
from node.core.suites import PublicKey
from node.pb import envelope_pb2, registry_pb2
from registry import decisions, keys, proposals, repository
from registry.explanation import explain
from registry.proposals import Proposal
from registry.repository import ROOT, SNAPSHOT, TIMESTAMP, State
from registry.store import Request, Store

NETWORK_NAME_CHARS = 32


# --- Found --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Editions:
    """What a network is founded with beside its members: the bytes of editions, by what they are of."""

    catalogue: Sequence[bytes] = ()
    calendars: Sequence[bytes] = ()
    rules: Sequence[bytes] = ()
    measures: Sequence[bytes] = ()
    matters: Sequence[bytes] = ()

    def published(self, files: Mapping[str, bytes]) -> dict[str, bytes]:
        """These files and those of the editions; raises what the functions of decisions raise."""
        found = dict(files)
        # Matters name items and measures: those come first.
        for contents, publish in (
            (self.catalogue, decisions.publish_edition),
            (self.calendars, decisions.publish_calendar),
            (self.rules, decisions.publish_rules),
            (self.measures, decisions.publish_measures),
            (self.matters, decisions.publish_matters),
        ):
            for content in contents:
                found |= publish(found, content)
        return found


def found(
    store: Store,
    name: str,
    officers: Sequence[PublicKey],
    threshold: int,
    editions: Editions,
    online: CryptoSigner,
    now: int,
) -> Proposal:
    """Make the home of a new network and the proposal that its officers sign; raises ARGUMENT_INVALID."""
    _check_founding(name, officers, threshold)
    store.prepare()
    files = editions.published({paths.NETWORK_TARGET: paths.encode_network(name, now)})
    root = repository.new_root(officers, threshold, keys.public_of(online), now)
    proposal = proposals.found(root, files, now)
    with store.writing():
        store.disk.write(store.founding, proposals.encode(proposal))
        store.create(name)
    return proposal


def _check_founding(name: str, officers: Sequence[PublicKey], threshold: int) -> None:
    plain = name.replace("-", "").isalnum() and name.isascii() and name == name.lower()
    if not plain or len(name) > NETWORK_NAME_CHARS:
        detail = f"{name[:40]!r} is not 1 to {NETWORK_NAME_CHARS} of a-z, 0-9 and '-'"
        raise XinqiaoError("ARGUMENT_INVALID", argument="--network", detail=detail)
    if len({officer.key_id for officer in officers}) != len(officers):
        raise XinqiaoError("ARGUMENT_INVALID", argument="--officer-key", detail="the same key stands there twice")
    if not 1 <= threshold <= len(officers):
        detail = f"{threshold} of {len(officers)} officers is impossible"
        raise XinqiaoError("ARGUMENT_INVALID", argument="--threshold", detail=detail)


# --- Decide -------------------------------------------------------------------------------------------------


def pending(store: Store, node: str, fingerprint: str) -> Request:
    """The request whose fingerprint an officer was told; raises REQUEST_UNKNOWN, REQUEST_FINGERPRINT."""
    candidates = [request for request in store.requests() if request.id == node]
    if not candidates:
        raise XinqiaoError("REQUEST_UNKNOWN", id=node)
    for request in candidates:
        if request.descriptor.fingerprint == fingerprint:
            return request
    held = ", ".join(request.descriptor.fingerprint for request in candidates)
    raise XinqiaoError("REQUEST_FINGERPRINT", id=node, given=fingerprint, pending=held)


def leaves_reported(store: Store, node: str) -> frozenset[bytes]:
    """The head leaves of a node as its peers and itself reported them; reports of stopped members do not count."""
    members = store.members()
    counted = []
    for report in store.reports():
        member = members.get(report.reporter)
        if member is not None and (member.standing is Standing.ACTIVE or report.reporter == node):
            counted.append(report)
    return decisions.reported_leaves(counted, node, store.limits)


def together(state: State, earlier: Proposal | None) -> State:
    """The state as it would be with an earlier, unsigned proposal, so that one signing decides both."""
    if earlier is None:
        return state
    if earlier.founds or earlier.network != state.network:
        raise XinqiaoError("PROPOSAL_INVALID", file="--with", detail="it belongs to another network")
    return replace(state, files={**state.files, **earlier.files})


# --- Publish ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a submitted proposal stands."""

    proposal: Proposal
    present: int
    needed: int
    missing: tuple[str, ...]
    published: bool


def submit(store: Store, submitted: Mapping[str, Proposal], online: CryptoSigner, now: int) -> list[Progress]:
    """Gather the signatures of proposals by file name, and publish each that has enough.

    Raises PROPOSAL_INVALID, PROPOSAL_OUTDATED and PROPOSAL_UNEXPLAINED; then nothing of that file was kept.
    """
    gathered: dict[str, tuple[str, Proposal]] = {}
    with store.writing():
        for file, proposal in submitted.items():
            proposals.check_signatures(proposal, file)
            held = gathered[proposal.id][1] if proposal.id in gathered else store.proposal(proposal.id)
            gathered[proposal.id] = (file, proposals.merge(proposal, held) if held else proposal)
        return [_take(store, file, proposal, online, now) for file, proposal in gathered.values()]


def _take(store: Store, file: str, proposal: Proposal, online: CryptoSigner, now: int) -> Progress:
    state = store.state()
    if state is not None and _is_published(state, proposal):
        return progress_of(proposal, published=True)
    _check_current(store, state, proposal, file)
    explain(proposal, now, file).check(file)
    complete = proposals.is_complete(proposal)
    if complete:
        _publish(store, state, proposal, online, now)
        _forget_decided(store)
    else:
        _check_room(store, proposal)
        store.put_proposal(proposal)
    return progress_of(proposal, published=complete)


def _is_published(state: State, proposal: Proposal) -> bool:
    published = {role: repository.body(state.role(role)) for role in state.roles}
    published[ROOT] = repository.body(state.root)
    return all(repository.body(metadata) == published.get(role) for role, metadata in proposal.changed.items())


def _check_current(store: Store, state: State | None, proposal: Proposal, file: str) -> None:
    """Raise PROPOSAL_OUTDATED unless the proposal continues exactly what is published."""
    if state is None:
        # The home knows which network it founds: another founding is another network's.
        expected = proposals.parse(store.founding.read_bytes(), store.founding.name)
        if proposal.id != expected.id:
            raise XinqiaoError("PROPOSAL_INVALID", file=file, detail=f"it does not found {expected.network}")
        return
    if proposal.founds or proposal.network != state.network:
        raise XinqiaoError("PROPOSAL_INVALID", file=file, detail=f"it is not of the network {state.network}")
    if len(proposal.roots) != len(state.roots):
        raise _outdated(file, ROOT, len(proposal.roots), len(state.roots))
    for role in sorted({*proposal.changed, *proposal.base} - {ROOT}):
        base = repository.read(Targets, proposal.base[role]) if role in proposal.base else None
        current = state.role(role) if role in state.roles else None
        made_on, published = (each.signed.version if each else 0 for each in (base, current))
        if made_on != published:
            raise _outdated(file, role, made_on, published)
        if base and current and repository.body(base) != repository.body(current):
            raise XinqiaoError("PROPOSAL_INVALID", file=file, detail=f"it continues another {role} than is published")


def _outdated(file: str, role: str, base: int, current: int) -> XinqiaoError:
    return XinqiaoError("PROPOSAL_OUTDATED", file=file, role=role, base=base, current=current)


def _check_room(store: Store, proposal: Proposal) -> None:
    others = [each for each in store.proposals() if each.id != proposal.id]
    if len(others) >= store.limits.max_open_proposals:
        raise XinqiaoError("RATE_LIMITED", what="proposals are open", retry_s=3600)


def _publish(store: Store, state: State | None, proposal: Proposal, online: CryptoSigner, now: int) -> None:
    """Publish in the order of store.py: a crash at any step leaves the old state or the new one in force."""
    # (1) target files
    for path, content in proposal.files.items():
        store.put_target(path, content)
    # (2) root
    if ROOT in proposal.changed:
        store.put_role(ROOT, proposal.changed[ROOT])
    # (3) targets and regions
    roles = dict(state.roles) if state else {}
    for role, metadata in proposal.changed.items():
        if role != ROOT:
            roles[role] = store.put_role(role, metadata)
    # (4) snapshot and (5) timestamp
    _publish_online(store, state, roles, online, now)


def _publish_online(
    store: Store, state: State | None, roles: Mapping[str, bytes] | None, online: CryptoSigner, now: int
) -> None:
    """Sign a timestamp and, when the roles are given, the snapshot it names."""
    if roles is None and state is not None:
        snapshot = state.snapshot
    else:
        number = repository.read(Snapshot, state.snapshot).signed.version if state else 0
        made = repository.sign_snapshot(roles or {}, store.next_version(SNAPSHOT, number), online, now)
        store.claim(SNAPSHOT, made.signed.version, repository.body(made))
        snapshot = store.put_role(SNAPSHOT, made)
    number = repository.read(Timestamp, state.timestamp).signed.version if state else 0
    stamp = repository.sign_timestamp(snapshot, store.next_version(TIMESTAMP, number), online, now)
    store.claim(TIMESTAMP, stamp.signed.version, repository.body(stamp))
    store.put_timestamp(stamp.to_bytes())


def progress_of(proposal: Proposal, *, published: bool) -> Progress:
    """The least signed role decides how far a proposal is."""
    found = proposals.progress(proposal)
    signatures = min(found.values(), key=lambda each: len(each.signed) - each.threshold)
    missing = tuple(
        f"officer {place} ({keys.public_from_tuf(key).key_id[:16]})"
        for place, key in enumerate(signatures.officers, start=1)
        if key.keyid not in signatures.signed
    )
    return Progress(proposal, len(signatures.signed), signatures.threshold, missing, published)


def _forget_decided(store: Store) -> None:
    """Drop requests that were decided and proposals that were overtaken; done again after every publication."""
    state = store.founded()
    for request in store.requests():
        if answer(state, request.id, request.descriptor.fingerprint, request.received_at_ms) is not None:
            store.drop_request(request.id, request.descriptor.fingerprint)
    for proposal in store.proposals():
        try:
            _check_current(store, state, proposal, "")
        except XinqiaoError:
            store.drop_proposal(proposal)


# --- Keep fresh ---------------------------------------------------------------------------------------------


def keep_fresh(store: Store, online: CryptoSigner, now: int) -> bool:
    """Sign timestamp and, near its end, snapshot anew; tells whether anything was due."""
    with store.writing():
        state = store.founded()
        if repository.snapshot_is_due(state.snapshot, now):
            _publish_online(store, state, state.roles, online, now)
            return True
        if repository.timestamp_is_due(state.timestamp, now):
            _publish_online(store, state, None, online, now)
            return True
        return False


def open_online_key(store: Store, passphrase: bytes | None) -> CryptoSigner:
    """The key for snapshot and timestamp; raises KEY_FILE, REGISTRY_PASSPHRASE, KEY_MISMATCH."""
    signer = keys.load(store.online_key, passphrase, keys.REGISTRY_PASSPHRASE)
    state = store.state()
    if state is not None:
        root = state.root.signed
        listed = keys.public_from_tuf(root.get_key(root.roles[TIMESTAMP].keyids[0])).key_id
        found = keys.public_of(signer).key_id
        if listed != found:
            raise XinqiaoError("KEY_MISMATCH", kind="online", file=store.online_key, found=found, listed=listed)
    return signer


# --- Requests and reports -----------------------------------------------------------------------------------

LISTED, REJECTED = registry_pb2.JOIN_STATE_LISTED, registry_pb2.JOIN_STATE_REJECTED


def answer(state: State, node: str, fingerprint: str, asked_at_ms: int = 0) -> registry_pb2.JoinState | None:
    """What the officers answered to a request since it was filed, None when they have not."""
    present = decisions.listed(state.files, node)
    if present is not None and present.descriptor.fingerprint == fingerprint:
        return LISTED
    found = [line for line in decisions.rejections(state.files, node) if line.fingerprint == fingerprint]
    return REJECTED if any(line.decided_at_ms >= asked_at_ms for line in found) else None


def request_membership(store: Store, envelope: envelope_pb2.Envelope, now: int) -> registry_pb2.JoinState:
    """File a request for the officers; raises JOIN_REQUEST, JOIN_ID_TAKEN, RATE_LIMITED, REGISTRY_UNSIGNED."""
    # (1) its maker has the keys it names
    descriptor = open_descriptor(envelope, store.limits)
    decisions.check_own_keys(store.members(), descriptor)
    # (2) a listed id can only be continued by its own keys
    present = decisions.listed(store.founded().files, descriptor.message.id)
    if present is not None:
        if present.descriptor.fingerprint == descriptor.fingerprint:
            return LISTED
        decisions.check_succession(present.descriptor, descriptor)
    # (3) beside all others, never in their place
    with store.writing():
        store.add_request(descriptor, now)
    return registry_pb2.JOIN_STATE_PENDING


def request_state(store: Store, node: str, fingerprint: str) -> tuple[registry_pb2.JoinState, Progress | None]:
    """Where a request stands, and the submitted proposal that would list it."""
    state = store.founded()
    request = store.request(node, fingerprint)
    found = answer(state, node, fingerprint, request.received_at_ms if request else 0)
    if found is not None:
        return found, None
    if request is None:
        return registry_pb2.JOIN_STATE_UNKNOWN, None
    for proposal in store.proposals():
        target = decisions.listed(proposal.files, node)
        if target is not None and target.descriptor.fingerprint == fingerprint:
            return registry_pb2.JOIN_STATE_PENDING, progress_of(proposal, published=False)
    return registry_pb2.JOIN_STATE_PENDING, None


def report_heads(store: Store, envelope: envelope_pb2.Envelope, now: int) -> None:
    """Keep a member's newest head report; raises HEAD_REPORT, SIGNATURE, CLOCK_SKEW, MEMBER_*."""
    limits = store.limits
    if len(envelope.payload) > limits.max_head_report_bytes:
        raise XinqiaoError("HEAD_REPORT", node="the caller", detail=f"more than {limits.max_head_report_bytes} bytes")
    # The keys to verify with are named by the content: it is parsed first, within its size, and believed after (2).
    report = envelopes.parse(registry_pb2.HeadReport, envelope.payload)
    # (1) the reporter is an active member of this network
    members = store.members()
    if report.network != members.network:
        detail = f"it is of the network {report.network[:80]}, this is {members.network}"
        raise XinqiaoError("HEAD_REPORT", node=report.reporter[:64], detail=detail)
    member = members.active(report.reporter)
    # (2) one of its active keys signed it
    active = [key.public for key in member.descriptor.signing_keys if key.state == registry_pb2.KEY_STATE_ACTIVE]
    if not envelopes.signers(envelope, envelopes.HEAD_REPORT, active, limits):
        raise XinqiaoError("SIGNATURE", signer=report.reporter)
    # (3) it is in order, and newer than what is held
    _check_report(report, now, limits.max_clock_skew_ms)
    with store.writing():
        held = store.report(report.reporter)
        if held is not None and held.time_unix_ms >= report.time_unix_ms:
            raise XinqiaoError("HEAD_REPORT", node=report.reporter, detail="a newer one is held")
        store.put_report(report.reporter, envelope)


def _check_report(report: registry_pb2.HeadReport, now: int, skew_ms: int) -> None:
    ahead = report.time_unix_ms - now
    if ahead > skew_ms:
        raise XinqiaoError(
            "CLOCK_SKEW", node="the registry", peer=report.reporter, skew_s=ahead // 1000, limit_s=skew_ms // 1000
        )
    origins = [heads.origin for heads in report.origins]
    if origins != sorted(set(origins)):
        raise XinqiaoError("HEAD_REPORT", node=report.reporter, detail="its origins are not in ascending order")
    if any(len(leaf) != hashlib.sha256().digest_size for heads in report.origins for leaf in heads.head_leaves):
        raise XinqiaoError("HEAD_REPORT", node=report.reporter, detail="a head leaf is not 32 bytes")


def refusal_of(store: Store, node: str) -> XinqiaoError | None:
    """The refusal that the published registry means for calls of a node."""
    try:
        store.members().active(node)
    except XinqiaoError as error:
        return error
    return None


def versions(store: Store) -> registry_pb2.RegistryVersions:
    """The versions this registry publishes."""
    state = store.founded()
    return registry_pb2.RegistryVersions(
        root_version=len(state.roots),
        timestamp_version=repository.read(Timestamp, state.timestamp).signed.version,
        snapshot_version=repository.read(Snapshot, state.snapshot).signed.version,
        snapshot_hash=hashlib.sha256(state.snapshot).digest(),
    )
