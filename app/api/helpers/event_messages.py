"""What an event's organizers and speakers are told together: each once, however many roles they have."""

from __future__ import annotations

from app.api.helpers.mail import Sending, create_batch, send_email_event_publish
from app.api.helpers.notification import About, send_notif_event_publish
from app.api.helpers.recipients import (
    Recipient,
    organizers_of,
    recipients,
    speaker_accounts,
    speaker_addresses,
    speakers_of,
)
from app.api.helpers.settings import make_frontend_url
from app.happenings.own import tell_listeners
from app.models import Event, User, db
from app.models.mail import EVENT_PUBLISH


def people_of(event: Event) -> tuple[list[User], list[Recipient]]:
    """The organizers and speakers of an event: whom the app tells, and whom a mail goes to; nobody if it was deleted.

    Takes a few queries, however many they are.
    """
    if event.deleted_at is not None:
        return [], []
    organizers, speakers = organizers_of(event), speakers_of(event)
    accounts = {user.id: user for user in (*organizers, *speaker_accounts(event, speakers))}
    addresses = recipients(*(organizer.email for organizer in organizers), *speaker_addresses(speakers))
    return list(accounts.values()), addresses


def tell_of_publishing(event: Event) -> None:
    """Tell the organizers and speakers of an event that everybody can see it now, and whoever follows that."""
    accounts, addresses = people_of(event)
    link = event_link(event)
    about = About(link=link, data={"event-id": str(event.id)}, event=event)
    sending = in_batch(event, EVENT_PUBLISH)
    # All is read: what is added from here on goes to the database together.
    with db.session.no_autoflush:
        for account in accounts:
            send_notif_event_publish(account, event.name, link, about)
        for address in addresses:
            send_email_event_publish(address, event.name, link, sending)
    tell_listeners(EVENT_PUBLISH, about, {"event_name": event.name, "link": link}, lambda: accounts)


def in_batch(event: Event, action: str) -> Sending:
    """A new batch for what an event's people are told together: its owner and organizers see whom it has reached."""
    return Sending(batch=create_batch(f"{action}: {event.name}", event))


def event_link(event: Event) -> str:
    """Where the front end shows the event."""
    return make_frontend_url(f"/events/{event.identifier}")
