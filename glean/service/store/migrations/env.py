"""Alembic's environment: migrations run on the connection that `Database.upgrade` opened."""

from __future__ import annotations

from alembic import context

from glean.service.store.tables import Table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Table.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
