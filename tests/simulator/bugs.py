"""The planted bugs: what each mistake is, the lines it changes, who may notice it and what a scenario needs for that.

A difference is written as in a patch: "- " lines go, "+ " lines come, at the indentation at which they are found.
"""

from tests.simulator.list_bugs import LIST_BUGS
from tests.simulator.planted_bug import Change, PlantedBug, Rewording

__all__ = ["BUGS", "Change", "PlantedBug", "Rewording"]

_CONTINUITY = "node.core.channel:_check_continuity"
_SWAP_HEAD = "node.storage.sql_writing:_SWAP_HEAD"
_SWAP_APPLIED = "node.storage.sql_writing:_SWAP_APPLIED"
_PUBLISHING = "node.publishing:Publishing."
_RECEIVING = "node.receiving:Receiving."
_DELIVERY = "node.delivery:Delivery."

# -- what is looked at before an entry is taken --------------------------------------------------------------

_TAKING = (
    PlantedBug(
        "skip-index",
        "an entry need not be the next one of its log",
        ("G2",),
        "a subscriber that has lost entries (restore, lost_on_crash) while its peers push on; or lie: withhold",
        (
            # prev_root, the compare-and-swap of the head and that of the fold each refuse it, too.
            Change(
                _CONTINUITY,
                """
                - if header.index != log.size:
                + if False:

                - if header.prev_root != log.root:
                + if header.index == log.size and header.prev_root != log.root:
                """,
            ),
            Rewording(_SWAP_HEAD, ((" AND size = :index AND root = :before", ""),)),
            Rewording(_SWAP_APPLIED, (("= applied_size + 1", "= :index + 1"), (" AND applied_size = :index", ""))),
        ),
    ),
    PlantedBug(
        "skip-prev-root",
        "an entry need not continue the history that is held",
        ("G2", "G6"),
        "equivocate, with readers of both histories that talk",
        (
            Change(
                _CONTINUITY,
                """
                - if header.prev_root != log.root:
                + if False:
                """,
            ),
            Rewording(_SWAP_HEAD, ((" AND root = :before", ""),)),
        ),
    ),
    PlantedBug(
        "skip-signature",
        "whose signature stands under an entry is not looked at",
        ("G1",),
        "lie: forge, of a header that is the next one of its log",
        (
            Change(
                "node.core.channel:open_header",
                """
                - for found in signers:
                + for found in origin.active_keys:
                """,
            ),
        ),
    ),
    PlantedBug(
        "skip-records-root",
        "a body is taken for that of its header unchecked",
        ("G1",),
        "lie: forge, of a record in a body",
        (
            Change(
                "node.core.entry:open_body",
                """
                - if records_root(commitments) != header.records_root:
                + if False:
                """,
            ),
        ),
    ),
    PlantedBug(
        "above-the-cut",
        "a log that is cut is taken beyond its cut",
        ("G1",),
        "suspend while the origin writes, head reports and registry readings that are late at some readers",
        (
            Change(
                "node.core.channel:_check_cut",
                """
                - if log.cut is not None and signed.index < log.cut.size:
                + if log.cut is not None:
                """,
            ),
        ),
    ),
)

# -- two histories -------------------------------------------------------------------------------------------

_HISTORIES = (
    PlantedBug(
        "compare-envelopes",
        "two signatures or encodings of one payload count as two histories",
        ("G6",),
        "lie: re-encode, of an envelope whose payload stays; the entry comes from an honest peer, too",
        (
            Change(
                "node.core.channel:conflict",
                """
                - if held.payload == other.payload:
                + if held == other:
                """,
            ),
            Change(
                "node.core.channel:check_equivocation",
                """
                - if proof.first.payload == proof.second.payload:
                + if proof.first == proof.second:
                """,
            ),
        ),
    ),
    PlantedBug(
        "no-proof-of-forks",
        "an entry of another history is passed over or refused, and nobody keeps the proof",
        ("G6",),
        "equivocate, with readers of both histories that talk",
        (
            Change(
                "node.core.channel:conflict",
                """
                - if held.payload == other.payload:
                + if True:
                """,
            ),
            Change(
                f"{_RECEIVING}_advance",
                """
                - if error.code == "ENTRY_PREV_ROOT":
                + if False:
                """,
            ),
        ),
    ),
    PlantedBug(
        "trust-hello-sizes",
        "a peer that claims our size is in step, one that claims less holds the beginning of ours",
        ("G6", "CONVERGENCE"),
        "equivocate, with two histories of equal size at the end; best few and short logs",
        (
            Change(
                "node.comparing:compare",
                """
                - if theirs == ours:
                + if theirs.size == ours.size:

                - if held is not None and root_at(store, held.log, theirs.size) == theirs.root:
                + if held is not None:
                """,
            ),
        ),
    ),
    PlantedBug(
        "append-after-restore",
        "a restored database is written on, whatever the sidecar says",
        ("G7",),
        "restore or lost_on_crash of an origin that has written since, and writes again before peers reach it",
        (
            Change(
                f"{_PUBLISHING}start",
                """
                - kept = self._heads.read()
                + kept = (self._store.incarnation(), held)
                """,
            ),
        ),
    ),
    PlantedBug(
        "sidecar-late",
        "a signature leaves first, and the sidecar learns of it with the next one",
        ("G7",),
        "lost_on_crash soon after a publication, and another one before peers reach the node",
        (
            Change(
                f"{_PUBLISHING}_append",
                """
                - self._heads.trust({**self._heads.known, held.key: HeadAt(held.log.size, held.log.root)})
                + before = self._heads.known
                + self._heads.known = {**before, held.key: HeadAt(held.log.size, held.log.root)}

                - self._wake(*held.key)
                + self._wake(*held.key)
                + self._heads._sidecar.write(self._store.incarnation(), before)
                """,
            ),
        ),
    ),
)

