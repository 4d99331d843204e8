"""Users."""

from __future__ import annotations

import re
from typing import Any, Final

from marshmallow import ValidationError

from app.api.access import USERS
from app.api.helpers.contact import E164
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import EmailAddress, JsonValue, Language, StrictBoolean, Text, Timestamp, Timezone
from app.api.jsonapi.schema import Schema, ToMany
from app.api.jsonapi.timestamps import format_timestamp
from app.auth.passwords import MAX_LENGTH, MIN_LENGTH
from app.models import User
from app.models.suppression import HARD_BOUNCE, SOFT_BOUNCES

MAX_CHAT_ADDRESS: Final = 255
_BETWEEN_DIGITS: Final = re.compile(r"[ ().\-/]")
_PARTING: Final = frozenset(" /\\?%&=,;<>\"'{}|")


class EmailProblem(JsonValue):
    """Why no mail is sent to the user: `{"address", "reason", "text", "since"}`; null if it is. Read-only.

    It is about the address that waits for its link, if mail to that is not sent, or else about the present one. Anybody
    can enter anybody's address. What its owner or an admin decided is told to him who has confirmed it; that mail
    bounces is told to everybody who has entered it, since it may be why no link came.
    """

    def __init__(self) -> None:
        super().__init__(dump_only=True)

    def serialize(self, attr: str, obj: User, accessor: Any = None, **kwargs: Any) -> dict[str, str | None] | None:  # noqa: ARG002 - marshmallow's
        """The entry of the suppression list."""
        for found, is_proved in ((obj.new_suppression, False), (obj.suppression, obj.is_verified)):
            if found is not None and (is_proved or found.reason in (HARD_BOUNCE, SOFT_BOUNCES)):
                since = format_timestamp(found.created_at)
                return {"address": found.address, "reason": found.reason, "text": found.text, "since": since}
        return None


class Phone(Text):
    """A telephone number as ITU-T E.164 writes it; spaces, hyphens and such between the digits are taken out."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = _BETWEEN_DIGITS.sub("", super()._deserialize(value, attr, data, **kwargs))
        if not E164.fullmatch(text):
            raise ValidationError("This must be a number with its country, for example +12025550123.")
        return text


class ChatAddress(Text):
    """Whom a chat service knows the user by: `@ana`, `#team`, a number, an address like one of mail."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, attr, data, **kwargs)
        # It becomes a part of the service's address: these signs would begin another part, or another recipient.
        if not text.isprintable() or set(text) & _PARTING or not text.strip("."):
            raise ValidationError(
                f"This must be one name, without spaces and without any of {' '.join(sorted(_PARTING - {' '}))}."
            )
        return text


class UserSchema(Schema):
    """An account; the password is only ever written."""

    class Meta:
        type_ = "user"
        self_view = "v1.user_detail"

    email = EmailAddress(required=True)
    # Read-only. It is loaded all the same: who sends it back says that `email` is no wish to keep the old address.
    new_email = JsonValue(allow_none=True)
    password = Text(MAX_LENGTH, minimum=MIN_LENGTH, required=True, allow_none=True, load_only=True)
    # Both for signing up only.
    invite_token = Text(2000, minimum=1, allow_none=True, load_only=True)
    was_registered_with_order = StrictBoolean()
    first_name = Text(255, allow_none=True)
    last_name = Text(255, allow_none=True)
    language = Language()
    timezone = Timezone()
    is_admin = StrictBoolean(dump_only=True)
    is_verified = StrictBoolean(dump_only=True)
    created_at = Timestamp(dump_only=True)
    phone = Phone(32, allow_none=True)
    chat_address = ChatAddress(MAX_CHAT_ADDRESS, allow_none=True)
    email_problem = EmailProblem()

    # Ember follows this link to a user's notifications.
    notifications = ToMany("notification", related_view="v1.notification_list", dump_only=True)


USER: Final = register_type(ResourceType("user", UserSchema, USERS, joins=(User.suppression, User.new_suppression)))
