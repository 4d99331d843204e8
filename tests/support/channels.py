"""Services of SMS and chat, messages for them, and what became of those."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

from flask import current_app
from sqlalchemy import Row, text

from app.delivery.channels.drain import drain_messages
from app.models import ChannelMessage, ChannelService, db
from config import Config

# Numbers that are nobody's.
PHONE, OTHER_PHONE = "+12025550123", "+12025550124"


def service(url: str, name: str = "gate", channel: str = "sms", **others: Any) -> ChannelService:
    row = ChannelService(name=name, url=url, channel=channel, **others)
    db.session.add(row)
    db.session.commit()
    return row


def message(recipient: str = PHONE, channel: str = "sms", **others: Any) -> int:
    values = {"action": "Test", "title": "News", "text": "The harbour opens."} | others
    row = ChannelMessage(recipient=recipient, channel=channel, **values)
    db.session.add(row)
    db.session.commit()
    return row.id


def run(ids: list[int] | None = None, **changes: Any) -> Counter[str]:
    """Send what is due, with the application's configuration or a changed one."""
    config: Config = current_app.config["USHER"]
    return drain_messages(db.engine, replace(config, **changes), ids)


def row(message_id: int) -> Row[Any]:
    found = db.session.execute(text("SELECT * FROM channel_messages WHERE id = :id"), {"id": message_id}).one()
    db.session.rollback()
    return found


def story(message_id: int) -> list[str]:
    """The timeline, the oldest first: each entry, and the service if it names one."""
    entries = db.session.execute(
        text("SELECT event, service FROM channel_message_events WHERE message_id = :id ORDER BY id"),
        {"id": message_id},
    )
    return [f"{entry.event} {entry.service}" if entry.service else entry.event for entry in entries]


def make_due() -> None:
    db.session.execute(text("UPDATE channel_messages SET next_attempt_at = now() WHERE status <> 'sending'"))
    db.session.commit()
