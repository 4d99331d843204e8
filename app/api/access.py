"""What a caller may know: for each table the rows that exist for him, and the attributes that only some may read."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, false, func, or_, select, true
from sqlalchemy.orm import InstrumentedAttribute, aliased

from app.api.jsonapi.access import Access
from app.api.viewer import Viewer
from app.models import (
    Activity,
    Broadcast,
    ChannelMessage,
    ChannelMessageEvent,
    ChannelService,
    Event,
    EventTypeRow,
    Happening,
    Listen,
    Mail,
    MailBatch,
    MailEvent,
    MailService,
    MessageSettings,
    Notification,
    PaperInvite,
    RoleInvite,
    Session,
    Setting,
    Speaker,
    SpeakersCall,
    Suppression,
    Transfer,
    User,
)
from app.models.event import MANAGERS, PUBLISHED
from app.models.invite import PUBLIC
from app.models.session import ACCEPTED, CONFIRMED, speakers_sessions
from app.models.transfer import EXPORT, IMPORT


def only_admins(viewer: Viewer) -> ColumnElement[bool]:
    """Admins see every row, others none."""
    return true() if viewer.is_admin else false()


# --- users: oneself, and admins see all


def visible_users(viewer: Viewer) -> ColumnElement[bool]:
    """Oneself; admins see everybody who was not removed."""
    mine = true() if viewer.is_admin else User.id == viewer.id if viewer.id else false()
    return and_(mine, User.deleted_at.is_(None))


# --- events: published ones are for everybody


def visible_events(viewer: Viewer) -> ColumnElement[bool]:
    """Published events, and drafts of the teams that one is in."""
    seen = or_(Event.state == PUBLISHED, Event.id.in_(viewer.roles)) if not viewer.is_admin else true()
    return and_(seen, Event.deleted_at.is_(None))


def is_alive(event_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Whether the event of a row is there: nothing of one that was deleted is."""
    event = aliased(Event)
    return exists().where(event.id == event_id, event.deleted_at.is_(None))


# --- speakers: name and organisation for everybody, the rest for the speaker and the team


def visible_speakers(viewer: Viewer) -> ColumnElement[bool]:
    """Speakers of events that one may see, and one's own."""
    of_event = exists().where(Event.id == Speaker.event_id, visible_events(viewer))
    mine = and_(_own_speakers(viewer), exists().where(Event.id == Speaker.event_id, Event.deleted_at.is_(None)))
    return and_(or_(of_event, mine), Speaker.deleted_at.is_(None))


def reads_all_of_speakers(viewer: Viewer) -> ColumnElement[bool]:
    """One's own entries, and those of events whose team one is in."""
    if viewer.is_admin:
        return true()
    return or_(_own_speakers(viewer), Speaker.event_id.in_(viewer.roles))


def may_read_all_of_speaker(viewer: Viewer, speaker: Speaker) -> bool:
    """The same for one speaker."""
    return viewer.is_self(speaker.user_id) or viewer.has_role(speaker.event_id)


def _own_speakers(viewer: Viewer) -> ColumnElement[bool]:
    return Speaker.user_id == viewer.id if viewer.id else false()


# --- sessions: accepted ones of events that one may see; one's own and one's team's in every state


def visible_sessions(viewer: Viewer) -> ColumnElement[bool]:
    """Accepted sessions of events that one may see; in every state one's own and those of one's teams."""
    if viewer.is_admin:
        seen: ColumnElement[bool] = true()
    else:
        public = and_(
            Session.state.in_((ACCEPTED, CONFIRMED)),
            exists().where(Event.id == Session.event_id, visible_events(viewer)),
        )
        mine = Session.id.in_(
            select(speakers_sessions.c.session_id)
            .join(Speaker, Speaker.id == speakers_sessions.c.speaker_id)
            .where(_own_speakers(viewer), Speaker.deleted_at.is_(None))
        )
        seen = or_(public, mine, Session.event_id.in_(viewer.roles))
    alive = exists().where(Event.id == Session.event_id, Event.deleted_at.is_(None))
    return and_(seen, alive, Session.deleted_at.is_(None))