# -- what is durable, and what is told of it -----------------------------------------------------------------

_DURABLE = (
    PlantedBug(
        "acknowledge-first",
        "a receipt is signed before what it is for is committed",
        ("G2",),
        "nothing; disk latency, disk.fail and crashes make it worse",
        (
            Change(
                f"{_RECEIVING}_take_new",
                """
                - await committing.add(lane, step, is_last=going.is_over)
                + if held is None:
                +     await committing.add(lane, step, is_last=going.is_over)
                +     continue
                + writing = asyncio.ensure_future(self._writer.run(lane, step))
                + writing.add_done_callback(lambda done: done.cancelled() or done.exception())
                + size, root, frontier = going.log.size, going.log.root, going.log.frontier
                + committing.held = replace(held, log=replace(held.log, size=size, root=root, frontier=frontier))
                + self.__dict__.setdefault("ahead", {})[held.key] = committing.held
                """,
            ),
            Change(
                f"{_RECEIVING}_receipt",
                """
                - held = self._store.channel(channel, epoch)
                + held = self.__dict__.get("ahead", {}).pop(key, None) or self._store.channel(channel, epoch)
                """,
            ),
            Change(
                "node.acknowledging:said_of",
                """
                - if now == held:
                + if now == held or now.log.size < held.log.size:
                """,
            ),
        ),
    ),
    PlantedBug(
        "swallow-failure",
        "a publication whose transaction failed is told as done",
        ("G2",),
        "disk.fail or disk_full while an origin publishes",
        (
            Change(
                f"{_PUBLISHING}publish",
                """
                - await self._append_records(held.log, records, held.manifest, rules_version or VERSION_1.version)
                + try:
                +     await self._append_records(held.log, records, held.manifest, rules_version or VERSION_1.version)
                + except XinqiaoError as error:
                +     if error.code not in ("DATABASE", "DISK_FULL"):
                +         raise
                """,
            ),
        ),
    ),
    PlantedBug(
        "forget-outbox",
        "what was written before a restart is not offered until its log is written again",
        # Whoever holds it all the same is out of step with its origin, and tells everything again and again.
        ("G4", "CONVERGENCE", "IDLE"),
        "disk.crash_after, or crash while the links are cut, at an origin that writes the log no more",
        (
            Change(
                f"{_PUBLISHING}start",
                """
                - self._heads.trust(held)
                + self._heads._sidecar.write(self._store.incarnation(), held)
                """,
            ),
            Change(
                f"{_PUBLISHING}beat",
                """
                - self._heads.trust(heads)
                + self._heads._sidecar.write(self._store.incarnation(), heads)
                """,
            ),
            Change(
                f"{_PUBLISHING}_append",
                """
                - self._heads.trust({**self._heads.known, held.key: HeadAt(held.log.size, held.log.root)})
                + self._heads._sidecar.write(self._store.incarnation(), self._heads.held())
                + self._heads.known = {**self._heads.known, held.key: HeadAt(held.log.size, held.log.root)}
                """,
            ),
        ),
    ),
)

# -- effects -------------------------------------------------------------------------------------------------

