"""The database goes away between the mail server's yes and the row that says so."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError, OperationalError

from app.delivery.lease import Lease
from app.delivery.outage import write_when_back
from app.models import db
from tests.servers.answering import AnsweringSmtp
from tests.support.sending import point_at, queue, rows, run

KILL_ALL = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


def kill_connections(engine: Engine) -> None:
    """End everybody's connections, as a restart of PostgreSQL does."""
    alone = create_engine(engine.url, poolclass=NullPool)
    with alone.connect() as connection:
        connection.execute(text(KILL_ALL))


def events() -> list[str]:
    found = list(db.session.scalars(text("SELECT event FROM mail_events ORDER BY id")))
    db.session.rollback()
    return found


def test_an_outcome_is_written_when_the_database_is_back_and_no_mail_is_in_doubt(sending: None) -> None:
    engine = db.engine

    def answer(count: int) -> None:
        if count == 2:
            kill_connections(engine)

    with AnsweringSmtp(answer) as server:
        point_at(server.port)
        queue(4)
        db.session.rollback()  # the test's own connection is to be idle, and is then looked at before it is used
        with pytest.raises(OperationalError):
            run()
        assert [mail.status for mail in rows()] == ["sent", "sent", "queued", "queued"]
        assert run() == {"sent": 2}
        assert len(server.envelopes) == 4
    assert "uncertain" not in events()
    assert events().count("sent") == 4


def test_when_the_lease_may_have_ended_the_outcome_is_left_to_others(database: None) -> None:
    assert not write_when_back(db.engine, Lease(db.engine, "a claim", 0.0), pytest.fail)


def test_a_statement_that_is_wrong_is_not_repeated_for_ever(database: None) -> None:
    lease = Lease(db.engine, "a claim", 60.0)
    with pytest.raises(DBAPIError):
        write_when_back(db.engine, lease, lambda connection: connection.execute(text("SELECT nothing_like_it")))
