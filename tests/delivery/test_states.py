"""The state machine of a mail: what is declared, the trigger that holds every statement to it, what never happens."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from app.delivery.states import TAKEN, TRANSITIONS, may_become, next_status
from app.models import db
from app.models.mail import BOUNCED, COMPLAINED, DELIVERED, MAIL_STATUSES, REJECTED, SENDING, SENT, WAITING

INSERT = text(
    """
    INSERT INTO mails (recipient, action, subject, message, text, message_id, status, claim, lease_until, sent_at)
    VALUES ('a@example.org', 'Test', 's', 'm', 't', :id, CAST(:status AS varchar),
        CASE WHEN :status = 'sending' THEN gen_random_uuid() END, CASE WHEN :status = 'sending' THEN now() END, now())
    """
)
CHANGE = text(
    """
    UPDATE mails SET status = CAST(:status AS varchar),
        claim = CASE WHEN :status = 'sending' THEN gen_random_uuid() END,
        lease_until = CASE WHEN :status = 'sending' THEN now() END
    """
)
EVENTS = st.lists(st.sampled_from([SENT, DELIVERED, BOUNCED, COMPLAINED, REJECTED]))


@pytest.mark.parametrize("old", MAIL_STATUSES)
def test_the_database_takes_exactly_the_changes_that_are_declared(database: None, old: str) -> None:
    taken: set[str] = set()
    refused: dict[str, str] = {}
    for number, new in enumerate(MAIL_STATUSES):
        db.session.execute(text("DELETE FROM mails"))
        db.session.execute(INSERT, {"id": f"{number}@example.org", "status": old})
        try:
            with db.session.begin_nested():
                db.session.execute(CHANGE, {"status": new})
        except IntegrityError as error:
            refused[new] = str(error.orig).partition("\n")[0]
        else:
            taken.add(new)
    assert taken - {old} == TRANSITIONS[old]
    assert refused == {new: f"a mail that is {old} cannot become {new}" for new in refused}


def test_every_status_has_its_line_and_leads_to_known_ones() -> None:
    assert TRANSITIONS.keys() == set(MAIL_STATUSES)
    assert all(following <= TRANSITIONS.keys() for following in TRANSITIONS.values())
    assert not any(may_become(status, status) for status in MAIL_STATUSES)


def test_every_status_can_be_reached_from_a_mail_that_waits() -> None:
    reached = set(WAITING)
    while more := {new for status in reached for new in TRANSITIONS[status]} - reached:
        reached |= more
    assert reached == set(MAIL_STATUSES)


def test_what_a_server_has_taken_is_never_sent_again() -> None:
    reached = set(TAKEN)
    while more := {new for status in reached for new in TRANSITIONS[status]} - reached:
        reached |= more
    assert reached == TAKEN
    assert SENDING not in reached


@given(EVENTS)
def test_the_providers_events_lead_to_the_same_status_in_whatever_order_and_however_often(events: list[str]) -> None:
    def after(told: list[str]) -> str:
        status = SENT
        for event in told:
            status = next_status(status, event)
        return status

    settled = after(events)
    assert after([*events, *events]) == settled
    assert {after(list(order)) for order in itertools.permutations(dict.fromkeys(events))} == {settled}
