"""A proposal in plain words, read off what is to be signed and nothing else.

Each changed role is rebuilt from its published version and from what was explained of it. What comes out must
equal what is to be signed, field by field; so a change that no rule here knows cannot hide, it is UNEXPLAINED,
and nobody signs it. Free text of a proposal's maker appears only where it is part of what is signed.
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tuf.api.exceptions import RepositoryError
from tuf.api.metadata import DelegatedRole, Metadata, Root, Targets

from node.core import registry_targets as paths
from node.core.catalogue import parse_edition
from node.core.errors import XinqiaoError
from node.core.identifiers import is_node_id
from node.core.matters import Matter, parse_matters
from node.core.measures import KIND_NAMES, parse_measures
from node.core.rules_edition import parse_rules
from node.core.suites import to_text
from node.core.workdays import Calendar, parse_calendar
from node.texts import joined, term, words
from registry import keys, repository
from registry.listings import Listing, explain_listing
from registry.proposals import Proposal
from registry.repository import LIFETIMES, ROOT, SNAPSHOT, TARGETS, TIMESTAMP
from registry.wording import grouped, shown, when

# A proposal travels between its making and its signing; beyond this much later than now, an expiry is a mistake.
EXPIRY_SLACK = timedelta(days=14)

_NODE_FILE = re.compile(r"(nodes|cuts|requests)/(\d\d)/([0-9a-z-]{1,64})\.json")
_EDITION_FILE = re.compile(r"(catalogue|rules|calendar|measures|matters)/[0-9a-z.-]{1,32}\.json")
_REGION_ROLE = re.compile(r"region-(\d\d)")


Base = Mapping[str, Metadata[Targets]]


@dataclass(slots=True)
class Account:
    """What a proposal does, line by line, and what of it cannot be explained."""

    lines: list[str] = field(default_factory=list)
    unexplained: list[str] = field(default_factory=list)

    def check(self, file: str) -> None:
        """Raise PROPOSAL_UNEXPLAINED when anything is left without an explanation."""
        if self.unexplained:
            raise XinqiaoError("PROPOSAL_UNEXPLAINED", file=file, detail="; ".join(self.unexplained))


def explain(proposal: Proposal, now: int, file: str = "") -> Account:
    """What signing this proposal does; now in Unix ms judges the expiries. Raises PROPOSAL_INVALID."""
    account = Account()
    try:
        # (1) what it continues is what officers signed before
        root, base = _verified_base(proposal)
        _explain_network(account, proposal)
        # (2) every role is its predecessor plus a version, an expiry, regions and files
        for role in sorted(proposal.changed, key=_by_rank):
            _explain_role(account, proposal, role, root, base, now)
        # (3) every file says something that officers decide about
        _explain_files(account, proposal)
    except (ValueError, KeyError, RepositoryError) as error:
        raise XinqiaoError("PROPOSAL_INVALID", file=file, detail=f"it contradicts itself ({error})") from error
    except XinqiaoError as error:
        detail = error.parameters.get("detail", error.text)
        raise XinqiaoError("PROPOSAL_INVALID", file=file, detail=detail) from error
    return account


def _by_rank(role: str) -> tuple[bool, bool, str]:
    return role != ROOT, role != TARGETS, role


def _verified_base(proposal: Proposal) -> tuple[Root | None, Base]:
    """The newest root and the continued roles, their signatures checked from root version 1 on; none at a founding."""
    if proposal.founds:
        return None, {}
    root = repository.check_roots(proposal.roots)
    base = {role: repository.read(Targets, content) for role, content in proposal.base.items()}
    repository.check_signed(TARGETS, base[TARGETS], root)
    for role in base.keys() - {TARGETS}:
        repository.check_signed(role, base[role], base[TARGETS].signed)
    for path, content in proposal.previous.items():
        base[repository.role_of(path)].signed.targets[path].verify_length_and_hashes(content)
    return root, base


def _explain_network(account: Account, proposal: Proposal) -> None:
    fingerprint = paths.root_fingerprint(proposal.first_root)
    content = (proposal.files if proposal.founds else proposal.previous)[paths.NETWORK_TARGET]
    name = paths.parse_network(content)
    if proposal.network != paths.network_id(name, fingerprint):
        account.unexplained.append("the network it names is not the network of its files")
    named = {"network": shown(name), "fingerprint": grouped(fingerprint.hex())}
    if proposal.founds:
        account.lines.append(words("Found the network {network} with the root fingerprint {fingerprint}", **named))
    else:
        account.lines.append(words("In the network {network} with the root fingerprint {fingerprint}", **named))


# --- Metadata -----------------------------------------------------------------------------------------------


def _explain_role(account: Account, proposal: Proposal, role: str, root: Root | None, base: Base, now: int) -> None:
    metadata = proposal.changed[role]
    if metadata.unrecognized_fields:
        account.unexplained.append(f"{role} has fields outside what is signed")
    if role in (SNAPSHOT, TIMESTAMP):
        account.unexplained.append(f"officers do not sign {role}")
        return
    _explain_expiry(account, role, metadata, now)
    if role == ROOT:
        expected: Root | Targets = _expected_root(account, metadata, proposal.roots)
    else:
        expected = _expected_targets(account, proposal, role, root, base)
    expected.expires = metadata.signed.expires
    for name in _differences(expected.to_dict(), metadata.signed.to_dict()):
        account.unexplained.append(f"{role}: the field {shown(name)} is not what this proposal explains")


def _explain_expiry(account: Account, role: str, metadata: Metadata[Any], now: int) -> None:
    expires = metadata.signed.expires
    version = {"version": metadata.signed.version, "role": role, "expires": when(repository.unix_ms(expires))}
    account.lines.append(words("This is version {version} of {role}, valid until {expires}", **version))
    if expires > LIFETIMES.expiry(role, now) + EXPIRY_SLACK:
        account.unexplained.append(f"{role} would be valid for more than {LIFETIMES.days(role)} days from now")
    if expires <= repository.moment(now):
        account.unexplained.append(f"{role} would be expired already, by the clock of this machine")


def _expected_root(account: Account, metadata: Metadata[Any], roots: tuple[bytes, ...]) -> Root:
    if roots:
        # Officers and thresholds stay as they are: only version and expiry may differ.
        successor = repository.read(Root, roots[-1]).signed
        successor.version += 1
        account.lines.append(words("Renew the root: the same officers, the same threshold"))
        return successor
    root: Root = metadata.signed
    officers = [keys.public_from_tuf(root.keys[keyid]) for keyid in root.roles[ROOT].keyids]
    online = keys.public_from_tuf(root.keys[root.roles[TIMESTAMP].keyids[0]])
    threshold = root.roles[ROOT].threshold
    if len({officer.key_id for officer in (*officers, online)}) != len(officers) + 1:
        account.unexplained.append("two of its keys are the same key")
    together = {"threshold": threshold, "officers": len(officers)}
    account.lines.append(words("{threshold} of these {officers} officers decide together:", **together))
    for place, each in enumerate(officers, start=1):
        account.lines.append(words("    officer {place}: {key}", place=place, key=to_text(each)))
    account.lines.append(words("The registry signs freshness, and nothing else, with {key}", key=to_text(online)))
    return repository.new_root(officers, threshold, online, 0).signed


def _expected_targets(account: Account, proposal: Proposal, role: str, root: Root | None, base: Base) -> Targets:
    targets: Targets = proposal.changed[role].signed
    # (1) the published version, or an empty first one
    if role in base:
        expected = repository.copy(base[role]).signed
        expected.version += 1
    else:
        expected = Targets(version=1, expires=targets.expires)
        _check_begins(account, proposal, role, base)
    # (2) the files that this proposal carries
    own = {path: content for path, content in proposal.files.items() if repository.role_of(path) == role}
    expected.targets |= repository.target_files(own)
    if role in base and not own and expected.targets == targets.targets:
        account.lines.append(words("Renew {role}: what it lists stays as it is", role=role))
    # (3) the regions that begin with it
    if role == TARGETS and root is not None:
        for region in sorted(proposal.changed.keys() - proposal.base.keys() - {ROOT}):
            _explain_new_region(account, expected, root, region)
    return expected


def _check_begins(account: Account, proposal: Proposal, role: str, base: Base) -> None:
    """What has no published version begins now: targets at the founding, a region with its delegation."""
    if role == TARGETS and proposal.founds:
        return
    delegations = base[TARGETS].signed.delegations if TARGETS in base else None
    if _REGION_ROLE.fullmatch(role) is None or (delegations and role in (delegations.roles or {})):
        account.unexplained.append(f"{shown(role)} does not begin here; its published version is left out")


def _explain_new_region(account: Account, expected: Targets, root: Root, region: str) -> None:
    repository.delegate(expected, root, region)
    delegations = expected.delegations
    added: DelegatedRole | None = (delegations.roles or {}).get(region) if delegations else None
    if added is not None:
        who = {"region": region, "threshold": added.threshold, "officers": len(added.keyids)}
        account.lines.append(words("Begin {region}: {threshold} of the same {officers} officers list its nodes", **who))


def _differences(expected: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """The names of the fields that differ; of targets and delegations, the entries."""
    names: list[str] = []
    for name in sorted(expected.keys() | found.keys()):
        ours, theirs = expected.get(name), found.get(name)
        if ours != theirs and name == TARGETS and isinstance(ours, dict) and isinstance(theirs, dict):
            names += [path for path in sorted(ours.keys() | theirs.keys()) if ours.get(path) != theirs.get(path)]
        elif json.dumps(ours, sort_keys=True) != json.dumps(theirs, sort_keys=True):
            names.append(name)
    return names


# --- Files --------------------------------------------------------------------------------------------------


def _explain_files(account: Account, proposal: Proposal) -> None:
    nodes: set[str] = set()
    for path in sorted(proposal.files):
        if repository.role_of(path) not in proposal.changed:
            account.unexplained.append(f"{shown(path)} belongs to no role that is signed")
        elif path == paths.NETWORK_TARGET:
            _explain_founding(account, proposal)
        elif edition := _EDITION_FILE.fullmatch(path):
            _EXPLAINED[edition[1]](account, proposal, path)
        elif found := _NODE_FILE.fullmatch(path):
            nodes.add(found[3])
            if not is_node_id(found[3]) or paths.region_of(found[3]) != found[2]:
                account.unexplained.append(f"{shown(path)} is not where this node belongs")
        else:
            account.unexplained.append(f"{shown(path)} is no file officers decide about")
    for node in sorted(nodes):
        before = _listing(node, proposal.previous)
        after = _listing(node, {**proposal.previous, **proposal.files})
        _check_previous(account, proposal, node)
        done = explain_listing(node, before, after)
        account.lines += done.lines
        account.unexplained += done.unexplained


def _listing(node: str, files: Mapping[str, bytes]) -> Listing:
    where: Iterable[str] = (paths.node_path(node), paths.cut_path(node), paths.rejections_path(node))
    return Listing(*(files.get(path) for path in where))


def _check_previous(account: Account, proposal: Proposal, node: str) -> None:
    """What is published of a node must be shown: without it, a change would look like an admission."""
    role = paths.region_role(paths.region_of(node))
    if role not in proposal.base:
        return
    published = repository.read(Targets, proposal.base[role]).signed.targets
    for path in (paths.node_path(node), paths.cut_path(node), paths.rejections_path(node)):
        if path in published and path not in proposal.previous:
            account.unexplained.append(f"{path} is published, but its content is left out")


def _explain_founding(account: Account, proposal: Proposal) -> None:
    content = proposal.files[paths.NETWORK_TARGET]
    created = json.loads(content).get("created_at_unix_ms")
    if not proposal.founds or content != paths.encode_network(paths.parse_network(content), created):
        account.unexplained.append("a network is named when it is founded, never again")


def _explain_edition(account: Account, proposal: Proposal, path: str) -> None:
    content = proposal.files[path]
    edition = parse_edition(content)
    if _is_published(proposal, path) or paths.catalogue_path(edition.version) != path:
        account.unexplained.append(f"{shown(path)} is published already, or holds another edition")
    items = joined(shown(item) for item in edition.items)
    digest = grouped(hashlib.sha256(content).hexdigest())
    published = {"version": shown(edition.version), "start": edition.in_force_from}
    contents = {"count": len(edition.items), "items": items, "digest": digest}
    account.lines.append(
        words("Publish the catalogue edition {version} in force from {start}", **published)
        + words(" ({count} items: {items}); SHA-256 of the file {digest}", **contents)
    )


def _explain_rules(account: Account, proposal: Proposal, path: str) -> None:
    content = proposal.files[path]
    edition = parse_rules(content)
    if _is_published(proposal, path) or paths.rules_path(edition.version) != path:
        account.unexplained.append(f"{shown(path)} is published already, or holds another edition")
    effects = Counter(provision.effect.value for provision in edition.provisions)
    held = joined(words("{count} {outcome}", count=count, outcome=term(effect)) for effect, count in effects.items())
    published = {"version": shown(edition.version), "start": edition.in_force_from}
    contents = {"count": len(edition.rules), "effects": held, "digest": grouped(hashlib.sha256(content).hexdigest())}
    account.lines.append(
        words("Publish the rules edition {version} in force from {start}", **published)
        + words(" ({count} rules; {effects}); SHA-256 of the file {digest}", **contents)
    )


def _explain_calendar(account: Account, proposal: Proposal, path: str) -> None:
    content = proposal.files[path]
    calendar = parse_calendar(content)
    if _is_published(proposal, path) or paths.calendar_path(calendar.version) != path:
        account.unexplained.append(f"{shown(path)} is published already, or holds another calendar")
    published = {"version": shown(calendar.version), "day": calendar.issued_on}
    span = {"count": len(calendar.years), "first": min(calendar.years), "last": max(calendar.years)}
    origin = {"source": shown(calendar.source), "digest": grouped(hashlib.sha256(content).hexdigest())}
    account.lines.append(
        words("Publish the calendar of working days {version} issued {day}", **published)
        + words(" ({count} years, {first} to {last};", **span)
        + words(" source: {source}); SHA-256 of the file {digest}", **origin)
    )
    account.lines += [f"    {line}" for line in _days_of_last_year(calendar)]


def _days_of_last_year(calendar: Calendar) -> list[str]:
    """The year that is new in it, day by day, for whoever compares it with the announcement."""
    last = max(calendar.years)
    year = calendar.years[last]
    free = joined(f"{day:%m-%d}" for day in sorted(year.holidays)) or term("none")
    worked = joined(f"{day:%m-%d}" for day in sorted(year.workdays)) or term("none")
    return [
        words("{year}, days off: {days}", year=last, days=free),
        words("{year}, weekend days worked: {days}", year=last, days=worked),
    ]


def _explain_measures(account: Account, proposal: Proposal, path: str) -> None:
    content = proposal.files[path]
    edition = parse_measures(content)
    if _is_published(proposal, path) or paths.measures_path(edition.version) != path:
        account.unexplained.append(f"{shown(path)} is published already, or holds another edition")
    published = {"version": shown(edition.version), "start": edition.in_force_from}
    contents = {"count": len(edition.measures), "digest": grouped(hashlib.sha256(content).hexdigest())}
    account.lines.append(
        words("Publish the measures edition {version} in force from {start}", **published)
        + words(" ({count} measures); SHA-256 of the file {digest}", **contents)
    )
    for kind, name in KIND_NAMES.items():
        codes = joined(each.code for each in edition.measures.values() if each.kind is kind) or term("none")
        account.lines.append(words("    {kind}: {codes}", kind=term(name), codes=codes))


def _explain_matters(account: Account, proposal: Proposal, path: str) -> None:
    content = proposal.files[path]
    edition = parse_matters(content)
    if _is_published(proposal, path) or paths.matters_path(edition.version) != path:
        account.unexplained.append(f"{shown(path)} is published already, or holds another edition")
    published = {"version": shown(edition.version), "start": edition.in_force_from}
    contents = {"count": len(edition.matters), "digest": grouped(hashlib.sha256(content).hexdigest())}
    account.lines.append(
        words("Publish the matters edition {version} in force from {start}", **published)
        + words(" ({count} matters); SHA-256 of the file {digest}", **contents)
    )
    for matter in edition.matters.values():
        account.lines += _lines_of_matter(matter)


def _lines_of_matter(matter: Matter) -> list[str]:
    """Whom a matter lets ask about what, for whoever compares it with the decision."""
    title = f"{shown(matter.title_zh)} {shown(matter.title_en)}"
    named = {"matter": matter.code, "title": title, "units": joined(matter.units)}
    found = [words("    {matter} ({title}): {units} may ask", **named)]
    if matter.items:
        found.append(words("        about records of {items}", items=joined(matter.items)))
    if matter.measures:
        found.append(words("        about lists with the measures {measures}", measures=joined(matter.measures)))
    if matter.lists:
        found.append(words("        about the lists {lists}", lists=joined(matter.lists)))
    return found


_EXPLAINED: Mapping[str, Callable[[Account, Proposal, str], None]] = {
    "catalogue": _explain_edition,
    "rules": _explain_rules,
    "calendar": _explain_calendar,
    "measures": _explain_measures,
    "matters": _explain_matters,
}


def _is_published(proposal: Proposal, path: str) -> bool:
    return not proposal.founds and path in repository.read(Targets, proposal.base[TARGETS]).signed.targets
