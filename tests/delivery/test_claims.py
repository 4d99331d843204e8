"""Claims: no mail is in two hands, and none stays in a dead one."""

import threading
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from app.api.helpers.mail import send_email
from app.delivery import claims
from app.delivery.claims import claim_batch
from app.delivery.lease import Lease
from app.delivery.outcomes import write_error, write_sent
from app.delivery.recovery import Recovered, recover_lost, try_doubtful_again
from app.delivery.transports.base import PermanentError, Receipt, TransientError
from app.models import Mail, db
from app.models.base import utc_now


def queue(count: int) -> list[int]:
    mails = [send_email(f"user{number}@example.org", "Test", "A subject", "<p>Hello</p>") for number in range(count)]
    db.session.commit()
    return [mail.id for mail in mails if mail]


def statuses(connection: Connection) -> Counter[str]:
    return Counter(connection.execute(text("SELECT status FROM mails")).scalars())


def test_a_claim_takes_the_oldest_due_up_to_a_batch(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "BATCH", 3)
    ids = queue(5)
    _, first = claim_batch(connection)
    _, second = claim_batch(connection)
    assert [mail.id for mail in first] == ids[:3]
    assert [mail.id for mail in second] == ids[3:]
    assert claim_batch(connection)[1] == []
    assert statuses(connection) == {"sending": 5}


def test_a_claim_of_ids_takes_no_others_and_none_twice(connection: Connection) -> None:
    ids = queue(3)
    _, mine = claim_batch(connection, [ids[1], 999_999])
    assert [mail.id for mail in mine] == [ids[1]]
    assert claim_batch(connection, [ids[1]])[1] == []


def test_a_mail_that_is_not_yet_due_is_left(connection: Connection) -> None:
    [mail_id] = queue(1)
    later = utc_now() + timedelta(hours=1)
    connection.execute(text("UPDATE mails SET next_attempt_at = :later"), {"later": later})
    assert claim_batch(connection)[1] == []
    assert claim_batch(connection, [mail_id])[1] == []


def test_eight_workers_side_by_side_take_each_mail_once(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "BATCH", 7)
    ids = queue(300)
    taken: list[int] = []
    engine = db.engine

    def work() -> None:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as own:
            while batch := claim_batch(own)[1]:
                taken.extend(mail.id for mail in batch)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == ids


def test_a_worker_that_lost_its_lease_cannot_overwrite_its_successor(connection: Connection) -> None:
    queue(1)
    late, [mail] = claim_batch(connection)
    connection.execute(text("UPDATE mails SET lease_until = now() - interval '1 second'"))
    recover_lost(connection)
    try_doubtful_again(connection)
    successor, [again] = claim_batch(connection)
    write_error(connection, late, mail, PermanentError("550 no such user"))
    assert statuses(connection) == {"sending": 1}
    write_sent(connection, successor, again, Receipt("smtp", "abc", "250 ok"))
    write_error(connection, late, mail, TransientError("451 later"))
    assert statuses(connection) == {"sent": 1}


def test_no_plan_of_the_database_claims_or_takes_back_more_than_the_limit(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What a planner that expects next to nothing would do: look for the next due mail again for every row.
    for way in ("hashjoin", "mergejoin", "hashagg", "sort", "material"):
        connection.execute(text(f"SET enable_{way} = off"))
    connection.detach()  # nobody else gets it with these settings
    monkeypatch.setattr(claims, "BATCH", 3)
    ids = queue(9)
    assert [mail.id for mail in claim_batch(connection)[1]] == ids[:3]
    assert [mail.id for mail in claim_batch(connection, ids)[1]] == ids[3:6]
    connection.execute(text("UPDATE mails SET lease_until = now() - interval '1 s' WHERE status = 'sending'"))
    assert recover_lost(connection, limit=2) == Recovered(doubtful=1, back=1)


def test_a_lease_is_renewed_while_the_worker_lives(connection: Connection) -> None:
    # Long enough that a machine which is busy with other things does not let it run out between two renewals.
    seconds = 5.0
    queue(1)
    claim, _ = claim_batch(connection, lease=seconds)
    begun = connection.execute(text("SELECT lease_until FROM mails")).scalar_one()
    with Lease(db.engine, claim, seconds) as held:
        deadline = utc_now() + timedelta(seconds=30)
        renewed = begun
        while renewed <= begun + timedelta(seconds=1) and utc_now() < deadline:
            renewed = connection.execute(text("SELECT lease_until FROM mails")).scalar_one()
            assert recover_lost(connection) == Recovered(0, 0)
        assert held.holds
    assert renewed > begun + timedelta(seconds=1)


def test_a_process_that_slept_past_its_lease_sees_that_it_must_not_send() -> None:
    assert not Lease(None, "a claim", 0.0).holds  # type: ignore[arg-type]  # no database is asked


INSERT = """
INSERT INTO mails (recipient, action, subject, message, text, message_id, status)
VALUES ('a@example.org', 'Test', 's', 'm', 't', '2@example.org', '{status}')
"""


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE mails SET status = 'sending'",
        "UPDATE mails SET claim = gen_random_uuid()",
        INSERT.format(status="lost"),
        INSERT.format(status="sent"),
        "UPDATE mails SET error_class = 'cosmic'",
    ],
)
def test_the_database_refuses_a_state_that_makes_no_sense(connection: Connection, change: str) -> None:
    queue(1)
    with pytest.raises(Exception, match="violates check constraint"):
        connection.execute(text(change))


def test_a_mail_that_was_tried_for_a_day_has_failed(connection: Connection) -> None:
    queue(2)
    connection.execute(text("UPDATE mails SET give_up_at = now() - interval '1 second' WHERE id = 1"))
    claim, [old, young] = claim_batch(connection)
    assert write_error(connection, claim, old, TransientError("451 later")) == "failed"
    assert write_error(connection, claim, young, TransientError("451 later")) == "deferred"
    rows = db.session.query(Mail).order_by(Mail.id).all()
    assert [(row.status, row.attempts, row.last_error) for row in rows] == [
        ("failed", 1, "451 later"),
        ("deferred", 1, "451 later"),
    ]
