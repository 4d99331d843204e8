"""How many mails there were of each status, those included whose rows are gone; and how many SMS and chat messages."""

from __future__ import annotations

from typing import Final

from sqlalchemy import text

from app.models.base import one_of
from app.models.mail import OVER, WAITING

# Each part is read by an index of its own, and without a look at the rows where the table has been vacuumed.
TOTALS: Final = text(
    f"""
    SELECT status, CAST(sum(mails) AS bigint) AS mails FROM (
        SELECT status, count(*) AS mails FROM mails WHERE {one_of("status", WAITING)} GROUP BY status
        UNION ALL
        SELECT 'sending', count(*) FROM mails WHERE status = 'sending'
        UNION ALL
        SELECT 'uncertain', count(*) FROM mails WHERE status = 'uncertain'
        UNION ALL
        SELECT status, count(*) FROM mails WHERE {one_of("status", OVER)} GROUP BY status
        UNION ALL
        SELECT status, sum(mails) FROM mail_counts GROUP BY status
    ) AS parts GROUP BY status
    """  # noqa: S608 - of our own words
)
# The same of the messages that are in the table.
CHANNEL_TOTALS: Final = text(
    """
    SELECT channel, status, count(*) AS messages FROM channel_messages
    WHERE status IN ('queued', 'deferred') GROUP BY channel, status
    UNION ALL
    SELECT channel, status, count(*) FROM channel_messages WHERE status = 'sending' GROUP BY channel, status
    UNION ALL
    SELECT channel, status, count(*) FROM channel_messages WHERE status = 'uncertain' GROUP BY channel, status
    UNION ALL
    SELECT channel, status, count(*) FROM channel_messages
    WHERE status IN ('sent', 'failed', 'suppressed', 'cancelled') GROUP BY channel, status
    """
)
