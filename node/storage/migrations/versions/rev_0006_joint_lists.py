"""Joint lists get tables of their own.

Versions before this one counted their entries rejected, as they did not know them. The logs in which they did are
folded again; every other log stays as it is.
"""

# ruff: noqa: S608 - statements are put together from constants of this module

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

PLACE = ("channel_id", "epoch", "entry_index", "position")
TARGET = ("target_epoch", "target_index", "target_position")
UNKNOWN_THEN = (
    " WHERE EXISTS (SELECT 1 FROM outcomes o WHERE o.channel_id = {0}.channel_id AND o.epoch = {0}.epoch"
    " AND o.code = 'VERDICT_KIND') AND EXISTS (SELECT 1 FROM logs l WHERE l.channel_id = {0}.channel_id"
    " AND l.epoch = {0}.epoch AND l.left_at IS NULL)"
)


def _numbers(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def upgrade() -> None:
    """Make the tables, and let the fold of the logs that need it start again."""
    op.create_table(
        "list_operations",
        *_numbers(*PLACE, "act", *TARGET, "at_ms"),
        *_texts("decided_on", "until", "measures"),
        *_numbers("ground", "particulars"),
        sa.Column("standing", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint(*PLACE),
        sqlite_with_rowid=False,
    )
    op.create_index("list_operations_target", "list_operations", ["channel_id", *TARGET])
    op.create_table(
        "listings",
        *_numbers(*PLACE),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("element", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint(*PLACE),
        sqlite_with_rowid=False,
    )
    op.create_index("listings_subject", "listings", ["subject"])
    op.create_table(
        "list_states",
        *_numbers("channel_id"),
        sa.Column("accumulator", sa.LargeBinary(), nullable=False),
        *_texts("status"),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in ("differs_epoch", "differs_index")),
        *_texts("rebuilt"),
        sa.PrimaryKeyConstraint("channel_id"),
    )
    op.execute("DELETE FROM records" + UNKNOWN_THEN.format("records"))
    op.execute("UPDATE logs SET applied_size = 0, records = 0, fresh_at_ms = 0" + UNKNOWN_THEN.format("logs"))
    op.execute("DELETE FROM outcomes" + UNKNOWN_THEN.format("outcomes"))
