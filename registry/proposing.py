"""`xinqiao registry propose`: every decision that officers can take, each as a proposal file for them to sign."""

from pathlib import Path

import click

from node.core.errors import XinqiaoError
from node.core.membership import Standing
from node.texts import words
from registry import authority, decisions, proposals, repository
from registry.clock import now_ms
from registry.drafts import draft_of
from registry.explanation import explain
from registry.proposals import Proposal
from registry.repository import State
from registry.store import Store
from registry.terminal import FILE, NEW_FILE, NODE_ID_HELP, Group, opened, options, result, say, typed, warn

RIVALS = "{count} submitted proposal(s) change the same lists: the first to be published outdates the others."
WRITTEN = "written to {file}; next: the officers run `xinqiao registry sign {file} --key FILE`"
NO_HEADS = "no member has reported a channel head of {node}: everything of it will lie above the cut."


@click.group("propose", cls=Group)
@options
def propose() -> None:
    """Make a proposal file for the officers to sign.

    With --with EARLIER, an unsigned proposal file, one file and one signing decide both.
    """


def proposing(command: "click.decorators.FC") -> "click.decorators.FC":
    """Add what every proposal command takes."""
    output = click.option("-o", "--output", required=True, type=NEW_FILE, help="File to write the proposal to.")
    earlier = click.option("--with", "earlier", type=FILE, help="A proposal to decide together with this one.")
    return output(earlier(options(command)))


def read_proposal(path: Path) -> Proposal:
    """The proposal in a file; raises PROPOSAL_INVALID."""
    with path.open("rb") as file:
        return proposals.parse(file.read(proposals.MAX_PROPOSAL_BYTES + 1), str(path))


def _start(earlier: Path | None) -> tuple[Store, State, Proposal | None]:
    """The store, the state decisions are taken on, and the proposal to decide with."""
    store = opened()
    before = read_proposal(earlier) if earlier else None
    return store, authority.together(store.founded(), before), before


def _write(store: Store, files: dict[str, bytes], before: Proposal | None, output: Path) -> None:
    """Write the proposal and say what it does, in the same words the officers will read."""
    _write_proposal(
        store, proposals.make(store.founded(), {**(before.files if before else {}), **files}, now_ms()), output
    )


def _write_proposal(store: Store, proposal: Proposal, output: Path) -> None:
    account = explain(proposal, now_ms(), str(output))
    account.check(str(output))
    rivals = [
        each for each in store.proposals() if each.id != proposal.id and each.changed.keys() & proposal.changed.keys()
    ]
    if rivals:
        warn(words(RIVALS, count=len(rivals)))
    store.disk.write(output, proposals.encode(proposal))
    say(*account.lines, words(WRITTEN, file=output))
    result({"proposal": str(output), "id": proposal.id, "network": proposal.network, "lines": account.lines})


@propose.command("approve")
@click.argument("id", help=NODE_ID_HELP)
@click.option(
    "--fingerprint", required=True, metavar="HEX", help="As its administrator read it to you over another line."
)
@proposing
def propose_approve(id: str, fingerprint: str, output: Path, earlier: Path | None) -> None:
    """Admit a node, or list its changed descriptor, by the fingerprint you were told."""
    store, state, before = _start(earlier)
    request = authority.pending(store, id, typed(fingerprint))
    decisions.check_own_keys(store.members(), request.descriptor)
    _write(store, decisions.approve(state.files, request.descriptor, now_ms()), before, output)


@propose.command("reject")
@click.argument("id", help=NODE_ID_HELP)
@click.option("--reason", required=True, help="What its administrator reads; part of what is signed.")
@click.option("--fingerprint", help="Which request, where several are pending.")
@proposing
def propose_reject(id: str, reason: str, fingerprint: str | None, output: Path, earlier: Path | None) -> None:
    """Answer a request with a signed refusal."""
    store, state, before = _start(earlier)
    if fingerprint is None:
        own = [request.descriptor.fingerprint for request in store.requests() if request.id == id]
        if len(own) > 1:
            detail = f"several requests of {id} are pending: {', '.join(own)}"
            raise XinqiaoError("ARGUMENT_INVALID", argument="--fingerprint", detail=detail)
        fingerprint = own[0] if own else ""
    request = authority.pending(store, id, typed(fingerprint))
    _write(store, decisions.reject(state.files, id, request.descriptor.fingerprint, reason, now_ms()), before, output)


