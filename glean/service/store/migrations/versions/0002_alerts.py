"""Alerts on their way to webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go on to this version."""
    names = ("kind", "subject", "text", "at", "next_try_at", "delivered_at")
    op.create_table(
        "alerts",
        *(sa.Column(name, sa.String(), primary_key=True) for name in ("key", "url")),
        *(sa.Column(name, sa.String(), nullable=False) for name in names),
        sa.Column("tries", sa.Integer(), nullable=False),
    )


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_table("alerts")
