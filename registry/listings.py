"""What a change to the listing of one node means: admitted, changed, suspended, removed, reinstated, rejected."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from node.core import registry_targets as paths
from node.core.errors import XinqiaoError
from node.core.membership import Standing, VerifiedDescriptor
from node.core.registry_targets import MAX_REJECTIONS_KEPT, NodeTarget, Rejection
from node.pb import registry_pb2
from node.texts import term, words
from registry.decisions import check_succession
from registry.wording import grouped, shown, when

_KEY_STATES = {
    registry_pb2.KEY_STATE_ACTIVE: "active",
    registry_pb2.KEY_STATE_RETIRED: "retired",
    registry_pb2.KEY_STATE_REVOKED: "revoked",
}


@dataclass(frozen=True, slots=True)
class Listing:
    """The three files about one node; None where there is none."""

    node: bytes | None
    cut: bytes | None
    rejections: bytes | None

    @property
    def target(self) -> NodeTarget | None:
        """How the node is listed."""
        return paths.parse_node(self.node) if self.node is not None else None

    @property
    def leaves(self) -> frozenset[bytes]:
        """The head leaves of its cut."""
        return paths.parse_cut(self.cut).head_leaves if self.cut is not None else frozenset()

    @property
    def rejected(self) -> list[Rejection]:
        """The rejections of its requests."""
        return paths.parse_rejections(self.rejections) if self.rejections is not None else []


@dataclass(slots=True)
class Change:
    """The words for a change, and what of it has none."""

    lines: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)


def explain_listing(node: str, before: Listing, after: Listing) -> Change:
    """Say what becomes of a node; raises REGISTRY_INVALID, JOIN_REQUEST for files that cannot be read."""
    change = Change()
    _check_form(change, node, after)
    if before.node != after.node or before.cut != after.cut:
        _explain_standing(change, node, before, after)
    if before.rejections != after.rejections:
        _explain_rejections(change, node, before.rejected, after)
    return change


def _check_form(change: Change, node: str, after: Listing) -> None:
    """Each file must be exactly what this program writes for its meaning: nothing rides along unseen."""
    forms: list[tuple[bytes | None, Callable[[dict[str, Any]], bytes]]] = [
        (after.node, lambda _: paths.encode_node(paths.parse_node(after.node or b""))),
        (after.cut, lambda document: paths.encode_cut(node, after.leaves, document["decided_at_unix_ms"])),
        (after.rejections, lambda _: paths.encode_rejections(node, after.rejected)),
    ]
    for content, encode in forms:
        if content is not None and content != encode(json.loads(content)):
            change.unexplained.append(f"a file about {node} says more than its meaning")
    if any(len(leaf) != 32 for leaf in after.leaves):
        change.unexplained.append(f"the cut of {node} holds what is no head leaf")
    if after.target is not None and after.target.descriptor.message.id != node:
        change.unexplained.append(f"the file of {node} lists {shown(after.target.descriptor.message.id)}")


# --- Standing -----------------------------------------------------------------------------------------------


def _explain_standing(change: Change, node: str, before: Listing, after: Listing) -> None:
    old, new = before.target, after.target
    if new is None:
        change.unexplained.append(f"{node} is given a cut, but is not listed")
    elif old is None:
        _explain_admission(change, new, after)
    elif old.descriptor.fingerprint != new.descriptor.fingerprint:
        _explain_descriptor(change, old, new, before.cut == after.cut)
    elif old.descriptor.envelope != new.descriptor.envelope:
        change.unexplained.append(f"the signatures on the descriptor of {node} change, but not its content")
    elif new.standing is Standing.ACTIVE:
        _explain_reinstatement(change, old, new, before.cut == after.cut)
    else:
        _explain_stop(change, old, new, before, after)


def _explain_admission(change: Change, new: NodeTarget, after: Listing) -> None:
    message = new.descriptor.message
    if new.standing is not Standing.ACTIVE or new.open_epoch or new.reason or after.cut is not None:
        change.unexplained.append(f"{message.id} is new, but does not begin as an active member in epoch 0")
    parent = words("parent {parent}", parent=message.parent) if message.parent else words("no parent")
    place = words(", division {division}", division=shown(message.division)) if message.division else ""
    node = {"node": message.id, "name": shown(message.name), "level": term(message.level), "place": parent + place}
    change.lines.append(
        words("Admit the node {node} {name} ({level}, {place})", **node) + _fingerprint(new) + _decided(new)
    )
    change.lines += [f"    {line}" for line in _contents(new.descriptor)]


def _fingerprint(new: NodeTarget) -> str:
    return words(" with the fingerprint {fingerprint}", fingerprint=grouped(new.descriptor.fingerprint))


def _decided(decision: NodeTarget | Rejection) -> str:
    return words("; decided {time}", time=when(decision.decided_at_ms))


def _explain_descriptor(change: Change, old: NodeTarget, new: NodeTarget, same_cut: bool) -> None:
    node = new.descriptor.message.id
    try:
        check_succession(old.descriptor, new.descriptor)
    except XinqiaoError as error:
        change.unexplained.append(f"the new descriptor of {node} does not continue the listed one: {error.text}")
    if (old.standing, old.reason, old.open_epoch) != (new.standing, new.reason, new.open_epoch) or not same_cut:
        change.unexplained.append(f"with the descriptor of {node} its standing changes as well")
    versions = {"node": node, "old": old.descriptor.message.version, "new": new.descriptor.message.version}
    stays = {"standing": term(new.standing.value), "fingerprint": grouped(new.descriptor.fingerprint)}
    change.lines.append(
        words(
            "Change the descriptor of {node} from version {old} to {new}, signed by its listed keys;",
            **versions,
        )
        + words(" it stays {standing}; fingerprint {fingerprint}", **stays)
        + _decided(new)
    )
    was, is_now = _contents(old.descriptor), _contents(new.descriptor)
    change.lines += [words("    no longer: {line}", line=line) for line in was if line not in is_now]
    change.lines += [words("    now: {line}", line=line) for line in is_now if line not in was]


def _explain_stop(change: Change, old: NodeTarget, new: NodeTarget, before: Listing, after: Listing) -> None:
    node = new.descriptor.message.id
    if after.cut is None or not after.leaves >= before.leaves:
        change.unexplained.append(f"the cut of {node} is missing, or gives up what an earlier cut covers")
    if new.open_epoch != old.open_epoch or old.standing is Standing.REMOVED or not new.reason:
        change.unexplained.append(f"{node} changes in more than its standing, or without a reason")
    named = {"node": node, "name": shown(new.descriptor.message.name)}
    verb = words("Suspend {node} {name}", **named)
    if new.standing is not Standing.SUSPENDED:
        verb = words("Remove {node} {name}", **named)
    if old.standing is new.standing:
        verb = words("Extend the cut of {node} {name}", **named)
    count = len(after.leaves)
    heads = words("1 channel head") if count == 1 else words("{count} channel heads", count=count)
    added = len(after.leaves - before.leaves)
    change.lines.append(
        verb
        + words(": nothing it signs after the cut ({heads}, {added} of them new) is accepted", heads=heads, added=added)
        + words("; reason: {reason}", reason=shown(new.reason))
        + _decided(new)
    )


def _explain_reinstatement(change: Change, old: NodeTarget, new: NodeTarget, same_cut: bool) -> None:
    node = new.descriptor.message.id
    if old.standing is Standing.ACTIVE or not same_cut or new.reason or new.open_epoch != old.open_epoch + 1:
        change.unexplained.append(f"{node} is not taken back with its cut and in the next epoch")
    named = {"node": node, "name": shown(new.descriptor.message.name), "standing": term(old.standing.value)}
    change.lines.append(
        words("Reinstate {node} {name} ({standing} until now)", **named)
        + words(": its channels go on in epoch {epoch}", epoch=new.open_epoch)
        + _decided(new)
    )


def _contents(descriptor: VerifiedDescriptor) -> list[str]:
    """Everything a descriptor says, one line each."""
    message = descriptor.message
    none = term("none")
    seat = {"parent": message.parent or none, "division": shown(message.division) or none}
    named = {"name": shown(message.name), "level": term(message.level)}
    lines = [words("name {name}, level {level}, parent {parent}, division {division}", **named, **seat)]
    for authority in message.authorities:
        start = when(authority.from_unix_ms) if authority.from_unix_ms else term("always")
        after = words(", then {successor}", successor=shown(authority.successor)) if authority.successor else ""
        life = {"start": start, "end": _until(authority.to_unix_ms)}
        lines.append(
            words("it may speak for the authority {uscc} from {start} until {end}", uscc=shown(authority.uscc), **life)
            + after
        )
    if not message.authorities:
        lines.append(words("it may speak for no authority"))
    for key in message.signing_keys:
        state = _KEY_STATES.get(key.state)
        stands = term(state) if state else words("state {number}", number=key.state)
        life = {"start": when(key.not_before_unix_ms), "end": _until(key.not_after_unix_ms)}
        named = {"key": key.key_id, "suite": shown(key.suite), "state": stands}
        lines.append(words("signing key {key} ({suite}, {state}, from {start} until {end})", **named, **life))
    for each, spki in zip(descriptor.tls_certificates, descriptor.tls_spki_hashes, strict=True):
        digests = {"certificate": hashlib.sha256(each).hexdigest(), "key": spki.hex()}
        lines.append(words("TLS certificate {certificate} with the key {key}", **digests))
    return lines


def _until(unix_ms: int) -> str:
    return when(unix_ms) if unix_ms else term("further notice")


# --- Rejections ---------------------------------------------------------------------------------------------


def _explain_rejections(change: Change, node: str, before: list[Rejection], after: Listing) -> None:
    lines = after.rejected
    for line in lines:
        if line not in before:
            asked = {"node": node, "fingerprint": grouped(shown(line.fingerprint)), "reason": shown(line.reason)}
            change.lines.append(
                words("Reject the request of {node} with the fingerprint {fingerprint}: {reason}", **asked)
                + _decided(line)
            )
    dropped = [line for line in before if line not in lines]
    full = len(lines) == MAX_REJECTIONS_KEPT
    for line in dropped:
        which = {"fingerprint": grouped(line.fingerprint)}
        if after.target is not None and line.fingerprint == after.target.descriptor.fingerprint:
            change.lines.append(words("Withdraw the rejection of the fingerprint {fingerprint}", **which))
        elif full and line in before[: len(dropped)]:
            change.lines.append(words("Forget the oldest rejection, of the fingerprint {fingerprint}", **which))
        else:
            change.unexplained.append(f"a rejection of a request of {node} disappears")
