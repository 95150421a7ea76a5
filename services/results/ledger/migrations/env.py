"""Alembic's entry: runs on the connection, and in the transaction, that the ledger gives."""

from alembic import context

from services.results.ledger.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the ledger's own transaction is around it
)
context.run_migrations()
