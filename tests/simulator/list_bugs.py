"""The planted bugs of joint lists."""

from tests.simulator.planted_bug import Change, PlantedBug

_DOUBTS = "node.core.answer:doubts_of"
_CHECKING = "node.checking:Checking."

_WRONG_AT_READERS = Change(
    "node.admission:Admission.fold_on",
    """
    - if folded.operations:
    -     tx.put_operations(channel, folded.operations)
    + if folded.operations:
    +     ours = channel.startswith(self._view.me)
    +     tx.put_operations(channel, [each for each in folded.operations if ours or each.operation.act != 2])
    """,
)
"""No reader takes an amendment (act 2) over; its origin does."""

LIST_BUGS = (
    PlantedBug(
        "resurrect-after-restore",
        "a database that was put back is believed at once to hold all of a list",
        ("G4",),
        "restore of a reader to before an exit that it has receipted, and a check before its peers are asked",
        (
            Change(
                "node.regained:Regained.is_regained",
                """
                - return channel in self._regained and channel not in self._owed
                + return True
                """,
            ),
        ),
    ),
    PlantedBug(
        "stale-lists-punish",
        "a list answers, however old the copy is",
        ("G5",),
        "lists.staleness_limit_s of some heartbeats, and a reader that is cut off for longer",
        (
            Change(
                _DOUBTS,
                """
                - Doubt.STALE: not is_fresh,
                + Doubt.STALE: False,
                """,
            ),
        ),
    ),
    PlantedBug(
        "suspended-lists-punish",
        "a list answers while its origin is suspended",
        ("G5",),
        "suspend of the origin of a list, and checks at readers that have heard of it",
        (
            Change(
                _DOUBTS,
                """
                - Doubt.ORIGIN_SUSPENDED: not known.origin_speaks,
                + Doubt.ORIGIN_SUSPENDED: False,
                """,
            ),
        ),
    ),
    PlantedBug(
        "two-histories-punish",
        "a list answers though its origin has signed two histories",
        ("G6",),
        "equivocate of the origin of a list, and checks at readers that have the proof",
        (
            Change(
                _DOUBTS,
                """
                - Doubt.QUARANTINED: known.is_quarantined,
                + Doubt.QUARANTINED: False,
                """,
            ),
        ),
    ),
    PlantedBug(
        "log-after-answering",
        "a check is answered while its question is still on its way into the query log",
        ("QUERIES",),
        "workload.checks",
        (
            Change(
                f"{_CHECKING}check",
                """
                - logged = await self._log(question, subject)
                + logged = __import__("asyncio").ensure_future(self._log(question, subject))
                + logged.add_done_callback(lambda done: done.cancelled() or done.exception())
                """,
            ),
        ),
    ),
    PlantedBug(
        "ignore-suspensions",
        "a suspension that is in force does not stop what a check answers",
        ("G4",),
        "workload.list_changes, with checks of suspended subjects",
        (
            Change(
                f"{_CHECKING}_in_force",
                """
                - listing = listing_of((each.operation for each in operations if each.is_answered), now_ms)
                + listing = listing_of((each.operation for each in operations if each.operation.act != 3), now_ms)
                """,
            ),
        ),
    ),
    PlantedBug(
        "forget-amendments",
        "an amendment changes nothing of what a listing says",
        ("G3",),
        "workload.list_changes",
        (
            Change(
                "node.core.listing:following",
                """
                - renewed = operation if operation.act in (ENTER, AMEND) or listing is None else listing
                + renewed = operation if listing is None else listing
                """,
            ),
        ),
    ),
    PlantedBug(
        "wrong-reducer",
        "readers, and no origin, make of amendments nothing",
        ("G3",),
        "workload.list_changes",
        (_WRONG_AT_READERS,),
    ),
    PlantedBug(
        "digest-unchecked",
        "the same, and members that are not those the origin has signed count as the same",
        ("G3",),
        "workload.list_changes",
        (
            _WRONG_AT_READERS,
            Change(
                "node.list_standing:_status",
                """
                - if _state(store, channel).digest == signed.digest:
                + if True:
                """,
            ),
        ),
    ),
)
