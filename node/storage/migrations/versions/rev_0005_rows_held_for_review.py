"""Rows that a rule holds wait in a table of their own; nothing that was there changes."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TEXTS = ("id", "channel", "state", "reasons", "rules_version", "source")
NUMBERS = ("source_row", "held_at_ms", "until_ms", "settled_at_ms")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "held_rows",
        *(sa.Column(name, sa.Text(), nullable=False) for name in TEXTS),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("natural_key", "content_hash", "fault")),
        *(sa.Column(name, sa.LargeBinary(), nullable=True) for name in ("record", "salt")),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in NUMBERS),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("held_rows_key", "held_rows", ["channel", "natural_key"])
    op.create_index("held_rows_state", "held_rows", ["state"])
