"""What Alembic runs: the steps, on the connection and in the transaction that `migrate` gives it."""

from __future__ import annotations

from alembic import context

from bounceparse.ledger.migrate import VERSIONS
from bounceparse.ledger.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, version_table=VERSIONS, render_as_batch=True)
context.run_migrations()
