"""The types that Usher declares: one for each action of Open Event, and those of its own."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, delete
from sqlalchemy.dialects.postgresql import insert

from app.happenings.types import EventType, declare, declared_types
from app.models import EventTypeRow, MessageSettings
from app.models import mail as mails
from app.models import notification as notifs
from app.models.event_type import CODE, IN_APP, MAIL

_BOTH: Final = frozenset({IN_APP, MAIL})
_APP: Final = frozenset({IN_APP})
_MAIL: Final = frozenset({MAIL})

SESSION_PROPOSED: Final = "sessions.session.proposed"
SESSION_DECIDED: Final = "sessions.session.decided"
SESSION_RESCHEDULED: Final = "sessions.session.rescheduled"
EVENT_PUBLISHED: Final = "events.event.published"
MEMBER_CONTACTED: Final = "platform.member.contacted"
PLATFORM_BROADCAST: Final = "platform.broadcast.sent"
EVENT_BROADCAST: Final = "events.broadcast.sent"


def _named(name: str, title: str, channels: frozenset[str], *actions: str, critical: bool = False) -> None:
    """A type of which only those are told whom it concerns: an account, an order, an invitation."""
    declare(
        EventType(name, title, channels=channels, is_critical=critical, is_listenable=False, actions=_once(actions))
    )


def _open(name: str, title: str, channels: frozenset[str], *actions: str) -> None:
    """A type that users may follow: a listener is told only of what he may see."""
    declare(EventType(name, title, channels=channels, actions=_once(actions)))


def _once(actions: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(actions))


# --- accounts
_named("users.account.registered", "Your account was made", _MAIL, mails.USER_REGISTER)
_named("users.account.ordered", "Your account was made with an order", _MAIL, mails.USER_REGISTER_WITH_PASSWORD)
_named("users.address.confirmation", "Confirm your address", _MAIL, mails.USER_CONFIRM, critical=True)
_named("users.address.changed", "Your address changes", _BOTH, mails.USER_CHANGE_EMAIL, notifs.USER_CHANGE_EMAIL)
_named("users.password.reset", "Set a new password", _MAIL, mails.PASSWORD_RESET, critical=True)
_named("users.password.changed", "Your password was changed", _BOTH, mails.PASSWORD_CHANGE, notifs.PASSWORD_CHANGE)
# --- events
_named("events.role.invited", "You are invited to a role", _BOTH, mails.EVENT_ROLE, notifs.EVENT_ROLE_INVITE)
_named("events.papers.invited", "You are invited to speak", _BOTH, mails.INVITE_PAPERS, notifs.INVITE_PAPERS)
_open(EVENT_PUBLISHED, "An event was published", _BOTH, mails.EVENT_PUBLISH, notifs.EVENT_PUBLISH)
_named("events.event.upcoming", "An event begins soon", _BOTH, mails.NEXT_EVENT, notifs.NEXT_EVENT)
_named("events.event.over", "An event is over", _BOTH, mails.AFTER_EVENT, notifs.AFTER_EVENT)
# --- sessions
_open(SESSION_PROPOSED, "A session was proposed", _BOTH, mails.NEW_SESSION, notifs.NEW_SESSION)
_open(
    SESSION_DECIDED,
    "A session was accepted or rejected",
    _BOTH,
    mails.SESSION_ACCEPT_REJECT,
    notifs.SESSION_ACCEPT_REJECT,
)
_open(SESSION_RESCHEDULED, "A session has another time", _BOTH, mails.SESSION_SCHEDULE, notifs.SESSION_SCHEDULE)
# --- orders
_named("orders.order.completed", "Your order is complete", _BOTH, mails.TICKET_PURCHASED, notifs.TICKET_PURCHASED)
_named(
    "orders.ticket.issued",
    "You have a ticket",
    _BOTH,
    mails.TICKET_PURCHASED_ATTENDEE,
    notifs.TICKET_PURCHASED_ATTENDEE,
)
_named(
    "orders.order.sold",
    "Tickets of your event were sold",
    _BOTH,
    mails.TICKET_PURCHASED_ORGANIZER,
    notifs.TICKET_PURCHASED_ORGANIZER,
)
_named("orders.order.resent", "The mails of an order were sent again", _APP, notifs.TICKET_RESEND_ORGANIZER)
_named("orders.order.cancelled", "Your order was cancelled", _BOTH, mails.TICKET_CANCELLED, notifs.TICKET_CANCELLED)
_named(
    "orders.order.cancelled.organizer",
    "An order of your event was cancelled",
    _APP,
    notifs.TICKET_CANCELLED_ORGANIZER,
)
_named("orders.order.expired", "Your order has expired", _MAIL, mails.MAIL_TO_EXPIRED_ORDERS)
# --- what exports and imports came to
_named("transfers.export.succeeded", "Your export is ready", _BOTH, mails.EVENT_EXPORTED, notifs.EVENT_EXPORTED)
_named("transfers.export.failed", "Your export failed", _BOTH, mails.EVENT_EXPORT_FAIL, notifs.EVENT_EXPORT_FAIL)
_named("transfers.import.succeeded", "Your import is done", _BOTH, mails.EVENT_IMPORTED, notifs.EVENT_IMPORTED)
_named("transfers.import.failed", "Your import failed", _BOTH, mails.EVENT_IMPORT_FAIL, notifs.EVENT_IMPORT_FAIL)
# --- payments
_named(
    "payments.invoice.issued",
    "You have an invoice",
    _BOTH,
    mails.MONTHLY_PAYMENT_EMAIL,
    notifs.MONTHLY_PAYMENT_NOTIF,
)
_named(
    "payments.invoice.due",
    "An invoice is still due",
    _BOTH,
    mails.MONTHLY_PAYMENT_FOLLOWUP_EMAIL,
    notifs.MONTHLY_PAYMENT_FOLLOWUP_NOTIF,
)
# --- messages of people
_named(MEMBER_CONTACTED, "Somebody writes to you", _BOTH)
_named(PLATFORM_BROADCAST, "News of the platform", _BOTH)
_named(EVENT_BROADCAST, "News of an event", _BOTH)


def write_types(connection: Connection) -> None:
    """Write the program's types into their table, and give each that has none a message setting; run by `db upgrade`.

    A type that was declared over the API and that the program now declares too becomes the program's.
    """
    types = declared_types()
    rows = [
        {
            "name": each.name,
            "title": each.title,
            "description": each.description,
            "channels": sorted(each.channels),
            "is_critical": each.is_critical,
            "is_listenable": each.is_listenable,
            "origin": CODE,
        }
        for each in types
    ]
    statement = insert(EventTypeRow)
    columns = {name: statement.excluded[name] for name in rows[0] if name != "name"}
    connection.execute(statement.on_conflict_do_update(index_elements=["name"], set_=columns), rows)
    gone = delete(EventTypeRow).where(
        EventTypeRow.origin == CODE, EventTypeRow.name.not_in([row["name"] for row in rows])
    )
    connection.execute(gone)
    # An action's switches are those of its own row; of a type without actions they are those of the type's.
    settings = [{"action": each.name} for each in types if not each.actions]
    connection.execute(insert(MessageSettings).on_conflict_do_nothing(), settings)
