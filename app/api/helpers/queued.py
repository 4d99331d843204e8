"""What a transaction has queued and must be handed over after its commit: ids by task, savepoints respected."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session, SessionTransaction

_QUEUED: Final = "usher.queued"


@dataclass(frozen=True)
class Queued:
    """Rows for one task, and the savepoint that they were queued in (None: outside of any)."""

    task: str
    ids: tuple[int, ...]
    is_bulk: bool
    savepoint: SessionTransaction | None


def remember_queued(session: Session, task: str, ids: Iterable[int], *, is_bulk: bool = False) -> None:
    """Note rows that are work for the workers as soon as the caller's transaction is committed, and only then.

    Args:
        session: the one that has added them.
        task: the task that does the work.
        ids: theirs.
        is_bulk: whether they may wait behind others.
    """
    entry = Queued(task, tuple(ids), is_bulk, session.get_nested_transaction())
    session.info.setdefault(_QUEUED, []).append(entry)


def take_queued(session: Session) -> list[Queued]:
    """What the transaction that was just committed has queued; asked a second time, nothing."""
    taken: list[Queued] = session.info.pop(_QUEUED, [])
    return taken


def forget_queued(session: Session, savepoint: SessionTransaction | None = None) -> None:
    """Drop what a transaction, or only a savepoint and those within it, had queued: it was rolled back."""
    entries: list[Queued] = session.info.pop(_QUEUED, [])
    if savepoint is not None:
        session.info[_QUEUED] = [entry for entry in entries if not is_within(entry.savepoint, savepoint)]


def is_within(transaction: SessionTransaction | None, savepoint: SessionTransaction) -> bool:
    """Whether a transaction is the savepoint, or one that was begun within it."""
    while transaction is not None and transaction is not savepoint:
        transaction = transaction.parent
    return transaction is savepoint
