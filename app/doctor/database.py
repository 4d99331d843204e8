"""PostgreSQL: whether it answers, is new enough, has the tables of this version, and tells the same time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from app.doctor.findings import Finding, Level
from app.models.base import utc_now

CHECK: Final = "database"
OLDEST: Final = 15
# Seconds to connect, and for one statement.
CONNECT_SECONDS: Final = 5
STATEMENT_SECONDS: Final = 5
# Differences of the clocks in seconds: seen in the order of what happened; felt in the life of links and leases.
CLOCK_WARNING: Final = 2.0
CLOCK_PROBLEM: Final = 60.0

_UPGRADE: Final = "Run `python manage.py db upgrade`."


def open_database(url: str) -> Engine:
    """An engine for the doctor alone, which gives up soon and keeps no connection."""
    options = {"connect_timeout": CONNECT_SECONDS, "application_name": "usher-doctor"}
    return create_engine(url, poolclass=NullPool, connect_args=options, hide_parameters=True)


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that can change nothing, and whose statements end in bounded time."""
    with engine.begin() as connection:
        connection.execute(text("SET TRANSACTION READ ONLY"))
        connection.execute(text(f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'"))
        yield connection


def database_address(url: URL) -> str:
    """Where a database is, without its user and password."""
    port = f":{url.port}" if url.port else ""
    return f"{url.host or url.query.get('host') or 'this host'}{port}/{url.database or ''}"


def said(error: SQLAlchemyError) -> str:
    """What the database said, on one line; its driver never repeats the password."""
    return str(getattr(error, "orig", None) or error).strip().partition("\n")[0]


def check_database(engine: Engine, now: Callable[[], datetime] = utc_now) -> tuple[bool, list[Finding]]:
    """Look at the database.

    Args:
        engine: as `open_database` makes it.
        now: this host's clock.

    Returns:
        Whether its tables can be read, and the findings.
    """
    where = database_address(engine.url)
    try:
        with reading(engine) as connection:
            version = _version(connection, where)
            tables = _tables(connection, where)
            clock = _clock(connection, where, now)
    except SQLAlchemyError as error:
        advice = "Check DATABASE_URL, that PostgreSQL runs, and that it lets this host in (pg_hba.conf)."
        return False, [Finding("problem", CHECK, where, f"The database cannot be used: {said(error)}.", advice)]
    return tables.level == "ok", [version, tables, clock]


def _version(connection: Connection, where: str) -> Finding:
    shown = str(connection.scalar(text("SHOW server_version")))
    if int(connection.scalar(text("SHOW server_version_num")) or 0) // 10_000 < OLDEST:
        advice = f"Use PostgreSQL {OLDEST} or a newer one."
        return Finding("problem", CHECK, where, f"PostgreSQL is {shown}, which is too old.", advice)
    return Finding("ok", CHECK, where, f"PostgreSQL {shown} answers.")


def _tables(connection: Connection, where: str) -> Finding:
    # Here, since every command would load Alembic otherwise.
    from alembic.migration import MigrationContext  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    from app.models.migrating import MIGRATIONS  # noqa: PLC0415

    scripts = ScriptDirectory(str(MIGRATIONS))
    wanted = set(scripts.get_heads())
    found = set(MigrationContext.configure(connection).get_current_heads())
    if found == wanted:
        return Finding("ok", CHECK, where, f"The tables are those of this version ({', '.join(sorted(found))}).")
    if not found:
        return Finding("problem", CHECK, where, "There are no tables of Usher's.", _UPGRADE)
    shown = f"{', '.join(sorted(found))}, and this version wants {', '.join(sorted(wanted))}"
    if found <= {script.revision for script in scripts.walk_revisions()}:
        return Finding("problem", CHECK, where, f"The tables are of an older version: {shown}.", _UPGRADE)
    advice = "Start the version that made them; going back loses what the newer one has written."
    return Finding("problem", CHECK, where, f"The tables are of a newer version: {shown}.", advice)


def _clock(connection: Connection, where: str, now: Callable[[], datetime]) -> Finding:
    before = now()
    theirs = connection.scalar(text("SELECT clock_timestamp()"))
    after = now()
    # Somewhere between the two the database has looked at its clock.
    theirs = (theirs or after).astimezone(UTC)
    seconds = max((before - theirs).total_seconds(), (theirs - after).total_seconds(), 0.0)
    if seconds < CLOCK_WARNING:
        return Finding("ok", CHECK, where, "Its clock and this host's tell the same time.")
    level: Level = "problem" if seconds >= CLOCK_PROBLEM else "warning"
    what = f"Its clock and this host's differ by {seconds:.0f} s: reminders, links and retries come at the wrong time."
    return Finding(level, CHECK, where, what, "Set both by NTP (`timedatectl`, chrony).")