@propose.command("suspend")
@click.argument("id", help=NODE_ID_HELP)
@click.option("--reason", default="by decision of the officers", show_default=True, help="What everybody reads.")
@proposing
def propose_suspend(id: str, reason: str, output: Path, earlier: Path | None) -> None:
    """Suspend a node: nothing it signs from now on is accepted, what is reported up to now stays valid.

    For a suspended node, extend its cut by what was reported since.
    """
    _stop(id, Standing.SUSPENDED, reason, output, earlier)


@propose.command("remove")
@click.argument("id", help=NODE_ID_HELP)
@click.option("--reason", default="by decision of the officers", show_default=True, help="What everybody reads.")
@proposing
def propose_remove(id: str, reason: str, output: Path, earlier: Path | None) -> None:
    """End the membership of a node; what it signed before stays valid up to the cut."""
    _stop(id, Standing.REMOVED, reason, output, earlier)


def _stop(node: str, standing: Standing, reason: str, output: Path, earlier: Path | None) -> None:
    store, state, before = _start(earlier)
    leaves = authority.leaves_reported(store, node)
    if not leaves:
        warn(words(NO_HEADS, node=node))
    _write(store, decisions.stop(state.files, node, standing, reason, leaves, now_ms()), before, output)


@propose.command("reinstate")
@click.argument("id", help=NODE_ID_HELP)
@proposing
def propose_reinstate(id: str, output: Path, earlier: Path | None) -> None:
    """Take a suspended or removed node back: its channels go on in the next epoch."""
    store, state, before = _start(earlier)
    _write(store, decisions.reinstate(state.files, id, now_ms()), before, output)


@propose.command("publish")
@click.argument("edition", type=FILE, help="The edition, a JSON file.")
@proposing
def propose_publish(edition: Path, output: Path, earlier: Path | None) -> None:
    """Publish an edition of the catalogue; a published edition never changes."""
    store, state, before = _start(earlier)
    _write(store, decisions.publish_edition(state.files, edition.read_bytes()), before, output)


@propose.command("calendar")
@click.argument("calendar", type=FILE, help="The calendar, a JSON file.")
@proposing
def propose_calendar(calendar: Path, output: Path, earlier: Path | None) -> None:
    """Publish a calendar of working days: each autumn, when next year's holidays are announced.

    Of several published calendars the one issued last counts, so a file holds all years, the earlier ones too.
    """
    store, state, before = _start(earlier)
    _write(store, decisions.publish_calendar(state.files, calendar.read_bytes()), before, output)


@propose.command("rules")
@click.argument("rules", type=FILE, help="The edition of the rules, a JSON file.")
@proposing
def propose_rules(rules: Path, output: Path, earlier: Path | None) -> None:
    """Publish an edition of the inclusion rules; a published edition never changes.

    From its date on, nodes publish and judge by the edition that came into force last.
    """
    store, state, before = _start(earlier)
    _write(store, decisions.publish_rules(state.files, rules.read_bytes()), before, output)


@propose.command("measures")
@click.argument("measures", type=FILE, help="The edition of the measures, a JSON or YAML file.")
@proposing
def propose_measures(measures: Path, output: Path, earlier: Path | None) -> None:
    """Publish an edition of the measures that lists may attach; a published edition never changes.

    From its date on, nodes leave every measure out of their answers that it lacks.
    """
    store, state, before = _start(earlier)
    _write(store, decisions.publish_measures(state.files, draft_of(measures)), before, output)


@propose.command("matters")
@click.argument("matters", type=FILE, help="The edition of the matters, a JSON or YAML file.")
@proposing
def propose_matters(matters: Path, output: Path, earlier: Path | None) -> None:
    """Publish an edition of the matters in which subjects may be checked; a published edition never changes.

    From its date on, nodes answer in these matters and to these units alone. Its measures and items must be published.
    """
    store, state, before = _start(earlier)
    _write(store, decisions.publish_matters(state.files, draft_of(matters)), before, output)


@propose.command("renew")
@click.argument("roles", nargs=-1, help="Names as `registry show` lists them, e.g. targets or region-31.")
@click.option("-o", "--output", required=True, type=NEW_FILE, help="File to write the proposal to.")
@options
def propose_renew(roles: tuple[str, ...], output: Path) -> None:
    """Sign roles anew before they expire, all of them when none is named; see `registry show`."""
    store = opened()
    state = store.founded()
    known = [repository.ROOT, *sorted(state.roles)]
    unknown = [role for role in roles if role not in known]
    if unknown:
        detail = f"{unknown[0]!r} is none of {', '.join(known)}"
        raise XinqiaoError("ARGUMENT_INVALID", argument="ROLES", detail=detail)
    _write_proposal(store, proposals.renew(state, list(roles) or known, now_ms()), output)
