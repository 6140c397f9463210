"""`xinqiao status | peers | records`: how the node stands and what it holds."""

import click

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
from node.texts import phrase, term, told, words


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
@options
def records(subject: str, channel_name: str, limit: int) -> None:
    """List records in force by subject, by channel, or both.

    Each is headed by its place, CHANNEL EPOCH/INDEX/POSITION, which `prove` and `record erase` take.
    """
    if not subject and not channel_name:
        raise click.UsageError(words("give --subject, --channel, or both"))
    with admin() as node:
        answers = node.records(pb.ListRecordsRequest(subject=subject, channel=channel_name, limit=limit))
        found = [_show(record) for record in answers]
    say(words("records in force: {count}", count=len(found)))
    result({"records": found})


def _show(record: pb.HeldRecord) -> dict[str, object] | None:
    if is_json():
        shown = {key: value for key, value in plain(record).items() if key != "record"}
        return shown | {"values": {value.column: value.text for value in record.values}}
    ref = record.ref
    place = f"{ref.channel} {ref.epoch}/{ref.index}/{ref.position}"
    say(words("{place}  published {time} UTC", place=place, time=when(record.issued_at_unix_ms)))
    for value in record.values:
        say(f"    {value.column:<17} {value.text}")
    return None


COMMANDS = (status, peers, records)
