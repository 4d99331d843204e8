"""The tables, one family per file; importing this package makes all of them known to SQLAlchemy."""

from app.models.activity import Activity
from app.models.base import Base, db
from app.models.event import Event, EventRole
from app.models.happening import Happening
from app.models.idempotency import IdempotencyKey
from app.models.invite import PaperInvite, RoleInvite, SpeakersCall
from app.models.mail import Mail, MailAttachment, MailBatch, MailCount, MailEvent
from app.models.mail_service import MailService
from app.models.message_setting import MessageSettings
from app.models.notification import Notification
from app.models.order import Attendee, EventInvoice, Order, Ticket
from app.models.reminder import Reminder
from app.models.session import Session, Speaker
from app.models.setting import Setting
from app.models.suppression import SoftBounce, Suppression
from app.models.transfer import Transfer
from app.models.user import User

__all__ = [
    "Activity",
    "Attendee",
    "Base",
    "Event",
    "EventInvoice",
    "EventRole",
    "Happening",
    "IdempotencyKey",
    "Mail",
    "MailAttachment",
    "MailBatch",
    "MailCount",
    "MailEvent",
    "MailService",
    "MessageSettings",
    "Notification",
    "Order",
    "PaperInvite",
    "Reminder",
    "RoleInvite",
    "Session",
    "Setting",
    "SoftBounce",
    "Speaker",
    "SpeakersCall",
    "Suppression",
    "Ticket",
    "Transfer",
    "User",
    "db",
]
