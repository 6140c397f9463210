"""Bodies are kept packed; those that are kept as they are stay so, and no program before this one reads the others."""

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Change nothing."""
