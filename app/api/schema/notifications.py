"""Notifications."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement

from app.api.access import NOTIFICATIONS
from app.api.jsonapi.access import ResourceType, register_type
from app.api.jsonapi.fields import JsonValue, StrictBoolean, Text, Timestamp
from app.api.jsonapi.schema import Schema, ToOne
from app.api.jsonapi.timestamps import parse_timestamp
from app.models import Happening, Notification


class NotificationSchema(Schema):
    """What one user was told; only `is_read` is ever written."""

    class Meta:
        type_ = "notification"
        self_view = "v1.notification_detail"

    title = Text(10_000, dump_only=True)
    message = Text(100_000, dump_only=True)
    action = Text(255, dump_only=True)
    event_type = Text(255, dump_only=True)
    received_at = Timestamp(dump_only=True)
    is_read = StrictBoolean()
    read_at = Timestamp(dump_only=True)
    link = Text(10_000, dump_only=True)
    data = JsonValue(dump_only=True)

    user = ToOne(
        "user",
        related_view="v1.notification_user",
        self_view="v1.notification_user",
        foreign_key="user_id",
        dump_only=True,
    )
    happening = ToOne("happening", foreign_key="happening_id", dump_only=True)


def _read(operator: str, value: Any) -> ColumnElement[bool]:
    """The condition of `filter[read]`: whether it was read, or that it was read since a time."""
    if operator != "eq" or value is None:
        raise ValueError("read takes eq with true, false or a time")
    if isinstance(value, bool) or value in ("true", "false"):
        return Notification.is_read.is_(True) if value in (True, "true") else ~Notification.is_read
    if not isinstance(value, str):
        raise ValueError("read is true, false or a time like 2026-11-21T10:00:00Z")  # noqa: TRY004 - a client's value
    try:
        return Notification.read_at >= parse_timestamp(value)
    except ValueError as error:
        raise ValueError(f"read is true, false or a time, and this is {error}") from error


NOTIFICATION: Final = register_type(
    ResourceType(
        "notification",
        NotificationSchema,
        NOTIFICATIONS,
        columns={
            "title": Happening.title,
            "message": Happening.message,
            "action": Happening.action,
            "event_type": Happening.event_type,
            "link": Happening.link,
            "data": Happening.data,
        },
        joins=(Notification.happening,),
        is_plain=True,
        filters={"read": _read},
    )
)
