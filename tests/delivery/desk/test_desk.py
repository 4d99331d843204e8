"""What an operator does with mails: which ones each deed is for, what changes, and what is told of it."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import Connection, text

from app.api.helpers.mail import cancel_email, send_email_password_reset
from app.api.helpers.system_mails import MAILS
from app.api.helpers.templates import MASK
from app.delivery.claims import claim_batch
from app.delivery.desk.deeds import CANCEL, RETRY, SETTLE, Deed
from app.delivery.desk.work import LINK_LIVES, cancel, foresee, retry, settle
from app.delivery.outcomes import write_error, write_sent
from app.delivery.states import TRANSITIONS
from app.delivery.transports.base import PermanentError, Receipt, Reply
from app.models import Mail, db
from app.models.base import utc_now
from app.models.mail import MAIL_STATUSES, SENDING, SENT
from tests.support.processes import wait_for
from tests.support.sending import LINK, queue, queue_secret, row
from tests.support.uncommon import mail_that_is

BY = "olivia@example.org"


def told(connection: Connection, mail_id: int) -> list[Any]:
    statement = text("SELECT event, text FROM mail_events WHERE mail_id = :id ORDER BY id")
    return [tuple(each) for each in connection.execute(statement, {"id": mail_id})]


@pytest.mark.parametrize("deed", [RETRY, CANCEL, *SETTLE.values()], ids=lambda deed: deed.said)
def test_a_deed_takes_exactly_the_statuses_that_it_is_for(connection: Connection, deed: Deed) -> None:
    ids = {status: mail_that_is(status) for status in MAIL_STATUSES}
    done = deed_of(deed)(connection, list(ids.values()))
    taken = {status for status, id_ in ids.items() if id_ in done.changed}
    assert taken == set(deed.takes)
    assert all(deed.status in TRANSITIONS[status] for status in taken)
    assert {row(ids[status]).status for status in taken} == {deed.status}
    for status in set(MAIL_STATUSES) - taken:
        assert row(ids[status]).status == status
        assert done.skipped[ids[status]] == f"It is {status}: {deed.rule}."
        assert told(connection, ids[status]) == [(status, None)]


def deed_of(deed: Deed) -> Any:
    functions = {RETRY: retry, CANCEL: cancel}
    if deed in functions:
        return lambda connection, ids: functions[deed](connection, ids, BY)
    [outcome] = [name for name, each in SETTLE.items() if each == deed]
    return lambda connection, ids: settle(connection, ids, outcome, BY)


def test_a_failed_mail_that_is_tried_again_keeps_its_tries_and_tells_who_and_why(connection: Connection) -> None:
    queue(1)
    claim, [mail] = claim_batch(connection)
    write_error(connection, claim, mail, PermanentError("550 no", Reply(550, "5.1.1", "no"), provider="smtp"))
    connection.execute(text("UPDATE mails SET give_up_at = now() - interval '1 hour', doubts = 2"))
    done = retry(connection, [mail.id], BY, "The mailbox is there now.")
    assert done.changed == (mail.id,)
    assert done.causes == {"permanent": (1, "550 no")}
    now = row(mail.id)
    assert (now.status, now.attempts, now.retries, now.doubts) == ("queued", 1, 1, 0)
    assert now.next_attempt_at <= utc_now()
    assert abs(now.give_up_at - utc_now() - timedelta(hours=24)) < timedelta(minutes=1)
    assert told(connection, mail.id)[-1] == ("queued", f"Tried again by {BY}: The mailbox is there now.")
    assert len(claim_batch(connection)[1]) == 1


def test_a_mail_without_its_secret_or_its_message_is_not_tried_again(connection: Connection) -> None:
    secret, kept, old, plain = queue_secret(), queue_secret(), *queue(2)
    connection.execute(text("UPDATE mails SET status = 'sending', claim = gen_random_uuid(), lease_until = now()"))
    connection.execute(text("UPDATE mails SET status = 'failed', claim = NULL, lease_until = NULL"))
    connection.execute(text("UPDATE mails SET secret = NULL WHERE id = :id"), {"id": secret})
    connection.execute(text("UPDATE mails SET body_removed_at = '2026-11-01T12:00Z' WHERE id = :id"), {"id": old})
    connection.execute(text("UPDATE mails SET message = :mask WHERE id = :id"), {"id": plain, "mask": MASK})
    done = retry(connection, [secret, kept, old, plain], BY)
    assert done.changed == (kept, plain)  # asterisks that somebody wrote are no secret
    assert "for its recipient only" in done.skipped[secret]
    assert "removed on 2026-11-01" in done.skipped[old]
    assert row(secret).status == row(old).status == "failed"


def test_a_mail_whose_link_has_expired_is_not_tried_again(connection: Connection) -> None:
    """Somebody would get a link that opens nothing. The link of a new password is good for an hour."""
    ids = {}
    for minutes in (59, 61):
        mail = cast("Mail", send_email_password_reset("ana@example.org", LINK))
        mail.time = utc_now() - timedelta(minutes=minutes)
        db.session.commit()
        ids[minutes] = mail.id
    connection.execute(text("UPDATE mails SET status = 'suppressed'"))
    done = retry(connection, list(ids.values()), BY)
    assert done.changed == (ids[59],)
    assert row(ids[59]).give_up_at - row(ids[59]).time == timedelta(hours=1)
    assert "The link in it expired on 20" in done.skipped[ids[61]]


def test_every_link_for_its_recipient_only_has_a_life(database: None) -> None:
    assert {action for action, template in MAILS.items() if "secret" in template} == LINK_LIVES.keys()


def test_what_is_foreseen_is_what_is_done_and_changes_nothing(connection: Connection) -> None:
    ids = [mail_that_is(status) for status in MAIL_STATUSES]
    before = [row(id_) for id_ in ids]
    foreseen = foresee(connection, RETRY, [*ids, 999])
    assert [row(id_) for id_ in ids] == before
    assert foreseen == retry(connection, [*ids, 999], BY)
    assert foreseen.skipped[999] == "There is no mail with this id."


def test_a_cancelled_mail_is_never_claimed_and_its_secret_is_gone(connection: Connection) -> None:
    mail = queue_secret()
    assert cancel(connection, [mail], BY, "Sent in error.").changed == (mail,)
    assert row(mail).secret is None
    assert claim_batch(connection)[1] == []
    assert told(connection, mail) == [("queued", None), ("cancelled", f"Cancelled by {BY}: Sent in error.")]


def test_a_mail_that_was_settled_as_sent_counts_as_sent(connection: Connection) -> None:
    sent, failed = mail_that_is("uncertain"), mail_that_is("uncertain")
    settle(connection, [sent], "sent", BY)
    settle(connection, [failed], "failed", BY)
    assert (row(sent).status, row(sent).last_error) == ("sent", None)
    assert row(sent).sent_at is not None
    assert (row(failed).status, row(failed).last_error) == ("failed", f"Settled as failed by {BY}.")


def test_there_is_no_other_outcome(connection: Connection) -> None:
    with pytest.raises(KeyError):
        settle(connection, [1], "delivered", BY)


def test_the_same_mail_named_twice_is_tried_again_once(connection: Connection) -> None:
    mail = mail_that_is("failed")
    assert retry(connection, [mail, mail], BY).changed == (mail,)
    assert row(mail).retries == 1


def test_two_operators_at_once_try_a_mail_again_once(connection: Connection) -> None:
    """The second waits for the first, and then sees that there is nothing left to do."""
    mail = mail_that_is("failed")
    found: list[Any] = []
    engine = db.engine

    def second() -> None:
        with engine.begin() as other:
            found.append(retry(other, [mail], "ben@example.org"))

    thread = threading.Thread(target=second)
    with engine.begin() as first:
        assert retry(first, [mail], BY).changed == (mail,)
        thread.start()
        waits = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        wait_for(lambda: connection.execute(waits).scalar_one() > 0, "the second operator to wait")
    thread.join(10)
    assert found[0].changed == ()
    assert found[0].skipped[mail].startswith("It is queued")
    assert row(mail).retries == 1


def test_a_mail_is_cancelled_or_sent_but_never_both(connection: Connection) -> None:
    """An operator cancels while a worker claims and sends."""
    ids = queue(200)
    engine, sent, cancelled = db.engine, set[int](), set[int]()

    def work() -> None:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as own:
            while mails := claim_batch(own, limit=7):
                claim, claimed = mails
                if not claimed:
                    break
                for mail in claimed:
                    write_sent(own, claim, mail, Receipt("smtp", "abc", "250 ok"))
                    sent.add(mail.id)

    worker = threading.Thread(target=work)
    worker.start()
    for id_ in reversed(ids):
        cancelled |= set(cancel(connection, [id_], BY).changed)
    worker.join(30)
    assert sent | cancelled == set(ids)
    assert sent & cancelled == set()
    assert {row(id_).status for id_ in sent} <= {"sent"}
    assert {row(id_).status for id_ in cancelled} <= {"cancelled"}


def test_code_cancels_a_mail_in_its_own_transaction(connection: Connection) -> None:
    [mail_id] = queue(1)
    mail = db.session.get_one(Mail, mail_id)
    assert cancel_email(mail, reason="The order was cancelled.")
    assert mail.status == "cancelled"
    db.session.rollback()  # everything of the transaction, and this with it
    assert row(mail_id).status == "queued"


def test_code_cannot_cancel_what_was_sent_or_is_being_sent(database: None) -> None:
    for status in (SENDING, SENT):
        mail = db.session.get_one(Mail, mail_that_is(status))
        assert not cancel_email(mail)
        assert mail.status == status


def test_a_mail_of_no_session_cannot_be_cancelled() -> None:
    with pytest.raises(ValueError, match="session"):
        cancel_email(Mail())
