"""What tests of the inbox ask for and read."""

from __future__ import annotations

from typing import Any

from app.models import Notification, User, db

ATTRIBUTES = {"title", "message", "action", "event-type", "received-at", "is-read", "read-at", "link", "data"}


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.text
    return [int(item["id"]) for item in answer.json["data"]]


def inbox(user: User) -> str:
    return f"/v1/users/{user.id}/notifications"


def reread(notification: Notification) -> Notification:
    db.session.refresh(notification)
    return notification
