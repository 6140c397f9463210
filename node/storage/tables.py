"""The tables, private to this package; everybody else sees node.ports.

Rows are keyed by (channel_id, epoch, ...), small integers that arrive in order, so that a log grows at the end
of its B-tree. Times are Unix milliseconds UTC. What is signed is stored as the bytes that were signed.

    channels, logs            one row for each channel, one for each epoch of it
    entries, bodies, hashes   the log itself; bodies apart, because they are rewritten when slots are erased
    records, record_blocks    where a record stands and under which key; its bytes stay in the entry's body
    erasures, barred          which slots may not be kept; erasures also before their target arrives
    acts                      what status operations do to records, also before their target arrives
    list_operations, listings, list_states    what stands on joint lists, and how it compares with its origins' digests

Every record that was judged good has a row, or its share of a block, until it is erased. In force (in_force = 1) is
the last of a key at or below its cut; the others stand in the background (NULL): what a cut or an erasure is undone
with, and what is erased together with the one in force. That one record of a key is in force is what the store sees
to as it writes.
"""

from sqlalchemy import BigInteger, ForeignKeyConstraint, Index, LargeBinary, Text, text
from sqlmodel import Field, SQLModel

# Such a table is one B-tree ordered by its primary key; right for short rows.
_CLUSTERED = {"sqlite_with_rowid": False}
_LOG = ("channel_id", "epoch")
_ENTRY = ("channel_id", "epoch", "entry_index")
_INCOMPLETE = text("complete = 0")  # a query finds the index only where it says exactly this


def _within(parent: str, columns: tuple[str, ...]) -> ForeignKeyConstraint:
    return ForeignKeyConstraint(columns, [f"{parent}.{column}" for column in columns])


class DatabaseRow(SQLModel, table=True):
    """The one row that tells this database from its restored or copied twins."""

    __tablename__ = "database"

    incarnation: str = Field(primary_key=True, sa_type=Text)


class SettingRow(SQLModel, table=True):
    """A small named value."""

    __tablename__ = "settings"

    name: str = Field(primary_key=True, sa_type=Text)
    value: str = Field(sa_type=Text)


class OriginRow(SQLModel, table=True):
    """An origin whose logs are closed up to an epoch, those that begin later included."""

    __tablename__ = "origins"

    name: str = Field(primary_key=True, sa_type=Text)
    closed_through: int = Field(sa_type=BigInteger)


class ChannelRow(SQLModel, table=True):
    """A channel's name and the short number that stands for it in other tables."""

    __tablename__ = "channels"

    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(sa_type=Text, unique=True)
    origin: str = Field(sa_type=Text)


class LogRow(SQLModel, table=True):
    """One epoch of a channel. size 0 means that only its bounds are known so far.

    frontier is the concatenation of its hashes; records counts the rows in force of this epoch.
    """

    __tablename__ = "logs"
    __table_args__ = (ForeignKeyConstraint(["channel_id"], ["channels.id"]), _CLUSTERED)

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    size: int = Field(sa_type=BigInteger)
    root: bytes = Field(sa_type=LargeBinary)
    frontier: bytes = Field(sa_type=LargeBinary)
    applied_size: int = Field(sa_type=BigInteger)
    records: int = Field(sa_type=BigInteger)
    manifest: bytes = Field(sa_type=LargeBinary)
    manifest_index: int = Field(sa_type=BigInteger)
    left_at: int | None = Field(sa_type=BigInteger)
    fresh_at_ms: int = Field(sa_type=BigInteger)
    covered_size: int | None = Field(sa_type=BigInteger)
    covered_root: bytes | None = Field(sa_type=LargeBinary)
    cut_size: int | None = Field(sa_type=BigInteger)
    cut_root: bytes | None = Field(sa_type=LargeBinary)


class EntryRow(SQLModel, table=True):
    """A signed entry; envelope is the serialized Envelope with the payload exactly as signed."""

    __tablename__ = "entries"
    __table_args__ = (
        _within("logs", _LOG),
        Index("entries_incomplete", *_ENTRY, sqlite_where=_INCOMPLETE, postgresql_where=_INCOMPLETE),
    )

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    entry_index: int = Field(primary_key=True, sa_type=BigInteger)
    complete: int = Field(sa_type=BigInteger)
    record_count: int = Field(sa_type=BigInteger)
    issued_at_ms: int = Field(sa_type=BigInteger)
    received_at_ms: int = Field(sa_type=BigInteger)
    envelope: bytes = Field(sa_type=LargeBinary)


class BodyRow(SQLModel, table=True):
    """The serialized EntryBody as held, or its zstd frame (node.core.packing); no row where none is."""

    __tablename__ = "bodies"
    __table_args__ = (_within("entries", _ENTRY),)

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    entry_index: int = Field(primary_key=True, sa_type=BigInteger)
    body: bytes = Field(sa_type=LargeBinary)


