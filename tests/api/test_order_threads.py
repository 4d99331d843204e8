"""Problems that users of Open Event reported with orders, each as a test that it does not come back."""

from __future__ import annotations

import pytest
from sqlalchemy import select, update

from app.models import Event, Mail, MessageSettings, Notification, User, db
from app.models import mail as mails
from app.models import notification as notifs
from tests.conftest import People
from tests.support.api import Api
from tests.support.orders import change, order_for, place, resend, ticket
from tests.support.rows import count, mailed, notified


@pytest.fixture
def owner(people: People) -> User:
    return people.user("owner@example.org")


@pytest.fixture
def bea(people: People) -> User:
    """The buyer."""
    return people.user("bea@example.org")


@pytest.fixture
def event(people: People, owner: User) -> Event:
    return people.event(owner)


def test_server_4174_a_buyer_who_is_the_holder_gets_one_mail(api: Api, owner: User, bea: User, event: Event) -> None:
    order = order_for(api, bea, event, "Bea@Example.org")
    change(api, owner, order, status="completed")
    to_bea = [mail.action for mail in db.session.scalars(select(Mail)) if mail.recipient.lower() == bea.email]
    assert to_bea == [mails.TICKET_PURCHASED]
    assert notified(notifs.TICKET_PURCHASED_ATTENDEE) == []


def test_server_4970_nobody_is_told_of_a_ticket_before_it_is_paid(
    api: Api, people: People, owner: User, bea: User, event: Event
) -> None:
    people.user("gus@example.org")
    order = order_for(api, bea, event, "gus@example.org", ticket=ticket(event, "20"))
    change(api, bea, order, status="pending")
    assert change(api, bea, order, status="completed").status_code == 403
    assert resend(api, bea, order.identifier).status_code == 422
    assert count(Mail) == count(Notification) == 0
    change(api, owner, order, status="completed")
    assert mailed(mails.TICKET_PURCHASED) == ["bea@example.org"]
    assert mailed(mails.TICKET_PURCHASED_ATTENDEE) == notified(notifs.TICKET_PURCHASED_ATTENDEE) == ["gus@example.org"]


@pytest.mark.parametrize("language", ["en", "de", "ar"])
def test_server_5195_completing_never_fails_on_a_placeholder(
    api: Api, people: People, owner: User, bea: User, language: str
) -> None:
    """Theirs answered the payment with a 500, since a text wanted another link than it was given."""
    gus = people.user("gus@example.org")
    for user in (owner, bea, gus):
        user.language = language
    event = people.event(owner, name="{order_url} {pdf_url} {0.__class__} %s")
    order = order_for(api, bea, event, "gus@example.org", ticket=ticket(event, "20"))
    assert change(api, owner, order, status="completed").status_code == 200
    assert resend(api, bea, order.identifier).status_code == 200
    assert change(api, owner, order, status="cancelled", cancel_note="{pdf_url}").status_code == 200
    for told in (mails.TICKET_PURCHASED, mails.TICKET_PURCHASED_ATTENDEE):
        assert len(mailed(told)) == 2
    for mail in db.session.scalars(select(Mail)):
        assert mail.language == language
        assert order.identifier in mail.message or "/tickets/" in mail.message


def test_server_4945_an_attendee_without_an_account_or_an_address_breaks_nothing(
    api: Api, people: People, owner: User, bea: User, event: Event
) -> None:
    people.user("unconfirmed@example.org", verified=False)
    emails = (None, "nobody@example.org", "unconfirmed@example.org", None)
    answer = place(api, bea, event, *emails)
    assert answer.status_code == 201
    order = order_for(api, bea, event, *emails)
    assert change(api, owner, order, status="completed").status_code == 200
    assert mailed(mails.TICKET_PURCHASED_ATTENDEE) == ["nobody@example.org", "unconfirmed@example.org"]
    assert notified(notifs.TICKET_PURCHASED_ATTENDEE) == []
    assert notified(notifs.TICKET_PURCHASED) == ["bea@example.org"]


def test_server_3111_an_order_tells_an_organizer_once_however_many_roles(api: Api, people: People, bea: User) -> None:
    owner = people.user("owner@example.org")
    event = people.event(owner, organizer=owner, coorganizer=owner, moderator=owner)
    order = order_for(api, bea, event, "gus@example.org", "gus@example.org")
    for status in ("completed", "completed", "cancelled", "cancelled"):
        assert change(api, owner, order, status=status).status_code == 200
    for action in (notifs.TICKET_PURCHASED_ORGANIZER, notifs.TICKET_CANCELLED_ORGANIZER):
        assert notified(action) == ["owner@example.org"]
    assert mailed(mails.TICKET_PURCHASED_ORGANIZER) == ["owner@example.org"]
    assert mailed(mails.TICKET_PURCHASED_ATTENDEE) == ["gus@example.org"]
    assert mailed(mails.TICKET_CANCELLED) == ["bea@example.org"]


SWITCHED = {
    mails.TICKET_PURCHASED: (True, True),
    mails.TICKET_PURCHASED_ATTENDEE: (True, False),
    notifs.TICKET_PURCHASED_ATTENDEE: (False, True),
    mails.TICKET_PURCHASED_ORGANIZER: (True, True),
    mails.TICKET_CANCELLED: (True, True),
    notifs.TICKET_CANCELLED_ORGANIZER: (False, True),
    notifs.TICKET_RESEND_ORGANIZER: (False, True),
}


@pytest.mark.parametrize("action", SWITCHED)
def test_frontend_5147_a_switched_off_setting_has_effect_on_orders(
    api: Api, people: People, owner: User, bea: User, event: Event, action: str
) -> None:
    people.user("gus@example.org")

    def play() -> tuple[int, int]:
        order = order_for(api, bea, event, "gus@example.org")
        change(api, owner, order, status="completed")
        resend(api, bea, order.identifier)
        change(api, owner, order, status="cancelled")
        return len(mailed(action)), len(notified(action))

    on = play()
    assert (on[0] > 0, on[1] > 0) == SWITCHED[action]
    values = {"mail_status": False, "notification_status": False}
    db.session.execute(update(MessageSettings).where(MessageSettings.action == action).values(**values))
    db.session.commit()
    others = count(Mail) + count(Notification) - sum(on)
    assert play() == on
    assert count(Mail) + count(Notification) - sum(on) == 2 * others
