"""Every record judged good has a row until it is erased, and nothing stands for an erased one.

The rows that are missing can only be made from the entries, so the records go, and the node folds its logs again
from what it holds. Logs it has left have no records and stay as they are. Entries, cuts, erasures, quarantines and
receipts, its own too, stay: once folded, a log is as large and as far applied as its last receipt says.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the fold of every log that is still read start again, and claim nothing for it meanwhile."""
    op.execute("DELETE FROM records")
    op.execute(
        "DELETE FROM outcomes WHERE EXISTS (SELECT 1 FROM logs l"
        " WHERE l.channel_id = outcomes.channel_id AND l.epoch = outcomes.epoch AND l.left_at IS NULL)"
    )
    op.execute(
        "UPDATE logs SET applied_size = 0, records = 0, fresh_at_ms = 0 WHERE left_at IS NULL AND applied_size > 0"
    )
