"""What of a mail service is written and read: of the settings' own, and of the further ones."""

from __future__ import annotations

import re
from typing import Any, Final

from marshmallow import ValidationError

from app.api.access import MAIL_SERVICES
from app.api.helpers.templates import MASK
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import Choice, StrictBoolean, Text, WholeNumber
from app.api.jsonapi.schema import Schema
from app.api.service_states import state_of
from app.models import MailService
from app.models.mail_service import OWN_NAMES, SERVICE_KINDS
from app.models.setting import SMTP_ENCRYPTIONS

# The largest limits, far above any real one.
MAX_PER_SECOND: Final = 100_000
MAX_PER_DAY: Final = 1_000_000_000
MAX_POSITION: Final = 1_000


class Secret(Text):
    """A text that is written and never read: it reads back as asterisks, which written back change nothing."""

    def __init__(self) -> None:
        super().__init__(1000, allow_none=True)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **kwargs: Any) -> str | None:  # noqa: ARG002 - marshmallow's
        return MASK if value else None


class HostName(Text):
    """The name or address of a host; no scheme, no port."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs).strip()
        if set(text) & set("/@ <>\"'\\"):
            raise ValidationError("This must be the name of a host, for example smtp.example.org.")
        return text


class ServiceAttributes:
    """What the settings and a further service have in common: where it is, how to log in, what it takes."""

    sendgrid_key = Secret()
    smtp_host = HostName(255, allow_none=True)
    smtp_port = WholeNumber(1, 65535, allow_none=True)
    smtp_username = Text(255, allow_none=True)
    smtp_password = Secret()
    smtp_encryption = Choice(SMTP_ENCRYPTIONS)
    mails_per_second = WholeNumber(1, MAX_PER_SECOND, allow_none=True)
    mails_per_day = WholeNumber(1, MAX_PER_DAY, allow_none=True)


class ServiceName(Text):
    """What the timeline and the metrics call a service: a slug, and none of the names of the settings' own."""

    def __init__(self) -> None:
        super().__init__(32, required=True)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", text):
            raise ValidationError("This must be of small letters, digits and single hyphens, for example backup-2.")
        if text in OWN_NAMES:
            raise ValidationError(f"{', '.join(OWN_NAMES)} are names of the settings' own service: take another.")
        return text


class ServiceState(Text):
    """The state of the service's circuit breaker; null while Redis, which knows it, is away."""

    def __init__(self) -> None:
        super().__init__(16, dump_only=True)

    def serialize(self, attr: str, obj: MailService, accessor: Any = None, **kwargs: Any) -> str | None:  # noqa: ARG002 - marshmallow's
        """What all workers know together at this moment."""
        return state_of(obj.name)


class MailServiceSchema(ServiceAttributes, Schema):
    """A service that mail goes through when those before it cannot take it."""

    class Meta:
        type_ = "mail-service"
        self_view = "v1.mail_service_detail"

    name = ServiceName()
    position = WholeNumber(1, MAX_POSITION)
    is_enabled = StrictBoolean()
    email_service = Choice(SERVICE_KINDS)
    state = ServiceState()


MAIL_SERVICE: Final = register_type(ResourceType("mail-service", MailServiceSchema, MAIL_SERVICES))
