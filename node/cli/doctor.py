"""`xinqiao doctor`: what works, what does not, why, who must act, and the next command."""

from collections.abc import Callable, Iterator, Mapping

import click

from node.cli.terminal import Command, admin, as_document, home, is_json, options, passphrase_of, result, say, when
from node.core.diagnosis import Check, Severity
from node.core.errors import XinqiaoError, from_refusal, to_refusal
from node.pb import admin_service_pb2 as pb
from node.texts import phrase, term, told, words

MIB = 1 << 20


@click.command("doctor", cls=Command)
@click.option("--peer", default="", metavar="ID", help="Call and look at this member only.")
@options
def doctor(peer: str) -> None:
    """Try what this node lives on, and say what fails, why, who must act, and the next command.

    Clocks, keys, the registry, calls to and from the members, the disk, the exchange, what ends within 60 days. Where
    no node serves the home: keys, disk and database. Exit status 1 where something fails.
    """
    found = []
    for finding in _findings(peer):
        _show(finding)
        found.append(finding)
    counts = {each.value: sum(_severity(finding) is each for finding in found) for each in Severity}
    say(words("checked: {ok} ok, {warning} to look at, {failing} failing", **counts))
    result({"findings": [_document(finding) for finding in found], **counts})
    if counts[Severity.FAILING.value]:
        raise click.exceptions.Exit(1)


def _findings(peer: str) -> Iterator[pb.Finding]:
    """Those of the serving node; where there is none, that and what can be tried without it."""
    try:
        with admin() as node:
            yield from node.diagnose(peer)
    except XinqiaoError as error:
        if error.code != "ADMIN_UNREACHABLE":
            raise
        yield _message(Check.SERVING, error)
        yield from _outside()


def _outside() -> Iterator[pb.Finding]:
    from node import app
    from node.rpc.admin_server import as_message

    found = home()
    try:
        config = found.load()
        for finding in app.examine_home(found, config, passphrase_of(found, config)):
            yield as_message(finding)
    except XinqiaoError as error:
        yield _message(Check.SERVING, error)


def _message(check: Check, error: XinqiaoError) -> pb.Finding:
    return pb.Finding(check=check.value, severity=pb.FINDING_SEVERITY_FAILING, what=to_refusal(error))


def _severity(finding: pb.Finding) -> Severity:
    return Severity[pb.FindingSeverity.Name(finding.severity).removeprefix("FINDING_SEVERITY_")]


def _document(finding: pb.Finding) -> dict[str, object]:
    shown: dict[str, object] = {"check": finding.check, "subject": finding.subject}
    shown |= {"severity": _severity(finding).value, "figures": dict(finding.figures)}
    return shown | (as_document(from_refusal(finding.what)) if finding.what.code else {"code": ""})


_ABOUT_A_MEMBER = frozenset({Check.CLOCK.value, Check.CALLS_OUT.value, Check.CALLS_IN.value})


# -- for people -------------------------------------------------------------------------------------------------


def _show(finding: pb.Finding) -> None:
    if is_json():
        return
    mark, check = term(_severity(finding).value), term(finding.check)
    where = f"{check} {subject_of(finding)}".rstrip()
    if not finding.what.code:
        said = _SAID[finding.check]
        say(f"[{mark}] {where}: {said(finding.figures)}")
        return
    shown = told(from_refusal(finding.what))
    say(
        f"[{mark}] {where}: {finding.what.code}: {shown.text}",
        words("  who must act: {who}", who=shown.who),
        words("  next: {next}", next=shown.next),
    )


def subject_of(finding: pb.Finding) -> str:
    """A subject as people name it: what is a word of ours is told in their language, an id stays.

    A member may bear a word as its id, such as `national`; `the registry` is none.
    """
    if finding.check in _ABOUT_A_MEMBER and " " not in finding.subject:
        return finding.subject
    known = phrase(finding.subject)
    return known if known != finding.subject else " ".join(map(term, finding.subject.split()))


Figures = Mapping[str, str]


def _time(figures: Figures, name: str) -> str:
    return when(int(figures.get(name, "0")))


def _mib(figures: Figures, name: str) -> int:
    return int(figures.get(name, "0")) // MIB


def _clock(figures: Figures) -> str:
    return words("its clock differs from ours by {skew_ms} ms", skew_ms=figures["skew_ms"])


def _keys(figures: Figures) -> str:
    return words("signing key {signing} and TLS key {tls} open", signing=figures["signing"], tls=figures["tls"])


def _registry(figures: Figures) -> str:
    if "stage" not in figures:
        return words("answers in {took_ms} ms", took_ms=figures["took_ms"])
    stage, read, expires = term(figures["stage"]), _time(figures, "read_at_ms"), _time(figures, "expires_ms")
    return words("{stage}, read at {read} UTC, valid until {expires} UTC", stage=stage, read=read, expires=expires)


def _calls_out(figures: Figures) -> str:
    if "only_dials_out" in figures:
        return words("it has no address and calls us")
    said = words("both hold the same") if figures["in_step"] == "True" else words("entries are still under way")
    return words("answers in {took_ms} ms; {said}", took_ms=figures["took_ms"], said=said)


def _calls_in(figures: Figures) -> str:
    called = _time(figures, "called_at_ms")
    if not int(figures["called_at_ms"]):
        return words("it takes our calls; it has not called since this node started")
    if "takes_us" not in figures:
        return words("it called at {called} UTC", called=called)
    return words("it takes our calls, and called at {called} UTC", called=called)


def _disk(figures: Figures) -> str:
    given = {"free": _mib(figures, "free_bytes"), "database": _mib(figures, "database_bytes")}
    said = words(
        "written in {write_ms} ms; {free} MiB free, database {database} MiB", write_ms=figures["write_ms"], **given
    )
    if "growth_bytes_per_day" not in figures:
        return said
    return said + words(", {growth} MiB more a day", growth=_mib(figures, "growth_bytes_per_day"))


def _database(figures: Figures) -> str:
    if "commit_ms" not in figures:
        return words("opens and can be written")
    return words("a durable transaction takes {commit_ms} ms", commit_ms=figures["commit_ms"])


def _receipts(figures: Figures) -> str:
    given = {name: figures[name] for name in ("node", "size", "total")}
    return words("{node} has acknowledged {size} of {total} entries", **given)


def _validity(figures: Figures) -> str:
    if not int(figures["ends_ms"]):
        return words("no end is set")
    return words("until {end} UTC", end=_time(figures, "ends_ms"))


_SAID: Mapping[str, Callable[[Figures], str]] = {
    Check.CLOCK.value: _clock,
    Check.KEYS.value: _keys,
    Check.REGISTRY.value: _registry,
    Check.CALLS_OUT.value: _calls_out,
    Check.CALLS_IN.value: _calls_in,
    Check.DISK.value: _disk,
    Check.DATABASE.value: _database,
    Check.FRESHNESS.value: lambda figures: words("confirmed as of {fresh} UTC", fresh=_time(figures, "fresh_at_ms")),
    Check.BODIES.value: lambda _: words("all contents are here"),
    Check.RECEIPTS.value: _receipts,
    Check.VALIDITY.value: _validity,
    Check.MEMBERSHIP.value: lambda figures: words("member of {network}", network=figures["network"]),
    Check.CALENDAR.value: lambda figures: words("known until {day}", day=figures["last_day"]),
}

COMMANDS = (doctor,)
