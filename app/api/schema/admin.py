"""What admins see: mails, settings, message settings, activities."""

from __future__ import annotations

from typing import Any, Final

from marshmallow import ValidationError

from app.api.access import ACTIVITIES, MAIL_EVENTS, MAILS, MESSAGE_SETTINGS, SETTINGS
from app.api.helpers.system_mails import CRITICAL
from app.api.helpers.system_mails import MAILS as MAIL_TEXTS
from app.api.helpers.system_notifications import NOTIFS
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import (
    Choice,
    DecimalNumber,
    EmailAddress,
    JsonValue,
    StrictBoolean,
    Text,
    Timestamp,
    WholeNumber,
)
from app.api.jsonapi.schema import Schema, ToMany, ToOne
from app.api.schema.services import ServiceAttributes
from app.delivery.inbound.sendgrid_signature import load_public_key
from app.happenings.types import type_of_action
from app.models import Mail, MessageSettings
from app.models.setting import EMAIL_SERVICES, UNCERTAIN_MAILS

# The longest that mails are kept: a hundred years.
MAX_DAYS: Final = 36_500


class MailSchema(Schema):
    """A mail in the log."""

    class Meta:
        type_ = "mail"
        self_view = "v1.mail_detail"

    recipient = Text(254, dump_only=True)
    time = Timestamp(dump_only=True)
    action = Text(255, dump_only=True)
    subject = Text(10_000, dump_only=True)
    message = Text(1_000_000, dump_only=True)
    language = Text(35, dump_only=True)
    status = Text(16, dump_only=True)
    lane = Text(16, attribute="lane_name", dump_only=True)
    attempts = WholeNumber(dump_only=True)
    retries = WholeNumber(dump_only=True)
    provider = Text(32, dump_only=True)
    provider_message_id = Text(1000, dump_only=True)
    error_class = Text(16, dump_only=True)
    last_error = Text(10_000, dump_only=True)
    next_attempt_at = Timestamp(dump_only=True)
    give_up_at = Timestamp(dump_only=True)
    sent_at = Timestamp(dump_only=True)
    body_removed_at = Timestamp(dump_only=True)

    batch = ToOne("mail-batch", foreign_key="batch_id", dump_only=True)
    events = ToMany("mail-event", related_view="v1.mail_event_list", dump_only=True)


class MailEventSchema(Schema):
    """An entry of a mail's timeline; `raw` is what the provider sent, as it sent it."""

    class Meta:
        type_ = "mail-event"

    time = Timestamp(dump_only=True)
    event = Text(16, dump_only=True)
    provider = Text(32, dump_only=True)
    code = WholeNumber(dump_only=True)
    text = Text(10_000, dump_only=True)
    raw = JsonValue(dump_only=True)

    mail = ToOne("mail", foreign_key="mail_id", dump_only=True)


class WebAddress(Text):
    """An http or https address, without white space, user or fragment."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        scheme, found, rest = text.partition("://")
        if scheme not in ("http", "https") or not found or not rest or set(rest) & set(" <>\"'@#?\\"):
            raise ValidationError("This must be an address like https://events.example.org.")
        return text.rstrip("/")


class VerificationKey(Text):
    """The public key that SendGrid signs its events with, as SendGrid shows it."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs).strip()
        try:
            load_public_key(text)
        except ValueError as error:
            raise ValidationError(str(error)) from error
        return text


class SettingSchema(ServiceAttributes, Schema):
    """The settings; what may be null is not set."""

    class Meta:
        type_ = "setting"
        self_view = "v1.setting_detail"

    app_name = Text(255, minimum=1)
    frontend_url = WebAddress(500, allow_none=True)
    email_service = Choice(EMAIL_SERVICES)
    email_from = EmailAddress()
    email_from_name = Text(255, allow_none=True)
    sendgrid_webhook_key = VerificationKey(1000, lines=True, allow_none=True)
    uncertain_mails = Choice(UNCERTAIN_MAILS)
    mail_body_days = WholeNumber(1, MAX_DAYS, allow_none=True)
    mail_days = WholeNumber(1, MAX_DAYS, allow_none=True)
    mail_problem_days = WholeNumber(1, MAX_DAYS, allow_none=True)
    order_expiry_time = WholeNumber(1, 43_200)
    service_fee = DecimalNumber(0, 100)


