"""Every action's helper, called as a resource calls it, in every language: the row that comes out."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

from app.api.helpers import mail, notification
from app.api.helpers.system_mails import MAILS
from app.api.helpers.system_notifications import NOTIFS
from app.bidi import harmless
from app.language import LANGUAGES, Labelled, Listing, Moment
from app.models import Event, EventInvoice, Mail, Notification, Order, Session, User, db
from app.periodic.reminders import NO_EVENTS
from tests.conftest import People
from tests.support.hostile import HOSTILE, assert_closed, assert_one_line, tags

Helper = Callable[..., Any]
GENERAL = {"send_email", "send_email_with_action", "send_emails", "send_emails_formatted"}
GENERAL |= {"send_notification", "send_notification_with_action"}
TIME = datetime(2026, 11, 27, 9, 0, tzinfo=UTC)


def helpers(module: Any) -> list[Helper]:
    functions = inspect.getmembers(module, inspect.isfunction)
    return [function for name, function in functions if name.startswith("send_") and name not in GENERAL]


SEND_MAIL, SEND_NOTIF = helpers(mail), helpers(notification)


@dataclass(frozen=True)
class Row:
    """What a mail and a notification have in common."""

    action: str
    line: str
    html: str


def arguments(helper: Helper, who: User, value: str) -> dict[str, Any]:
    """What the helper asks for, by name, with `value` wherever people may write what they like.

    The rows are not in the session: a database would refuse some of the values before a template sees them.
    """
    event = Event(name=value, starts_at=TIME, ends_at=TIME, timezone="Asia/Tokyo", identifier="harbour1")
    listing = Listing([Labelled(value, Moment(TIME, "Asia/Tokyo"))] * 2, NO_EVENTS)
    order = Order(id=17, amount=Decimal("120.5"), currency="EUR", cancel_note=value, event=event, user=who)
    order.created_at = TIME
    known = {
        "acceptance": "accepted",
        "invoice": EventInvoice(month=date(2026, 10, 1), amount=Decimal(12), currency="EUR", event=event),
        "order": order,
        "role_name": "track_organizer",
        "session": Session(title=value, state="rejected", starts_at=TIME, ends_at=TIME, event=event),
        "up_coming_events": listing,
        "upcoming_events": listing,
    }
    texts = dict.fromkeys(("email", "error_text", "event_name", "new_email", "session_name"), value)
    links = ("link", "cfs_link", "submit_link", "order_url", "ticket_url", "download_url", "event_url", "payment_url")
    # We make the links ourselves; a character that the table cannot hold is in none.
    known |= texts | dict.fromkeys(links, harmless(value))
    first, *others = inspect.signature(helper).parameters
    return {first: who, **{name: known[name] for name in others if name not in ("about", "sending")}}


def outcome(helper: Helper, who: User, value: str) -> Row:
    """The only row that the helper made, as the database has it."""
    row = helper(**arguments(helper, who, value))
    db.session.flush()
    model = type(row)
    stored = db.session.scalars(select(model).execution_options(populate_existing=True)).one()
    assert stored is row
    if isinstance(row, Mail):
        assert row.recipient == who.email
        assert row.text
        return Row(row.action, row.subject, row.message)
    assert isinstance(row, Notification)
    assert row.user_id == who.id
    return Row(row.action, row.title, row.message)


def person(people: People, language: str) -> User:
    user = people.user("ana@example.org")
    user.language = language
    db.session.commit()
    return user


def test_every_helper_is_a_plain_function_with_a_docstring() -> None:
    assert all(helper.__doc__ for helper in SEND_MAIL + SEND_NOTIF)
    assert len({helper.__name__ for helper in SEND_MAIL + SEND_NOTIF}) == len(MAILS) + len(NOTIFS)


@pytest.mark.parametrize(("sending", "declared"), [(SEND_MAIL, MAILS), (SEND_NOTIF, NOTIFS)])
def test_every_action_has_one_helper_and_every_helper_an_action(
    people: People, sending: list[Helper], declared: dict[str, Any]
) -> None:
    who, actions = person(people, "en"), []
    for helper in sending:
        actions.append(outcome(helper, who, "x").action)
        db.session.rollback()
    assert sorted(actions) == sorted(declared)


@pytest.mark.parametrize("helper", SEND_MAIL + SEND_NOTIF)
def test_a_helper_gives_its_template_exactly_what_it_asks_for_in_every_language(people: People, helper: Helper) -> None:
    who, rows = person(people, "en"), {}
    for language in LANGUAGES:
        who.language = language
        rows[language] = outcome(helper, who, "Harbour")
        if helper in SEND_MAIL:
            assert db.session.scalars(select(Mail.language)).all() == [language]
        db.session.rollback()
    assert not any(brace in row.line + row.html for row in rows.values() for brace in "{}")
    assert len({row.line for row in rows.values()}) == len({row.html for row in rows.values()}) == len(LANGUAGES)


@pytest.mark.parametrize("helper", SEND_MAIL + SEND_NOTIF)
@pytest.mark.parametrize("language", LANGUAGES)
def test_hostile_values_reach_the_row_as_text(people: People, helper: Helper, language: str) -> None:
    who = person(people, language)
    usual = outcome(helper, who, "Harbour")
    db.session.rollback()
    for value in HOSTILE:
        row = outcome(helper, who, value)
        assert tags(row.html) == tags(usual.html)
        assert_one_line(row.line)
        assert_closed(row.html)
        db.session.rollback()
