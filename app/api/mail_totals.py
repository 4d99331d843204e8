"""How many mails there were of each status: those in the table, and those whose rows retention has deleted."""

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
