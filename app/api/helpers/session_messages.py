"""What people are told of a session: its speakers and the event's team by name, and whoever follows it."""

from __future__ import annotations

from typing import Final

from app.api.helpers.calendar_files import session_calendar
from app.api.helpers.mail import (
    Sending,
    send_email_new_session,
    send_email_session_accept_reject,
    send_email_session_schedule,
)
from app.api.helpers.notification import (
    About,
    send_notif_new_session_organizer,
    send_notif_session_accept_reject,
    send_notif_session_schedule,
)
from app.api.helpers.recipients import organizers_of, recipients, speaker_accounts, speaker_addresses
from app.api.helpers.settings import make_frontend_url
from app.api.helpers.wording import time_of
from app.happenings.declared import SESSION_PROPOSED, SESSION_RESCHEDULED
from app.happenings.own import tell_listeners
from app.language import Value, Word
from app.models import Session, User, db
from app.models.notification import NEW_SESSION, SESSION_ACCEPT_REJECT, SESSION_SCHEDULE
from app.models.session import ACCEPTED, PENDING, REJECTED

# The states whose coming the speakers are told of.
DECISIONS: Final = (ACCEPTED, REJECTED)


def tell_of_proposal(session: Session) -> None:
    """Tell each owner, organizer and coorganizer (notification and mail) and each speaker (mail), everybody once."""
    event, link = session.event, session_link(session)
    organizers = organizers_of(event)
    told = recipients(*(organizer.email for organizer in organizers), *speaker_addresses(session.speakers))
    # The proposals of an event are one line in a grouped inbox.
    about = _about(session, link, f"{SESSION_PROPOSED}:event:{event.id}")
    # All is read: what is added from here on goes to the database together, not with each look at the settings.
    with db.session.no_autoflush:
        for organizer in organizers:
            send_notif_new_session_organizer(organizer, event.name, link, about)
        for each in told:
            send_email_new_session(each, event.name, link)

    def named() -> list[User]:
        return [*organizers, *speaker_accounts(event, session.speakers)]

    tell_listeners(NEW_SESSION, about, {"event_name": event.name, "link": link}, named)


def tell_of_state(session: Session) -> None:
    """Tell its speakers that it was accepted or rejected, and whoever follows it of any state but pending."""
    if session.state == PENDING:
        return
    link = session_link(session)
    about = _about(session, link)
    accounts = _tell_speakers(session, about) if session.state in DECISIONS else []
    values: dict[str, Value] = {"session_name": session.title, "acceptance": Word(session.state), "link": link}
    tell_listeners(SESSION_ACCEPT_REJECT, about, values, lambda: accounts)


def _tell_speakers(session: Session, about: About) -> list[User]:
    """Tell each speaker of the decision: by mail, and in the app where there is an account; returns the accounts."""
    link = about.link or ""
    accounts = speaker_accounts(session.event, session.speakers)
    told = recipients(*speaker_addresses(session.speakers))
    with db.session.no_autoflush:
        for account in accounts:
            send_notif_session_accept_reject(account, session.title, session.state, link, about)
        for each in told:
            send_email_session_accept_reject(each, session, link)
    return accounts


def tell_of_schedule(session: Session) -> None:
    """Tell the organizers and the session's speakers its new time: in the app and by mail, everybody once."""
    event, link = session.event, session_link(session)
    organizers, speakers = organizers_of(event), session.speakers
    accounts = {user.id: user for user in (*organizers, *speaker_accounts(event, speakers))}
    told = recipients(*(organizer.email for organizer in organizers), *speaker_addresses(speakers))
    sending = Sending(attachments=[session_calendar(session)] if session.starts_at else [])
    # One line for a session that moves often.
    about = _about(session, link, f"{SESSION_RESCHEDULED}:session:{session.id}")
    with db.session.no_autoflush:
        for account in accounts.values():
            send_notif_session_schedule(account, session, link, about)
        for each in told:
            send_email_session_schedule(each, session, link, sending)
    values: dict[str, Value] = {"session_name": session.title, "link": link, "session_time": time_of(session)}
    tell_listeners(SESSION_SCHEDULE, about, values, accounts.values)


def session_link(session: Session) -> str:
    """Where the front end shows the session."""
    return make_frontend_url(f"/events/{session.event.identifier}/sessions/{session.id}")


def _about(session: Session, link: str, group_key: str | None = None) -> About:
    data = {"event-id": str(session.event_id), "session-id": str(session.id), "state": session.state}
    return About(link=link, data=data, event=session.event, session=session, group_key=group_key)
