"""The log proof for third-party tools: a C2SP tlog-proof with a checkpoint.

    tlog-proof   index of the entry, inclusion proof, checkpoint; `extra` holds the entry header, whose leaf hash
                 SHA-256(0x00 || header) is what the proof is about
    checkpoint   origin line "xinqiao/<network>/<channel>/<epoch>", size, root: the head in the heartbeat

An origin signs heads in heartbeats, not checkpoints. So the signature line is of the private type 0xff and holds
the heartbeat: tools that know only the assigned types must ignore it and have an UNSIGNED checkpoint, whose
inclusion proof they can check but whose root they must get from elsewhere. `open_checkpoint` is what such a tool
would have to do to believe it. Neither shows who the origin is: that takes the whole bundle.

    signature    key id (4 bytes) || serialized HeartbeatView showing the head of the note's three lines
    key id       SHA-256(origin line || 0x0A || 0xff || SIGNATURE_TYPE || SHA-256 of the key's SPKI)[:4]

Sources: C2SP tlog-proof.md, tlog-checkpoint.md and signed-note.md.
"""

import base64
import hashlib

from node.core import envelope as envelopes
from node.core.channel import HeadAt
from node.core.errors import XinqiaoError
from node.core.heartbeat import open_view
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.membership import Member
from node.pb import channel_pb2, evidence_pb2

SIGNATURE_TYPE = b"xinqiao/heartbeat-view/v1"
_PRIVATE = b"\xff"
_EM_DASH = "\u2014"


def to_tlog_proof(bundle: evidence_pb2.EvidenceBundle) -> str:
    """The entry's inclusion proof as tlog-proof text; the bundle MUST be one that verifies, nothing is checked here."""
    index = bundle.record.index
    lines = ["c2sp.org/tlog-proof@v1", f"extra {_base64(bundle.entry.payload)}", f"index {index}"]
    lines += [_base64(sibling) for sibling in bundle.entry_proof]
    return "".join(f"{line}\n" for line in lines) + "\n" + to_checkpoint(bundle)


def to_checkpoint(bundle: evidence_pb2.EvidenceBundle) -> str:
    """The head under which the entry stands, as a note whose one signature is the origin's heartbeat."""
    body = checkpoint_body(bundle)
    name = body.partition("\n")[0]
    heartbeat = bundle.heartbeat.heartbeat
    blob = _key_id(name, heartbeat.signatures[0].keyid) + bundle.heartbeat.SerializeToString(deterministic=True)
    return f"{body}\n{_EM_DASH} {name} {_base64(blob)}\n"


def checkpoint_body(bundle: evidence_pb2.EvidenceBundle) -> str:
    """The three lines of the checkpoint: origin, size, root."""
    head = bundle.heartbeat.heads[0].head
    return f"{_origin_line(bundle.network, head.channel, head.epoch)}\n{head.size}\n{_base64(head.root)}\n"


def open_checkpoint(note: str, origin: Member, network: str, limits: Limits = DEFAULT_LIMITS) -> HeadAt:
    """The head in a checkpoint, believed for the heartbeat in its signature line.

    Raises HEARTBEAT, SIGNATURE, ENVELOPE_TYPE, ENVELOPE_SHAPE.
    """
    # (1) the heartbeat, whose signature and proof are checked
    body, _, signature = note.rpartition(f"\n{_EM_DASH} ")
    name, _, encoded = signature.rstrip("\n").partition(" ")
    try:
        blob = base64.b64decode(encoded, validate=True)
    except ValueError as error:
        raise XinqiaoError("ENVELOPE_SHAPE", detail="its signature line is not base64") from error
    view = envelopes.parse(channel_pb2.HeartbeatView, blob[4:])
    heads = open_view(view, origin, network, 1 << 62, limits).heads
    # (2) it must show exactly what the note says
    for (channel, epoch), head in heads.items():
        line = _origin_line(network, channel, epoch)
        keyid = view.heartbeat.signatures[0].keyid
        if (name, body, blob[:4]) == (line, f"{line}\n{head.size}\n{_base64(head.root)}\n", _key_id(line, keyid)):
            return head
    raise XinqiaoError("HEARTBEAT", node=origin.id, detail="it does not show the head of the checkpoint")


def _origin_line(network: str, channel: str, epoch: int) -> str:
    return f"xinqiao/{network}/{channel}/{epoch}"


def _key_id(name: str, keyid: str) -> bytes:
    key = _PRIVATE + SIGNATURE_TYPE + bytes.fromhex(keyid)
    return hashlib.sha256(name.encode() + b"\n" + key).digest()[:4]


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
