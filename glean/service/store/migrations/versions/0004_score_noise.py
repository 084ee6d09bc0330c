"""How much noise there is in a run's score."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go on to this version; runs that are known are read again."""
    op.add_column("runs", sa.Column("score_noise", sa.Double(), nullable=True))
    op.execute("UPDATE runs SET seen = ''")


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_column("runs", "score_noise")
