"""The embedded database finds records by terms that are merged in order; a server keeps its two indexes."""

import sqlalchemy as sa
from alembic import op

from node.core.record_terms import key_term, subject_term

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PLACE = ("channel_id", "epoch", "entry_index", "position")
AT_A_TIME = 50_000
_PAGE = sa.text(
    f"SELECT {', '.join(PLACE)}, natural_key, subject FROM records"  # noqa: S608 - of constants
    f" WHERE ({', '.join(PLACE)}) > (:channel_id, :epoch, :entry_index, :position)"
    f" ORDER BY {', '.join(PLACE)} LIMIT :limit"
)
_ADD = f"INSERT INTO record_terms (term, {', '.join(PLACE)}) VALUES (?, ?, ?, ?, ?)"  # noqa: S608 - of constants


def upgrade() -> None:
    """Make the tables, fill the one from all records and drop the indexes that it replaces."""
    op.create_table(
        "record_terms",
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("term", *PLACE)),
        sa.PrimaryKeyConstraint("term", *PLACE),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "record_terms_merged",
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("channel_id", "epoch", "size")),
        sa.PrimaryKeyConstraint("channel_id", "epoch"),
        sqlite_with_rowid=False,
    )
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("records_key", "records")
        op.drop_index("records_subject", "records")
        _fill(op.get_bind())
        op.execute("INSERT INTO record_terms_merged SELECT channel_id, epoch, applied_size FROM logs")
        _describe_sizes()


def _fill(connection: sa.Connection) -> None:
    last = dict.fromkeys(PLACE, -1)
    while rows := connection.execute(_PAGE, last | {"limit": AT_A_TIME}).fetchall():
        terms = sorted(
            (term, *row[:4]) for row in rows for term in (key_term(row.natural_key), subject_term(row.subject))
        )
        connection.exec_driver_sql(_ADD, terms)
        last = dict(zip(PLACE, rows[-1][:4], strict=True))


def _describe_sizes() -> None:
    """Tell SQLite's planner of the tables, as the first revision does; it forgets dropped indexes by itself."""
    for table, index, sizes in (
        ("record_terms", "record_terms", "20000000 4 2 2 2 1"),
        ("acts", "acts", "100000 10000 5000 10 1"),
        ("acts", "acts_target", "100000 10000 5000 100 2"),
    ):
        op.execute(f"INSERT INTO sqlite_stat1 VALUES ('{table}', '{index}', '{sizes}')")  # noqa: S608 - constants
