"""Held rows: what two officers make of a row that a rule holds for review (R-INC-2).

A row that a rule holds is not published and not lost: it waits at its origin, and leaves it in one of these ways:

    pending     nobody has decided; one officer may have proposed something
    approved    two officers have released it: it is published as soon as this node can
    published   it is
    refused     two officers have refused it: its content is gone
    superseded  a later row of the same key has taken its place: its content is gone
    expired     nobody has decided in time: its content is gone

Releasing and refusing both take two different officers: the first signature proposes (经办), the second reviews (复核).
One alone makes no row public, and no row disappear. Until the second has signed, any officer may withdraw what is
proposed: who proposed it, or who was to review it and disagrees.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from node.core.errors import XinqiaoError
from node.pb import officer_pb2

RELEASE = "hold.release"
REFUSE = "hold.refuse"
WITHDRAW = "hold.withdraw"
ACTS = (RELEASE, REFUSE, WITHDRAW)
SALT_BYTES = 16


class HoldState(StrEnum):
    """Where a held row stands."""

    PENDING = "pending"
    APPROVED = "approved"
    PUBLISHED = "published"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"


WAITING = (HoldState.PENDING, HoldState.APPROVED)
"""The states in which the content of a row is kept."""


@dataclass(frozen=True, slots=True)
class Signed:
    """One act on a held row and the officer who signed it."""

    act: str
    officer: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """What the acts on a held row come to: proposed waits for a second officer, decided has both."""

    proposed: Signed | None = None
    decided: tuple[Signed, Signed] | None = None

    @property
    def act(self) -> str:
        """The act that two officers have signed; empty while there is none."""
        return self.decided[0].act if self.decided is not None else ""

    def after(self, signed: Signed) -> "Review":
        """The review with one more act; raises HOLD_SAME_OFFICER, HOLD_PROPOSED, HOLD_NOTHING_PROPOSED."""
        before = self.proposed
        if signed.act == WITHDRAW:
            if before is None:
                raise XinqiaoError("HOLD_NOTHING_PROPOSED")
            return Review()
        if before is None:
            return Review(proposed=signed)
        if before.act != signed.act:
            raise XinqiaoError("HOLD_PROPOSED", officer=before.officer, action=before.act.removeprefix("hold."))
        if before.officer == signed.officer:
            raise XinqiaoError("HOLD_SAME_OFFICER", officer=signed.officer)
        return Review(decided=(before, signed))


def review_of(acts: Iterable[Signed]) -> Review:
    """What acts come to, in the order in which they were taken."""
    review = Review()
    for signed in acts:
        review = review.after(signed)
    return review


def hold_digest(hold: str, channel: str, rules_version: str, rules: Sequence[str], record: bytes, salt: bytes) -> bytes:
    """What officers sign of a held row, so that nobody shows them one and publishes another.

    The salt goes with the row: from a digest that is kept nobody can find out what a row said that is gone.
    """
    content = officer_pb2.HeldRowDigested(
        id=hold, channel=channel, rules_version=rules_version, rules=rules, record=record, salt=salt
    )
    return hashlib.sha256(content.SerializeToString(deterministic=True)).digest()
