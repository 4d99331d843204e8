"""What somebody has said of how he wants to be told, straight in the tables; and what was decided for him."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, text

from app.models import Decision, DeliveryHours, Preference, User, db
from app.models.base import utc_now

EVERY_TYPE = "*"


def prefer(user: User, channel: str, mode: str, pattern: str = EVERY_TYPE, minutes: int | None = None) -> None:
    """Say how a channel is to tell the user of the types of a pattern."""
    db.session.add(Preference(user_id=user.id, pattern=pattern, channel=channel, mode=mode, minutes=minutes))
    user.has_preferences = True
    db.session.commit()


def keep_quiet(user: User) -> datetime:
    """Let it be within the user's quiet hours now; returns their end."""
    ends = (utc_now() + timedelta(hours=2)).replace(second=0, microsecond=0)
    db.session.add(
        DeliveryHours(user_id=user.id, quiet_from=(ends - timedelta(hours=4)).time(), quiet_until=ends.time())
    )
    user.has_preferences = True
    db.session.commit()
    return ends


def decisions(user: User) -> dict[str, tuple[str, str, str | None]]:
    """Outcome, reason and pattern of each channel's newest decision for a user."""
    rows = db.session.scalars(select(Decision).where(Decision.user_id == user.id).order_by(Decision.happening_id))
    return {row.channel: (row.outcome, row.reason, row.pattern) for row in rows}


def make_held_due() -> None:
    """Let the time of everything that is held have come."""
    for table in ("held_mails", "decisions"):
        db.session.execute(text(f"UPDATE {table} SET due_at = now() - interval '1 minute' WHERE due_at IS NOT NULL"))
    db.session.commit()