# --- calls for papers: public ones of events that one may see, and one's team's; the hash is the team's


def visible_calls(viewer: Viewer) -> ColumnElement[bool]:
    """Public calls of events that one may see; private ones of one's teams."""
    of_event = exists().where(Event.id == SpeakersCall.event_id, visible_events(viewer))
    public = or_(SpeakersCall.privacy == PUBLIC, reads_all_of_calls(viewer))
    return and_(of_event, public)


def reads_all_of_calls(viewer: Viewer) -> ColumnElement[bool]:
    """Those of events whose team one is in."""
    return true() if viewer.is_admin else SpeakersCall.event_id.in_(viewer.roles)


def may_read_all_of_call(viewer: Viewer, call: SpeakersCall) -> bool:
    """The same for one call."""
    return viewer.has_role(call.event_id)


def visible_paper_invites(viewer: Viewer) -> ColumnElement[bool]:
    """Those of events that one manages: whom they ask is nobody else's business."""
    managed = true() if viewer.is_admin else Event.id.in_(viewer.with_role(*MANAGERS))
    of_call = select(SpeakersCall.id).join(Event).where(managed, Event.deleted_at.is_(None))
    return PaperInvite.speakers_call_id.in_(of_call)


# --- invitations to roles: for the event's managers, and for the account that has confirmed the invited address


def visible_role_invites(viewer: Viewer) -> ColumnElement[bool]:
    """Those of events that one manages, and those to one's own confirmed address."""
    seen = or_(RoleInvite.event_id.in_(viewer.with_role(*MANAGERS)), _to_oneself(viewer))
    return and_(true() if viewer.is_admin else seen, is_alive(RoleInvite.event_id))


def _to_oneself(viewer: Viewer) -> ColumnElement[bool]:
    if viewer.user is None or not viewer.user.is_verified:
        return false()
    return func.lower(RoleInvite.email) == func.lower(viewer.user.email)


# --- batches of mails: for the managers of their event, with recipients and timelines, but without what the mails say


def visible_batches(viewer: Viewer) -> ColumnElement[bool]:
    """Those of events that one manages; admins see all."""
    return true() if viewer.is_admin else MailBatch.event_id.in_(viewer.with_role(*MANAGERS))


def visible_mails(viewer: Viewer) -> ColumnElement[bool]:
    """Those of batches that one may see; admins see all, those without a batch too."""
    if viewer.is_admin:
        return true()
    # Each of these subqueries stands for itself, also within a question about the table that it names.
    return Mail.batch_id.in_(select(MailBatch.id).where(visible_batches(viewer)).correlate(None))


def visible_mail_events(viewer: Viewer) -> ColumnElement[bool]:
    """The timelines of mails that one may see; admins see the events of unknown mails too."""
    if viewer.is_admin:
        return true()
    return MailEvent.mail_id.in_(select(Mail.id).where(visible_mails(viewer)).correlate(None))


# --- notifications: one's own that one has not removed; admins see all, the removed ones too


def visible_notifications(viewer: Viewer) -> ColumnElement[bool]:
    """One's own, as long as one has not removed them; the admin's log keeps all."""
    if viewer.is_admin:
        return true()
    if viewer.id is None:
        return false()
    return and_(Notification.user_id == viewer.id, Notification.deleted_at.is_(None))


def visible_happenings(viewer: Viewer) -> ColumnElement[bool]:
    """What one was told of."""
    if viewer.is_admin:
        return true()
    return exists().where(Notification.happening_id == Happening.id, visible_notifications(viewer))


# --- listens: one's own; types of happenings are for whoever may ask for them at all


def visible_listens(viewer: Viewer) -> ColumnElement[bool]:
    """One's own; admins see all."""
    if viewer.is_admin:
        return true()
    return Listen.user_id == viewer.id if viewer.id else false()


def everybody(_viewer: Viewer) -> ColumnElement[bool]:
    """Every row is for everybody whom the route lets ask."""
    return true()


# --- broadcasts: for the managers of their event; those to everyone for admins


