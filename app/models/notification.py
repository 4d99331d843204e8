"""What one person was told in the app, and the actions that notifications are about."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import BigInteger, CheckConstraint, Index, desc, func, text
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, BigId, JsonObject, utc_now
from app.models.happening import Happening
from app.models.user import User

# The strings are Open Event's: they are stored, filtered on and shown to admins.
EVENT_EXPORTED: Final = "Event Exported"
EVENT_EXPORT_FAIL: Final = "Event Export Failed"
EVENT_IMPORTED: Final = "Event Imported"
EVENT_IMPORT_FAIL: Final = "Event Import Failed"
MONTHLY_PAYMENT_NOTIF: Final = "Monthly Payment Notification"
MONTHLY_PAYMENT_FOLLOWUP_NOTIF: Final = "Monthly Payment Follow Up Notification"
TICKET_PURCHASED: Final = "Ticket(s) Purchased"
TICKET_PURCHASED_ATTENDEE: Final = "Ticket Purchased to Attendee"
TICKET_PURCHASED_ORGANIZER: Final = "Ticket(s) Purchased to Organizer"
TICKET_RESEND_ORGANIZER: Final = "Ticket Resend"
TICKET_CANCELLED: Final = "Ticket(s) cancelled"
TICKET_CANCELLED_ORGANIZER: Final = "Ticket(s) cancelled organizer"
USER_CHANGE_EMAIL: Final = "User email"
PASSWORD_CHANGE: Final = "Change Password"  # noqa: S105 - the name of an action
AFTER_EVENT: Final = "After Event"
EVENT_PUBLISH: Final = "Event Published"
EVENT_ROLE_INVITE: Final = "Event Role Invitation"
NEW_SESSION: Final = "New Session Proposal"
SESSION_SCHEDULE: Final = "Session Schedule Change"
NEXT_EVENT: Final = "Next Event"
SESSION_ACCEPT_REJECT: Final = "Session Accept or Reject"
INVITE_PAPERS: Final = "Invitation For Papers"


class Notification(Base):
    """One row per person and happening. Narrow on purpose: this is the table that grows."""

    __tablename__ = "notifications"
    __table_args__ = (
        # The inbox: newest first, without what its owner has removed.
        Index("ix_notifications_inbox", "user_id", desc("id"), postgresql_where=text("deleted_at IS NULL")),
        Index(
            "ix_notifications_unread",
            "user_id",
            desc("id"),
            postgresql_where=text("NOT is_read AND deleted_at IS NULL"),
        ),
        # Nobody is told twice of one happening.
        Index("uq_notifications_happening_id_user_id", "happening_id", "user_id", unique=True),
        CheckConstraint("is_read = (read_at IS NOT NULL)", name="read_at"),
    )

    id: Mapped[BigId]
    # Triggers see that both exist, and take the row when one goes: foreign keys do so row by row (decision 0024).
    happening_id: Mapped[int] = mapped_column(BigInteger)
    user_id: Mapped[int] = mapped_column(BigInteger)
    received_at: Mapped[datetime] = mapped_column(default=utc_now, server_default=func.now())
    is_read: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    read_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]

    user: Mapped[User] = relationship(primaryjoin="foreign(Notification.user_id) == User.id")
    happening: Mapped[Happening] = relationship(
        innerjoin=True, primaryjoin="foreign(Notification.happening_id) == Happening.id"
    )

    title: AssociationProxy[str] = association_proxy("happening", "title")
    message: AssociationProxy[str] = association_proxy("happening", "message")
    action: AssociationProxy[str] = association_proxy("happening", "action")
    event_type: AssociationProxy[str | None] = association_proxy("happening", "event_type")
    link: AssociationProxy[str | None] = association_proxy("happening", "link")
    data: AssociationProxy[JsonObject | None] = association_proxy("happening", "data")

    def mark(self, *, is_read: bool) -> None:
        """Set read or unread; the time of the first reading stays while it is read."""
        if is_read and not self.is_read:
            self.read_at = utc_now()
        elif not is_read:
            self.read_at = None
        self.is_read = is_read
