"""What Alembic runs: migrations within the application's database, all of them in one transaction."""

from alembic import context
from flask import current_app
from sqlalchemy import Connection, inspect, text

from app.happenings.declared import write_types
from app.models import EventTypeRow, db

# Two processes that start at once (a web host, a worker) must not migrate at once.
MIGRATION_LOCK = 7_247_001


def run_migrations_offline() -> None:
    """Print the SQL (`db upgrade --sql`)."""
    context.configure(
        url=current_app.config["SQLALCHEMY_DATABASE_URI"], target_metadata=db.metadata, literal_binds=True
    )
    with context.begin_transaction():
        context.run_migrations()


def run_migrations_online() -> None:
    """Migrate."""
    with db.engine.connect() as connection:
        context.configure(
            connection=connection, target_metadata=db.metadata, compare_type=True, compare_server_default=True
        )
        with context.begin_transaction():
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
            context.run_migrations()
            _write_types(connection)


def _write_types(connection: Connection) -> None:
    """Write the program's types of happenings, which may be others than those of the release before."""
    if inspect(connection).has_table(EventTypeRow.__tablename__):
        write_types(connection)


if context.is_offline_mode():
    run_migrations_offline()
else:
    run_migrations_online()
