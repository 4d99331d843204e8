"""One row per message to send (the outbox), and the actions that mails are about."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    case,
    desc,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, UUID
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, CreatedAt, JsonObject, one_of, utc_now
from app.models.event import Event
from app.models.happening import Happening
from app.models.types import EncryptedText
from app.models.user import User

# The strings are Open Event's: they are stored, filtered on and shown to admins.
USER_REGISTER: Final = "User Registration"
USER_REGISTER_WITH_PASSWORD: Final = "User Registration during Payment"  # noqa: S105 - the name of an action
USER_CONFIRM: Final = "User Confirmation"
USER_CHANGE_EMAIL: Final = "User email"
PASSWORD_RESET: Final = "Reset Password"  # noqa: S105 - the name of an action
PASSWORD_CHANGE: Final = "Change Password"  # noqa: S105 - the name of an action
EVENT_ROLE: Final = "Event Role Invitation"
INVITE_PAPERS: Final = "Invitation For Papers"
NEXT_EVENT: Final = "Next Event"
NEW_SESSION: Final = "New Session Proposal"
SESSION_ACCEPT_REJECT: Final = "Session Accept or Reject"
SESSION_SCHEDULE: Final = "Session Schedule Change"
EVENT_PUBLISH: Final = "Event Published"
AFTER_EVENT: Final = "After Event"
TICKET_PURCHASED: Final = "Ticket(s) Purchased"
TICKET_PURCHASED_ATTENDEE: Final = "Ticket(s) purchased to Attendee"
TICKET_PURCHASED_ORGANIZER: Final = "Ticket(s) Purchased to Organizer"
TICKET_CANCELLED: Final = "Ticket(s) cancelled"
EVENT_EXPORTED: Final = "Event Exported"
EVENT_EXPORT_FAIL: Final = "Event Export Failed"
EVENT_IMPORTED: Final = "Event Imported"
EVENT_IMPORT_FAIL: Final = "Event Import Failed"
MAIL_TO_EXPIRED_ORDERS: Final = "Mail Expired Orders"
MONTHLY_PAYMENT_EMAIL: Final = "Monthly Payment Email"
MONTHLY_PAYMENT_FOLLOWUP_EMAIL: Final = "Monthly Payment Follow Up Email"

# What may follow what is in app/delivery/states.py.
SCHEDULED, QUEUED, SENDING, DEFERRED = "scheduled", "queued", "sending", "deferred"
SENT, DELIVERED, BOUNCED, COMPLAINED, REJECTED = "sent", "delivered", "bounced", "complained", "rejected"
FAILED, SUPPRESSED, CANCELLED, UNCERTAIN = "failed", "suppressed", "cancelled", "uncertain"
MAIL_STATUSES = (
    SCHEDULED,
    QUEUED,
    SENDING,
    DEFERRED,
    SENT,
    DELIVERED,
    BOUNCED,
    COMPLAINED,
    REJECTED,
    FAILED,
    SUPPRESSED,
    CANCELLED,
    UNCERTAIN,
)
# Those that wait to be sent.
WAITING = (SCHEDULED, QUEUED, DEFERRED)
# Those that nothing more is done with by itself: retention may take their bodies, and then their rows.
OVER = (SENT, DELIVERED, BOUNCED, COMPLAINED, REJECTED, FAILED, SUPPRESSED, CANCELLED)
# The lanes: what somebody waits for overtakes what goes to thousands.
TRANSACTIONAL, BULK = 0, 1
LANE_NAMES: Final = {TRANSACTIONAL: "transactional", BULK: "bulk"}
# A mail that could not be sent in this time is given up.
GIVE_UP_AFTER: Final = timedelta(hours=24)
_GIVE_UP_AT: Final = text("now() + interval '24 hours'")
# The classes of errors (see app/delivery/transports/base.py): they choose what is tried next, and when.
ERROR_CLASSES = ("transient", "throttled", "connection", "permanent", "configuration")


class Mail(Base):
    """A message to one recipient. `status = queued` is a promise: it leaves once this row is committed."""

    __tablename__ = "mails"
    __table_args__ = (
        CheckConstraint(one_of("status", MAIL_STATUSES), name="status"),
        CheckConstraint(one_of("error_class", ERROR_CLASSES), name="error_class"),
        CheckConstraint("(status = 'sending') = (claim IS NOT NULL)", name="claim"),
        CheckConstraint("(status = 'sending') = (lease_until IS NOT NULL)", name="lease"),
        CheckConstraint("status <> 'sent' OR sent_at IS NOT NULL", name="sent_at"),
        CheckConstraint("lane IN (0, 1)", name="lane"),
        CheckConstraint("(key IS NULL) = (key_digest IS NULL)", name="key"),
        # What the next claim takes, in the order in which it takes it.
        Index(
            "ix_mails_due",
            "lane",
            "next_attempt_at",
            "id",
            # For counting them without a look at the table.
            postgresql_include=["status"],
            postgresql_where=text("status IN ('scheduled', 'queued', 'deferred')"),
        ),
        # What a provider's event is about.
        Index(
            "ix_mails_provider_message_id",
            "provider_message_id",
            postgresql_where=text("provider_message_id IS NOT NULL"),
        ),
        # One message for one key, however often it is asked for.
        Index("uq_mails_key", "key", unique=True, postgresql_where=text("key IS NOT NULL")),
        Index("ix_mails_batch_id", "batch_id", "id", postgresql_where=text("batch_id IS NOT NULL")),
        Index("ix_mails_uncertain", "next_attempt_at", postgresql_where=text("status = 'uncertain'")),
        # What retention looks for, the oldest first: rows by status, and bodies that are still there.
        Index("ix_mails_over", "status", "give_up_at", postgresql_where=text(one_of("status", OVER))),
        Index(
            "ix_mails_body",
            "give_up_at",
            postgresql_where=text(f"body_removed_at IS NULL AND {one_of('status', OVER)}"),
        ),
        Index("ix_mails_lease", "lease_until", postgresql_where=text("status = 'sending'")),
        Index("ix_mails_time", desc("time"), desc("id")),
        Index("ix_mails_sent_at", "sent_at", postgresql_where=text("sent_at IS NOT NULL")),
        Index("ix_mails_happening_id", "happening_id", "user_id", postgresql_where=text("happening_id IS NOT NULL")),
        Index("ix_mails_user_id", "user_id", postgresql_where=text("user_id IS NOT NULL")),
    )

    id: Mapped[BigId]
    happening_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("happenings.id", ondelete="SET NULL"))
    batch_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("mail_batches.id", ondelete="SET NULL"))
    # Whom a happening was told by this mail.
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    recipient: Mapped[str] = mapped_column(String(254))
    bcc: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")
    reply_to: Mapped[list[str]] = mapped_column(ARRAY(Text), default=list, server_default="{}")
    time: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    action: Mapped[str] = mapped_column(String(255))
    subject: Mapped[str] = mapped_column(Text)
    message: Mapped[str] = mapped_column(Text)
    text: Mapped[str] = mapped_column(Text)
    # The same on every try, so that a recipient's server can see a repeated message (RFC 5322, 3.6.4).
    message_id: Mapped[str] = mapped_column(String(255), unique=True)
    # The language that it is written in (BCP 47); its frame follows.
    language: Mapped[str] = mapped_column(String(35), default="en", server_default="en")
    # What `message` and `text` only show as asterisks (a token): encrypted, and gone once it was sent.
    secret: Mapped[str | None] = mapped_column(EncryptedText)
    # What the sender calls the message, so that it is one however often it is asked for; and a digest of what it says.
    key: Mapped[str | None] = mapped_column(String(255))
    key_digest: Mapped[str | None] = mapped_column(String(64))
    # When `message`, `text` and the bytes of attachments were taken out, since they were old.
    body_removed_at: Mapped[datetime | None]

    status: Mapped[str] = mapped_column(String(16), default=QUEUED, server_default=QUEUED)
    lane: Mapped[int] = mapped_column(SmallInteger, default=TRANSACTIONAL, server_default="0")
    attempts: Mapped[int] = mapped_column(default=0, server_default="0")
    # How often an admin tried it again, and how often in a row nobody knew whether it had been taken.
    retries: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    doubts: Mapped[int] = mapped_column(SmallInteger, default=0, server_default="0")
    next_attempt_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    # After this moment it is not tried again by itself.
    give_up_at: Mapped[datetime] = mapped_column(default=lambda: utc_now() + GIVE_UP_AFTER, server_default=_GIVE_UP_AT)
    claim: Mapped[str | None] = mapped_column(UUID(as_uuid=False))
    lease_until: Mapped[datetime | None]
    provider: Mapped[str | None] = mapped_column(String(32))
    provider_message_id: Mapped[str | None] = mapped_column(Text)
    error_class: Mapped[str | None] = mapped_column(String(16))
    last_error: Mapped[str | None] = mapped_column(Text)
    sent_at: Mapped[datetime | None]

    @hybrid_property
    def lane_name(self) -> str:
        """The lane in words."""
        return LANE_NAMES[self.lane]

    @lane_name.inplace.expression
    @classmethod
    def _lane_name(cls) -> ColumnElement[str]:
        return case(LANE_NAMES, value=cls.lane)

    happening: Mapped[Happening | None] = relationship()
    batch: Mapped[MailBatch | None] = relationship()
    events: Mapped[list[MailEvent]] = relationship(order_by="MailEvent.id", viewonly=True)
    attachments: Mapped[list[MailAttachment]] = relationship(cascade="all, delete-orphan", order_by="MailAttachment.id")


class MailBatch(Base):
    """Mails that belong together, and who may see them: admins, and the owner and organizers of its event."""

    __tablename__ = "mail_batches"
    __table_args__ = (Index("ix_mail_batches_event_id", "event_id", postgresql_where=text("event_id IS NOT NULL")),)

    id: Mapped[BigId]
    description: Mapped[str] = mapped_column(String(1000))
    event_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("events.id", ondelete="CASCADE"))
    user_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("users.id", ondelete="SET NULL"))
    created_at: Mapped[CreatedAt]

    event: Mapped[Event | None] = relationship()
    user: Mapped[User | None] = relationship()


class MailAttachment(Base):
    """A file that goes with a mail, kept in the database: web and worker share no disk."""

    __tablename__ = "mail_attachments"
    __table_args__ = (Index("ix_mail_attachments_mail_id", "mail_id"),)

    id: Mapped[BigId]
    mail_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("mails.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(255))
    content_type: Mapped[str] = mapped_column(String(255))
    # None: it could not be had, or was taken out with the body.
    content: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    # Whether the mail makes no sense without it.
    is_essential: Mapped[bool] = mapped_column(default=True, server_default="true")
    # Why there are no bytes.
    problem: Mapped[str | None] = mapped_column(Text)


class MailEvent(Base):
    """One entry of a mail's timeline: what happened to it, who says so, and in which words.

    A provider's event for a mail that is not known (yet) has no `mail_id`: it is joined later.
    """

    __tablename__ = "mail_events"
    __table_args__ = (
        Index("ix_mail_events_mail_id", "mail_id", "id"),
        # A provider repeats what it told: once is enough.
        Index(
            "uq_mail_events_provider_event",
            "provider",
            "provider_event_id",
            unique=True,
            postgresql_where=text("provider_event_id IS NOT NULL"),
        ),
        Index("ix_mail_events_about", "time", postgresql_where=text("about IS NOT NULL")),
        Index("ix_mail_events_unknown_time", "time", postgresql_where=text("mail_id IS NULL")),
    )

    id: Mapped[BigId]
    mail_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("mails.id", ondelete="CASCADE"))
    time: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    event: Mapped[str] = mapped_column(String(16))
    provider: Mapped[str | None] = mapped_column(String(32))
    code: Mapped[int | None] = mapped_column(SmallInteger)
    text: Mapped[str | None] = mapped_column(Text)
    provider_event_id: Mapped[str | None] = mapped_column(String(255))
    provider_message_id: Mapped[str | None] = mapped_column(Text)
    # What the provider sent, as it sent it.
    raw: Mapped[JsonObject | None] = mapped_column(JSONB)
    # What the mail is to be found by and told, while the mail is not known or its own outcome is not written yet.
    about: Mapped[JsonObject | None] = mapped_column(JSONB(none_as_null=True))


class MailCount(Base):
    """How many mails of a day ended how, of those whose rows are gone: retention deletes rows, not history."""

    __tablename__ = "mail_counts"

    day: Mapped[date] = mapped_column(primary_key=True)
    action: Mapped[str] = mapped_column(String(255), primary_key=True)
    status: Mapped[str] = mapped_column(String(16), primary_key=True)
    mails: Mapped[int] = mapped_column(BigInteger)
