"""What recipients' servers think of our mail: bounces, complaints, and how much is not sent for the sake of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import Connection, Row, text

from app.doctor.findings import Finding, Level

CHECK: Final = "recipients"
# Mails that are looked at: those of lately, so that a list that was cleaned soon shows it.
NEWEST: Final = 10_000
# Fewer than these say nothing.
FEWEST: Final = {"bounced": 10, "complained": 3, "suppressed": 20}
# From which share on it is worth a word, and from which on providers shut an account or refuse a sender. Google asks
# for complaints below 0.1 %, and never 0.3 %.
SHARES: Final = {"bounced": (0.02, 0.05), "complained": (0.001, 0.003), "suppressed": (0.1, 1.1)}
_ADVICE: Final = {
    "bounced": "See where the addresses come from, and have new ones confirmed: the reasons are in the timelines.",
    "complained": "See what was sent to whom: people call mail spam that they did not ask for.",
    "suppressed": "See why at /v1/suppressions and in the timelines; an address that is well again can be taken off.",
}

_COUNT: Final = text(
    """
    SELECT count(*) AS mails,
        count(*) FILTER (WHERE status IN ('sent', 'delivered', 'bounced', 'complained', 'rejected')) AS taken,
        count(*) FILTER (WHERE status = 'bounced') AS bounced,
        count(*) FILTER (WHERE status = 'complained') AS complained,
        count(*) FILTER (WHERE status = 'suppressed') AS suppressed
    FROM (SELECT status FROM mails ORDER BY id DESC LIMIT :newest) AS newest
    """
)
_LISTED: Final = text("SELECT count(*) FROM suppressions")


def check_recipients(connection: Connection) -> list[Finding]:
    """Count what became of the newest mails."""
    row = connection.execute(_COUNT, {"newest": NEWEST}).one()
    listed = connection.execute(_LISTED).scalar_one()
    found = list(_judge(row))
    if found:
        return found
    what = f"Of the newest {row.mails} mails {row.bounced} bounced, and {row.complained} were complained about"
    if not row.mails:
        what = "There are no mails"
    return [Finding("ok", CHECK, "mails", f"{what}; {listed} addresses are suppressed.")]


def _judge(row: Row[Any]) -> Iterator[Finding]:
    for status, (warning, problem) in SHARES.items():
        count, of = getattr(row, status), row.mails if status == "suppressed" else row.taken
        if count < FEWEST[status] or count < warning * of:
            continue
        level: Level = "problem" if count >= problem * of else "warning"
        what = f"{count} of the newest {of} mails ({100 * count / of:.1f} %) are {status}"
        harm = "." if status == "suppressed" else ": from some share on, nobody takes mail from this sender any more."
        yield Finding(level, CHECK, status, f"{what}{harm}", _ADVICE[status])
