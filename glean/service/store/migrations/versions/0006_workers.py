"""Workers that take runs from the queue, and the events of runs on their way to a broker."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TEXTS = ("worker", "lease_until", "sent_at")
_NUMBERS = ("priority", "attempt", "handed_back")
_FLAGS = ("cancel_wanted", "given_up")


def upgrade() -> None:
    """Go on to this version."""
    for name, empty in (("request", "'{}'"), ("earlier", "'[]'")):
        op.add_column("runs", _column(name, sa.JSON(), sa.text(empty)))
    for name in _TEXTS:
        op.add_column("runs", _column(name, sa.String(), ""))
    for name in _NUMBERS:
        op.add_column("runs", _column(name, sa.Integer(), sa.text("0")))
    for name in _FLAGS:
        op.add_column("runs", _column(name, sa.Boolean(), sa.false()))
    op.create_table(
        "workers",
        *_texts("name", "host", "started_at", "seen_at", "run_id"),
        sa.PrimaryKeyConstraint("name", name="pk_workers"),
    )
    op.create_table(
        "run_events",
        *_texts("run_id", "kind", "at", "content", "published_at"),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("run_id", "number", name="pk_run_events"),
    )
    op.create_index("ix_run_events_published_at", "run_events", ["published_at"])
    op.create_table(
        "service_facts",
        *_texts("name", "value"),
        sa.PrimaryKeyConstraint("name", name="pk_service_facts"),
    )


def downgrade() -> None:
    """Go back to the version before."""
    for table in ("service_facts", "run_events", "workers"):
        op.drop_table(table)
    for name in ("request", "earlier", *_TEXTS, *_NUMBERS, *_FLAGS):
        op.drop_column("runs", name)


def _column(
    name: str, kind: sa.types.TypeEngine[Any], empty: str | sa.ColumnElement[Any] | sa.TextClause
) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, server_default=empty)


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.String(), nullable=False) for name in names]