class HashRow(SQLModel, table=True):
    """A stored hash of a log's Merkle tree, at its storage index (node.core.merkle)."""

    __tablename__ = "hashes"
    __table_args__ = (_CLUSTERED,)

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    hash: bytes = Field(sa_type=LargeBinary)


class RecordRow(SQLModel, table=True):
    """The place of a record that took effect; see the module for in_force."""

    __tablename__ = "records"
    __table_args__ = (
        Index("records_key", "natural_key", postgresql_using="hash").ddl_if(dialect="postgresql"),
        Index("records_subject", "subject").ddl_if(dialect="postgresql"),
        _CLUSTERED,
    )

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    entry_index: int = Field(primary_key=True, sa_type=BigInteger)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    in_force: int | None = Field(sa_type=BigInteger)
    natural_key: bytes = Field(sa_type=LargeBinary)
    content_hash: bytes | None = Field(sa_type=LargeBinary)
    subject: str = Field(sa_type=Text)


class RecordBlockRow(SQLModel, table=True):
    """Records that stand together and are all in force (node.storage.record_blocks); empty on a server.

    natural_keys and content_hashes are the concatenation of those hashes, subjects is a JSON array.
    """

    __tablename__ = "record_blocks"

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    entry_index: int = Field(primary_key=True, sa_type=BigInteger)
    number: int = Field(primary_key=True, sa_type=BigInteger)
    count: int = Field(sa_type=BigInteger)
    natural_keys: bytes = Field(sa_type=LargeBinary)
    content_hashes: bytes = Field(sa_type=LargeBinary)
    subjects: str = Field(sa_type=Text)


class RecordTermRow(SQLModel, table=True):
    """A term of a record (node.storage.record_index); empty where the database has indexes of its own for that."""

    __tablename__ = "record_terms"
    __table_args__ = (_CLUSTERED,)

    term: int = Field(primary_key=True, sa_type=BigInteger)
    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    entry_index: int = Field(primary_key=True, sa_type=BigInteger)
    position: int = Field(primary_key=True, sa_type=BigInteger)


class RecordTermsMergedRow(SQLModel, table=True):
    """How many entries of a log have all their terms in record_terms."""

    __tablename__ = "record_terms_merged"
    __table_args__ = (_CLUSTERED,)

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    size: int = Field(sa_type=BigInteger)


class ErasureRow(SQLModel, table=True):
    """A slot that a verified erasure names; it may precede its entry."""

    __tablename__ = "erasures"
    __table_args__ = (_CLUSTERED,)

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    entry_index: int = Field(primary_key=True, sa_type=BigInteger)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    commitment: bytes = Field(sa_type=LargeBinary)


class ActRow(SQLModel, table=True):
    """What a status operation, at its own place, does to the record at target_*; it may precede its target.

    particulars is the position of decision and reason. Only corrections name a replacement.
    """

    __tablename__ = "acts"
    __table_args__ = (
        Index("acts_target", "channel_id", "target_epoch", "target_index", "target_position"),
        _CLUSTERED,
    )

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    entry_index: int = Field(primary_key=True, sa_type=BigInteger)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    kind: int = Field(sa_type=BigInteger)
    target_epoch: int = Field(sa_type=BigInteger)
    target_index: int = Field(sa_type=BigInteger)
    target_position: int = Field(sa_type=BigInteger)
    at_ms: int = Field(sa_type=BigInteger)
    particulars: int = Field(sa_type=BigInteger)
    new_epoch: int | None = Field(sa_type=BigInteger)
    new_index: int | None = Field(sa_type=BigInteger)
    new_position: int | None = Field(sa_type=BigInteger)


class ListOperationRow(SQLModel, table=True):
    """What an operation, at its own place, does to the listing at target_*; it may precede its target.

    standing is NULL until it is folded, then 1 where it is valid and 0 where not. measures are joined by commas.
    particulars is the position of subject, decision and reason.
    """

    __tablename__ = "list_operations"
    __table_args__ = (
        Index("list_operations_target", "channel_id", "target_epoch", "target_index", "target_position"),
        _CLUSTERED,
    )

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    entry_index: int = Field(primary_key=True, sa_type=BigInteger)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    act: int = Field(sa_type=BigInteger)
    target_epoch: int = Field(sa_type=BigInteger)
    target_index: int = Field(sa_type=BigInteger)
    target_position: int = Field(sa_type=BigInteger)
    at_ms: int = Field(sa_type=BigInteger)
    decided_on: str = Field(sa_type=Text)
    until: str = Field(sa_type=Text)
    measures: str = Field(sa_type=Text)
    ground: int = Field(sa_type=BigInteger)
    particulars: int = Field(sa_type=BigInteger)
    standing: int | None = Field(sa_type=BigInteger)


