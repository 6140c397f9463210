"""Examining: entries that wait for their turn are opened and judged meanwhile, where another processor is free.

A part of receiving. Only what a key active now has signed is examined ahead, and only what is long enough to be worth
the way to the examiner and back.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Protocol

from node.core import envelope as envelopes
from node.core.entry import SignedEntry, VerifiedBody, origin_of
from node.core.errors import XinqiaoError
from node.core.examination import Packed, unpack
from node.core.limits import DEFAULT_LIMITS, Limits
from node.core.rules import VERSION_1
from node.core.state import Judgement, Standard, standard_of
from node.pb import channel_pb2
from node.ports import Store, View

SHORTEST_BYTES = 32 * 1024
MOST_BYTES = 16 * 1024 * 1024
"""Of the bodies that wait; those that have waited longest are forgotten beyond it, and opened when it is their turn."""


class Examiner(Protocol):
    """Whoever examines entries beside the event loop."""

    async def examine(self, header: bytes, body: bytes, standard: Standard) -> Packed | None:
        """What core.examination.examine finds; None also where nobody could be asked. Answers come in order."""
        ...


@dataclass(frozen=True, slots=True)
class _Ahead:
    signed: SignedEntry
    standard: Standard
    found: "asyncio.Task[Packed | None]"

    @property
    def size(self) -> int:
        return len(self.signed.body or b"")


class Examining:
    """Has entries examined ahead; without an examiner it does nothing."""

    def __init__(self, view: View, store: Store, examiner: Examiner | None, limits: Limits = DEFAULT_LIMITS) -> None:
        self._view = view
        self._store = store
        self._examiner = examiner
        self._limits = limits
        self._ahead: OrderedDict[tuple[str, int, int], _Ahead] = OrderedDict()
        self._bytes = 0

    def expect(self, signed: SignedEntry) -> None:
        """Have an entry examined that is there, and whose turn will come."""
        if self._examiner is None or signed.body is None or len(signed.body) < SHORTEST_BYTES:
            return
        known = self._ahead.get(_place(signed))
        if known is not None and _are_same(known.signed, signed):
            return  # by another road
        standard = self._standard(signed)
        if standard is None:
            return
        self._forget(_place(signed))
        asking = self._examiner.examine(signed.envelope.payload, signed.body, standard)
        self._ahead[_place(signed)] = _Ahead(signed, standard, asyncio.ensure_future(asking))
        self._bytes += len(signed.body)
        while self._bytes > MOST_BYTES:
            self._forget(next(iter(self._ahead)))

    async def of(self, signed: SignedEntry) -> tuple[VerifiedBody | None, Judgement | None]:
        """The opened body of an entry and the judgement on it; nothing where it was not examined, or could not be."""
        ahead = self._ahead.get(_place(signed))
        if ahead is None or not _are_same(ahead.signed, signed):
            return None, None
        del self._ahead[_place(signed)]
        self._bytes -= ahead.size
        packed = await ahead.found
        if packed is None or signed.body is None:
            return None, None
        return unpack(signed.body, ahead.standard, packed)

    def _forget(self, place: tuple[str, int, int]) -> None:
        ahead = self._ahead.pop(place, None)
        if ahead is not None:
            self._bytes -= ahead.size
            ahead.found.cancel()

    def _standard(self, signed: SignedEntry) -> Standard | None:
        """By what the entry will be judged, as far as can be told now; None for what is not examined ahead."""
        origin = self._view.members.get(origin_of(signed.channel))
        held = self._store.channel(signed.channel, signed.epoch)
        if origin is None or held is None:
            return None
        try:
            if not envelopes.signers(signed.envelope, envelopes.ENTRY_HEADER, origin.active_keys, self._limits):
                return None
            header = envelopes.parse(channel_pb2.EntryHeader, signed.envelope.payload)
            edition = self._view.editions.get(header.catalogue_version)
            rules = self._view.rules.get(header.rules_version or VERSION_1.version)
            if header.kind != channel_pb2.ENTRY_KIND_RECORDS or edition is None or rules is None:
                return None
            return standard_of(header, held.manifest, origin.division, edition, rules)
        except XinqiaoError:
            return None  # its turn will tell why


def _place(signed: SignedEntry) -> tuple[str, int, int]:
    return signed.channel, signed.epoch, signed.index


def _are_same(one: SignedEntry, other: SignedEntry) -> bool:
    return one is other or (one.envelope.payload, one.body) == (other.envelope.payload, other.body)
