"""What a provider tells of our mails: mails that were sent, SendGrid's events about them, and SendGrid's signature."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from app.delivery.inbound.sendgrid_signature import SIGNATURE_HEADER, TIMESTAMP_HEADER
from app.models import Mail, db

PATH = "/v1/webhooks/sendgrid"
HARD = "550 5.1.1 The email account that you tried to reach does not exist."
SOFT = "452 4.2.2 The mailbox is full."

_KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC_KEY = base64.b64encode(
    _KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()

BOUNCE = """\
From: MAILER-DAEMON@mail.example.org
To: bounces@example.org
Date: Fri, 20 Nov 2026 09:15:05 +0000
Message-ID: <{report}@mail.example.org>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example.org

Final-Recipient: rfc822; {recipient}
Action: {action}
Status: {status}
Diagnostic-Code: smtp; {said}

--b
Content-Type: text/rfc822-headers

Message-ID: <{message_id}>
To: {recipient}

--b--
"""


def sent(recipient: str = "ana@example.org", status: str = "sent", name: str | None = None, **values: Any) -> Mail:
    """A mail that a provider has taken, or of another status, straight in the table."""
    count = db.session.execute(text("SELECT count(*) FROM mails")).scalar_one()
    named = {"provider_message_id": name or f"sg-{count + 1}", "provider": "sendgrid"} if status == "sent" else {}
    texts = {"action": "Test", "subject": "Hi", "message": "Hi", "text": "Hi"}
    if status == "sending":
        values |= {"claim": "0" * 8 + "-0000-4000-8000-" + "0" * 12, "lease_until": text("now() + interval '1 hour'")}
    mail = Mail(
        recipient=recipient,
        message_id=f"mail-{count + 1}@usher.example.org",
        status=status,
        sent_at=text("now()") if status == "sent" else None,
        **{**texts, **named, **values},
    )
    db.session.add(mail)
    db.session.commit()
    return mail


def told(mail: Mail, event: str, id_: str | None = None, **changes: Any) -> dict[str, Any]:
    """An event of SendGrid's about the mail; what is None is left out."""
    item = {
        "email": mail.recipient,
        "timestamp": int(time.time()),
        "event": event,
        "sg_event_id": id_ or f"{event}-{mail.id}",
        "sg_message_id": f"sg-{mail.id}.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
        "mail_id": str(mail.id),
        "message_id": mail.message_id,
        **changes,
    }
    return {key: value for key, value in item.items() if value is not None}


def hard(mail: Mail, id_: str | None = None, **changes: Any) -> dict[str, Any]:
    return told(mail, "bounce", id_ or f"hard-{mail.id}", **{"type": "bounce", "reason": HARD, **changes})


def soft(mail: Mail, id_: str | None = None, **changes: Any) -> dict[str, Any]:
    return told(mail, "bounce", id_ or f"soft-{mail.id}", **{"type": "blocked", "reason": SOFT, **changes})


def bounce(mail: Mail, report: str = "r1", **changes: Any) -> bytes:
    """A report of a mail server (RFC 3464) about the mail."""
    values = {"recipient": mail.recipient, "message_id": mail.message_id, "action": "failed", "status": "5.1.1"}
    return BOUNCE.format(**{"report": report, "said": HARD, **values, **changes}).encode()


def configure_key() -> None:
    """Set the verification key, as an admin does."""
    db.session.execute(text("UPDATE settings SET sendgrid_webhook_key = :key"), {"key": PUBLIC_KEY})
    db.session.commit()


def signature(body: bytes, timestamp: str) -> str:
    return base64.b64encode(_KEY.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()


def signed_headers(body: bytes, age: int = 0) -> dict[str, str]:
    timestamp = str(int(time.time()) - age)
    headers = {"Content-Type": "application/json", TIMESTAMP_HEADER: timestamp}
    return {**headers, SIGNATURE_HEADER: signature(body, timestamp)}


def post_events(client: FlaskClient, *events: Any, age: int = 0) -> TestResponse:
    """Tell events as SendGrid does: a signed list."""
    body = json.dumps(events).encode()
    return client.post(PATH, data=body, headers=signed_headers(body, age))


def outcome(mail: Mail) -> str:
    """The mail's status now."""
    found = db.session.execute(text("SELECT status FROM mails WHERE id = :id"), {"id": mail.id}).scalar_one()
    db.session.rollback()
    return str(found)


def entries(mail: Mail | None) -> list[str]:
    """What the provider told of a mail, as the timeline has it; of no known mail with None."""
    where = "mail_id = :id" if mail else "mail_id IS NULL"
    statement = text(f"SELECT event FROM mail_events WHERE {where} AND provider_event_id IS NOT NULL ORDER BY id")
    found = list(db.session.scalars(statement, {"id": mail.id if mail else None}))
    db.session.rollback()
    return found


def suppressed() -> dict[str, str]:
    """The addresses on the suppression list, with their reasons."""
    found = {row.address: row.reason for row in db.session.execute(text("SELECT address, reason FROM suppressions"))}
    db.session.rollback()
    return found


def soft_bounces() -> dict[str, int]:
    found = {row.address: row.count for row in db.session.execute(text("SELECT address, count FROM soft_bounces"))}
    db.session.rollback()
    return found
