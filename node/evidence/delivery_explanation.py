"""What a verified delivery report says, in plain words and in the language of the reader."""

from collections.abc import Iterator

from node.core.listing import EXIT
from node.evidence.delivery_verify import ProvenDelivery, ShownOperation, VerifiedDelivery
from node.evidence.explanation import labelled, on_one_line, utc
from node.pb import channel_pb2, listing_pb2, record_pb2
from node.texts import term, words

HEADLINE = "VERIFIED: {applied} of {total} nodes have applied this entry of {channel}."
RECEIPT = "{node} ({name}): {state}, {size} entries held, {applied} applied at {time}"
PROVES = "This shows what each node has signed. Of a node that is missing it shows only that {reporter} had no receipt"
ORIGINS = "{node} ({name}): it wrote the entry"
NOTHING = "{node} ({name}): no receipt"


def explain_delivery(found: VerifiedDelivery) -> str:
    """The result as plain text, one fact a line; characters that could forge a line are escaped."""
    applied = len(found.nodes) - len(found.missing)
    lines = [
        words(HEADLINE, applied=applied, total=len(found.nodes), channel=found.log.channel),
        "",
        *_entry_lines(found),
        "",
        *(labelled(words("Node"), _node(each)) for each in found.nodes),
        "",
        *_validity_lines(found),
        "",
        words(PROVES, reporter=found.reporter.id),
        words("that covers the entry when it looked."),
    ]
    return "".join(f"{on_one_line(line)}\n" for line in lines)


def _entry_lines(found: VerifiedDelivery) -> Iterator[str]:
    log = found.log
    at = {"channel": log.channel, "epoch": log.epoch, "index": log.index}
    yield labelled(words("Entry"), words("{channel}, epoch {epoch}, entry {index}", **at))
    yield labelled("", words("{time} by the origin's clock", time=utc(log.header.issued_at_unix_ms)))
    for each in found.operations:
        yield labelled("", _operation(each))
    yield labelled(words("Origin"), f"{found.origin.id} ({found.origin.name})")
    if found.cut_size is not None:
        yield labelled(
            "", words("the officers closed its log: the first {size} entries stay valid", size=found.cut_size)
        )
    shown = {"size": log.head.size, "time": utc(log.heartbeat.time_unix_ms)}
    yield labelled(words("Log"), words("{size} entries at {time}, signed by the origin", **shown))


def _operation(each: ShownOperation) -> str:
    op = each.op
    act = term(listing_pb2.ListAct.Name(op.act).removeprefix("LIST_ACT_").lower())
    if not op.HasField("entry"):
        return words("{act}, decided on {day}", act=act, day=op.decided_on)
    place = f"{op.entry.channel}#{op.entry.epoch}/{op.entry.index}/{op.entry.position}"
    if op.act == EXIT:
        return words("off the list: {place}, decided on {day}", place=place, day=op.decided_on)
    return words("{act}: {place}, decided on {day}", act=act, place=place, day=op.decided_on)


def _node(each: ProvenDelivery) -> str:
    who = {"node": each.node, "name": each.name}
    if each.is_origin:
        return words(ORIGINS, **who)
    if not each.observed_at_ms:
        return words(NOTHING, **who)
    said = {"size": each.size, "applied": each.applied_size, "time": utc(each.observed_at_ms)}
    return words(RECEIPT, **who, state=term(each.delivery.value), **said)


def _validity_lines(found: VerifiedDelivery) -> Iterator[str]:
    by = {"node": found.reporter.id, "name": found.reporter.name, "time": utc(found.observed_at_ms)}
    yield labelled(words("Reported"), words("by {node} ({name}) at {time}", **by))
    latest = words("{time}, the latest time that anything signed here names", time=utc(found.as_of_ms))
    yield labelled(words("As of"), latest)
    yield labelled("", words("the registry's files were valid until {time}", time=utc(found.valid_until_ms)))
    yield labelled(words("Network"), found.network)
    yield labelled("", words("root fingerprint {fingerprint}", fingerprint=found.fingerprint.hex()))


def delivery_document(found: VerifiedDelivery) -> dict[str, object]:
    """The result for a program."""
    log = found.log
    return {
        "verified": True,
        "network": found.network,
        "root_fingerprint": found.fingerprint.hex(),
        "origin": {"id": found.origin.id, "name": found.origin.name, "standing": found.origin.standing.value},
        "entry": {
            "channel": log.channel,
            "epoch": log.epoch,
            "index": log.index,
            "kind": channel_pb2.EntryKind.Name(log.header.kind),
            "issued_at_unix_ms": log.header.issued_at_unix_ms,
        },
        "removals": [
            {
                "channel": op.entry.channel,
                "epoch": op.entry.epoch,
                "index": op.entry.index,
                "position": op.entry.position,
            }
            for op in (each.op for each in found.operations)
            if op.act == EXIT
        ],
        "applied": len(found.nodes) - len(found.missing),
        "total": len(found.nodes),
        "missing": [each.node for each in found.missing],
        "nodes": [
            {
                "node": each.node,
                "name": each.name,
                "state": each.delivery.value,
                "origin": each.is_origin,
                "size": each.size,
                "applied_size": each.applied_size,
                "observed_at_unix_ms": each.observed_at_ms,
            }
            for each in found.nodes
        ],
        "reported_by": found.reporter.id,
        "observed_at_unix_ms": found.observed_at_ms,
        "head": {"size": log.head.size, "root": log.head.root.hex()},
        "heartbeat_at_unix_ms": log.heartbeat.time_unix_ms,
        "as_of_unix_ms": found.as_of_ms,
        "valid_until_unix_ms": found.valid_until_ms,
    }


def _ref(place: record_pb2.RecordRef) -> dict[str, object]:
    at = {"epoch": place.epoch, "index": place.index, "position": place.position}
    return {"channel": place.channel, **at}
