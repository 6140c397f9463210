"""The first schema."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_LOG = ("channel_id", "epoch")
_ENTRY = (*_LOG, "entry_index")
_SLOT = (*_ENTRY, "position")


def upgrade() -> None:
    """Create every table."""
    _create_logs()
    _create_records()
    _create_statements()
    _create_surroundings()
    if op.get_bind().dialect.name == "sqlite":
        _describe_sizes()


def _create_logs() -> None:
    _table("database", _text("incarnation"), key=["incarnation"])
    _table("origins", _text("name"), _number("closed_through"), key=["name"])
    _table(
        "channels",
        sa.Column("id", sa.Integer(), nullable=False),
        _text("name"),
        _text("origin"),
        key=["id"],
        unique="name",
    )
    _table(
        "logs",
        *_numbers(*_LOG, "size"),
        _blob("root"),
        _blob("frontier"),
        *_numbers("applied_size", "records"),
        _blob("manifest"),
        _number("manifest_index"),
        _number("left_at", nullable=True),
        _number("fresh_at_ms"),
        _number("covered_size", nullable=True),
        _blob("covered_root", nullable=True),
        _number("cut_size", nullable=True),
        _blob("cut_root", nullable=True),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"]),
        key=_LOG,
        clustered=True,
    )
    _table(
        "entries",
        *_numbers(*_ENTRY, "complete", "record_count", "issued_at_ms", "received_at_ms"),
        _blob("envelope"),
        sa.ForeignKeyConstraint(_LOG, [f"logs.{column}" for column in _LOG]),
        key=_ENTRY,
    )
    incomplete = sa.text("complete = 0")
    op.create_index("entries_incomplete", "entries", list(_ENTRY), sqlite_where=incomplete, postgresql_where=incomplete)
    _table(
        "bodies",
        *_numbers(*_ENTRY),
        _blob("body"),
        sa.ForeignKeyConstraint(_ENTRY, [f"entries.{column}" for column in _ENTRY]),
        key=_ENTRY,
    )
    _table("hashes", *_numbers(*_LOG, "position"), _blob("hash"), key=(*_LOG, "position"), clustered=True)


def _create_records() -> None:
    _table(
        "records",
        *_numbers(*_SLOT),
        _number("in_force", nullable=True),
        _blob("natural_key"),
        _blob("content_hash", nullable=True),
        _text("subject"),
        key=_SLOT,
        clustered=True,
    )
    op.create_index("records_key", "records", ["channel_id", "natural_key", "in_force"], unique=True)
    op.create_index("records_subject", "records", ["subject"])
    _table("erasures", *_numbers(*_SLOT), _blob("commitment"), key=_SLOT, clustered=True)
    _table("barred", *_numbers(*_SLOT), key=_SLOT, clustered=True)
    _table(
        "outcomes",
        *_numbers(*_LOG, "outcome"),
        _text("code"),
        _number("count"),
        key=(*_LOG, "outcome", "code"),
        clustered=True,
    )


def _create_statements() -> None:
    _table(
        "heartbeats",
        _text("node"),
        *_numbers("sequence", "time_ms", "heads"),
        _blob("view"),
        key=["node"],
        unique="sequence",
    )
    _table(
        "receipts",
        _text("channel"),
        _text("subscriber"),
        _number("sequence"),
        _blob("envelope"),
        key=["channel", "subscriber"],
        unique="sequence",
    )
    op.create_index("ix_receipts_subscriber", "receipts", ["subscriber"])
    _table("addresses", _text("node"), _number("sequence"), _blob("envelope"), key=["node"], unique="sequence")
    _table(
        "equivocations",
        _text("channel"),
        *_numbers("epoch", "entry_index", "sequence"),
        _blob("proof"),
        key=["channel", "epoch", "entry_index"],
        unique="sequence",
    )


def _create_surroundings() -> None:
    _table("settings", _text("name"), _text("value"), key=["name"])
    _table(
        "links",
        _text("node"),
        *_numbers("failures", "retry_at_ms", "last_success_ms", "clock_skew_ms"),
        _blob("failure"),
        key=["node"],
    )
    _table(
        "alarms",
        _text("code"),
        _text("subject"),
        _text("parameters"),
        *_numbers("first_seen_ms", "last_seen_ms", "count"),
        key=["code", "subject"],
    )
    _table("registry_files", _text("name"), _blob("content"), key=["name"])


def _describe_sizes() -> None:
    """Tell SQLite's planner how large the tables will be; it takes a new database's for tiny and walks them.

    The numbers are rows, then rows for each value of the first column of the index, of the first two, and so on.
    """
    op.execute("ANALYZE")
    op.execute("DELETE FROM sqlite_stat1")
    for table, index, sizes in (
        ("records", "records", "10000000 1000000 500000 1000 1"),
        ("records", "records_key", "10000000 1000000 1 1"),
        ("records", "records_subject", "10000000 10"),
        ("entries", "sqlite_autoindex_entries_1", "100000 1000 500 1"),
        ("entries", "entries_incomplete", "1000 100 50 1"),
        ("bodies", "sqlite_autoindex_bodies_1", "100000 1000 500 1"),
        ("hashes", "hashes", "200000 2000 1000 1"),
        ("erasures", "erasures", "100000 10000 5000 10 1"),
        ("barred", "barred", "1000 100 50 10 1"),
    ):
        op.execute(f"INSERT INTO sqlite_stat1 VALUES ('{table}', '{index}', '{sizes}')")  # noqa: S608 - constants


def _table(
    name: str, *parts: sa.schema.SchemaItem, key: Sequence[str], unique: str = "", clustered: bool = False
) -> None:
    """Create a table; a clustered one is a single B-tree in SQLite."""
    constraints = [sa.PrimaryKeyConstraint(*key), *([sa.UniqueConstraint(unique)] if unique else [])]
    options = {"sqlite_with_rowid": False} if clustered else {}
    op.create_table(name, *parts, *constraints, **options)


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [_number(name) for name in names]


def _number(name: str, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.BigInteger(), nullable=nullable)


def _text(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=False)


def _blob(name: str, nullable: bool = False) -> sa.Column[bytes]:
    return sa.Column(name, sa.LargeBinary(), nullable=nullable)
