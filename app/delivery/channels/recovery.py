"""What becomes of the message of a worker that died, and of those of which nobody knows whether a service took them.

As with mails (see app/delivery/recovery.py) the setting `uncertain-mails` decides: they are tried again, and may then
arrive twice, or wait for an operator. A try in doubt counts as a try.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

_LOST: Final = text(
    """
    WITH lost AS MATERIALIZED (
        SELECT id FROM channel_messages WHERE status = 'sending' AND lease_until < now()
        ORDER BY lease_until LIMIT :limit FOR UPDATE SKIP LOCKED
    ), doubtful AS (
        UPDATE channel_messages SET status = 'uncertain', claim = NULL, lease_until = NULL, attempts = attempts + 1,
            next_attempt_at = now(), error_class = 'transient', last_error = :said
        FROM lost WHERE channel_messages.id = lost.id
        RETURNING channel_messages.id
    )
    INSERT INTO channel_message_events (message_id, event, text) SELECT id, 'uncertain', :said FROM doubtful
    """
)
_DOUBT: Final = (
    "The worker that was sending this message ended before it wrote an outcome: nobody knows whether it left."
)
_AGAIN: Final = text(
    """
    WITH due AS MATERIALIZED (
        SELECT id FROM channel_messages AS message
        WHERE status = 'uncertain' AND next_attempt_at <= now()
            AND (SELECT uncertain_mails FROM settings) = 'retry'
            AND attempts < (SELECT max(max_attempts) FROM channel_services AS service
                WHERE service.channel = message.channel AND is_enabled)
            -- what was recalled is not sent again
            AND NOT EXISTS (SELECT FROM fanouts WHERE happening_id = message.happening_id AND state = 'recalled')
        ORDER BY next_attempt_at LIMIT :limit FOR UPDATE SKIP LOCKED
    ), again AS (
        UPDATE channel_messages SET status = 'queued', next_attempt_at = now()
        FROM due WHERE channel_messages.id = due.id
        RETURNING channel_messages.id
    )
    INSERT INTO channel_message_events (message_id, event, text) SELECT id, 'queued', :said FROM again
    """
)
_REPEATED: Final = "Tried again, since nobody knows whether it was taken: it may arrive twice."
_DUE: Final = text(
    """
    SELECT EXISTS (
        SELECT FROM channel_messages
        WHERE status IN ('queued', 'deferred') AND channel IN ('sms', 'chat') AND next_attempt_at <= now()
    )
    """
)


def recover_messages(connection: Connection, limit: int = 1_000) -> tuple[int, int]:
    """Take back the messages of workers whose lease ran out; queue those in doubt again whose time has come.

    Args:
        connection: one in autocommit mode.
        limit: how many of each at most.

    Returns:
        How many there were of each.
    """
    lost = connection.execute(_LOST, {"limit": limit, "said": _DOUBT}).rowcount
    again = connection.execute(_AGAIN, {"limit": limit, "said": _REPEATED}).rowcount
    return lost, again


def are_due(connection: Connection) -> bool:
    """Whether any message is due."""
    return bool(connection.execute(_DUE).scalar_one())
