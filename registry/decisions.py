"""What officers can decide about a node, or about editions that all nodes go by, and the target files that say so.

Each function takes the published state and returns the files that change, by path; nothing is signed here.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TypeVar

from node.core import envelope as envelopes
from node.core import registry_targets as paths
from node.core.catalogue import parse_edition
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.matters import MattersEdition, parse_matters
from node.core.measures import parse_measures
from node.core.membership import Members, Standing, VerifiedDescriptor
from node.core.registry_targets import NodeTarget, Rejection
from node.core.rules import VERSION_1
from node.core.rules_edition import parse_rules
from node.core.workdays import parse_calendar
from node.pb import registry_pb2

Files = Mapping[str, bytes]
E = TypeVar("E")

EDITION_VERSION = re.compile(r"[0-9a-z](?:[0-9a-z-]|\.(?=[0-9a-z])){0,31}")


def listed(files: Files, node: str) -> NodeTarget | None:
    """How the node is listed, None when it is not."""
    content = files.get(paths.node_path(node))
    return paths.parse_node(content) if content is not None else None


def rejections(files: Files, node: str) -> list[Rejection]:
    """The signed rejections of a node's requests, oldest first."""
    content = files.get(paths.rejections_path(node))
    return paths.parse_rejections(content) if content is not None else []


def cut_leaves(files: Files, node: str) -> frozenset[bytes]:
    """The head leaves of a node's cut, none when it has no cut."""
    content = files.get(paths.cut_path(node))
    return paths.parse_cut(content).head_leaves if content is not None else frozenset()


# --- Membership ---------------------------------------------------------------------------------------------


def approve(files: Files, descriptor: VerifiedDescriptor, now: int) -> dict[str, bytes]:
    """List a descriptor: of a new member, or the next version of a listed one, which keeps its standing.

    Raises JOIN_ID_TAKEN and JOIN_REQUEST as check_succession does.
    """
    node = descriptor.message.id
    present = listed(files, node)
    if present is None:
        target = NodeTarget(descriptor, Standing.ACTIVE, "", 0, now)
    else:
        check_succession(present.descriptor, descriptor)
        target = replace(present, descriptor=descriptor, decided_at_ms=now)
    changed = {paths.node_path(node): paths.encode_node(target)}
    # A rejection of the same descriptor would contradict its listing.
    lines = rejections(files, node)
    kept = [line for line in lines if line.fingerprint != descriptor.fingerprint]
    if kept != lines:
        changed[paths.rejections_path(node)] = paths.encode_rejections(node, kept)
    return changed


def check_own_keys(members: Members, offered: VerifiedDescriptor) -> None:
    """Raise JOIN_REQUEST where a descriptor shows a key of another member: callers are told apart by their keys."""
    node = offered.message.id
    signing = {key.public.key_id for key in offered.signing_keys}
    for other in members.by_id.values():
        theirs = {key.public.key_id for key in other.descriptor.signing_keys}
        if other.id != node and (
            signing & theirs or set(offered.tls_spki_hashes) & set(other.descriptor.tls_spki_hashes)
        ):
            raise XinqiaoError("JOIN_REQUEST", detail="it shows a key that another member has")


def check_succession(present: VerifiedDescriptor, offered: VerifiedDescriptor) -> None:
    """Raise unless a descriptor may follow the listed one.

    JOIN_ID_TAKEN when no active key of the listed version signed it: anybody could have made it. JOIN_REQUEST
    when it is not the next version, or forgets a key or wakes one: old entries are attributed by those keys.
    """
    active = [key.public for key in present.signing_keys if key.state == registry_pb2.KEY_STATE_ACTIVE]
    if not envelopes.signers(offered.envelope, envelopes.NODE_DESCRIPTOR, active):
        raise XinqiaoError(
            "JOIN_ID_TAKEN", id=present.message.id, listed=present.fingerprint, found=offered.fingerprint
        )
    due = present.message.version + 1
    if offered.message.version != due:
        raise XinqiaoError("JOIN_REQUEST", detail=f"version {due} is due, this is version {offered.message.version}")
    states = {key.public.key_id: key.state for key in offered.signing_keys}
    for key in present.signing_keys:
        state = states.get(key.public.key_id)
        if state is None:
            raise XinqiaoError("JOIN_REQUEST", detail=f"the listed key {key.public.key_id[:16]} is left out")
        if state == registry_pb2.KEY_STATE_ACTIVE and key.state != registry_pb2.KEY_STATE_ACTIVE:
            raise XinqiaoError("JOIN_REQUEST", detail=f"the ended key {key.public.key_id[:16]} is active again")


def reject(files: Files, node: str, fingerprint: str, reason: str, now: int) -> dict[str, bytes]:
    """Answer a request with a reason that its maker can verify."""
    check_reason(reason)
    lines = [*rejections(files, node), Rejection(fingerprint, reason, now)]
    return {paths.rejections_path(node): paths.encode_rejections(node, lines)}


def stop(
    files: Files, node: str, standing: Standing, reason: str, leaves: frozenset[bytes], now: int
) -> dict[str, bytes]:
    """Suspend or remove a member: what its cut covers stays valid, nothing else is accepted.

    The leaves of an earlier cut stay in the new one. Raises MEMBER_UNKNOWN, STANDING.
    """
    check_reason(reason)
    present = _member(files, node)
    if present.standing is Standing.REMOVED:
        raise XinqiaoError("STANDING", id=node, standing="removed", action=standing.value)
    cut = cut_leaves(files, node) | leaves
    target = replace(present, standing=standing, reason=reason, decided_at_ms=now)
    return {
        paths.node_path(node): paths.encode_node(target),
        paths.cut_path(node): paths.encode_cut(node, cut, now),
    }


