"""An outcome is written while the next mail is on its way, and that mail is not given before it is there."""

from __future__ import annotations

import psycopg2
import pytest
from sqlalchemy import Engine, NullPool, create_engine, text

from app.delivery.lease import Lease
from app.delivery.outcomes import SENT
from app.delivery.writer import Writer, writer_for
from app.models import db
from tests.servers.answering import AnsweringSmtp
from tests.support.sending import point_at, queue, rows, run


def statuses(engine: Engine) -> list[str]:
    """As somebody else sees them who connects now."""
    with create_engine(engine.url, poolclass=NullPool).connect() as connection:
        return list(connection.execute(text("SELECT status FROM mails ORDER BY id")).scalars())


def test_no_mail_is_given_before_the_outcome_of_the_one_before_is_written(sending: None) -> None:
    engine, seen = db.engine, []

    def answer(count: int) -> None:
        seen.append(statuses(engine)[: count - 1])

    with AnsweringSmtp(answer) as server:
        point_at(server.port)
        queue(4)
        assert run() == {"sent": 4}
    assert seen == [["sent"] * before for before in range(4)]


def test_the_last_outcome_of_a_batch_is_waited_for(sending: None) -> None:
    with AnsweringSmtp(lambda _count: None) as server:
        point_at(server.port)
        queue(1)
        run()
        assert statuses(db.engine) == ["sent"]


def test_a_connection_that_is_lost_is_made_anew_and_the_outcome_is_written_all_the_same(sending: None) -> None:
    engine = db.engine
    end = text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'EXECUTE usher_sent%'")

    def answer(count: int) -> None:
        if count == 3:
            with create_engine(engine.url, poolclass=NullPool).connect() as connection:
                assert connection.execute(end).scalars().all() == [True]

    with AnsweringSmtp(answer) as server:
        point_at(server.port)
        queue(5)
        assert run() == {"sent": 5}
        assert len(server.envelopes) == 5
    assert {mail.status for mail in rows()} == {"sent"}


def test_a_mail_is_not_given_if_the_lease_ran_out_while_an_outcome_was_waited_for(
    sending: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Asked before each mail is begun, and again before it is given: the first mail passes, the second does not.
    answers = iter([True, True, True, False])
    monkeypatch.setattr(Lease, "holds", property(lambda _lease: next(answers)))
    with AnsweringSmtp(lambda _count: None) as server:
        point_at(server.port)
        queue(3)
        assert run() == {"sent": 1}
        assert len(server.envelopes) == 1
    assert [mail.status for mail in rows()] == ["sent", "sending", "sending"]


def test_a_statement_that_is_wrong_is_told_and_the_next_one_goes(database: None) -> None:
    writer = Writer(db.engine)
    writer.begin(SENT, (1, "no claim at all", "smtp", None, None, None))
    with pytest.raises(psycopg2.Error):
        writer.finish()
    writer.begin(SENT, (1, "00000000-0000-0000-0000-000000000000", "smtp", None, None, None))
    assert writer.finish() == 0
    writer.close()
    with pytest.raises(psycopg2.OperationalError, match="nothing was written"):
        writer.finish()


def test_a_worker_keeps_its_writer(database: None) -> None:
    assert writer_for(db.engine) is writer_for(db.engine)
