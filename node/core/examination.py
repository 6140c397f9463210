"""Examination: what can be found out about an entry before its turn, without its log.

Whether a body is what its header signed, and what becomes of each of its records, depends on nothing that the entries
before it do. So it can be found out while they are still being committed, and by another process: examine() is asked
there, and its answer, which pack() puts into few large values, is read by unpack() here.

What is found counts only for exactly these bytes and this standard. Whoever is given nothing, or something about other
ones, finds out for himself: nothing is refused by an examination.
"""

from collections.abc import Sequence
from functools import lru_cache

from node.core import envelope as envelopes
from node.core.entry import VerifiedBody, check_body_size, open_body, opened_body
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.merkle import HASH_BYTES
from node.core.slot_reading import SlotReader, compile_slot_reader
from node.core.state import Judged, Judgement, Standard, Verdict, bars_of, judge_for, judge_slots
from node.pb import channel_pb2

Packed = tuple[bytes, tuple[int, ...], list[int], bytes, bytes, list[str], list[str], dict[int, str]]
"""Commitments; bare positions; of the records that may take effect positions, keys, content hashes, subjects and
authorities; the codes of those that are refused, by position."""


def examine(header: bytes, body: bytes, standard: Standard, limits: Limits = DEFAULT_LIMITS) -> Packed | None:
    """Open a body for its header and judge its records; None where either cannot be done."""
    try:
        signed = envelopes.parse(channel_pb2.EntryHeader, header)
        check_body_size(signed, body, limits)
        return _read_at_once(signed, body, standard, limits) or _read_in_full(signed, body, standard, limits)
    except XinqiaoError:
        return None


def _read_at_once(header: channel_pb2.EntryHeader, body: bytes, standard: Standard, limits: Limits) -> Packed | None:
    """What a compiled reader finds, with a judgement on those records of which it cannot be certain."""
    reader = _slot_reader(standard)
    found = reader.read(body, header.record_count, limits.max_record_bytes) if reader is not None else None
    if found is None or found[0] != header.records_root:
        return None
    _, commitments, positions, keys, hashes, subjects, authorities, rest = found
    judge = judge_for(standard, limits)
    verdicts = [(position, judge(position, record)) for position, record in rest]
    judged = [verdict for _, verdict in verdicts if isinstance(verdict, Judged)]
    return (
        commitments,
        (),
        positions + [each.position for each in judged],
        b"".join([keys, *(each.key for each in judged)]),
        b"".join([hashes, *(each.content_hash for each in judged)]),
        subjects + [each.subject for each in judged],
        authorities + [each.authority for each in judged],
        {position: verdict for position, verdict in verdicts if isinstance(verdict, str)},
    )


@lru_cache(maxsize=16)
def _slot_reader(standard: Standard) -> SlotReader | None:
    return compile_slot_reader(standard.item, standard.disclosure, standard.as_of, bars_of(standard))


def _read_in_full(header: channel_pb2.EntryHeader, body: bytes, standard: Standard, limits: Limits) -> Packed:
    opened = open_body(header, body, limits)
    return pack(opened, judge_slots(standard, opened.records, limits))


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
