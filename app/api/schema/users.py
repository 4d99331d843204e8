"""Users."""

from __future__ import annotations

from typing import Final

from app.api.access import USERS
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import EmailAddress, JsonValue, Language, StrictBoolean, Text, Timestamp, Timezone
from app.api.jsonapi.schema import Schema, ToMany
from app.auth.passwords import MAX_LENGTH, MIN_LENGTH


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

    # Ember follows this link to a user's notifications.
    notifications = ToMany("notification", related_view="v1.notification_list", dump_only=True)


USER: Final = register_type(ResourceType("user", UserSchema, USERS))
