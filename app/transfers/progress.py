"""The row of a transfer as others see it while it is worked on: its state, its attempt, how far it is.

These statements commit at once, on a connection beside the transaction of the work, which touches the row only at its
very end: nothing waits for the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, text

_BEGIN = text(
    """
    UPDATE transfers SET state = 'running', attempts = attempts + 1, done = 0, total = 0
    WHERE id = :id AND state IN ('queued', 'running')
    RETURNING attempts
    """
)
_UPDATE = text(
    """
    UPDATE transfers SET done = :done, total = :total
    WHERE id = :id AND state = 'running' AND attempts = :attempt
    """
)


@dataclass
class Progress:
    """One attempt at a transfer.

    Attributes:
        connection: one in autocommit mode.
        id: the transfer's id.
        attempt: the number of the attempt, from 1; an outcome is only written under it.
        done: how many sessions, speakers and the like are done.
        total: how many there are.
    """

    connection: Connection
    id: int
    attempt: int
    done: int = 0
    total: int = 0

    def begin(self, total: int) -> None:
        """It is known how much there is to do."""
        self.total = total
        self._write()

    def advance(self, count: int) -> None:
        """So much more is done."""
        self.done += count
        self._write()

    def _write(self) -> None:
        values = {"id": self.id, "attempt": self.attempt, "done": self.done, "total": self.total}
        self.connection.execute(_UPDATE, values)


def begin_attempt(connection: Connection, transfer_id: int) -> Progress | None:
    """Begin the next attempt; None if the transfer has ended or is gone."""
    attempt = connection.execute(_BEGIN, {"id": transfer_id}).scalar_one_or_none()
    return None if attempt is None else Progress(connection, transfer_id, attempt)
