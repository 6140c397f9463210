"""What status operations do to records has a table of its own.

Versions before this one counted such operations rejected, as they did not know them. The logs in which they did are
folded again, which finds the acts in the entries held; every other log stays as it is.
"""

# ruff: noqa: S608 - statements are put together from constants of this module

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

PLACE = ("channel_id", "epoch", "entry_index", "position")
GIVEN = ("kind", "target_epoch", "target_index", "target_position", "at_ms", "particulars")
REPLACEMENT = ("new_epoch", "new_index", "new_position")
UNKNOWN_THEN = (
    " WHERE EXISTS (SELECT 1 FROM outcomes o WHERE o.channel_id = {0}.channel_id AND o.epoch = {0}.epoch"
    " AND o.code = 'VERDICT_STATUS') AND EXISTS (SELECT 1 FROM logs l WHERE l.channel_id = {0}.channel_id"
    " AND l.epoch = {0}.epoch AND l.left_at IS NULL)"
)


def upgrade() -> None:
    """Make the table, and let the fold of the logs that need it start again."""
    op.create_table(
        "acts",
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in (*PLACE, *GIVEN)),
        *(sa.Column(name, sa.BigInteger(), nullable=True) for name in REPLACEMENT),
        sa.PrimaryKeyConstraint(*PLACE),
        sqlite_with_rowid=False,
    )
    op.create_index("acts_target", "acts", ["channel_id", "target_epoch", "target_index", "target_position"])
    op.execute("DELETE FROM records" + UNKNOWN_THEN.format("records"))
    op.execute("UPDATE logs SET applied_size = 0, records = 0, fresh_at_ms = 0" + UNKNOWN_THEN.format("logs"))
    op.execute("DELETE FROM outcomes" + UNKNOWN_THEN.format("outcomes"))
