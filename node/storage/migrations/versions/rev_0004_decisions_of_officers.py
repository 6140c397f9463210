"""What officers sign at this node has a table of its own; nothing that was there changes."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "officer_statements",
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("act", "subject")),
        *(sa.Column(name, sa.LargeBinary(), nullable=False) for name in ("envelope", "content")),
        sa.PrimaryKeyConstraint("sequence"),
        sa.UniqueConstraint("digest"),
    )
    op.create_index("officer_statements_subject", "officer_statements", ["subject"])