class TemplateText(Text):
    """A text of the action's template, to show what would be sent; read-only."""

    def __init__(self, texts: dict[str, Any], key: str) -> None:
        super().__init__(100_000, dump_only=True)
        self.texts, self.key = texts, key

    def serialize(self, attr: str, obj: MessageSettings, accessor: Any = None, **kwargs: Any) -> str | None:  # noqa: ARG002 - marshmallow's
        """The text; None if the action has no such template."""
        entry = self.texts.get(obj.action)
        return None if entry is None else str(entry[self.key])


class Recipients(Text):
    """Who is told, as the templates say."""

    def __init__(self) -> None:
        super().__init__(1000, dump_only=True)

    def serialize(self, attr: str, obj: MessageSettings, accessor: Any = None, **kwargs: Any) -> str | None:  # noqa: ARG002 - marshmallow's
        """The mail's recipients, or else the notification's."""
        entry = MAIL_TEXTS.get(obj.action) or NOTIFS.get(obj.action)
        return None if entry is None else entry["recipient"]


class Critical(StrictBoolean):
    """Whether what the action sends cannot be switched off."""

    def __init__(self) -> None:
        super().__init__(dump_only=True)

    def serialize(self, attr: str, obj: MessageSettings, accessor: Any = None, **kwargs: Any) -> bool:  # noqa: ARG002 - marshmallow's
        """What the action's declaration says, or the type's."""
        return obj.action in CRITICAL or (obj.declared is not None and obj.declared.is_critical)


class TypeOfAction(Text):
    """The type of happenings that the switches are of: an action's, or the one that the row is named after."""

    def __init__(self) -> None:
        super().__init__(255, dump_only=True)

    def serialize(self, attr: str, obj: MessageSettings, accessor: Any = None, **kwargs: Any) -> str | None:  # noqa: ARG002 - marshmallow's
        """Its name; None for an action of somebody's own."""
        declared = type_of_action(obj.action) or obj.declared
        return declared.name if declared else None


class MessageSettingSchema(Schema):
    """The switches of an action, and the texts that it sends; a type of happenings has switches and no texts."""

    class Meta:
        type_ = "message-setting"
        self_view = "v1.message_setting_detail"

    action = Text(255, dump_only=True)
    event_type = TypeOfAction()
    mail_status = StrictBoolean()
    notification_status = StrictBoolean()
    sms_status = StrictBoolean()
    chat_status = StrictBoolean()
    user_control_status = StrictBoolean()
    critical = Critical()
    recipient = Recipients()
    email_subject = TemplateText(MAIL_TEXTS, "subject")
    email_message = TemplateText(MAIL_TEXTS, "message")
    notification_title = TemplateText(NOTIFS, "title")
    notification_message = TemplateText(NOTIFS, "message")


class ActivitySchema(Schema):
    """Who did what."""

    class Meta:
        type_ = "activity"
        self_view = "v1.activity_detail"

    actor = Text(10_000, dump_only=True)
    time = Timestamp(dump_only=True)
    action = Text(100_000, dump_only=True)


MAIL: Final = register_type(ResourceType("mail", MailSchema, MAILS, columns={"lane": Mail.lane_name}))
MAIL_EVENT: Final = register_type(ResourceType("mail-event", MailEventSchema, MAIL_EVENTS, is_story=True))
SETTING: Final = register_type(ResourceType("setting", SettingSchema, SETTINGS))
MESSAGE_SETTING: Final = register_type(
    ResourceType("message-setting", MessageSettingSchema, MESSAGE_SETTINGS, joins=(MessageSettings.declared,))
)
ACTIVITY: Final = register_type(ResourceType("activity", ActivitySchema, ACTIVITIES))
