"""`xinqiao status | peers | records`: how the node stands and what it holds."""

from collections import Counter

import click

from node.cli.rules import ref_text
from node.cli.terminal import (
    PENDING,
    Command,
    admin,
    grouped,
    is_json,
    options,
    pending_fingerprint,
    plain,
    result,
    say,
    table,
    when,
)
from node.core.errors import from_refusal
from node.pb import admin_service_pb2 as pb
from node.pb import record_pb2
from node.texts import phrase, term, told, words

IN_FORCE = "in force"


@click.command("status", cls=Command)
@options
def status() -> None:
    """Tell how each duty of the node stands, and what a person should look at."""
    with admin() as node:
        found = node.status()
    _say(found)
    say(calendar_line(found))
    table("duties", ("duty", "state", "why"), [_duty(duty) for duty in found.duties])
    if found.alarms:
        table("alarms", ("code", "what", "who must act", "last seen (UTC)", "count"), [_alarm(a) for a in found.alarms])
    if found.held_rows:
        say(words("{count} rows wait for two officers; next: xinqiao holds list", count=found.held_rows))
    if found.list_changes:
        say(words("{count} changes of lists wait for officers; next: xinqiao list pending", count=found.list_changes))
    if found.waiting_for:
        say(words("next: {next}", next=phrase(found.waiting_for)))
    pending = pending_fingerprint(found.fingerprint)
    if pending:
        say(words(PENDING, fingerprint=grouped(pending)))
    result(plain(found) | {"pending_fingerprint": pending})


def calendar_line(found: pb.GetStatusResponse) -> str:
    """How far the calendar of working days reaches, and what to do where that is not far enough."""
    known = words("working days known until no day: by weekends alone")
    if found.working_days_known_until:
        known = words("working days known until {day}", day=found.working_days_known_until)
    if not found.calendar.code:
        return known
    short = told(from_refusal(found.calendar))
    return known + words("; {text}; next: {next}", text=short.text, next=short.next)


def _say(found: pb.GetStatusResponse) -> None:
    member = {"node": found.node, "name": found.name, "network": found.network, "standing": term(found.membership)}
    expires = when(found.registry_expires_unix_ms)
    held = {"channels": found.channels, "records": found.records, "version": found.software_version}
    say(
        words("{node} {name}  member of {network}: {standing}", **member),
        words("fingerprint {fingerprint}", fingerprint=found.fingerprint),
        words("registry {stage}, valid until {expires} UTC", stage=term(found.registry_stage), expires=expires),
        words("{channels} channels, {records} records in force, software {version}", **held),
    )


def _duty(duty: pb.Duty) -> list[object]:
    state = pb.DutyState.Name(duty.state).removeprefix("DUTY_STATE_").lower()
    return [term(duty.name), term(state), told(from_refusal(duty.reason)).text if duty.reason.code else ""]


def _alarm(alarm: pb.Alarm) -> list[object]:
    error = from_refusal(alarm.what)
    shown = told(error)
    return [error.code, shown.text, shown.who, when(alarm.last_seen_unix_ms), alarm.count]


@click.command("peers", cls=Command)
@options
def peers() -> None:
    """List the members and how the link to each stands."""
    with admin() as node:
        found = node.peers()
    columns = ("node", "name", "level", "membership", "link", "address", "last exchange (UTC)", "shared", "fault")
    table("members", columns, [_peer(peer) for peer in found.peers])
    result(plain(found))


def _peer(peer: pb.Peer) -> list[object]:
    fault = told(from_refusal(peer.failure)).text if peer.failure.code else ""
    return [
        *(peer.node, peer.name, term(peer.level), term(peer.membership), term("yes" if peer.linked else "no")),
        *(peer.exchange_endpoint, when(peer.last_success_unix_ms), peer.shared_channels, fault),
    ]


@click.command("records", cls=Command)
@click.option("--subject", default="", metavar="USCC", help="Unified social credit code of the subject.")
@click.option(
    "--channel", "channel_name", default="", metavar="CHANNEL", help="Full name of the only channel to look in."
)
@click.option("--limit", default=0, metavar="COUNT", help="At most that many; 0 for all.")
@click.option("--all", "everything", is_flag=True, help="Suspended, repaired, withdrawn and corrected ones, too.")
@options
def records(subject: str, channel_name: str, limit: int, everything: bool) -> None:
    """List records in force by subject, by channel, or both.

    Each is headed by its place, CHANNEL EPOCH/INDEX/POSITION, which `prove`, `rules explain`, `record repair` and
    others take. Decisions that changed how it stands follow its values; a record that is not in force is shown without
    them.
    """
    if not subject and not channel_name:
        raise click.UsageError(words("give --subject, --channel, or both"))
    with admin() as node:
        request = pb.ListRecordsRequest(subject=subject, channel=channel_name, limit=limit, all=everything)
        states: Counter[str] = Counter()
        found = []
        for record in node.records(request):
            states[_state(record)] += 1
            found.append(_show(record))
    say(words("records in force: {count}", count=states.pop(IN_FORCE, 0)))
    for state, count in sorted(states.items()):
        say(words("  {state}: {count}", state=term(state), count=count))
    result({"records": found})


def _show(record: pb.HeldRecord) -> dict[str, object] | None:
    if is_json():
        shown = {key: value for key, value in plain(record).items() if key != "record"}
        return shown | {"values": {value.column: value.text for value in record.values}}
    place = ref_text(record.ref)
    published = {"place": place, "time": when(record.issued_at_unix_ms)}
    state = _state(record)
    if state == IN_FORCE:
        say(words("{place}  published {time} UTC", **published))
    else:
        say(words("{place}  published {time} UTC: {state}", **published, state=term(state)))
    for value in record.values:
        say(f"    {value.column:<17} {value.text}")
    for act in record.acts:
        _show_act(act)
    return None


def _state(record: pb.HeldRecord) -> str:
    """How a record stands; a node that was started before an upgrade knows of no other way than in force."""
    return record.state or IN_FORCE


def _show_act(act: pb.RecordAct) -> None:
    kind = record_pb2.StatusKind.Name(act.kind).removeprefix("STATUS_KIND_").lower()
    named = {
        "act": term(kind),
        "time": when(act.at_unix_ms),
        "decision": act.decision or "-",
        "reason": act.reason or "-",
    }
    if act.kind == record_pb2.STATUS_KIND_REVIEW:
        say(words("    released by two officers {time} UTC, hold {decision}: {reason}", **named))
    else:
        say(words("    {act} {time} UTC, decision {decision}: {reason}", **named))
    if act.HasField("replacement"):
        say(words("    replaced by {place}", place=ref_text(act.replacement)))


COMMANDS = (status, peers, records)
