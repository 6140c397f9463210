"""Examination: what can be found out about an entry before its turn, without its log.

Whether a body is what its header signed, and what becomes of each of its records, depends on nothing that the entries
before it do. So it can be found out while they are still being committed, and by another process: examine() is asked
there, and its answer, which pack() puts into few large values, is read by unpack() here.

What is found counts only for exactly these bytes and this standard. Whoever is given nothing, or something about other
ones, finds out for himself: nothing is refused by an examination.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from struct import Struct

from node.core import envelope as envelopes
from node.core.catalogue import Edition
from node.core.entry import VerifiedBody, check_body_size, open_body, opened_body
from node.core.errors import XinqiaoError
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.merkle import HASH_BYTES
from node.core.record_terms import read_terms, sorted_terms
from node.core.rules_edition import RulesEdition
from node.core.slot_reading import SlotReader, compile_slot_reader
from node.core.state import (
    Judged,
    Judgement,
    Standard,
    Verdict,
    Verdicts,
    bars_of,
    judge_for,
    judge_slots,
    standard_of,
)
from node.pb import channel_pb2

Packed = tuple[bytes, tuple[int, ...], list[int], bytes, bytes, list[str], list[str], dict[int, str], bytes, bytes]
"""Commitments; bare positions; of the records that may take effect positions, keys, content hashes, subjects and
authorities; the codes of those that are refused, by position; the good records' terms and their positions (two arrays
as this machine holds them, see node.core.record_terms)."""

Examined = tuple[VerifiedBody | None, Judgement | None]
"""A body that was opened, and the judgement on its records."""
NOTHING_FOUND: Examined = (None, None)


def examine(header: bytes, body: bytes, standard: Standard, limits: Limits = DEFAULT_LIMITS) -> Packed | None:
    """Open a body for its header and judge its records; None where either cannot be done."""
    try:
        signed = envelopes.parse(channel_pb2.EntryHeader, header)
        check_body_size(signed, body, limits)
        return _read_at_once(signed, body, standard, limits) or _read_in_full(signed, body, standard, limits)
    except XinqiaoError:
        return None


def examine_own(
    header: channel_pb2.EntryHeader,
    body: bytes,
    manifest: channel_pb2.Manifest,
    division: str,
    edition: Edition,
    rules: RulesEdition | None,
    limits: Limits = DEFAULT_LIMITS,
) -> Examined:
    """Open a body that this node has made, and judge its records; nothing where that is no faster than in its turn."""
    try:
        standard = standard_of(header, manifest, division, edition, rules) if rules is not None else None
        packed = _read_at_once(header, body, standard, limits) if standard is not None else None
    except XinqiaoError:
        return NOTHING_FOUND  # its turn will tell why
    return unpack(body, standard, packed) if standard is not None and packed is not None else NOTHING_FOUND


def _read_at_once(header: channel_pb2.EntryHeader, body: bytes, standard: Standard, limits: Limits) -> Packed | None:
    """What a compiled reader finds, with a judgement on those records of which it cannot be certain."""
    reader = _slot_reader(standard)
    # bytes(): compiled code takes no kind of them that knows more.
    found = reader.read(bytes(body), header.record_count, limits.max_record_bytes) if reader is not None else None
    if found is None or found[0] != header.records_root:
        return None
    _, commitments, positions, keys, hashes, subjects, authorities, terms, rest = found
    if not rest:
        return commitments, (), positions, keys, hashes, subjects, authorities, {}, *terms
    judge = judge_for(standard, limits)
    verdicts = [(position, judge(position, record)) for position, record in rest]
    columns: _Columns = (positions, _hashes(keys), _hashes(hashes), subjects, authorities)
    refused = {position: verdict for position, verdict in verdicts if isinstance(verdict, str)}
    return _packed(commitments, (), _with(columns, _judged(verdict for _, verdict in verdicts)), refused)


@lru_cache(maxsize=16)
def _slot_reader(standard: Standard) -> "SlotReader | None":
    return compile_slot_reader(standard.item, standard.disclosure, standard.as_of, bars_of(standard))


def _read_in_full(header: channel_pb2.EntryHeader, body: bytes, standard: Standard, limits: Limits) -> Packed:
    opened = open_body(header, body, limits)
    return pack(opened, judge_slots(standard, opened.records, limits))


def pack(body: VerifiedBody, judgement: Judgement) -> Packed:
    """Put what was found into few large values."""
    refused = {position: verdict for position, verdict in enumerate(judgement.verdicts) if isinstance(verdict, str)}
    columns = _with(((), (), (), (), ()), _judged(judgement.verdicts))
    return _packed(b"".join(body.commitments), body.bare, columns, refused)


_Columns = tuple[Sequence[int], Sequence[bytes], Sequence[bytes], Sequence[str], Sequence[str]]
"""Positions, keys, content hashes, subjects and authorities of the records that may take effect."""


def _judged(verdicts: Iterable[Verdict]) -> list[Judged]:
    return [verdict for verdict in verdicts if isinstance(verdict, Judged)]


def _with(columns: _Columns, judged: Sequence[Judged]) -> _Columns:
    """These columns with those of more records, by position."""
    if not judged:
        return columns
    rows = sorted([*zip(*columns, strict=True), *judged])
    positions, keys, hashes, subjects, authorities = zip(*rows, strict=True)
    return positions, keys, hashes, subjects, authorities


def _packed(commitments: bytes, bare: tuple[int, ...], columns: _Columns, refused: dict[int, str]) -> Packed:
    positions, keys, hashes, subjects, authorities = columns
    terms = sorted_terms(positions, keys, subjects)
    return (
        commitments,
        bare,
        list(positions),
        b"".join(keys),
        b"".join(hashes),
        list(subjects),
        list(authorities),
        refused,
        terms.terms.tobytes(),
        terms.positions.tobytes(),
    )


def unpack(body: bytes, standard: Standard, packed: Packed) -> tuple[VerifiedBody, Judgement]:
    """Read what was found of a body by a standard."""
    commitments, bare, positions, keys, hashes, subjects, authorities, refused, terms, term_positions = packed
    leaves = _hashes(commitments)
    in_order = read_terms(terms, term_positions)
    verdicts = Verdicts(
        len(leaves), positions, _hashes(keys), _hashes(hashes), subjects, authorities, refused, in_order
    )
    return opened_body(body, leaves, bare), Judgement(standard, verdicts)


def _hashes(joined: bytes) -> tuple[bytes, ...]:
    return _in_row(len(joined) // HASH_BYTES).unpack(joined)


@lru_cache(maxsize=16)
def _in_row(count: int) -> Struct:
    return Struct(f"{HASH_BYTES}s" * count)
