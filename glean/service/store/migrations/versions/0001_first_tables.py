"""First tables: runs, accounts, the audit log, idempotency keys, defaults."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = ("runs", "tokens", "sessions", "audit_log", "idempotency_keys", "run_defaults")


def upgrade() -> None:
    """Go on to this version."""
    _make_runs()
    _make_accounts()
    op.create_table(
        "idempotency_keys",
        *_texts("key actor", primary=True),
        *_texts("request_hash made created_at"),
    )
    op.create_table(
        "run_defaults", *_texts("key", primary=True), sa.Column("value", sa.JSON(), nullable=False)
    )


def downgrade() -> None:
    """Go back to the version before."""
    for table in TABLES:
        op.drop_table(table)


def _make_runs() -> None:
    op.create_table(
        "runs",
        *_texts("id", primary=True),
        *_texts("flower_id folder status reason engine workload"),
        sa.Column("settings", sa.JSON(), nullable=False),
        *_texts("asked_by asked_at started_at ended_at"),
        *(
            sa.Column(n, sa.Integer(), nullable=False)
            for n in ("bakeries", "rounds", "rounds_done")
        ),
        sa.Column("score", sa.Double(), nullable=True),
        *_texts("seen"),
    )
    op.create_index("ix_runs_asked_at_id", "runs", ["asked_at", "id"])
    op.create_index("ix_runs_flower_id", "runs", ["flower_id"])
    op.create_index("ix_runs_status", "runs", ["status"])


def _make_accounts() -> None:
    op.create_table(
        "tokens",
        *_texts("id", primary=True),
        *_texts("name prefix secret_hash scope created_at expires_at revoked_at used_at"),
        sa.UniqueConstraint("prefix", name="uq_tokens_prefix"),
    )
    op.create_table(
        "sessions",
        *_texts("id", primary=True),
        *_texts("token_id csrf created_at expires_at"),
    )
    op.create_index("ix_sessions_token_id", "sessions", ["token_id"])
    op.create_table(
        "audit_log",
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=True),
        *_texts("at actor action subject detail address"),
    )
    op.create_index("ix_audit_log_action", "audit_log", ["action"])


def _texts(names: str, *, primary: bool = False) -> list[sa.Column[str]]:
    """Make columns of text, none of them null."""
    return [sa.Column(n, sa.String(), primary_key=primary, nullable=False) for n in names.split()]
