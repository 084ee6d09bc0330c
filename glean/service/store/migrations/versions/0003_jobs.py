"""The SLURM jobs of runs."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go on to this version."""
    job = sa.Column("job", sa.JSON(), nullable=False, server_default=sa.text("'{}'"))
    op.add_column("runs", job)


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_column("runs", "job")