class ListingRow(SQLModel, table=True):
    """The listing that a valid operation at this place has entered; how it stands follows from its operations.

    subject is NULL where it may not be named. element is what the listing adds to the accumulator of its list, NULL
    where it is no member.
    """

    __tablename__ = "listings"
    __table_args__ = (Index("listings_subject", "subject"), _CLUSTERED)

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    entry_index: int = Field(primary_key=True, sa_type=BigInteger)
    position: int = Field(primary_key=True, sa_type=BigInteger)
    subject: str | None = Field(sa_type=Text)
    element: bytes | None = Field(sa_type=LargeBinary)


class ListStateRow(SQLModel, table=True):
    """The accumulator over the members of a list, and how it compares with the digests that its origin has signed.

    differs_* name the first entry from which on they differ. rebuilt is the reducer that last worked the members out.
    """

    __tablename__ = "list_states"

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    accumulator: bytes = Field(sa_type=LargeBinary)
    status: str = Field(sa_type=Text)
    differs_epoch: int | None = Field(sa_type=BigInteger)
    differs_index: int | None = Field(sa_type=BigInteger)
    rebuilt: str = Field(sa_type=Text)


class BarredRow(SQLModel, table=True):
    """A slot whose content a rule bars from being kept."""

    __tablename__ = "barred"
    __table_args__ = (_CLUSTERED,)

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    entry_index: int = Field(primary_key=True, sa_type=BigInteger)
    position: int = Field(primary_key=True, sa_type=BigInteger)


class OutcomeRow(SQLModel, table=True):
    """How many records of a log's applied entries had one outcome."""

    __tablename__ = "outcomes"
    __table_args__ = (_CLUSTERED,)

    channel_id: int = Field(primary_key=True, sa_type=BigInteger)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    outcome: int = Field(primary_key=True, sa_type=BigInteger)
    code: str = Field(primary_key=True, sa_type=Text)
    count: int = Field(sa_type=BigInteger)


class HeartbeatRow(SQLModel, table=True):
    """The newest heartbeat view of a node."""

    __tablename__ = "heartbeats"

    node: str = Field(primary_key=True, sa_type=Text)
    sequence: int = Field(sa_type=BigInteger, unique=True)
    time_ms: int = Field(sa_type=BigInteger)
    heads: int = Field(sa_type=BigInteger)
    view: bytes = Field(sa_type=LargeBinary)


class ReceiptRow(SQLModel, table=True):
    """The largest receipt of a subscriber for a channel."""

    __tablename__ = "receipts"

    channel: str = Field(primary_key=True, sa_type=Text)
    subscriber: str = Field(primary_key=True, sa_type=Text, index=True)
    sequence: int = Field(sa_type=BigInteger, unique=True)
    envelope: bytes = Field(sa_type=LargeBinary)


class AddressRow(SQLModel, table=True):
    """The newest address record of a node; its own number stands in the envelope."""

    __tablename__ = "addresses"

    node: str = Field(primary_key=True, sa_type=Text)
    sequence: int = Field(sa_type=BigInteger, unique=True)
    envelope: bytes = Field(sa_type=LargeBinary)


class EquivocationRow(SQLModel, table=True):
    """A proof of two histories."""

    __tablename__ = "equivocations"

    channel: str = Field(primary_key=True, sa_type=Text)
    epoch: int = Field(primary_key=True, sa_type=BigInteger)
    entry_index: int = Field(primary_key=True, sa_type=BigInteger)
    sequence: int = Field(sa_type=BigInteger, unique=True)
    proof: bytes = Field(sa_type=LargeBinary)


class LinkRow(SQLModel, table=True):
    """How the link to a peer stands."""

    __tablename__ = "links"

    node: str = Field(primary_key=True, sa_type=Text)
    failures: int = Field(sa_type=BigInteger)
    retry_at_ms: int = Field(sa_type=BigInteger)
    last_success_ms: int = Field(sa_type=BigInteger)
    clock_skew_ms: int = Field(sa_type=BigInteger)
    failure: bytes = Field(sa_type=LargeBinary)


