"""A small conference with one person of each kind, for tests that ask the same of all of them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import update

from app.models import (
    Activity,
    Attendee,
    Broadcast,
    ChannelMessage,
    ChannelService,
    Event,
    EventInvoice,
    EventRole,
    EventTypeRow,
    Happening,
    Listen,
    Mail,
    MailBatch,
    MailService,
    Notification,
    Order,
    PaperInvite,
    RoleInvite,
    ServiceToken,
    Session,
    Speaker,
    SpeakersCall,
    Suppression,
    Ticket,
    Transfer,
    User,
    db,
)
from app.models.base import utc_now
from app.models.service_token import SCOPES
from app.models.transfer import EXPORT, FAILED, IMPORT, SUCCEEDED
from tests.conftest import People
from tests.support.api import Api

VIEWERS = ("anonymous", "stranger", "speaker", "owner", "organizer", "admin")
SERVICE = {"name": "backup", "is_enabled": False}
GATEWAY = {"channel": "sms", "url": "jsons://gate.example.org/{to}"}
TYPE = {"name": "forums.post.created", "title": "A new post", "channels": ["in-app", "mail"]}
# The token of a service account with every scope.
SERVICE_TOKEN = f"ush_{'s' * 43}"
BROADCAST = {"title": "Doors", "message": "<p>Doors open at ten.</p>", "audience": "speakers"}
INVITE = {"email": "speaker@example.org", "role_name": "moderator"}


CALLS = (("call", "event", "public"), ("private_call", "draft", "private"))


@dataclass(frozen=True)
class World:
    """The people by what they are, the ids by what they are of, and a client for each person.

    The event is published, `draft` is not; `session` is accepted, `pending` is not; both are the speaker's.
    The notification, an export that succeeded and an import that failed are the owner's.
    The event's call for papers is public, the draft's private; both are open.
    The open order is the speaker's, its attendee is a guest; in `other_order`, which
    the organizer bought, is `other_attendee`.
    The notification is the owner's; the invitation (`invite`) is to the speaker.
    The listen is the owner's; `event_type` was declared over the API; `clients["service"]` is another program.
    """

    people: dict[str, User]
    ids: dict[str, int | str]
    clients: dict[str, Api]

    def path(self, template: str) -> str:
        """An address with its ids: `/v1/events/{event}`."""
        return template.format(**self.ids)

    def undelete(self) -> None:
        """Bring back what was deleted: the rows are kept."""
        for model in (Event, Session, Speaker, Notification, Ticket, Attendee):
            db.session.execute(update(model).where(model.deleted_at.is_not(None)).values(deleted_at=None))
        for name, event, privacy in CALLS:
            if db.session.get(SpeakersCall, self.ids[name]) is None:
                db.session.add(_call(privacy, id=self.ids[name], event_id=self.ids[event]))
        if db.session.get(RoleInvite, self.ids["invite"]) is None:
            db.session.add(RoleInvite(id=self.ids["invite"], event_id=self.ids["event"], **INVITE))
        if db.session.get(Broadcast, self.ids["broadcast"]) is None:
            db.session.add(Broadcast(id=self.ids["broadcast"], event_id=self.ids["event"], **BROADCAST))
        if db.session.get(MailService, self.ids["service"]) is None:
            db.session.add(MailService(id=self.ids["service"], **SERVICE))
        if db.session.get(EventTypeRow, self.ids["event_type"]) is None:
            db.session.add(EventTypeRow(id=self.ids["event_type"], **TYPE))
        if db.session.get(Listen, self.ids["listen"]) is None:
            db.session.add(Listen(id=self.ids["listen"], user_id=self.ids["user"], pattern="forums.*"))
        if db.session.get(ChannelService, self.ids["channel_service"]) is None:
            db.session.add(ChannelService(id=self.ids["channel_service"], name="gate", is_enabled=False, **GATEWAY))
        db.session.commit()


def make_world(people: People, api: Api) -> World:
    """Fill the empty tables, in one transaction: this runs before many tests."""
    cast = {name: people.make(f"{name}@example.org", admin=name == "admin") for name in VIEWERS[1:]}
    event, draft = (_event(cast, name, state) for name, state in (("Harbour", "published"), ("Secret Draft", "draft")))
    speaker = Speaker(name="Ana", email="speaker@example.org", event=event, user=cast["speaker"])
    talks = [Session(title=state, state=state, event=event, speakers=[speaker]) for state in ("accepted", "pending")]
    happening = Happening(action="Test", title="News", message="<b>News</b>")
    ticket = Ticket(name="Standard", price=Decimal("12.50"), currency="EUR", event=event)
    orders = [
        Order(event=event, user=cast["speaker"], status="pending", amount=ticket.price, currency="EUR"),
        Order(event=event, user=cast["organizer"], status="completed", amount=0, completed_at=utc_now()),
    ]
    attendees = [
        Attendee(firstname="Gus", email=email, event=event, ticket=ticket, order=order, user=order.user)
        for order, email in zip(orders, ("guest@example.org", "other-guest@example.org"), strict=True)
    ]
    rows = {
        "event": event,
        "draft": draft,
        "speaker": speaker,
        "session": talks[0],
        "pending": talks[1],
        "call": (call := _call("public", event=event)),
        "private_call": _call("private", event=draft),
        "paper_invite": PaperInvite(email="asked@example.org", speakers_call=call),
        "ticket": ticket,
        "order": orders[0],
        "other_order": orders[1],
        "attendee": attendees[0],
        "other_attendee": attendees[1],
        "event_invoice": EventInvoice(event=event, month=utc_now().date(), amount=Decimal(1), currency="EUR"),
        "notification": Notification(user=cast["owner"], happening=happening),
        "happening": happening,
        "event_type": EventTypeRow(**TYPE),
        "listen": Listen(user=cast["owner"], pattern="forums.*"),
        "service_token": ServiceToken(
            name="forum", digest=hashlib.sha256(SERVICE_TOKEN.encode()).hexdigest(), scopes=list(SCOPES)
        ),
        "invite": RoleInvite(event=event, **INVITE),
        "broadcast": Broadcast(event=event, **BROADCAST),
        "mail": Mail(
            recipient="ana@example.org",
            action="Test",
            subject="Hi",
            message="Hi",
            text="Hi",
            message_id="1@example.org",
            batch=(batch := MailBatch(description="News", event=event)),
        ),
        "mail_batch": batch,
        "service": MailService(**SERVICE),
        "channel_service": ChannelService(name="gate", is_enabled=False, **GATEWAY),
        "channel_message": ChannelMessage(
            user=cast["owner"], recipient="+12025550123", channel="sms", action="Test", title="Hi", text="Hi"
        ),
        "suppression": Suppression(address="gone@example.org", reason="hard-bounce", text="550 5.1.1 gone"),
        "export": Transfer(
            kind=EXPORT, state=SUCCEEDED, content=b"{}", finished_at=utc_now(), user=cast["owner"], event=event
        ),
        "import": Transfer(kind=IMPORT, state=FAILED, error="no", finished_at=utc_now(), user=cast["owner"]),
        "activity": Activity(actor="Anonymous", action="Event 1 created"),
        **{f"{name}_user": user for name, user in cast.items()},
    }
    db.session.add_all(rows.values())
    db.session.commit()
    ids: dict[str, int | str] = {name: row.id for name, row in rows.items()}
    ids |= {"user": cast["owner"].id, "identifier": event.identifier}
    clients = {"anonymous": api, **{name: api.as_(user) for name, user in cast.items()}}
    clients["service"] = Api(api.client, SERVICE_TOKEN)
    return World(cast, ids, clients)


def _call(privacy: str, **of: Any) -> SpeakersCall:
    begun, year = utc_now() - timedelta(days=1), timedelta(days=365)
    return SpeakersCall(
        announcement=f"A {privacy} call", starts_at=begun, ends_at=begun + year, privacy=privacy, hash=privacy, **of
    )


def _event(cast: dict[str, User], name: str, state: str) -> Event:
    roles = [EventRole(user=cast[role], role=role) for role in ("owner", "organizer")]
    return Event(name=name, state=state, starts_at=utc_now(), ends_at=utc_now(), roles=roles)