def reinstate(files: Files, node: str, now: int) -> dict[str, bytes]:
    """Take a suspended or removed member back: its channels go on in the next epoch, its cut stays."""
    present = _member(files, node)
    if present.standing is Standing.ACTIVE:
        raise XinqiaoError("STANDING", id=node, standing="active", action="reinstated")
    target = replace(present, standing=Standing.ACTIVE, reason="", open_epoch=present.open_epoch + 1, decided_at_ms=now)
    return {paths.node_path(node): paths.encode_node(target)}


def _member(files: Files, node: str) -> NodeTarget:
    present = listed(files, node)
    if present is None:
        raise XinqiaoError("MEMBER_UNKNOWN", node=node)
    return present


def check_reason(reason: str, limits: Limits = DEFAULT_LIMITS) -> None:
    """Raise ARGUMENT_INVALID for a reason that says nothing or too much."""
    if not reason.strip() or len(reason) > limits.max_reason_chars:
        detail = f"1 to {limits.max_reason_chars} characters that the other side understands"
        raise XinqiaoError("ARGUMENT_INVALID", argument="--reason", detail=detail)


def reported_leaves(
    reports: Iterable[registry_pb2.HeadReport], origin: str, limits: Limits = DEFAULT_LIMITS
) -> frozenset[bytes]:
    """All head leaves of an origin that members reported, the origin's own report included.

    Where there are more than a cut may hold, those go first that the fewest members reported: a single member
    cannot crowd out what the others hold.
    """
    found: Counter[bytes] = Counter()
    for report in reports:
        for heads in report.origins:
            if heads.origin == origin:
                found.update({leaf for leaf in heads.head_leaves if len(leaf) == 32})
    ranked = sorted(found, key=lambda leaf: (-found[leaf], leaf))
    return frozenset(ranked[: limits.max_cut_leaves])


# --- Catalogue, rules and calendar --------------------------------------------------------------------------


def publish_edition(files: Files, content: bytes) -> dict[str, bytes]:
    """Publish an edition of the catalogue; raises CATALOGUE_INVALID, ARGUMENT_INVALID."""
    version = parse_edition(content).version
    _check_version(version)
    # Records cite the edition they were judged by: an edition in force never changes.
    return _unless_published(files, paths.catalogue_path(version), content)


def publish_rules(files: Files, content: bytes) -> dict[str, bytes]:
    """Publish an edition of the rules; raises RULES_INVALID, ARGUMENT_INVALID."""
    version = parse_rules(content).version
    _check_version(version)
    if version == VERSION_1.version:
        raise XinqiaoError("ARGUMENT_INVALID", argument="version", detail="version 1 is part of the software")
    # Entries cite the edition they were judged by, too.
    return _unless_published(files, paths.rules_path(version), content)


def publish_calendar(files: Files, content: bytes) -> dict[str, bytes]:
    """Publish a calendar of working days; the one issued last counts. Raises CALENDAR_INVALID, ARGUMENT_INVALID."""
    version = parse_calendar(content).version
    _check_version(version)
    # Deadlines that were told stay explicable: another announcement is another version.
    return _unless_published(files, paths.calendar_path(version), content)


def publish_measures(files: Files, content: bytes) -> dict[str, bytes]:
    """Publish an edition of the measures; raises ARGUMENT_INVALID."""
    version = _drafted("MEASURES", parse_measures, content).version
    _check_version(version)
    # Answers cite the edition too, and lists rest on it.
    return _unless_published(files, paths.measures_path(version), content)


def publish_matters(files: Files, content: bytes) -> dict[str, bytes]:
    """Publish an edition of the matters, whose items and measures are published; raises ARGUMENT_INVALID."""
    edition = _drafted("MATTERS", parse_matters, content)
    _check_version(edition.version)
    _check_named(files, edition)
    # The log of queries names matters: what one was stays explicable.
    return _unless_published(files, paths.matters_path(edition.version), content)


def _drafted(argument: str, parse: Callable[[bytes], E], content: bytes) -> E:
    """An edition as an officer drafted it: what is wrong with it is the officer's to put right."""
    try:
        return parse(content)
    except XinqiaoError as error:
        raise XinqiaoError("ARGUMENT_INVALID", argument=argument, detail=error.parameters["detail"]) from None


def _check_named(files: Files, edition: MattersEdition) -> None:
    """Raise for an item or a measure that no published edition has: a matter would silently ask for less."""
    items = {item for content in _under(files, paths.CATALOGUE_FOLDER) for item in parse_edition(content).items}
    codes = {code for content in _under(files, paths.MEASURES_FOLDER) for code in parse_measures(content).measures}
    for matter in edition.matters.values():
        lost = [*(each for each in matter.items if each not in items), *(set(matter.measures) - codes)]
        if lost:
            detail = f"{matter.code} names what no published edition has: {', '.join(sorted(lost))}"
            raise XinqiaoError("ARGUMENT_INVALID", argument="MATTERS", detail=detail)


def _under(files: Files, folder: str) -> list[bytes]:
    return [files[path] for path in sorted(files) if path.startswith(folder)]


def _check_version(version: str) -> None:
    if EDITION_VERSION.fullmatch(version) is None:
        raise XinqiaoError("ARGUMENT_INVALID", argument="version", detail=f"{version[:40]!r} cannot name a file")


def _unless_published(files: Files, path: str, content: bytes) -> dict[str, bytes]:
    if files.get(path, content) != content:
        raise XinqiaoError("ARGUMENT_INVALID", argument="version", detail=f"{path} is published already")
    return {path: content}