_EFFECTS = (
    PlantedBug(
        "duplicate-as-applied",
        "a record that is there already is counted as one more",
        ("G3",),
        "workload.repeated",
        (
            Change(
                "node.novelty:Novelty._split_by_novelty",
                """
                - outcomes.append(Outcome(candidate.row, OutcomeKind.DUPLICATE))
                + outcomes.append(Outcome(candidate.row, OutcomeKind.ACCEPTED))
                """,
            ),
            Change(
                "node.core.state:_take_effect",
                """
                - counts[DUPLICATE, ""] += 1
                + counts[APPLIED, ""] += 1
                """,
            ),
        ),
    ),
    PlantedBug(
        "retry-applies-twice",
        "an entry that comes again is counted again",
        ("G3",),
        "duplicate, lost_answer or reset; or simply two peers that bring one entry",
        (
            Change(
                f"{_RECEIVING}_compare",
                """
                - if entry.complete or signed.body is None:
                + count = header_of(entry).record_count
                + if count and signed.index < held.applied_size:
                +     from node.core.state import APPLIED, Applied
                +     again = Applied(signed.channel, signed.epoch, signed.index, counts={(APPLIED, ""): count})
                +     return await self._writer.run(lane_of(held.manifest), lambda tx: tx.apply(again))
                + if entry.complete or signed.body is None:
                """,
            ),
            Rewording(
                _SWAP_APPLIED,
                (("= applied_size + 1", "= MAX(applied_size, :index + 1)"), (" AND applied_size = :index", "")),
            ),
        ),
    ),
    PlantedBug(
        "fresh-beyond-applied",
        "a channel is fresh as of a heartbeat over entries that are not applied",
        ("G5",),
        "nothing; partitions and bandwidth make it more frequent",
        (
            Change(
                f"{_RECEIVING}_keep_heartbeat",
                """
                - if known is not None and held.applied_size >= head.size:
                + if True:
                """,
            ),
        ),
    ),
    PlantedBug(
        "no-control-lane",
        "control channels travel and are written among the bulk",
        ("G4",),
        "a control and a bulk channel of one origin, bytes_per_s of some thousand, bulk batches that take minutes",
        (
            Change(
                "node.admission:lane_of",
                """
                - return Lane.CONTROL if manifest.priority == channel_pb2.PRIORITY_CONTROL else Lane.BULK
                + return Lane.BULK
                """,
            ),
        ),
    ),
)

# -- who holds what ------------------------------------------------------------------------------------------

_HOLDING = (
    PlantedBug(
        "outside-the-audience",
        "every member is given every channel",
        ("G8",),
        "a channel whose audience is not everyone",
        (
            Change(
                "node.sharing:Sharing.extent",
                """
                - if self._reads(peer, held):
                + if True:
                """,
            ),
        ),
    ),
    PlantedBug(
        "leaver-keeps-copy",
        "a node that was dropped from an audience keeps what it has",
        ("G8", "G9"),
        "workload.audience_changes",
        (
            Change(
                "node.admission:Admission._follow_audience",
                """
                - tx.erase_bodies(channel, epoch)
                + pass
                """,
            ),
        ),
    ),
    PlantedBug(
        "keep-erased",
        "what is erased stays where it was held",
        ("G4", "G9", "CONVERGENCE"),
        "workload.erasures",
        (
            Change(
                "node.storage.sql_writing:SqlTransaction._put_erasures_of",
                """
                - if body is not None and stored is not None and erasures:
                + if False:
                """,
            ),
        ),
    ),
    PlantedBug(
        "bare-as-erased",
        "a bare commitment counts as erased, though no erasure names it",
        ("G9", "G3"),
        "lie: fake-erasure or withhold, of bodies with records",
        (
            Change(
                "node.admission:_is_complete",
                """
                - return erased_in(body, erased).issuperset(body.bare)
                + return True
                """,
            ),
        ),
    ),
    PlantedBug(
        "body-never-fetched",
        "a body that did not come with its entry is asked for nowhere, and brought by nobody",
        ("CONVERGENCE",),
        "lie: withhold; or workload.audience_changes that drop a reader and add it again",
        (
            Change(
                f"{_DELIVERY}_fetch_missing",
                """
                - for key, start, end in self._missing.wanted(link, lane):
                + for key, start, end in ():

                - for key, entries in self._missing.brought(link, lane):
                + for key, entries in ():
                """,
            ),
        ),
    ),
)

# -- the registry and the links ------------------------------------------------------------------------------

_REACHING = (
    PlantedBug(
        "rolled-back-registry",
        "a registry that shows an older state is believed",
        ("G1", "G10"),
        "registry: rolled-back, after the officers have published something new; its timestamp not yet expired",
        (
            Change(
                "node.rpc.registry_reading:Reading._read",
                """
                - held = self._held.files if self._held else {}
                + held = {}
                """,
            ),
        ),
    ),
    PlantedBug(
        "members-forgotten",
        "a reading of the registry that fails takes the members away",
        ("G10", "CONVERGENCE"),
        "registry: unreachable, or partition of a node from everybody, for longer than settings.registry_refresh_s",
        (
            Change(
                "node.membership:Membership.refresh",
                """
                - if news.state is None:
                + if news.state is None:
                +     self._state = replace(self._state, members=Members(self.network, {}))
                """,
            ),
        ),
    ),
    PlantedBug(
        "link-dies",
        "a link ends with its first failure",
        ("CONVERGENCE",),
        "partition, crash or reset that both ends of a link notice",
        (
            Change(
                f"{_DELIVERY}_keep_going",
                """
                - except XinqiaoError as error:
                -     await self._back_off(link, error)
                + except XinqiaoError as error:
                +     return
                """,
            ),
        ),
    ),
)

_ALL = (*_TAKING, *_HISTORIES, *_DURABLE, *_EFFECTS, *_HOLDING, *_REACHING, *LIST_BUGS)
BUGS = {bug.name: bug for bug in _ALL}