def visible_broadcasts(viewer: Viewer) -> ColumnElement[bool]:
    """Those of events that one manages; admins see all."""
    return true() if viewer.is_admin else Broadcast.event_id.in_(viewer.with_role(*MANAGERS))


# --- exports and imports: one's own


def visible_exports(viewer: Viewer) -> ColumnElement[bool]:
    """What one asked for; admins see all."""
    return and_(Transfer.kind == EXPORT, _own_transfers(viewer))


def visible_imports(viewer: Viewer) -> ColumnElement[bool]:
    """The same of imports."""
    return and_(Transfer.kind == IMPORT, _own_transfers(viewer))


def _own_transfers(viewer: Viewer) -> ColumnElement[bool]:
    if viewer.is_admin:
        return true()
    return Transfer.user_id == viewer.id if viewer.id else false()


def nameable_users(viewer: Viewer) -> ColumnElement[bool]:
    """Whom one may enter as a speaker's account: oneself; members of a team enter anybody."""
    anybody = viewer.is_admin or bool(viewer.roles)
    return and_(true() if anybody else User.id == viewer.id, User.deleted_at.is_(None))


def nameable_events(_viewer: Viewer) -> ColumnElement[bool]:
    """What one may propose to: whoever knows the id of a draft may, so that its team can ask people before it shows."""
    return Event.deleted_at.is_(None)


def nameable_speakers(_viewer: Viewer) -> ColumnElement[bool]:
    """Whom one may propose a session with: any speaker; the resource asks that they are of one event."""
    return Speaker.deleted_at.is_(None)


USERS = Access(User, visible_users, nameable=nameable_users)
EVENTS = Access(Event, visible_events, nameable=nameable_events)
SPEAKERS = Access(
    Speaker,
    visible_speakers,
    nameable=nameable_speakers,
    private=frozenset({"email", "country", "user"}),
    reads_private=reads_all_of_speakers,
    may_read_private=may_read_all_of_speaker,
)
SESSIONS = Access(Session, visible_sessions)
SPEAKERS_CALLS = Access(
    SpeakersCall,
    visible_calls,
    private=frozenset({"hash"}),
    reads_private=reads_all_of_calls,
    may_read_private=may_read_all_of_call,
)
PAPER_INVITES = Access(PaperInvite, visible_paper_invites)
ROLE_INVITES = Access(RoleInvite, visible_role_invites)
NOTIFICATIONS = Access(Notification, visible_notifications)
HAPPENINGS = Access(
    Happening,
    visible_happenings,
    # Who did it may be told in its words or not; how many others know is the admins' business.
    private=frozenset({"actor", "recipients", "told", "state"}),
    reads_private=only_admins,
    # A program sees these of a happening only in the answer to its own announcement.
    may_read_private=lambda viewer, _happening: viewer.service is not None,
)
LISTENS = Access(Listen, visible_listens)
EVENT_TYPES = Access(EventTypeRow, everybody)
BROADCASTS = Access(Broadcast, visible_broadcasts)
MAIL_BATCHES = Access(MailBatch, visible_batches)
MAILS = Access(
    Mail,
    visible_mails,
    # The body may hold what only its recipient may read; an error may name a blind copy, or the operator's servers.
    private=frozenset({"message", "provider", "provider_message_id", "last_error", "body_removed_at"}),
    reads_private=only_admins,
)
MAIL_EVENTS = Access(
    MailEvent, visible_mail_events, private=frozenset({"provider", "text", "raw"}), reads_private=only_admins
)
MAIL_SERVICES = Access(MailService, only_admins)
CHANNEL_SERVICES = Access(ChannelService, only_admins)
CHANNEL_MESSAGES = Access(ChannelMessage, only_admins)
CHANNEL_MESSAGE_EVENTS = Access(ChannelMessageEvent, only_admins)
SUPPRESSIONS = Access(Suppression, only_admins)
SETTINGS = Access(Setting, only_admins)
MESSAGE_SETTINGS = Access(MessageSettings, only_admins)
ACTIVITIES = Access(Activity, only_admins)
EVENT_EXPORTS = Access(Transfer, visible_exports)
EVENT_IMPORTS = Access(Transfer, visible_imports)
