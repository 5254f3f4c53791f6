"""Alembic's entry: run by experiment.data.connect.migrate with a connection at hand, never by hand."""

from __future__ import annotations

from alembic import context

from experiment.data.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
