"""`xinqiao prove` and `xinqiao verify`: one record, provable to a third party without a network."""

from pathlib import Path

import click

from node.cli.channels import CHANNEL_HELP
from node.cli.terminal import Command, admin, options, result, say
from node.core.errors import XinqiaoError
from node.evidence.delivery_explanation import delivery_document, explain_delivery
from node.evidence.delivery_verify import is_delivery_report, verify_delivery
from node.evidence.explanation import explain
from node.evidence.result import Verified
from node.evidence.verify import verify
from node.pb import admin_service_pb2 as pb
from node.pb import record_pb2
from node.texts import words

FINGERPRINT_CHARS = 64
INDEX_HELP = "Index of the entry in the log."
POSITION_HELP = "Position of the record in the entry, from 0."
EPOCH_HELP = "Epoch of the log; 0 unless the channel was cut."


@click.command("prove", cls=Command)
@click.argument("channel", help=CHANNEL_HELP)
@click.argument("index", type=int, help=INDEX_HELP)
@click.argument("position", type=int, help=POSITION_HELP)
@click.option("--epoch", default=0, help=EPOCH_HELP)
@click.option("-o", "--output", required=True, type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@options
def prove(channel: str, index: int, position: int, epoch: int, output: Path) -> None:
    """Export the evidence for one record to a file that anybody can verify, offline.

    `xinqiao records` names a record's place as EPOCH/INDEX/POSITION.
    """
    ref = record_pb2.RecordRef(channel=channel, epoch=epoch, index=index, position=position)
    with admin() as node:
        bundle = node.prove(pb.ProveRequest(ref=ref))
    output.write_bytes(bundle)
    say(words("{count} bytes of evidence written to {file}", count=len(bundle), file=output))
    say(words("next: xinqiao verify {file} --root-fingerprint HEX", file=output))
    result({"file": str(output), "bytes": len(bundle)})


@click.command("verify", cls=Command)
@click.argument(
    "file",
    help="The file that `xinqiao prove` or `xinqiao list delivery -o` wrote.",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option("--root-fingerprint", required=True, metavar="HEX", help="As an officer of the network reads it to you.")
@options
def verify_command(file: Path, root_fingerprint: str) -> None:
    """Verify the evidence for one record, or a delivery report, offline, as of the date it states.

    Needs no node, no home and no network: only the file and the root fingerprint.
    """
    content, fingerprint = file.read_bytes(), parse_fingerprint(root_fingerprint)
    if is_delivery_report(content):
        delivery = verify_delivery(content, fingerprint)
        say(explain_delivery(delivery))
        result(delivery_document(delivery))
        return
    verified = verify(content, fingerprint)
    say(explain(verified))
    result(_document(verified))


def _document(verified: Verified) -> dict[str, object]:
    place = verified.place
    return {
        "verified": True,
        "network": verified.network,
        "root_fingerprint": verified.fingerprint.hex(),
        "origin": {"id": verified.origin, "name": verified.origin_name, "standing": verified.standing.value},
        "record": {
            "ref": {
                "channel": place.channel,
                "epoch": place.epoch,
                "index": place.index,
                "position": place.position,
            },
            "item": verified.item,
            "authority": verified.authority,
            "subject": verified.subject,
            "values": {value.code: value.text for value in verified.values},
        },
        "state": verified.state.value,
        "decisions": [
            {
                "act": each.kind,
                "decision": each.decision,
                "reason": each.reason,
                "at_unix_ms": each.at_ms,
                "entry": each.index,
            }
            for each in verified.decisions
        ],
        "published_at_unix_ms": verified.published_at_ms,
        "head": {"size": verified.head.size, "root": verified.head.root.hex()},
        "heartbeat_at_unix_ms": verified.heartbeat_at_ms,
        "confirmed_by": [
            {"node": item.node, "size": item.size, "applied": item.applied} for item in verified.confirmations
        ],
        "as_of_unix_ms": verified.as_of_ms,
        "valid_until_unix_ms": verified.valid_until_ms,
    }


def parse_fingerprint(text: str) -> bytes:
    """A fingerprint as people write it; raises ARGUMENT_INVALID."""
    digits = "".join(text.split()).replace(":", "").lower()
    if len(digits) != FINGERPRINT_CHARS or not all(digit in "0123456789abcdef" for digit in digits):
        detail = f"it has {len(digits)} characters; it is {FINGERPRINT_CHARS} hexadecimal digits"
        raise XinqiaoError("ARGUMENT_INVALID", argument="--root-fingerprint", detail=detail)
    return bytes.fromhex(digits)


COMMANDS = (prove, verify_command)
