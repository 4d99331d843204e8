"""The tables, one family per file; importing this package makes all of them known to SQLAlchemy."""

from app.models.activity import Activity
from app.models.base import Base, db
from app.models.broadcast import Broadcast
from app.models.channel import ChannelMessage, ChannelMessageEvent, ChannelService
from app.models.event import Event, EventRole
from app.models.event_type import EventTypeRow
from app.models.fanout import Fanout, FanoutPart
from app.models.happening import Happening
from app.models.idempotency import IdempotencyKey
from app.models.invite import PaperInvite, RoleInvite, SpeakersCall
from app.models.listen import Listen
from app.models.mail import Mail, MailAttachment, MailBatch, MailCount, MailEvent
from app.models.mail_service import MailService
from app.models.marker import NotificationMarker
from app.models.message_setting import MessageSettings
from app.models.notification import Notification
from app.models.order import Attendee, EventInvoice, Order, Ticket
from app.models.preference import Decision, DeliveryHours, HeldMail, Preference
from app.models.reminder import Reminder
from app.models.service_token import ServiceToken
from app.models.session import Session, Speaker
from app.models.setting import Setting
from app.models.suppression import SoftBounce, Suppression
from app.models.transfer import Transfer
from app.models.user import User

__all__ = [
    "Activity",
    "Attendee",
    "Base",
    "Broadcast",
    "ChannelMessage",
    "ChannelMessageEvent",
    "ChannelService",
    "Decision",
    "DeliveryHours",
    "Event",
    "EventInvoice",
    "EventRole",
    "EventTypeRow",
    "Fanout",
    "FanoutPart",
    "Happening",
    "HeldMail",
    "IdempotencyKey",
    "Listen",
    "Mail",
    "MailAttachment",
    "MailBatch",
    "MailCount",
    "MailEvent",
    "MailService",
    "MessageSettings",
    "Notification",
    "NotificationMarker",
    "Order",
    "PaperInvite",
    "Preference",
    "Reminder",
    "RoleInvite",
    "ServiceToken",
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
