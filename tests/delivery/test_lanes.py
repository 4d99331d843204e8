"""Lanes: what somebody waits for overtakes what goes to thousands; send-later waits in the same table."""

from uuid import uuid4

from sqlalchemy import Connection, text

from app.delivery.claims import BATCH, CLAIM_DUE, claim_batch
from app.delivery.pace import FIRST, Pace
from app.models import db
from app.models.mail import BULK
from tests.support.sending import queue


def make_bulk(connection: Connection, first: int, last: int) -> None:
    statement = text("UPDATE mails SET lane = :bulk WHERE id BETWEEN :first AND :last")
    connection.execute(statement, {"bulk": BULK, "first": first, "last": last})


def test_a_password_reset_overtakes_announcements_that_were_there_before(connection: Connection) -> None:
    queue(201)
    make_bulk(connection, 1, 200)
    _, mails = claim_batch(connection)
    assert [mail.id for mail in mails] == [201, *range(1, 100)]


def test_a_full_lane_leaves_nothing_of_the_batch_to_the_next(connection: Connection) -> None:
    queue(6)
    make_bulk(connection, 1, 2)
    assert [mail.id for mail in claim_batch(connection, limit=3)[1]] == [3, 4, 5]
    assert [mail.id for mail in claim_batch(connection, limit=3)[1]] == [6, 1, 2]


def test_a_long_lane_is_not_read_whole_for_one_claim(database: None) -> None:
    many = text(
        "INSERT INTO mails (recipient, action, subject, message, text, message_id, lane)"
        " SELECT n || '@example.org', 'Test', 's', 'm', 't', n || '@example.org', 1 FROM generate_series(1, 20000) n"
    )
    with db.engine.connect() as connection:
        connection.execute(many)
        connection.execute(text("ANALYZE mails"))
        explain = text(f"EXPLAIN {CLAIM_DUE.text}")
        values = {"claim": str(uuid4()), "lease": 20.0, "limit": BATCH}
        plan = "\n".join(connection.execute(explain, values).scalars())
        connection.rollback()
    assert "Seq Scan on mails" not in plan, plan


def test_a_scheduled_mail_waits_for_its_time_and_then_goes(connection: Connection) -> None:
    queue(1)
    connection.execute(
        text(
            "INSERT INTO mails (recipient, action, subject, message, text, message_id, status, next_attempt_at)"
            " VALUES ('b@example.org', 'Test', 's', 'm', 't', 'x@example.org', 'scheduled', now() + interval '1 hour')"
        )
    )
    assert [mail.id for mail in claim_batch(connection)[1]] == [1]
    connection.execute(text("UPDATE mails SET next_attempt_at = now() WHERE id = 2"))
    assert [mail.id for mail in claim_batch(connection)[1]] == [2]


def test_claims_are_as_large_as_the_server_is_fast() -> None:
    pace = Pace()
    assert pace.limit == FIRST
    pace.learn(FIRST, 0.01)
    assert pace.limit == 2 * FIRST
    for _ in range(5):
        pace.learn(pace.limit, 0.01)
    assert pace.limit == 100
    pace.learn(100, 5.0)
    assert pace.limit == 10
    pace.learn(10, 60.0)
    assert pace.limit == 1
