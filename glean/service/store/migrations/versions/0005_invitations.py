"""Invitations of bakeries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Go on to this version."""
    names = ("created_at", "created_by", "expires_at", "used_at", "withdrawn_at")
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("bakery", sa.String(), nullable=False),
        sa.Column("secret_hash", sa.String(), nullable=False),
        sa.Column("replaces_key", sa.Boolean(), nullable=False),
        *(sa.Column(name, sa.String(), nullable=False) for name in names),
        sa.PrimaryKeyConstraint("id", name="pk_invitations"),
        sa.UniqueConstraint("secret_hash", name="uq_invitations_secret_hash"),
    )
    op.create_index("ix_invitations_bakery", "invitations", ["bakery"])


def downgrade() -> None:
    """Go back to the version before."""
    op.drop_table("invitations")
