"""The suppression list: how addresses come onto it, and what brings them back. No mail is sent to them meanwhile.

At once: an address that does not exist (`hard-bounce`), a recipient who called a mail spam (`complaint`), one whom an
admin entered (`manual`). After five mails in a row that came back for a reason that may pass: `soft-bounces`. The first
reason stays, except that a graver one takes the place of a lesser; what an admin entered stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from app.models.suppression import COMPLAINT, HARD_BOUNCE, SOFT_BOUNCES

# Mails in a row that come back before their address is taken for dead.
SOFT_BOUNCE_LIMIT: Final = 5
# A reason takes the place of those before it.
_RANKS: Final = (SOFT_BOUNCES, HARD_BOUNCE, COMPLAINT)

_PUT: Final = text(
    """
    INSERT INTO suppressions (address, reason, text, mail_id) VALUES (lower(:address), :reason, :text, :mail_id)
    ON CONFLICT (address) DO UPDATE
        SET reason = EXCLUDED.reason, text = EXCLUDED.text, mail_id = EXCLUDED.mail_id, created_at = now()
        WHERE suppressions.reason = ANY(CAST(:lesser AS text[]))
    """
)
_COUNT: Final = text(
    """
    INSERT INTO soft_bounces (address, count, last_at, text) VALUES (lower(:address), 1, now(), :text)
    ON CONFLICT (address) DO UPDATE SET count = least(soft_bounces.count + 1, 1000), last_at = now(), text = :text
    RETURNING count
    """
)
_FORGET: Final = text("DELETE FROM soft_bounces WHERE address = ANY(:addresses)")
# What arrived shows that the five before it were no end; a delivery from before them does not.
_LIFT: Final = text(
    """
    DELETE FROM suppressions
    USING unnest(CAST(:addresses AS text[]), CAST(:times AS timestamptz[])) AS arrived (address, time)
    WHERE suppressions.address = arrived.address AND reason = :reason AND created_at < arrived.time
    """
)


@dataclass(frozen=True, slots=True)
class Cause:
    """Why mail to an address is to stop: the reason, the server's words, and the mail that they are about."""

    address: str
    reason: str
    text: str | None
    mail_id: int | None


def put(connection: Connection, causes: Sequence[Cause]) -> None:
    """Put addresses onto the list; what is there for a graver reason, or by an admin's hand, stays as it is."""
    for cause in sorted(causes, key=lambda each: each.address.lower()):
        lesser = list(_RANKS[: _RANKS.index(cause.reason)])
        values = {"address": cause.address, "reason": cause.reason, "text": cause.text or None}
        connection.execute(_PUT, {**values, "mail_id": cause.mail_id, "lesser": lesser})
    forget(connection, [cause.address for cause in causes])


def count_soft_bounces(connection: Connection, bounces: Sequence[Cause]) -> None:
    """Count a mail that came back for a reason that may pass; the fifth in a row puts its address onto the list."""
    full = []
    for bounce in sorted(bounces, key=lambda each: each.address.lower()):
        values = {"address": bounce.address, "text": bounce.text or None}
        if connection.execute(_COUNT, values).scalar_one() >= SOFT_BOUNCE_LIMIT:
            full.append(bounce)
    if full:
        put(connection, full)


def forget(connection: Connection, addresses: Collection[str]) -> None:
    """Begin to count anew: mail to these addresses has arrived, or they are on the list, or were taken from it."""
    if addresses:
        connection.execute(_FORGET, {"addresses": sorted({address.lower() for address in addresses})})


def lift(connection: Connection, arrived: Mapping[str, datetime]) -> None:
    """Take those off the list that are there for soft bounces alone, and that mail has reached since.

    Args:
        connection: the database.
        arrived: addresses in lower case, each with the moment at which mail was delivered to it.
    """
    if arrived:
        addresses = sorted(arrived)
        times = [arrived[address] for address in addresses]
        connection.execute(_LIFT, {"addresses": addresses, "times": times, "reason": SOFT_BOUNCES})
