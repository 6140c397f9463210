"""What a verified bundle says, in plain words and in the language of the reader."""

from collections.abc import Iterator
from datetime import UTC, datetime

from node.evidence.result import Verified
from node.texts import phrase, term, words
from node.texts.columns import padded

LABEL_COLUMNS = 12
SCOPE = "This shows what was published and who holds it. Whether it still holds (corrections, repairs, erasures,"
AUTHORITY = "for the authority {authority}, for which the registry lets {origin} speak"
DECIDED = "{act} {time}, decision {decision}: {reason} (entry {index})"
REVIEWED = "released by two officers of the origin {time}, hold {decision}: {reason} (entry {index})"
CONFIRMED = "by {node} ({name}), which {has}: {size} entries of the same log at {time}"


def explain(verified: Verified) -> str:
    """The result as plain text, one fact a line; characters that could forge a line are escaped."""
    lines = [
        words("VERIFIED: {origin} ({name}) published this record.", origin=verified.origin, name=verified.origin_name),
        "",
        *_record_lines(verified),
        *_decision_lines(verified),
        "",
        *_log_lines(verified),
        *_confirmation_lines(verified),
        "",
        *_validity_lines(verified),
        "",
        words(SCOPE),
        words("expiry) the origin answers."),
    ]
    return "".join(f"{on_one_line(line)}\n" for line in lines)


def labelled(label: str, text: str) -> str:
    """A fact behind its label, in columns."""
    return padded(label, LABEL_COLUMNS) + text


def _validity_lines(verified: Verified) -> Iterator[str]:
    latest = words("{time}, the latest time that anything signed here names", time=utc(verified.as_of_ms))
    yield labelled(words("As of"), latest)
    yield labelled("", words("the registry's files were valid until {time}", time=utc(verified.valid_until_ms)))
    yield labelled(words("Network"), verified.network)
    yield labelled("", words("root fingerprint {fingerprint}", fingerprint=verified.fingerprint.hex()))


def _record_lines(verified: Verified) -> Iterator[str]:
    titles = f"{verified.item_title_zh} ({verified.item_title_en})"
    item = {"titles": titles, "item": verified.item, "edition": verified.edition}
    yield labelled(words("Record"), words("{titles}: {item}, catalogue edition {edition}", **item))
    for value in verified.values:
        yield f"  {value.title_zh or value.code} ({value.title_en or term('unknown field')}): {value.text}"


def _decision_lines(verified: Verified) -> Iterator[str]:
    if verified.decisions:
        yield labelled(words("Status"), term(verified.state.value))
    for each in verified.decisions:
        told = {"decision": each.decision or "-", "reason": each.reason or "-", "index": each.index}
        said = words(REVIEWED if each.kind == "review" else DECIDED, act=term(each.kind), time=utc(each.at_ms), **told)
        yield labelled("", said)


def _log_lines(verified: Verified) -> Iterator[str]:
    place = verified.place
    yield labelled(words("Published"), words("{time} by the origin's clock", time=utc(verified.published_at_ms)))
    if verified.authority:
        allowed = {"authority": verified.authority, "origin": verified.origin}
        yield labelled("", words(AUTHORITY, **allowed))
    yield labelled(words("Origin"), _standing(verified))
    at = {"channel": place.channel, "epoch": place.epoch, "index": place.index, "position": place.position}
    yield labelled(words("Place"), words("{channel}, epoch {epoch}, entry {index}, record {position}", **at))
    log = {"size": verified.head.size, "time": utc(verified.heartbeat_at_ms)}
    yield labelled(words("Log"), words("{size} entries at {time}, signed by the origin", **log))
    yield labelled("", words("root {root}", root=verified.head.root.hex()))


def _standing(verified: Verified) -> str:
    member = words("{standing} member", standing=term(verified.standing.value))
    if verified.cut_size is None:
        return member
    reason = f" ({phrase(verified.standing_reason)})" if verified.standing_reason else ""
    cut = words("; the officers closed this log: its first {size} entries stay valid", size=verified.cut_size)
    return f"{member}{reason}{cut}"


def _confirmation_lines(verified: Verified) -> Iterator[str]:
    for each in verified.confirmations:
        has = words("has applied this one") if each.applied else words("holds this one")
        by = {"node": each.node, "name": each.name, "has": has, "size": each.size, "time": utc(each.observed_at_ms)}
        yield labelled(words("Confirmed"), words(CONFIRMED, **by))
    if not verified.confirmations:
        cut = words("by the registry's officers, who cut this log where members had reported it")
        yield labelled(words("Confirmed"), cut)


def utc(unix_ms: int) -> str:
    """A time to the second."""
    return datetime.fromtimestamp(unix_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def on_one_line(text: str) -> str:
    """The text on one line: line breaks, control and direction characters become escapes."""
    kept = (each if each.isprintable() or each == "\u3000" else each.encode("unicode_escape").decode() for each in text)
    return "".join(kept)
