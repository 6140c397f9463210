"""Changes of joint lists wait for officers in tables of their own; nothing that was there changes."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TEXTS = ("id", "channel", "state", "target", "last", "since", "source")
NUMBERS = ("act", "operations", "batches", "drafted_at_ms", "until_ms", "settled_at_ms")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "list_changes",
        *(sa.Column(name, sa.Text(), nullable=False) for name in TEXTS),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("digest", "fault")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in NUMBERS),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("list_changes_state", "list_changes", ["state"])
    op.create_table(
        "list_change_batches",
        sa.Column("change_id", sa.Text(), nullable=False),
        sa.Column("batch", sa.BigInteger(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("change_id", "batch"),
    )
