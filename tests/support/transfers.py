"""Exports and imports in the process of the test: files, rows, and the work of a worker."""

from __future__ import annotations

import copy
import json
from typing import Any

from app.models import Event, Transfer, User, db
from app.models.transfer import EXPORT, IMPORT
from app.transfers.work import run

SMALL: dict[str, Any] = {
    "event": {
        "name": "Small",
        "starts-at": "2027-03-17T09:00:00+08:00",
        "ends-at": "2027-03-18T09:00:00+08:00",
        "timezone": "Asia/Singapore",
    },
    "speakers": [
        {"id": "1", "name": "Ana", "email": "Ana@example.org", "organisation": None},
        {"id": "2", "name": "Bo", "email": None},
    ],
    "sessions": [
        {"id": "7", "title": "One", "state": "accepted", "speaker-ids": ["1", "2", "1"]},
        {"id": "8", "title": "Two", "state": None, "starts-at": None, "speaker-ids": []},
    ],
}


def changed(where: tuple[Any, ...], value: Any) -> dict[str, Any]:
    """The small file with another value in one place."""
    whole: Any = {"whole": copy.deepcopy(SMALL)}
    place, path = whole, ("whole", *where)
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    content: dict[str, Any] = whole["whole"]
    return content


def to_bytes(content: object) -> bytes:
    return json.dumps(content).encode()


def ask_import(user: User, content: object = SMALL) -> Transfer:
    """An import that waits for a worker."""
    raw = content if isinstance(content, bytes) else to_bytes(content)
    return _ask(Transfer(kind=IMPORT, user=user, content=raw))


def ask_export(user: User, event: Event) -> Transfer:
    """An export that waits for a worker."""
    return _ask(Transfer(kind=EXPORT, user=user, event=event))


def do(transfer: Transfer) -> Transfer:
    """Do what a worker does, and look at what came of it."""
    run(transfer.id)
    return look(transfer)


def look(transfer: Transfer) -> Transfer:
    """The row as it is now."""
    db.session.rollback()
    db.session.refresh(transfer)
    return transfer


def imported(user: User, content: object = SMALL) -> Event:
    """The event of an import that succeeded."""
    transfer = do(ask_import(user, content))
    assert transfer.error is None
    assert transfer.event is not None
    return transfer.event


def exported(user: User, event: Event) -> Any:
    """The content of an export that succeeded."""
    transfer = do(ask_export(user, event))
    assert transfer.error is None
    assert transfer.content is not None
    return json.loads(transfer.content)


def _ask(transfer: Transfer) -> Transfer:
    db.session.add(transfer)
    db.session.commit()
    return transfer
