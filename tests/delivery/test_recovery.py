"""What a worker leaves behind that dies: one mail in doubt, and the others as if nothing had been."""

from collections import Counter

import pytest
from sqlalchemy import Connection, text

from app.delivery.claims import claim_batch
from app.delivery.outcomes import write_error, write_sent
from app.delivery.recovery import MAX_DOUBTS, Recovered, give_up_late, recover_lost, try_doubtful_again
from app.delivery.retry import DOUBT_GRACE
from app.delivery.transports.base import ConfigurationError, Receipt, TransientError
from app.models import Mail, db
from app.models.mail import BULK
from tests.support.sending import queue

RECEIPT = Receipt("smtp", "abc", "250 ok")


def die(connection: Connection) -> Recovered:
    """What the sweep finds after every worker has died and its lease has run out."""
    connection.execute(text("UPDATE mails SET lease_until = now() - interval '1 second' WHERE status = 'sending'"))
    return recover_lost(connection)


def statuses(connection: Connection) -> dict[int, str]:
    return {row.id: row.status for row in connection.execute(text("SELECT id, status FROM mails ORDER BY id"))}


def entries(connection: Connection, mail_id: int) -> list[str]:
    statement = text("SELECT event FROM mail_events WHERE mail_id = :id ORDER BY id")
    return list(connection.execute(statement, {"id": mail_id}).scalars())


def test_a_worker_that_lives_keeps_its_mails(connection: Connection) -> None:
    queue(1)
    claim_batch(connection)
    assert recover_lost(connection) == Recovered(0, 0)


def test_only_the_mail_that_it_had_in_its_hands_is_in_doubt(connection: Connection) -> None:
    queue(4)
    claim, mails = claim_batch(connection)
    write_sent(connection, claim, mails[0], RECEIPT)
    assert die(connection) == Recovered(doubtful=1, back=2)
    assert statuses(connection) == {1: "sent", 2: "uncertain", 3: "queued", 4: "queued"}
    assert entries(connection, 2) == ["queued", "sending", "uncertain"]
    assert entries(connection, 3) == ["queued", "sending", "queued"]
    rows = connection.execute(
        text("SELECT attempts, doubts, last_error FROM mails WHERE id IN (2, 3) ORDER BY id")
    ).all()
    assert [(row.attempts, row.doubts) for row in rows] == [(1, 1), (0, 0)]
    assert "nobody knows whether the server took it" in rows[0].last_error
    assert rows[1].last_error is None


def test_each_claim_has_its_own_and_the_order_is_that_of_sending(connection: Connection) -> None:
    queue(4)
    connection.execute(text(f"UPDATE mails SET lane = {BULK} WHERE id IN (1, 3)"))
    claim_batch(connection, [1, 2])
    claim_batch(connection, [3, 4])
    assert die(connection) == Recovered(doubtful=2, back=2)
    assert statuses(connection) == {1: "queued", 2: "uncertain", 3: "queued", 4: "uncertain"}


def test_a_mail_in_doubt_is_tried_again_and_a_settled_one_is_not(connection: Connection) -> None:
    queue(2)
    claim_batch(connection)
    die(connection)
    assert try_doubtful_again(connection) == 1
    assert try_doubtful_again(connection) == 0
    assert entries(connection, 1) == ["queued", "sending", "uncertain", "queued"]
    claim, mails = claim_batch(connection)
    write_sent(connection, claim, mails[0], RECEIPT)
    row = db.session.get_one(Mail, 1)
    assert (row.status, row.attempts, row.doubts) == ("sent", 2, 0)


def test_it_is_held_if_the_settings_say_so(connection: Connection) -> None:
    queue(1)
    connection.execute(text("UPDATE settings SET uncertain_mails = 'hold'"))
    claim_batch(connection)
    die(connection)
    assert try_doubtful_again(connection) == 0
    assert statuses(connection) == {1: "uncertain"}


def test_a_mail_that_kills_its_worker_does_so_three_times(connection: Connection) -> None:
    queue(1)
    for _ in range(MAX_DOUBTS):
        assert len(claim_batch(connection)[1]) == 1
        assert die(connection) == Recovered(1, 0)
        try_doubtful_again(connection)
    assert statuses(connection) == {1: "uncertain"}


def test_the_providers_events_have_time_to_tell_where_there_are_any(connection: Connection) -> None:
    queue(1)
    connection.execute(text("UPDATE settings SET email_service = 'sendgrid', sendgrid_webhook_key = 'a key'"))
    claim_batch(connection)
    die(connection)
    assert try_doubtful_again(connection) == 0
    waits = connection.execute(text("SELECT extract(epoch FROM next_attempt_at - now()) FROM mails")).scalar_one()
    assert DOUBT_GRACE["sendgrid"] - 60 < waits <= DOUBT_GRACE["sendgrid"]


def test_an_answer_that_never_came_leaves_the_mail_in_doubt(connection: Connection) -> None:
    queue(1)
    claim, [mail] = claim_batch(connection)
    error = TransientError("no answer to the message", provider="smtp", connection_lost=True, maybe_accepted=True)
    assert write_error(connection, claim, mail, error) == "uncertain"
    connection.execute(text("UPDATE mails SET next_attempt_at = now()"))
    assert try_doubtful_again(connection) == 1
    claim, [mail] = claim_batch(connection)
    assert mail.doubts == 1
    # A plain refusal ends the doubt: the next one is the first again.
    assert write_error(connection, claim, mail, TransientError("451 later", provider="smtp")) == "deferred"
    assert db.session.get_one(Mail, 1).doubts == 0


@pytest.mark.parametrize("recipients", [300])
def test_two_sweeps_at_once_take_each_mail_back_once(connection: Connection, recipients: int) -> None:
    queue(recipients)
    while claim_batch(connection)[1]:
        continue
    connection.execute(text("UPDATE mails SET lease_until = now() - interval '1 second'"))
    with db.engine.connect() as other:
        first = recover_lost(other)
        second = recover_lost(connection)
        other.commit()
    assert (first, second) == (Recovered(3, recipients - 3), Recovered(0, 0))
    assert Counter(statuses(connection).values()) == {"uncertain": 3, "queued": recipients - 3}


def test_a_mail_whose_last_try_no_service_was_there_for_has_failed(connection: Connection) -> None:
    queue(5)
    late = "give_up_at = now() - interval '11 minutes', next_attempt_at = now() - interval '11 minutes'"
    claim, mails = claim_batch(connection)
    for mail in mails[:4]:
        write_error(connection, claim, mail, TransientError("451 later", provider="smtp"))
    write_error(connection, claim, mails[4], ConfigurationError("No SMTP server is set."))
    connection.execute(text(f"UPDATE mails SET {late} WHERE id IN (1, 2, 5)"))
    connection.execute(text("UPDATE mails SET next_attempt_at = now() - interval '11 minutes' WHERE id = 3"))
    queue(1)
    connection.execute(text(f"UPDATE mails SET {late} WHERE id = 6"))
    assert give_up_late(connection) == 2
    after = {1: "failed", 2: "failed", 3: "deferred", 4: "deferred", 5: "deferred", 6: "queued"}
    assert statuses(connection) == after, "what was never tried waits as long as it takes"
    last = "SELECT event, provider, text FROM mail_events WHERE mail_id = 1 ORDER BY id DESC LIMIT 1"
    event, provider, said = connection.execute(text(last)).one()
    assert (event, provider) == ("failed", "smtp")
    assert said.endswith("Before: 451 later")
    assert give_up_late(connection) == 0
