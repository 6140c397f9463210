"""Examination: what can be found out about an entry before its turn, without its log.

Whether a body is what its header signed, and what becomes of each of its records, depends on nothing that the entries
before it do. So it can be found out while they are still being committed, and by another process: examine() is asked
there, and its answer, which pack() puts into few large values, is read by unpack() here.

What is found counts only for exactly these bytes and this standard. Whoever is given nothing, or something about other
ones, finds out for himself: nothing is refused by an examination.
"""

from collections.abc import Sequence

from node.core import envelope as envelopes
from node.core.entry import VerifiedBody, open_body, opened_body
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.merkle import HASH_BYTES
from node.core.state import Judged, Judgement, Standard, Verdict, judge_slots
from node.pb import channel_pb2

Packed = tuple[bytes, tuple[int, ...], list[int], bytes, bytes, list[str], list[str], dict[int, str]]
"""Commitments; bare positions; of the records that may take effect positions, keys, content hashes, subjects and
authorities; the codes of those that are refused, by position."""


def examine(header: bytes, body: bytes, standard: Standard, limits: Limits = DEFAULT_LIMITS) -> Packed | None:
    """Open a body for its header and judge its records; None where either cannot be done."""
    try:
        opened = open_body(envelopes.parse(channel_pb2.EntryHeader, header), body, limits)
        judgement = judge_slots(standard, opened.records, limits)
    except XinqiaoError:
        return None
    return pack(opened, judgement)


def pack(body: VerifiedBody, judgement: Judgement) -> Packed:
    """Put what was found into few large values."""
    judged = [verdict for verdict in judgement.verdicts if isinstance(verdict, Judged)]
    return (
        b"".join(body.commitments),
        body.bare,
        [each.position for each in judged],
        b"".join([each.key for each in judged]),
        b"".join([each.content_hash for each in judged]),
        [each.subject for each in judged],
        [each.authority for each in judged],
        {position: verdict for position, verdict in enumerate(judgement.verdicts) if isinstance(verdict, str)},
    )


def unpack(body: bytes, standard: Standard, packed: Packed) -> tuple[VerifiedBody, Judgement]:
    """Read what was found of a body by a standard."""
    commitments, bare, positions, keys, hashes, subjects, authorities, refused = packed
    leaves = _hashes(commitments)
    verdicts: list[Verdict] = [None] * len(leaves)
    judged = map(Judged, positions, _hashes(keys), _hashes(hashes), subjects, authorities)
    for verdict in judged:
        verdicts[verdict.position] = verdict
    for position, code in refused.items():
        verdicts[position] = code
    return opened_body(body, tuple(leaves), bare), Judgement(standard, verdicts)


def _hashes(joined: bytes) -> Sequence[bytes]:
    return [joined[at : at + HASH_BYTES] for at in range(0, len(joined), HASH_BYTES)]