class HeldRowRow(SQLModel, table=True):
    """A row that a rule holds for review; record and salt are NULL, and settled_at_ms is set, once it waits no more.

    reasons is a JSON array of codes, columns and parameters, fault a serialized Refusal or empty.
    """

    __tablename__ = "held_rows"
    __table_args__ = (Index("held_rows_key", "channel", "natural_key"), Index("held_rows_state", "state"))

    id: str = Field(primary_key=True, sa_type=Text)
    channel: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    natural_key: bytes = Field(sa_type=LargeBinary)
    content_hash: bytes = Field(sa_type=LargeBinary)
    record: bytes | None = Field(sa_type=LargeBinary)
    salt: bytes | None = Field(sa_type=LargeBinary)
    reasons: str = Field(sa_type=Text)
    rules_version: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    source_row: int = Field(sa_type=BigInteger)
    held_at_ms: int = Field(sa_type=BigInteger)
    until_ms: int = Field(sa_type=BigInteger)
    settled_at_ms: int = Field(sa_type=BigInteger)
    fault: bytes = Field(sa_type=LargeBinary)


class ListChangeRow(SQLModel, table=True):
    """A change of a joint list that waits for officers; settled_at_ms is set once it waits no more.

    target, last and since are places, EPOCH/INDEX/POSITION or empty; fault is a serialized Refusal or empty.
    """

    __tablename__ = "list_changes"
    __table_args__ = (Index("list_changes_state", "state"),)

    id: str = Field(primary_key=True, sa_type=Text)
    channel: str = Field(sa_type=Text)
    act: int = Field(sa_type=BigInteger)
    state: str = Field(sa_type=Text)
    target: str = Field(sa_type=Text)
    last: str = Field(sa_type=Text)
    operations: int = Field(sa_type=BigInteger)
    batches: int = Field(sa_type=BigInteger)
    digest: bytes = Field(sa_type=LargeBinary)
    since: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    drafted_at_ms: int = Field(sa_type=BigInteger)
    until_ms: int = Field(sa_type=BigInteger)
    settled_at_ms: int = Field(sa_type=BigInteger)
    fault: bytes = Field(sa_type=LargeBinary)


class ListChangeBatchRow(SQLModel, table=True):
    """What one entry of a change will hold: operations, words and salts; gone once the change is settled."""

    __tablename__ = "list_change_batches"

    change_id: str = Field(primary_key=True, sa_type=Text)
    batch: int = Field(primary_key=True, sa_type=BigInteger)
    content: bytes = Field(sa_type=LargeBinary)


class OfficerStatementRow(SQLModel, table=True):
    """What an officer has signed at this node, in the order in which it was taken; never changed, never taken away.

    digest is the SHA-256 of the signed bytes; content is what the statement decides, where nobody else holds it.
    """

    __tablename__ = "officer_statements"
    __table_args__ = (Index("officer_statements_subject", "subject"),)

    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    digest: bytes = Field(sa_type=LargeBinary, unique=True)
    act: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    envelope: bytes = Field(sa_type=LargeBinary)
    content: bytes = Field(sa_type=LargeBinary)


class QueryRow(SQLModel, table=True):
    """A question that was asked about subjects, chained to the one before; never changed, never taken away.

    subject is that of a check of one, empty for a batch, which has a subjects_root instead. Text where it is an
    organisation's code; of natural persons only what the node's key makes of their numbers is kept.
    """

    __tablename__ = "queries"
    __table_args__ = (Index("queries_subject", "subject"),)

    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    previous: bytes = Field(sa_type=LargeBinary)
    entry_hash: bytes = Field(sa_type=LargeBinary)
    at_ms: int = Field(sa_type=BigInteger)
    officer: str = Field(sa_type=Text)
    unit: str = Field(sa_type=Text)
    matter: str = Field(sa_type=Text)
    matters_version: str = Field(sa_type=Text)
    ground: str = Field(sa_type=Text)
    key_id: str = Field(sa_type=Text)
    subject_count: int = Field(sa_type=BigInteger)
    subject: str = Field(sa_type=Text)
    subjects_root: bytes = Field(sa_type=LargeBinary)


class QueryLeavesRow(SQLModel, table=True):
    """What stands for the subjects of a batch, 32 bytes each, ascending."""

    __tablename__ = "query_leaves"

    sequence: int = Field(primary_key=True, sa_type=BigInteger)
    leaves: bytes = Field(sa_type=LargeBinary)


class AlarmRow(SQLModel, table=True):
    """Something a person should look at; parameters are a JSON object of texts."""

    __tablename__ = "alarms"

    code: str = Field(primary_key=True, sa_type=Text)
    subject: str = Field(primary_key=True, sa_type=Text)
    parameters: str = Field(sa_type=Text)
    first_seen_ms: int = Field(sa_type=BigInteger)
    last_seen_ms: int = Field(sa_type=BigInteger)
    count: int = Field(sa_type=BigInteger)


class RegistryFileRow(SQLModel, table=True):
    """A verified registry file under its published name."""

    __tablename__ = "registry_files"

    name: str = Field(primary_key=True, sa_type=Text)
    content: bytes = Field(sa_type=LargeBinary)
