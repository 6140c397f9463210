"""A node's descriptor: what it says of itself, its keys and certificates, signed with every key it names active.

A rotation takes two descriptors, so that peers know the new key before they meet it and the old one as long as they may
meet it:

    version n      [old ACTIVE]
    version n+1    [old ACTIVE, new ACTIVE]     signed by both; approved; the node then switches
    version n+2    [old RETIRED, new ACTIVE]    signed by the new one, which version n+1 named active
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from node.core.envelope import NODE_DESCRIPTOR, seal
from node.core.errors import XinqiaoError
from node.core.membership import open_descriptor
from node.keys.ring import LIVE, KeyRing, State, Use
from node.pb import envelope_pb2, registry_pb2


class Identity(Protocol):
    """What the settings say of a node; node.config.Config is one."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def division(self) -> str: ...
    @property
    def parent(self) -> str: ...
    @property
    def authorities(self) -> Sequence[str]: ...


def build_descriptor(
    previous: registry_pb2.NodeDescriptor | None, identity: Identity, ring: KeyRing, now_ms: int
) -> envelope_pb2.Envelope:
    """The signed descriptor that follows the listed one, version 1 without one.

    What the node prints and the officer compares is membership.fingerprint_of(envelope). Raises CONFIG_INVALID where
    the id changed, KEY_MISMATCH where no key here is one that the listed descriptor names active, JOIN_REQUEST.
    """
    # (1) the next version continues the one before
    if previous is not None:
        _check_continues(previous, identity, ring)
    # (2) content and signatures
    payload = _describe(previous, identity, ring, now_ms).SerializeToString(deterministic=True)
    envelope = seal(payload, NODE_DESCRIPTOR, *ring.live_signers)
    # (3) through the same door as a stranger's
    open_descriptor(envelope)
    return envelope


def needs_descriptor(listed: registry_pb2.NodeDescriptor, identity: Identity, ring: KeyRing) -> bool:
    """Whether the listed descriptor says anything else than the settings and keys of this home do."""
    wanted = _describe(listed, identity, ring, listed.created_at_unix_ms)
    wanted.version = listed.version
    return _in_any_order(wanted) != _in_any_order(listed)


def next_descriptor(
    listed: registry_pb2.NodeDescriptor,
    newest: envelope_pb2.Envelope,
    identity: Identity,
    ring: KeyRing,
    now_ms: int,
) -> envelope_pb2.Envelope | None:
    """The descriptor that the officers have to approve, None where the listed one says it all.

    newest is the one signed last: it stays the one to approve while it fits, so that its fingerprint, which somebody
    may be reading over the telephone, stays too. Raises as build_descriptor does.
    """
    if not needs_descriptor(listed, identity, ring):
        return None
    pending = open_descriptor(newest).message
    if pending.version == listed.version + 1 and not needs_descriptor(pending, identity, ring):
        return newest
    return build_descriptor(listed, identity, ring, now_ms)


def _describe(
    previous: registry_pb2.NodeDescriptor | None, identity: Identity, ring: KeyRing, now_ms: int
) -> registry_pb2.NodeDescriptor:
    return registry_pb2.NodeDescriptor(
        id=identity.id,
        version=(previous.version if previous else 0) + 1,
        name=identity.name,
        level=identity.level,
        division=identity.division,
        parent=identity.parent,
        authorities=_authorities(previous, identity.authorities, now_ms),
        signing_keys=[*_foreign_keys(previous, ring, now_ms), *_own_keys(ring)],
        tls_certificates=_certificates(ring),
        created_at_unix_ms=now_ms,
    )


def _authorities(
    previous: registry_pb2.NodeDescriptor | None, named: Sequence[str], now_ms: int
) -> Iterator[registry_pb2.Authority]:
    """Those of the descriptor before, ended where the settings name them no longer, then the new ones.

    An authority is never dropped: a record it once published stays one that this node might send.
    """
    still_open = set()
    for authority in previous.authorities if previous else ():
        if authority.to_unix_ms:
            yield authority
        elif authority.uscc in named:
            still_open.add(authority.uscc)
            yield authority
        else:
            yield registry_pb2.Authority(
                uscc=authority.uscc,
                from_unix_ms=authority.from_unix_ms,
                to_unix_ms=now_ms,
                successor=authority.successor,
            )
    # In the first descriptor they speak for it always: what they published before may be sent, too.
    start = now_ms if previous else 0
    yield from (
        registry_pb2.Authority(uscc=uscc, from_unix_ms=start) for uscc in dict.fromkeys(named) if uscc not in still_open
    )


def _own_keys(ring: KeyRing) -> Iterator[registry_pb2.SigningKey]:
    for record in ring.records:
        if record.use is Use.SIGNING:
            yield registry_pb2.SigningKey(
                key_id=record.key_id,
                suite=record.suite,
                public_key=record.public_key,
                state=_LISTED.get(record.state, registry_pb2.KEY_STATE_ACTIVE),
                not_before_unix_ms=record.not_before_ms,
                not_after_unix_ms=record.not_after_ms,
            )


_LISTED = {State.RETIRED: registry_pb2.KEY_STATE_RETIRED, State.REVOKED: registry_pb2.KEY_STATE_REVOKED}


def _foreign_keys(
    previous: registry_pb2.NodeDescriptor | None, ring: KeyRing, now_ms: int
) -> Iterator[registry_pb2.SigningKey]:
    """Keys the node once signed with that this home does not hold, such as those of a home that was replaced."""
    own = {record.key_id for record in ring.records}
    for key in previous.signing_keys if previous else ():
        if key.key_id in own:
            continue
        carried = registry_pb2.SigningKey()
        carried.CopyFrom(key)
        if key.state == registry_pb2.KEY_STATE_ACTIVE:
            carried.state = registry_pb2.KEY_STATE_RETIRED
            carried.not_after_unix_ms = now_ms
        yield carried


def _certificates(ring: KeyRing) -> Iterator[registry_pb2.TlsCertificate]:
    found = (ring.find(Use.TLS, state) for state in LIVE)
    return (registry_pb2.TlsCertificate(certificate=record.certificate) for record in found if record)


def _check_continues(previous: registry_pb2.NodeDescriptor, identity: Identity, ring: KeyRing) -> None:
    if previous.id != identity.id:
        detail = f"the registry lists this node as {previous.id}; an id never changes"
        raise XinqiaoError("CONFIG_INVALID", file="xinqiao.toml", key="id", detail=detail)
    active = {key.key_id for key in previous.signing_keys if key.state == registry_pb2.KEY_STATE_ACTIVE}
    if not active & {signer.key_id for signer in ring.live_signers}:
        ring.check_listed(previous)


def _in_any_order(descriptor: registry_pb2.NodeDescriptor) -> registry_pb2.NodeDescriptor:
    """The same with its lists sorted: which of two certificates stands first is worth no approval."""
    alike = registry_pb2.NodeDescriptor()
    alike.CopyFrom(descriptor)
    alike.signing_keys.sort(key=lambda key: key.key_id)
    alike.tls_certificates.sort(key=lambda each: each.certificate)
    return alike
