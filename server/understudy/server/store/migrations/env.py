"""Runs the migrations on the connection that `database.migrating` hands over, and no other way."""

from alembic import context

from understudy.server.store.schema import VERSION_TABLE, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
