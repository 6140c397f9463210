"""The query log has tables of its own; nothing that was there changes."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TEXTS = ("officer", "unit", "matter", "matters_version", "ground", "key_id", "subject")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "queries",
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in ("sequence", "at_ms", "subject_count")),
        *(sa.Column(name, sa.Text(), nullable=False) for name in TEXTS),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("previous", "entry_hash", "subjects_root")),
        sa.PrimaryKeyConstraint("sequence"),
    )
    op.create_index("queries_subject", "queries", ["subject"])
    op.create_table(
        "query_leaves",
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("leaves", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sequence"),
    )
