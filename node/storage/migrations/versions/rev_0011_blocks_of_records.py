"""The embedded database keeps records that stand together in one row; those that have rows of their own keep them."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BLOCK = ("channel_id", "epoch", "entry_index", "number")


def upgrade() -> None:
    """Make the table, which is empty at first."""
    op.create_table(
        "record_blocks",
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in (*BLOCK, "count")),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("natural_keys", "content_hashes")),
        sa.Column("subjects", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(*BLOCK),
    )
