"""What becomes of the mails of a worker that died, and of those of which nobody knows whether a server took them.

SMTP has no way to ask (RFC 1047): if the answer to the final dot is lost, with the connection or with the process that
waited for it, the mail is either there or not. Such a mail is `uncertain`. Since a worker sends the mails of a claim
one after the other, and has each outcome written before it gives the next one, only one mail of a dead worker's claim
can be in doubt: the first, in the order of the claim, that has no outcome. All others were not given to any server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, text

from app.delivery.retry import DOUBT_GRACE

# So often in a row nobody knew; then it is an operator's to say what becomes of the mail.
MAX_DOUBTS: Final = 3
RECOVER: Final = text(
    """
    WITH lost AS MATERIALIZED (
        SELECT id, claim, lane FROM mails WHERE status = 'sending' AND lease_until < now()
        ORDER BY lease_until LIMIT :limit FOR UPDATE SKIP LOCKED
    ), begun AS (
        SELECT DISTINCT ON (claim) id FROM lost ORDER BY claim, lane, id
    ), doubtful AS (
        UPDATE mails SET status = 'uncertain', claim = NULL, lease_until = NULL, attempts = attempts + 1,
            doubts = doubts + 1, error_class = 'transient', last_error = :doubt,
            -- the provider's events may tell; SMTP tells nothing more
            next_attempt_at = now() + make_interval(secs => (SELECT CASE
                WHEN email_service = 'sendgrid' AND sendgrid_webhook_key IS NOT NULL THEN :grace ELSE 0 END
                FROM settings))
        FROM begun WHERE mails.id = begun.id
        RETURNING mails.id, status, last_error AS said
    ), back AS (
        UPDATE mails SET status = 'queued', claim = NULL, lease_until = NULL, next_attempt_at = now()
        FROM lost WHERE mails.id = lost.id AND mails.id NOT IN (SELECT id FROM begun)
        RETURNING mails.id, status, CAST(:back AS text) AS said
    ), told AS (
        INSERT INTO mail_events (mail_id, event, text)
        SELECT id, status, said FROM doubtful UNION ALL SELECT id, status, said FROM back
    )
    SELECT (SELECT count(*) FROM doubtful) AS doubtful, (SELECT count(*) FROM back) AS back
    """
)
_DOUBT: Final = (
    "The worker that was sending this mail ended before it wrote an outcome: nobody knows whether the server took it."
)
_BACK: Final = "The worker that had claimed this mail ended before it gave it to a server."

# The admin's setting decides whether a mail in doubt is tried again (it may then arrive twice) or held.
TRY_AGAIN: Final = text(
    """
    WITH due AS MATERIALIZED (
        SELECT id FROM mails
        WHERE status = 'uncertain' AND next_attempt_at <= now() AND doubts < :most AND give_up_at > now()
            AND (SELECT uncertain_mails FROM settings) = 'retry'
            -- what was recalled is not sent again
            AND NOT EXISTS (SELECT FROM fanouts WHERE fanouts.happening_id = mails.happening_id AND state = 'recalled')
        ORDER BY next_attempt_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), again AS (
        UPDATE mails SET status = 'queued', next_attempt_at = now() FROM due WHERE mails.id = due.id RETURNING mails.id
    )
    INSERT INTO mail_events (mail_id, event, text) SELECT id, 'queued', :said FROM again
    """
)
_AGAIN: Final = "Tried again, since nobody knows whether it was taken: it may arrive twice, with the same Message-ID."

# Their last try was due, and no service could be asked since. Those that wait for better settings are kept.
GIVE_UP: Final = text(
    """
    WITH late AS MATERIALIZED (
        SELECT id FROM mails
        WHERE status = 'deferred' AND lane IN (0, 1) AND next_attempt_at <= now() - make_interval(secs => :grace)
            AND give_up_at <= now() - make_interval(secs => :grace) AND error_class <> 'configuration'
        LIMIT :limit FOR UPDATE SKIP LOCKED
    ), ended AS (
        UPDATE mails SET status = 'failed' FROM late WHERE mails.id = late.id
        RETURNING mails.id, provider, last_error
    )
    INSERT INTO mail_events (mail_id, event, provider, text)
    SELECT id, 'failed', provider, :said || coalesce(last_error, '') FROM ended
    """
)
# Seconds: a breaker lets a mail through again sooner.
_GIVE_UP_GRACE: Final = 600.0
_GIVEN_UP: Final = "Its time is over, and no service could be asked for it any more. Before: "


@dataclass(frozen=True)
class Recovered:
    """How many mails were taken back from workers that died: those in doubt, and those not begun."""

    doubtful: int
    back: int


def recover_lost(connection: Connection, limit: int = 10_000) -> Recovered:
    """Take back the mails of workers whose lease ran out.

    The try of a mail in doubt counts, so that one that kills its worker does not do so for ever.
    """
    values = {"limit": limit, "grace": DOUBT_GRACE["sendgrid"], "doubt": _DOUBT, "back": _BACK}
    row = connection.execute(RECOVER, values).one()
    return Recovered(row.doubtful, row.back)


def try_doubtful_again(connection: Connection, limit: int = 1_000) -> int:
    """Queue the mails in doubt again whose time has come, if the settings say so; return how many there were."""
    values = {"limit": limit, "most": MAX_DOUBTS, "said": _AGAIN}
    return connection.execute(TRY_AGAIN, values).rowcount


def give_up_late(connection: Connection, limit: int = 10_000) -> int:
    """End the mails as failed that were tried, and whose last try no service was there for; return how many."""
    return connection.execute(GIVE_UP, {"limit": limit, "grace": _GIVE_UP_GRACE, "said": _GIVEN_UP}).rowcount
