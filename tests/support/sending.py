"""Sending in the process of the test: settings that name its server, mails in the queue, and what became of them."""

from __future__ import annotations

import socket
from collections import Counter
from dataclasses import replace
from email.message import EmailMessage
from typing import Any, cast

from flask import current_app
from sqlalchemy import Row, text

from app.api.helpers.mail import send_email, send_email_confirmation
from app.delivery.sender import drain
from app.models import Mail, db
from config import Config
from tests.servers.smtp import HOST
from tests.support.api import Api

LINK = "https://example.org/verify?token=Zm9v-only-for-ana"


def point_at(port: int, **others: Any) -> None:
    values = {"smtp_host": HOST, "smtp_port": port, "smtp_encryption": "none", **others}
    assignments = ", ".join(f"{name} = :{name}" for name in values)
    db.session.execute(text(f"UPDATE settings SET {assignments}"), values)
    db.session.commit()


def queue(count: int = 1, **options: Any) -> list[int]:
    mails = [
        send_email(f"user{number}@example.org", "Test", f"Subject {number}", "<p>Hello</p>", **options)
        for number in range(count)
    ]
    db.session.commit()
    return [mail.id for mail in mails if mail]


def queue_secret() -> int:
    mail = cast("Mail", send_email_confirmation("ana@example.org", LINK))
    db.session.commit()
    return mail.id


def run(**changes: Any) -> Counter[str]:
    """Send what is due, with the application's configuration or a changed one."""
    config: Config = current_app.config["USHER"]
    return drain(db.engine, replace(config, **changes))


def row(mail_id: int) -> Row[Any]:
    found = db.session.execute(text("SELECT * FROM mails WHERE id = :id"), {"id": mail_id}).one()
    db.session.rollback()
    return found


def rows() -> list[Row[Any]]:
    found = list(db.session.execute(text("SELECT * FROM mails ORDER BY id")))
    db.session.rollback()
    return found


def make_due() -> None:
    db.session.execute(text("UPDATE mails SET next_attempt_at = now() WHERE status = 'deferred'"))
    db.session.commit()


def refused_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content())


def patch_settings(admin: Api, **values: Any) -> int:
    return admin.update("/v1/settings/1", "setting", 1, **values).status_code
