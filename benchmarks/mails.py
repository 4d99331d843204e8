"""The mails that the benchmarks send: a proposal as Usher tells it, each to another address."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from app.api.helpers.system_mails import MAIL_TEMPLATES
from app.api.helpers.templates import render
from app.delivery.claims import ClaimedMail
from app.delivery.services.registry import Sender
from app.language import DEFAULT
from app.models import db
from app.models.base import utc_now
from app.models.mail import NEW_SESSION

SENDER: Final = Sender("noreply@example.org", "Usher", "Usher", "http://127.0.0.1:5000")
LINK: Final = "http://127.0.0.1:5000/events/harbour1/sessions/1"

_INSERT: Final = text(
    """
    INSERT INTO mails (recipient, action, subject, message, text, message_id)
    SELECT 'user' || n || '@example.org', :action, :subject, :message, :text, gen_random_uuid() || '@example.org'
    FROM generate_series(1, :count) AS n
    """
)


def content() -> dict[str, str]:
    """Subject, HTML and text of the mail."""
    rendered = render(
        MAIL_TEMPLATES[NEW_SESSION][DEFAULT],
        {"email": "ana@example.org", "event_name": "Harbour Conference", "link": LINK},
    )
    return {"action": NEW_SESSION, "subject": rendered.line, "message": rendered.html, "text": rendered.text}


def queue(count: int) -> None:
    """Put `count` queued mails into the empty table."""
    db.session.execute(text("TRUNCATE mails CASCADE"))
    db.session.execute(_INSERT, {**content(), "count": count})
    db.session.commit()
    # Each mail has the first entry of its timeline by now.
    vacuum = text("VACUUM ANALYZE mails, mail_events")
    db.session.connection(execution_options={"isolation_level": "AUTOCOMMIT"}).execute(vacuum)
    db.session.commit()


def claimed(number: int) -> ClaimedMail:
    """One of the mails, as a worker has it."""
    values = content()
    return ClaimedMail(
        id=number,
        recipient=f"user{number}@example.org",
        bcc=(),
        reply_to=(),
        action=values["action"],
        subject=values["subject"],
        message=values["message"],
        text=values["text"],
        message_id=f"{number}@example.org",
        secret=None,
        attempts=0,
        time=utc_now(),
        give_up_at=utc_now(),
    )
